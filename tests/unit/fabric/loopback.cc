#include "tests/unit/fabric/loopback.h"

#include <sys/socket.h>
#include <sys/time.h>

#include "engine/fabric/iwarp/address.h"

namespace uscst::fabric::iwarp {

using std::chrono::milliseconds;

Loopback::Loopback(io::ReactorKind kind, const Config& target_config, const Config& initiator_config) {
  auto made = io::make_reactor(kind, pool, log);
  EXPECT_TRUE(made) << made.error().text;
  reactor = std::move(*made);
  target_fabric.emplace(*reactor, target_config, log);
  initiator_fabric.emplace(*reactor, initiator_config, log);
}

Loopback::~Loopback() {
  listener.reset();
  requests.clear();
  for (Owner* owner : {&target, &initiator})
    if (owner->endpoint) owner->endpoint->disconnect();
  EXPECT_TRUE(
      run_until([this] { return reactor->operations_in_flight() == 0 && !target.endpoint && !initiator.endpoint; }));
}

Config Loopback::quick() {
  Config config;
  config.handshake_timeout = milliseconds(150);
  config.connect_timeout = milliseconds(300);
  config.close_timeout = milliseconds(200);
  return config;
}

bool Loopback::run_until(const std::function<bool()>& done) {
  done_ = done;
  satisfied_ = false;
  give_up_ = reactor->clock().now() + std::chrono::seconds(5);
  reactor->arm_after(tick_, base::Duration::zero());
  reactor->run();
  return satisfied_;
}

void Loopback::run_for(milliseconds time) {
  const base::TimePoint end = reactor->clock().now() + time;
  run_until([&] { return reactor->clock().now() >= end; });
}

void Loopback::on_tick() {
  satisfied_ = done_();
  if (satisfied_ || reactor->clock().now() >= give_up_) return reactor->stop();
  reactor->arm_after(tick_, milliseconds(1));
}

void Loopback::listen(const std::string& host) {
  auto made = target_fabric->listen({host, 0}, [this](std::unique_ptr<ConnectionRequest> request) {
    if (!accept_at_once) return requests.push_back(std::move(request));
    auto endpoint = request->accept(*reactor, reply, target);
    ASSERT_TRUE(endpoint) << endpoint.error().text;
    target.endpoint = std::move(*endpoint);
    requests.push_back(std::move(request));
  });
  ASSERT_TRUE(made) << made.error().text;
  listener = std::move(*made);
}

void Loopback::connect(base::Bytes login, base::Bytes answer) {
  reply.assign(answer.begin(), answer.end());
  initiator_fabric->connect(*reactor, listener->address(), login, initiator, [this](Connected connected) {
    connect_called = true;
    connect_data = connected.private_data;
    if (connected.endpoint) {
      initiator.endpoint = std::move(*connected.endpoint);
    } else {
      connect_error = connected.endpoint.error();
    }
  });
  ASSERT_TRUE(run_until([this] { return connect_called; }));
}

int Loopback::raw_client() {
  const auto address = parse_address(listener->address());
  const int fd = ::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{2, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  EXPECT_EQ(::connect(fd, address->get(), address->length), 0);
  return fd;
}

}  // namespace uscst::fabric::iwarp
