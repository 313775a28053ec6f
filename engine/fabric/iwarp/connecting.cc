#include "engine/fabric/iwarp/connecting.h"

#include <fmt/format.h>

#include <cstring>

#include "engine/fabric/iwarp/endpoint.h"

namespace uscst::fabric::iwarp {

Connecting::Connecting(io::Reactor& reactor, Socket socket, const SocketAddress& to, base::Bytes private_data,
                       const Config& config, EndpointEvents& events, OnConnected on_connected, OngoingSet& ongoing)
    : reactor_(reactor),
      socket_(std::move(socket)),
      to_(to),
      request_(build_request(config.limits(), private_data)),
      config_(config),
      events_(events),
      on_connected_(std::move(on_connected)),
      ongoing_(ongoing) {}

void Connecting::start() {
  reactor_.arm_after(timer_, config_.connect_timeout);
  reactor_.connect(connect_, socket_.fd(), to_.get(), to_.length);
}

void Connecting::on_timeout() {
  timed_out_ = true;
  reactor_.cancel(connect_);
  reactor_.cancel(receive_);
}

// True when the attempt has ended here.
bool Connecting::timed_out_or(int result, const char* what) {
  const int code = timed_out_ ? ETIMEDOUT : -result;
  if (code <= 0) return false;
  const Address to = format_address(to_);
  fail({code, fmt::format("{} {} port {}: {}", what, to.host, to.port, std::strerror(code))});
  return true;
}

void Connecting::on_connected(int result) {
  if (timed_out_or(result, "connecting to")) return;
  configure(socket_, config_.liveness);
  if (auto sent = send_frame(socket_, request_.data(), request_.size()); !sent) return fail(sent.error());
  judge();
}

void Connecting::on_received(int result) {
  if (timed_out_or(result == 0 ? -ECONNRESET : result, "waiting for the MPA reply of")) return;
  have_ += static_cast<std::size_t>(result);
  judge();
}

void Connecting::judge() {
  const ParsedFrame parsed = parse_frame(FrameKind::kReply, base::Bytes(bytes_).first(have_));
  if (const auto* need = std::get_if<Need>(&parsed)) {
    const base::MutableBytes into = base::MutableBytes(bytes_).first(need->bytes).subspan(have_);
    return reactor_.receive(receive_, socket_.fd(), into);
  }
  if (const auto* error = std::get_if<base::Error>(&parsed)) return fail(*error);
  const Frame& frame = std::get<Frame>(parsed);
  std::vector<std::uint8_t> data(frame.private_data.begin(), frame.private_data.end());
  const auto agreed = accept_reply(frame, config_.limits());
  if (!agreed) return end({std::unexpected(agreed.error()), std::move(data)});
  auto endpoint =
      std::make_unique<IwarpEndpoint>(reactor_, std::move(socket_), Role::kInitiator, *agreed, config_, events_);
  end({std::move(endpoint), std::move(data)});
}

void Connecting::end(Connected connected) {
  OnConnected call = std::move(on_connected_);
  ongoing_.remove(this);
  call(std::move(connected));
}

}  // namespace uscst::fabric::iwarp
