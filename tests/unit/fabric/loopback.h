// Two sides of an iWARP connection over loopback TCP, on one real reactor that the test thread runs.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/fabric/iwarp/fabric.h"
#include "engine/io/blocking_pool.h"
#include "engine/io/reactor.h"
#include "tests/unit/fabric/machine.h"

namespace uscst::fabric::iwarp {

// The owner of an endpoint: keeps what it reports.
struct Owner final : EndpointEvents {
  void received(base::Bytes message) override {
    messages.emplace_back(message.begin(), message.end());
    if (on_message) on_message(message);
  }
  void disconnected(DisconnectReason why, const std::string& text) override {
    EXPECT_FALSE(reason.has_value()) << "disconnected twice";
    reason = why;
    detail = text;
    endpoint.reset();
  }

  std::unique_ptr<Endpoint> endpoint;
  std::vector<Octets> messages;
  std::function<void(base::Bytes)> on_message;
  std::optional<DisconnectReason> reason;
  std::string detail;
};

class Loopback {
 public:
  explicit Loopback(io::ReactorKind kind, const Config& target_config = quick(),
                    const Config& initiator_config = quick());
  ~Loopback();

  static Config quick();  // short timeouts
  // Runs the reactor until `done()`; false after 5 s.
  bool run_until(const std::function<bool()>& done);
  void run_for(std::chrono::milliseconds time);

  void listen(const std::string& host = "127.0.0.1");
  // Connects `initiator` to the listener; the target accepts with `reply`.
  void connect(base::Bytes login = {}, base::Bytes reply = {});
  // A plain TCP connection to the listener, blocking with a timeout of 2 s.
  int raw_client();

  base::Log log{[](base::LogLevel, std::string_view) {}};
  io::BlockingPool pool{1};
  std::unique_ptr<io::Reactor> reactor;
  std::optional<IwarpFabric> target_fabric, initiator_fabric;
  std::unique_ptr<Listener> listener;
  std::vector<std::unique_ptr<ConnectionRequest>> requests;
  bool accept_at_once = true;
  Octets reply;
  Owner target, initiator;
  std::optional<base::Error> connect_error;
  Octets connect_data;
  bool connect_called = false;

 private:
  void on_tick();
  std::function<bool()> done_;
  bool satisfied_ = false;
  base::TimePoint give_up_{};
  io::Timer tick_{io::Call<>::to<&Loopback::on_tick>(this)};
};

}  // namespace uscst::fabric::iwarp
