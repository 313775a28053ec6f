#include "engine/control/control_connection.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace uscst::control {
namespace {

std::vector<std::string> split(std::string_view line) {
  std::vector<std::string> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (line.empty()) return words;
    words.emplace_back(line.substr(0, line.find(' ')));
    line.remove_prefix(words.back().size());
  }
}

}  // namespace

void ControlConnection::send_status(const base::Status& status) {
  if (status) return send_text("ok\n");
  std::string text = status.error().text;
  std::ranges::replace(text, '\n', ' ');
  send_text(fmt::format("error {} {}\n", status.error().code, text));
}

ControlSocket::Connection::Connection(ControlSocket& owner, int fd)
    : owner_(owner),
      fd_(fd),
      receive_(io::Call<int>::to<&Connection::received>(this)),
      send_(io::Call<int>::to<&Connection::sent>(this)),
      watch_(io::Call<int>::to<&Connection::hung_up>(this)),
      digest_(io::Call<>::to<&Connection::digest>(this)),
      line_limit_(io::Call<>::to<&Connection::line_too_late>(this)) {}

ControlSocket::Connection::~Connection() { ::close(fd_); }

void ControlSocket::Connection::start() {
  owner_.reactor_.arm_after(line_limit_, kLineLimit);
  // A peer that is gone is noticed also while nothing is read from it.
  owner_.reactor_.poll(watch_, fd_, POLLHUP | POLLERR);
  receive_more();
}

// --- input

void ControlSocket::Connection::receive_more() {
  if (closed_ || leaving_ || receive_.in_flight() || input_.size() >= kMaximumInputBytes) return;
  room_.resize(kReceiveBytes);
  owner_.reactor_.receive(receive_, fd_, room_);
}

void ControlSocket::Connection::received(int result) {
  if (closed_) return settle();
  if (result <= 0) return close();
  input_.insert(input_.end(), room_.begin(), room_.begin() + result);
  digest();
}

void ControlSocket::Connection::hung_up(int) {
  if (closed_) return settle();
  close();
}

void ControlSocket::Connection::look_again() {
  if (!closed_) owner_.reactor_.defer(digest_);
}

void ControlSocket::Connection::digest() {
  if (closed_) return;
  if (leaving_) return output_.empty() ? close() : void();
  if (!conversation_) take_line();
  while (conversation_ && !leaving_ && !input_.empty() && unsent_bytes_ < kMaximumUnsentBytes) {
    auto taken = conversation_->received(input_);
    if (!taken) {
      owner_.log_.warning("control socket: {}", taken.error().text);
      return close();
    }
    if (*taken == 0) break;
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(*taken));
  }
  receive_more();
}

void ControlSocket::Connection::take_line() {
  const auto end = std::ranges::find(input_, std::uint8_t{'\n'});
  const auto length = static_cast<std::size_t>(end - input_.begin());
  if (length >= kMaximumLineBytes) {
    send_status(base::fail(E2BIG, "the first line is too long"));
    return close_when_sent();
  }
  if (end == input_.end()) return;
  io::Executor::disarm(line_limit_);
  const std::string line(input_.begin(), end);
  input_.erase(input_.begin(), end + 1);
  open_service(line);
}

void ControlSocket::Connection::open_service(std::string_view line) {
  std::vector<std::string> words = split(line);
  const std::string name = words.empty() ? std::string() : words.front();
  const ControlService* service = owner_.find_service(name);
  if (!service) {
    send_status(base::fail(EINVAL, "there is no such service"));
    return close_when_sent();
  }
  words.erase(words.begin());
  auto opened = (*service)(*this, words);
  if (!opened) {
    send_status(std::unexpected(opened.error()));
    return close_when_sent();
  }
  conversation_ = std::move(*opened);
}

// --- output

void ControlSocket::Connection::send(std::vector<std::uint8_t> bytes) {
  if (closed_ || bytes.empty()) return;
  unsent_bytes_ += bytes.size();
  output_.push_back(std::move(bytes));
  send_more();
}

void ControlSocket::Connection::close_when_sent() {
  leaving_ = true;
  look_again();  // not now: whoever called may be the conversation
}

void ControlSocket::Connection::send_more() {
  if (closed_ || send_.in_flight() || output_.empty()) return;
  parts_.clear();
  std::size_t skip = first_sent_bytes_;
  for (auto& bytes : output_) {
    if (parts_.size() == kMaximumParts) break;
    parts_.push_back({bytes.data() + skip, bytes.size() - skip});
    skip = 0;
  }
  message_ = {};
  message_.msg_iov = parts_.data();
  message_.msg_iovlen = parts_.size();
  owner_.reactor_.send(send_, fd_, message_);
}

void ControlSocket::Connection::sent(int result) {
  if (closed_) return settle();
  if (result <= 0) return close();
  auto left = static_cast<std::size_t>(result);
  unsent_bytes_ -= left;
  while (left > 0 && left >= output_.front().size() - first_sent_bytes_) {
    left -= output_.front().size() - first_sent_bytes_;
    output_.pop_front();
    first_sent_bytes_ = 0;
  }
  first_sent_bytes_ += left;
  if (output_.empty() && leaving_) return close();
  send_more();
  if (!input_.empty()) look_again();
}

// --- the end

void ControlSocket::Connection::close() {
  if (closed_) return;
  closed_ = true;
  conversation_.reset();
  io::Executor::disarm(line_limit_);
  ::shutdown(fd_, SHUT_RDWR);
  for (io::Operation* operation : {&receive_, &send_, &watch_}) {
    if (operation->in_flight()) owner_.reactor_.cancel(*operation);
  }
  settle();
}

void ControlSocket::Connection::settle() {
  if (settled_ || receive_.in_flight() || send_.in_flight() || watch_.in_flight()) return;
  settled_ = true;
  owner_.reactor_.post([this] { owner_.ended(*this); });
}

}  // namespace uscst::control
