#include "engine/initiator/local_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/local/wire.h"

namespace uscst::initiator {
namespace {

constexpr timeval kAnswerLimit{.tv_sec = 10, .tv_usec = 0};
constexpr std::size_t kMaximumLineBytes = 4096;

base::Result<int> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return base::fail(ENAMETOOLONG, fmt::format("{}: too long", path));
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return base::fail(errno, fmt::format("socket: {}", std::strerror(errno)));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kAnswerLimit, sizeof kAnswerLimit);
  if (connect(fd, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address) != 0) {
    const int code = errno;
    close(fd);
    return base::fail(code == EACCES ? EPERM : code, fmt::format("{}: {}", path, std::strerror(code)));
  }
  return fd;
}

// io_uring's notifications interrupt a call that has a time-out.
ssize_t receive_one(int fd, char& c) {
  while (true) {
    const ssize_t n = recv(fd, &c, 1, 0);
    if (n >= 0 || errno != EINTR) return n;
  }
}

// The daemon's first line, without a byte of what follows.
base::Result<std::string> read_line(int fd) {
  std::string line;
  for (char c = 0; line.size() < kMaximumLineBytes; line += c) {
    const ssize_t n = receive_one(fd, c);
    if (n <= 0) return base::fail(EPROTO, "the daemon closed the connection without an answer");
    if (c == '\n') return line;
  }
  return base::fail(EPROTO, "the daemon's answer is too long");
}

base::Status ask(int fd, const LocalOptions& options) {
  std::string line = "local " + options.target;
  if (!options.session.empty()) line += ' ' + options.session;
  line += '\n';
  if (::send(fd, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    return base::fail(EPROTO, fmt::format("{}: {}", options.socket, std::strerror(errno)));
  }
  auto answer = read_line(fd);
  if (!answer) return std::unexpected(answer.error());
  if (*answer == "ok") return {};
  constexpr std::string_view kError = "error ";
  if (!answer->starts_with(kError)) return base::fail(EPROTO, fmt::format("the daemon answered '{}'", *answer));
  const std::size_t text = answer->find(' ', kError.size());
  return base::fail(EACCES, "refused: " + (text == std::string::npos ? *answer : answer->substr(text + 1)));
}

srp::ResponseCode code_of(std::uint8_t status) {
  switch (static_cast<local::ManagementResult>(status)) {
    case local::ManagementResult::kComplete: return srp::ResponseCode::kComplete;
    case local::ManagementResult::kNotSupported: return srp::ResponseCode::kNotSupported;
    case local::ManagementResult::kFailed: break;
  }
  return srp::ResponseCode::kFailed;
}

}  // namespace

base::Result<std::unique_ptr<LocalLink>> LocalLink::open(io::Reactor& reactor, LocalOptions options) {
  auto fd = connect_to(options.socket);
  if (!fd) return std::unexpected(fd.error());
  if (auto status = ask(*fd, options); !status) {
    close(*fd);
    return std::unexpected(status.error());
  }
  fcntl(*fd, F_SETFL, O_NONBLOCK);
  return std::unique_ptr<LocalLink>(new LocalLink(reactor, std::move(options), *fd));
}

LocalLink::LocalLink(io::Reactor& reactor, LocalOptions options, int fd)
    : reactor_(reactor),
      options_(std::move(options)),
      fd_(fd),
      receive_(io::Call<int>::to<&LocalLink::received>(this)),
      send_(io::Call<int>::to<&LocalLink::sent>(this)),
      watch_(io::Call<>::to<&LocalLink::watch>(this)) {}

LocalLink::~LocalLink() { close(fd_); }

void LocalLink::begin() {
  receive_more();
  reactor_.arm_after(watch_, kWatchPeriod);
}

// --- tasks

bool LocalLink::submit(std::size_t, Task& task) {
  if (closed_ || task.data.size() > local::kMaximumDataBytes) return false;
  task.outcome = {};
  const std::uint64_t tag = ++last_tag_;
  local::Request request{.attribute = static_cast<std::uint8_t>(task.attribute), .tag = tag, .lun = task.lun};
  request.cdb.assign(task.cdb.begin(), task.cdb.end());
  const auto length = static_cast<std::uint32_t>(task.data.size());
  if (task.direction == Direction::kIn) request.data_in_bytes = length;
  if (task.direction == Direction::kOut) request.data_out_bytes = length;
  const auto frame = local::encode(request);
  std::vector<std::uint8_t> bytes(frame.begin(), frame.end());
  if (task.direction == Direction::kOut) bytes.insert(bytes.end(), task.data.begin(), task.data.end());
  running_[tag] = {&task, reactor_.clock().now() + options_.command_timeout};
  send(std::move(bytes));
  return true;
}

bool LocalLink::submit(std::size_t, ManagementTask& task) {
  if (closed_) return false;
  task.delivery = Delivery::kAnswered;
  const std::uint64_t tag = ++last_tag_;
  const auto frame = local::encode(local::Request{.kind = local::FrameKind::kTaskManagement,
                                                  .attribute = static_cast<std::uint8_t>(task.function),
                                                  .tag = tag,
                                                  .lun = task.lun});
  managing_[tag] = &task;
  send({frame.begin(), frame.end()});
  return true;
}

