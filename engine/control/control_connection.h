// One connection of the control socket: reading, sending, and its end. Owned by ControlSocket; control reactor.
#pragma once

#include <optional>

#include "engine/control/control_socket.h"

namespace uscst::control {

class ControlSocket::Connection final : public ControlConnection {
 public:
  // Takes the descriptor.
  Connection(ControlSocket& owner, int fd);
  ~Connection() override;

  void start();
  void send(std::vector<std::uint8_t> bytes) override;
  std::size_t unsent_bytes() const override { return unsent_bytes_; }
  void look_again() override;
  void close_when_sent() override;
  // At once; the owner hears of it when nothing is in flight.
  void close();

 private:
  static constexpr std::size_t kReceiveBytes = 64 << 10;
  static constexpr std::size_t kMaximumParts = 16;

  void received(int result);
  void hung_up(int result);
  void sent(int result);
  void line_too_late() { close(); }
  void digest();
  void take_line();
  void open_service(std::string_view line);
  void receive_more();
  void send_more();
  void settle();

  ControlSocket& owner_;
  const int fd_;
  bool closed_ = false, leaving_ = false, settled_ = false;
  std::unique_ptr<Conversation> conversation_;
  std::vector<std::uint8_t> room_;   // that is received into
  std::vector<std::uint8_t> input_;  // not taken yet
  std::deque<std::vector<std::uint8_t>> output_;
  std::size_t first_sent_bytes_ = 0;  // of the first in output_
  std::size_t unsent_bytes_ = 0;
  std::vector<iovec> parts_;
  msghdr message_{};
  io::Operation receive_, send_, watch_;
  io::Deferred digest_;
  io::Timer line_limit_;
};

}  // namespace uscst::control
