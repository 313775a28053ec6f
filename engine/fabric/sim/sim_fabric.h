// The simulated kind of fabric, for tests: connections in memory, over any executors of one thread. Every delay comes
// from one seed, so a run repeats exactly. Owned by the test, which destroys the endpoints first.
//
// What may vary, varies: when a message arrives, when a request completes, how Read Responses fall between Sends, how
// connections overtake each other. What the rules of fabric.h forbid never happens. Bytes of a Send or Write are taken
// when it completes, so that a caller who changes them earlier is found out.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "engine/fabric/fabric.h"
#include "engine/io/executor.h"

namespace uscst::fabric::sim {

struct SimConfig {
  std::uint64_t seed = 1;
  base::Duration minimum_delay = std::chrono::microseconds(1);  // of each step of each message
  base::Duration maximum_delay = std::chrono::microseconds(50);
  std::uint16_t outstanding_reads = 4;
  std::size_t maximum_message_bytes = 16384;
};

class SimEndpoint;

class SimFabric final : public Fabric {
 public:
  // Listeners call back on `control`.
  SimFabric(io::Executor& control, const SimConfig& config);
  ~SimFabric() override;

  base::Result<std::unique_ptr<Listener>> listen(const Address& address, OnConnection on_connection) override;
  void connect(io::Executor& executor, const Address& to, base::Bytes private_data, EndpointEvents& events,
               OnConnected on_connected) override;

  // Messages delivered so far, of all connections; the connection whose message would be number `message` is torn
  // instead (kTransportError on both sides, what was under way is lost).
  std::uint64_t messages() const { return messages_; }
  void tear_at(std::uint64_t message) { tear_at_ = message; }
  // The address that the following connects come from.
  void set_initiator_address(Address address) { initiator_address_ = std::move(address); }

  // --- for the sim's own parts
  const SimConfig& config() const { return config_; }
  base::Duration delay();
  bool counts_as_torn() { return ++messages_ == tear_at_; }
  void later(io::Executor& executor, base::Duration delay, std::move_only_function<void()> run);

 private:
  friend class SimListener;
  struct Listening {
    Address address;
    OnConnection on_connection;
  };
  struct Delayed;
  Listening* find(const Address& to);

  io::Executor& control_;
  const SimConfig config_;
  std::mt19937_64 random_;
  std::map<std::uint16_t, std::shared_ptr<Listening>> listeners_;  // by port
  std::list<std::unique_ptr<Delayed>> delayed_;
  Address initiator_address_{"192.0.2.1", 40000};
  std::uint16_t next_port_ = 20000;
  std::uint64_t messages_ = 0;
  std::optional<std::uint64_t> tear_at_;
};

}  // namespace uscst::fabric::sim