// The daemon copies into and out of its own memory: a task may end at any time.
void LocalLink::finish(Running running, Delivery delivery) {
  running.task->outcome.delivery = delivery;
  running.task->done_(*running.task);
}

void LocalLink::watch() {
  if (closed_) return;
  const base::TimePoint now = reactor_.clock().now();
  for (auto& [tag, running] : running_) {
    if (!running.aborting && running.deadline <= now) abort(tag, running);
  }
  for (const auto& [tag, aborted] : aborts_) {
    if (aborted.second <= now) return fail("no answer to a task management function");
  }
  reactor_.arm_after(watch_, kWatchPeriod);
}

void LocalLink::abort(std::uint64_t tag, Running& running) {
  running.aborting = true;
  const std::uint64_t own = ++last_tag_;
  const auto frame = local::encode(local::Request{.kind = local::FrameKind::kTaskManagement,
                                                  .attribute = static_cast<std::uint8_t>(srp::TaskFunction::kAbortTask),
                                                  .tag = own,
                                                  .task_tag = tag,
                                                  .lun = running.task->lun});
  aborts_[own] = {tag, reactor_.clock().now() + options_.management_timeout};
  send({frame.begin(), frame.end()});
}

// --- sending

void LocalLink::send(std::vector<std::uint8_t> bytes) {
  output_.push_back(std::move(bytes));
  send_more();
}

void LocalLink::send_more() {
  if (closed_ || send_.in_flight() || output_.empty()) return;
  part_ = {output_.front().data() + first_sent_bytes_, output_.front().size() - first_sent_bytes_};
  message_ = {};
  message_.msg_iov = &part_;
  message_.msg_iovlen = 1;
  reactor_.send(send_, fd_, message_);
}

void LocalLink::sent(int result) {
  if (closed_) return settle();
  if (result <= 0) return fail(std::strerror(-result));
  first_sent_bytes_ += static_cast<std::size_t>(result);
  if (first_sent_bytes_ == output_.front().size()) {
    output_.pop_front();
    first_sent_bytes_ = 0;
  }
  send_more();
}

// --- answers

void LocalLink::receive_more() {
  room_.resize(kReceiveBytes);
  reactor_.receive(receive_, fd_, room_);
}

void LocalLink::received(int result) {
  if (closed_) return settle();
  if (result <= 0) return fail(result == 0 ? "the daemon closed the connection" : std::strerror(-result));
  input_.insert(input_.end(), room_.begin(), room_.begin() + result);
  while (!closed_ && take_answer()) {
  }
  if (!closed_) receive_more();
}

bool LocalLink::take_answer() {
  auto answer = local::parse_answer(input_);
  if (!answer) {
    if (answer.error().code != EAGAIN) fail("the daemon sent a " + answer.error().text);
    return false;
  }
  const std::size_t length = local::kAnswerBytes + answer->sense_bytes + answer->data_in_bytes;
  if (input_.size() < length) return false;
  const std::vector<std::uint8_t> frame(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(length));
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(length));
  if (auto managed = managing_.extract(answer->tag)) {
    ManagementTask& task = *managed.mapped();
    task.code = code_of(answer->status);
    task.done_(task);
  } else if (auto aborted = aborts_.extract(answer->tag)) {
    if (auto running = running_.extract(aborted.mapped().first)) finish(running.mapped(), Delivery::kTimedOut);
  } else {
    answer_task(frame);
  }
  return true;
}

void LocalLink::answer_task(base::Bytes frame) {
  const local::Answer answer = *local::parse_answer(frame);
  auto found = running_.extract(answer.tag);
  if (!found) return;
  Task& task = *found.mapped().task;
  const base::Bytes sense = frame.subspan(local::kAnswerBytes, answer.sense_bytes);
  const base::Bytes data = frame.subspan(local::kAnswerBytes + answer.sense_bytes);
  if (task.direction == Direction::kIn) {
    std::copy_n(data.begin(), std::min(data.size(), task.data.size()), task.data.begin());
  }
  task.outcome.status = answer.status;
  task.outcome.residual = answer.residual;
  task.outcome.sense.assign(sense.begin(), sense.end());
  const Delivery unanswered = found.mapped().aborting ? Delivery::kTimedOut : Delivery::kAborted;
  finish(found.mapped(), answer.answered ? Delivery::kAnswered : unanswered);
}

// --- the end

void LocalLink::fail(std::string why) {
  if (closed_) return;
  closed_ = true;
  why_closed_ = std::move(why);
  io::Executor::disarm(watch_);
  ::shutdown(fd_, SHUT_RDWR);
  for (io::Operation* operation : {&receive_, &send_}) {
    if (operation->in_flight()) reactor_.cancel(*operation);
  }
  for (auto& [tag, running] : std::exchange(running_, {})) finish(running, Delivery::kDisconnected);
  for (auto& [tag, task] : std::exchange(managing_, {})) {
    task->delivery = Delivery::kDisconnected;
    task->done_(*task);
  }
  settle();
}

void LocalLink::logout(OnEnd on_end) {
  on_end_ = std::move(on_end);
  if (closed_) return settle();
  fail("logged out");
}

// A report posted, not called: an operation's completion may still be on the stack.
void LocalLink::settle() {
  if (!on_end_ || receive_.in_flight() || send_.in_flight()) return;
  reactor_.post([done = std::exchange(on_end_, nullptr)]() mutable { done(); });
}

}  // namespace uscst::initiator
