#include "engine/io/epoll_reactor.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "engine/io/file_calls.h"

namespace uscst::io {
namespace {

// The events of poll(2) and epoll(7) have the same values (EPOLLIN == POLLIN and so on).
static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP);

// epoll_wait(2) counts in milliseconds: rounded up, so that no turn is made in vain before the deadline.
int to_timeout_ms(base::Duration limit) {
  auto count_ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  return static_cast<int>(std::min<std::int64_t>(count_ms, std::numeric_limits<int>::max()));
}

}  // namespace

base::Result<std::unique_ptr<Reactor>> EpollReactor::create(BlockingPool& pool) {
  int epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  int event_fd = epoll_fd < 0 ? -1 : ::eventfd(0, EFD_CLOEXEC);
  epoll_event wake{.events = EPOLLIN, .data = {.fd = event_fd}};
  if (event_fd >= 0 && ::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &wake) == 0) {
    return std::unique_ptr<Reactor>(new EpollReactor(epoll_fd, event_fd, pool));
  }
  int code = errno;
  if (event_fd >= 0) ::close(event_fd);
  if (epoll_fd >= 0) ::close(epoll_fd);
  return base::fail(code, fmt::format("epoll or eventfd: {}", std::strerror(code)));
}

EpollReactor::EpollReactor(int epoll_fd, int event_fd, BlockingPool& pool)
    : EventLoop(event_fd, pool), epoll_fd_(epoll_fd) {}

EpollReactor::~EpollReactor() { ::close(epoll_fd_); }

void EpollReactor::collect(std::optional<Sleep> sleep) {
  int timeout_ms = 0;
  if (sleep && ready_.empty()) timeout_ms = sleep->limit ? to_timeout_ms(*sleep->limit) : -1;
  std::array<epoll_event, kEventBatch> events;
  int count = ::epoll_wait(epoll_fd_, events.data(), kEventBatch, timeout_ms);
  for (int i = 0; i < count; ++i)
    descriptor_ready(events[static_cast<unsigned>(i)].data.fd, events[static_cast<unsigned>(i)].events);
}

void EpollReactor::dispatch() {
  // One round: what completes at once meanwhile waits for the next turn, or it could hold the loop.
  List round;
  round.swap(ready_);
  while (!round.empty() && !stopping()) {
    Operation& op = round.front();
    round.pop_front();
    finish(op, pending(op).result);
  }
  ready_.splice(ready_.begin(), round);
}

void EpollReactor::descriptor_ready(int fd, std::uint32_t events) {
  if (fd == inbox().event_fd()) {
    std::uint64_t count;
    [[maybe_unused]] ssize_t taken = ::read(fd, &count, sizeof(count));
    return;
  }
  Descriptor& descriptor = descriptors_[fd];
  for (auto at = descriptor.waiting.begin(); at != descriptor.waiting.end();) {
    Operation& op = *at++;
    Pending& call = pending(op);
    if ((events & (call.flags | EPOLLERR | EPOLLHUP)) == 0) continue;
    if (int result = attempt(call); result != -EAGAIN) {
      op.unlink();
      complete_later(op, result);
    }
  }
  if (descriptor.waiting.empty()) return;  // the registration is one-shot: disabled by now
  if (int result = watch(fd, descriptor); result < 0) {
    while (!descriptor.waiting.empty()) {
      Operation& op = descriptor.waiting.front();
      op.unlink();
      complete_later(op, result);
    }
  }
}

// Asks epoll for one event of what the descriptor's operations wait for. 0 or a negative errno.
int EpollReactor::watch(int fd, Descriptor& descriptor) {
  epoll_event event{.events = EPOLLONESHOT, .data = {.fd = fd}};
  for (Operation& op : descriptor.waiting) event.events |= pending(op).flags;
  int command = descriptor.known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_fd_, command, fd, &event) != 0) {
    // The number may have been closed and given to another file since.
    if (errno != ENOENT && errno != EEXIST) return -errno;
    command = errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (::epoll_ctl(epoll_fd_, command, fd, &event) != 0) return -errno;
  }
  descriptor.known = true;
  return 0;
}

EpollReactor::Pending& EpollReactor::prepare(Operation& op, Kind kind, int fd) {
  started(op);
  Pending& call = pending(op);
  call = Pending{};
  call.kind = kind;
  call.fd = fd;
  return call;
}

void EpollReactor::complete_later(Operation& op, int result) {
  pending(op).waiting = false;
  pending(op).result = result;
  ready_.push_back(op);
}

void EpollReactor::begin_socket_call(Operation& op) {
  Pending& call = pending(op);
  Descriptor& descriptor = descriptors_[call.fd];
  // Those that wait for the same thing go first.
  bool behind_others = std::ranges::any_of(descriptor.waiting,
                                           [&](Operation& other) { return (pending(other).flags & call.flags) != 0; });
  int result = behind_others ? -EAGAIN : attempt(call);
  if (result != -EAGAIN) return complete_later(op, result);
  call.waiting = true;
  descriptor.waiting.push_back(op);
  if (int error = watch(call.fd, descriptor); error < 0) {
    op.unlink();
    complete_later(op, error);
  }
}

