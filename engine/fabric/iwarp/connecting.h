// A connection being opened: TCP, MPA request, MPA reply, then an endpoint. Owns itself (in the fabric's OngoingSet)
// until it has called back; on the reactor it was started on.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "engine/fabric/fabric.h"
#include "engine/fabric/iwarp/address.h"
#include "engine/fabric/iwarp/config.h"
#include "engine/fabric/iwarp/fabric.h"
#include "engine/fabric/iwarp/mpa.h"
#include "engine/fabric/iwarp/socket.h"
#include "engine/io/reactor.h"

namespace uscst::fabric::iwarp {

class Connecting final : public Ongoing {
 public:
  Connecting(io::Reactor& reactor, Socket socket, const SocketAddress& to, base::Bytes private_data,
             const Config& config, EndpointEvents& events, OnConnected on_connected, OngoingSet& ongoing);
  void start();

 private:
  void on_connected(int result);
  void on_received(int result);
  void on_timeout();
  void judge();
  void end(Connected connected);
  void fail(base::Error error) { end({std::unexpected(std::move(error)), {}}); }
  bool timed_out_or(int result, const char* what);

  io::Reactor& reactor_;
  Socket socket_;
  const SocketAddress to_;
  const std::vector<std::uint8_t> request_;
  const Config& config_;
  EndpointEvents& events_;
  OnConnected on_connected_;
  OngoingSet& ongoing_;
  std::array<std::uint8_t, sizeof(MpaHeader) + kMaximumPrivateData> bytes_{};
  std::size_t have_ = 0;
  bool timed_out_ = false;
  io::Operation connect_{io::Call<int>::to<&Connecting::on_connected>(this)};
  io::Operation receive_{io::Call<int>::to<&Connecting::on_received>(this)};
  io::Timer timer_{io::Call<>::to<&Connecting::on_timeout>(this)};
};

}  // namespace uscst::fabric::iwarp
