#include "engine/fabric/sim/sim_fabric.h"

#include <fmt/format.h>

#include "engine/fabric/sim/sim_endpoint.h"

namespace uscst::fabric::sim {

// Runs once at its time, then is gone. One whose fabric is destroyed first never runs.
struct SimFabric::Delayed {
  Delayed(SimFabric& owner, std::move_only_function<void()> what) : fabric(owner), run(std::move(what)) {}
  void fire() {
    auto what = std::move(run);
    fabric.delayed_.erase(self);
    what();
  }
  SimFabric& fabric;
  std::move_only_function<void()> run;
  std::list<std::unique_ptr<Delayed>>::iterator self;
  io::Timer timer{io::Call<>::to<&Delayed::fire>(this)};
};

class SimListener final : public Listener {
 public:
  SimListener(SimFabric& fabric, Address address) : fabric_(fabric), address_(std::move(address)) {}
  ~SimListener() override { fabric_.listeners_.erase(address_.port); }
  const Address& address() const override { return address_; }

 private:
  SimFabric& fabric_;
  const Address address_;
};

// The connecting side as the request knows it: what it waits with.
struct Caller {
  io::Executor& executor;
  EndpointEvents& events;
  OnConnected on_connected;
  Address from, to;
};

class SimRequest final : public ConnectionRequest {
 public:
  SimRequest(SimFabric& fabric, std::unique_ptr<Caller> caller, std::vector<std::uint8_t> private_data)
      : fabric_(fabric),
        caller_(std::move(caller)),
        peer_(caller_->from),
        local_(caller_->to),
        private_data_(std::move(private_data)) {}
  ~SimRequest() override {
    if (caller_) answer({base::fail(ECONNRESET, "the connection request was dropped"), {}});
  }

  base::Bytes private_data() const override { return private_data_; }
  const Address& peer() const override { return peer_; }
  const Address& local() const override { return local_; }

  base::Result<std::unique_ptr<Endpoint>> accept(io::Executor& executor, base::Bytes private_data,
                                                 EndpointEvents& events) override {
    const base::Duration delay = fabric_.delay();
    const base::TimePoint heard = caller_->executor.clock().now() + delay + base::Duration(1);
    auto initiator = std::make_unique<SimEndpoint>(fabric_, caller_->executor, caller_->events, heard, true);
    auto responder = std::make_unique<SimEndpoint>(fabric_, executor, events, executor.clock().now(), false);
    SimEndpoint::join(*initiator, *responder);
    answer({std::move(initiator), {private_data.begin(), private_data.end()}}, delay);
    return responder;
  }
  void reject(base::Bytes private_data) override {
    answer({base::fail(ECONNREFUSED, "the peer rejected the connection"), {private_data.begin(), private_data.end()}});
  }

 private:
  void answer(Connected connected) { answer(std::move(connected), fabric_.delay()); }
  void answer(Connected connected, base::Duration delay) {
    io::Executor& executor = caller_->executor;
    fabric_.later(executor, delay, [caller = std::move(caller_), connected = std::move(connected)]() mutable {
      caller->on_connected(std::move(connected));
    });
  }

  SimFabric& fabric_;
  std::unique_ptr<Caller> caller_;
  const Address peer_, local_;
  const std::vector<std::uint8_t> private_data_;
};

SimFabric::SimFabric(io::Executor& control, const SimConfig& config)
    : control_(control), config_(config), random_(config.seed) {}

SimFabric::~SimFabric() = default;

base::Duration SimFabric::delay() {
  const auto span = static_cast<std::uint64_t>((config_.maximum_delay - config_.minimum_delay).count());
  return config_.minimum_delay + base::Duration(random_() % (span + 1));
}

void SimFabric::later(io::Executor& executor, base::Duration delay, std::move_only_function<void()> run) {
  delayed_.push_back(std::make_unique<Delayed>(*this, std::move(run)));
  delayed_.back()->self = std::prev(delayed_.end());
  executor.arm_after(delayed_.back()->timer, delay);
}

SimFabric::Listening* SimFabric::find(const Address& to) {
  const auto at = listeners_.find(to.port);
  if (at == listeners_.end()) return nullptr;
  const std::string& host = at->second->address.host;
  return host == to.host || host == "0.0.0.0" || host == "::" ? at->second.get() : nullptr;
}

base::Result<std::unique_ptr<Listener>> SimFabric::listen(const Address& address, OnConnection on_connection) {
  Address bound = address;
  if (bound.port == 0) bound.port = next_port_++;
  const auto [at, fresh] = listeners_.try_emplace(bound.port, nullptr);
  if (!fresh) return base::fail(EADDRINUSE, fmt::format("port {} is in use", bound.port));
  at->second = std::make_shared<Listening>(Listening{bound, std::move(on_connection)});
  return std::make_unique<SimListener>(*this, std::move(bound));
}

void SimFabric::connect(io::Executor& executor, const Address& to, base::Bytes private_data, EndpointEvents& events,
                        OnConnected on_connected) {
  auto caller = std::make_unique<Caller>(executor, events, std::move(on_connected), initiator_address_, to);
  later(control_, delay(),
        [this, caller = std::move(caller), data = std::vector(private_data.begin(), private_data.end())]() mutable {
          Listening* listening = find(caller->to);
          if (listening != nullptr) {
            const auto held = listeners_.at(caller->to.port);  // the callback may end the listener
            return held->on_connection(std::make_unique<SimRequest>(*this, std::move(caller), std::move(data)));
          }
          io::Executor& back = caller->executor;
          later(back, delay(), [refused = std::move(caller)] {
            refused->on_connected({base::fail(ECONNREFUSED, "nothing listens there"), {}});
          });
        });
}

}  // namespace uscst::fabric::sim