void EpollReactor::begin_file_call(Operation& op) {
  pool().run([this, &op] { inbox().complete(op, make_file_call(pending(op))); });
}

// The call itself; -EAGAIN when the descriptor is not ready for it.
int EpollReactor::attempt(Pending& call) {
  for (;;) {
    ssize_t result = -1;
    switch (call.kind) {
      case kAccept: result = ::accept4(call.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); break;
      case kConnect:
        call.kind = kConnecting;
        result = ::connect(call.fd, static_cast<const sockaddr*>(call.from), static_cast<socklen_t>(call.size));
        if (result < 0 && (errno == EINPROGRESS || errno == EINTR)) return -EAGAIN;
        break;
      case kConnecting: return finish_connect(call.fd);
      case kReceive: result = ::recv(call.fd, call.into, call.size, MSG_DONTWAIT); break;
      case kSend:
        result = ::sendmsg(call.fd, static_cast<const msghdr*>(call.from), MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
      case kPoll: return attempt_poll(call.fd, call.flags);
      default: return -EINVAL;
    }
    if (result >= 0) return static_cast<int>(result);
    if (errno != EINTR) return -errno;
  }
}

int EpollReactor::attempt_poll(int fd, std::uint32_t events) {
  pollfd poll{.fd = fd, .events = static_cast<short>(events), .revents = 0};
  int count = ::poll(&poll, 1, 0);
  if (count < 0) return errno == EINTR ? -EAGAIN : -errno;
  if (count == 0) return -EAGAIN;
  return (poll.revents & POLLNVAL) != 0 ? -EBADF : poll.revents;
}

int EpollReactor::finish_connect(int fd) {
  if (int events = attempt_poll(fd, POLLOUT); events < 0) return events;
  int error = 0;
  socklen_t length = sizeof(error);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
  return -error;
}

int EpollReactor::make_file_call(const Pending& call) {
  std::span<const iovec> parts;
  if (call.kind == kRead || call.kind == kWrite) parts = {static_cast<const iovec*>(call.from), call.size};
  switch (call.kind) {
    case kRead: return read_file(call.fd, parts, call.offset);
    case kWrite: return write_file(call.fd, parts, call.offset, static_cast<Durability>(call.flags));
    case kSync: return sync_file(call.fd);
    case kAllocate: return allocate_file(call.fd, static_cast<int>(call.flags), call.offset, call.size);
    default: return -EINVAL;
  }
}

void EpollReactor::accept(Operation& op, int listener_fd) {
  prepare(op, kAccept, listener_fd).flags = EPOLLIN;
  begin_socket_call(op);
}

void EpollReactor::connect(Operation& op, int fd, const sockaddr* address, socklen_t length) {
  Pending& call = prepare(op, kConnect, fd);
  call.flags = EPOLLOUT;
  call.from = address;
  call.size = length;
  begin_socket_call(op);
}

void EpollReactor::receive(Operation& op, int fd, base::MutableBytes into) {
  Pending& call = prepare(op, kReceive, fd);
  call.flags = EPOLLIN;
  call.into = into.data();
  call.size = into.size();
  begin_socket_call(op);
}

void EpollReactor::send(Operation& op, int fd, const msghdr& message) {
  Pending& call = prepare(op, kSend, fd);
  call.flags = EPOLLOUT;
  call.from = &message;
  begin_socket_call(op);
}

void EpollReactor::poll(Operation& op, int fd, std::uint32_t events) {
  prepare(op, kPoll, fd).flags = events;
  begin_socket_call(op);
}

void EpollReactor::read(Operation& op, int fd, std::span<const iovec> into, std::uint64_t offset_bytes) {
  Pending& call = prepare(op, kRead, fd);
  call.from = into.data();
  call.size = into.size();
  call.offset = offset_bytes;
  begin_file_call(op);
}

void EpollReactor::write(Operation& op, int fd, std::span<const iovec> from, std::uint64_t offset_bytes,
                         Durability durability) {
  Pending& call = prepare(op, kWrite, fd);
  call.flags = static_cast<std::uint32_t>(durability);
  call.from = from.data();
  call.size = from.size();
  call.offset = offset_bytes;
  begin_file_call(op);
}

void EpollReactor::sync(Operation& op, int fd) {
  prepare(op, kSync, fd);
  begin_file_call(op);
}

void EpollReactor::allocate(Operation& op, int fd, int mode, std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  Pending& call = prepare(op, kAllocate, fd);
  call.flags = static_cast<std::uint32_t>(mode);
  call.offset = offset_bytes;
  call.size = length_bytes;
  begin_file_call(op);
}

void EpollReactor::cancel(Operation& op) {
  if (!op.in_flight() || !pending(op).waiting) return;
  op.unlink();
  complete_later(op, -ECANCELED);
}

}  // namespace uscst::io
