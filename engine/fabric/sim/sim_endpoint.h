// One end of a simulated connection. Owned by whoever accepted or connected; knows its peer until either is gone.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/fabric/fabric.h"
#include "engine/fabric/memory.h"
#include "engine/fabric/sim/sim_fabric.h"

namespace uscst::fabric::sim {

using RequestList = io::bi::list<Request, io::bi::constant_time_size<false>>;

// Things that happen one after the other, each some time after it was added.
class Lane {
 public:
  explicit Lane(io::Executor& executor) : executor_(executor) {}
  void add(base::TimePoint earliest, base::Duration delay, std::move_only_function<void()> run);
  void clear();

 private:
  struct Step {
    base::TimePoint at;
    std::move_only_function<void()> run;
  };
  void on_time();

  io::Executor& executor_;
  std::deque<Step> steps_;
  base::TimePoint last_{};
  io::Timer timer_{io::Call<>::to<&Lane::on_time>(this)};
};

class SimEndpoint final : public Endpoint {
 public:
  // Nothing happens on it before `begin`. The responder is not `open` until it has heard from its peer.
  SimEndpoint(SimFabric& fabric, io::Executor& executor, EndpointEvents& events, base::TimePoint begin, bool open);
  ~SimEndpoint() override;
  static void join(SimEndpoint& one, SimEndpoint& other);

  void post(Request& request) override;
  void disconnect() override;
  RemoteBuffer expose(base::MutableBytes memory, Access access) override { return exposures_.add(memory, access); }
  void withdraw(std::uint32_t key) override { exposures_.remove(key); }

 private:
  void transmit_next();
  void begin_request(Request& request);
  void deliver(std::move_only_function<void()> run);  // from the peer, in order
  void take_send(const std::vector<std::uint8_t>& bytes);
  void take_write(const RemoteBuffer& to, const std::vector<std::uint8_t>& bytes);
  void take_read(const RemoteBuffer& from);
  void take_response(const std::vector<std::uint8_t>& bytes);
  void open();
  void end(DisconnectReason reason, std::string detail);
  void end_both(DisconnectReason reason, const std::string& detail);
  void finish();

  SimFabric& fabric_;
  EndpointEvents& events_;
  const base::TimePoint begin_;
  SimEndpoint* peer_ = nullptr;
  bool open_, ended_ = false;
  DisconnectReason reason_ = DisconnectReason::kLocal;
  std::string detail_;
  Exposures exposures_;
  RequestList queue_, waiting_, outstanding_;
  std::uint16_t outstanding_count_ = 0;
  Lane transmit_, inbox_, responses_;
};

}  // namespace uscst::fabric::sim
