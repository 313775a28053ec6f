// The simulated executor of tests: a clock that the test moves, and work that runs when the test says so, in an order
// that depends on nothing else. Owned by the test; one thread.
//
// It is a Reactor too, for code that needs one: file operations and blocking calls are carried out synchronously when
// their turn comes; sockets are not supported (-EOPNOTSUPP; simulated connections come from fabric/sim).
#pragma once

#include <deque>
#include <vector>

#include "engine/io/reactor.h"
#include "engine/io/timer_queue.h"

namespace uscst::io {

class SimExecutor final : public Reactor {
 public:
  SimExecutor() = default;
  ~SimExecutor() override;

  // Runs events (posted jobs first, then completions, then due timers, each kind in order) until there are none that
  // could run without the clock moving. Returns how many ran.
  std::size_t run_until_idle();
  // Runs one event and the work it deferred; false when there was none.
  bool run_one();
  // Moves the clock on by `by`, stopping at every deadline on the way to run what is due there.
  void advance(base::Duration by);
  std::optional<base::TimePoint> next_deadline() const { return timers_.next_deadline(); }

  const base::SimulatedClock& clock() const override { return clock_; }
  void post(Job job) override { jobs_.push_back(std::move(job)); }
  void defer(Deferred& work) override { deferred_.add(work); }
  void arm(Timer& timer, base::TimePoint deadline) override { timers_.arm(timer, deadline); }
  bool in_own_thread() const override { return true; }

  void stop() override { stopping_ = true; }
  void run() override;  // until idle, or stopped
  std::size_t operations_in_flight() const override { return calls_.size(); }
  void accept(Operation& op, int listener_fd) override;
  void connect(Operation& op, int fd, const sockaddr* address, socklen_t length) override;
  void receive(Operation& op, int fd, base::MutableBytes into) override;
  void send(Operation& op, int fd, const msghdr& message) override;
  void poll(Operation& op, int fd, std::uint32_t events) override;
  void read(Operation& op, int fd, std::span<const iovec> into, std::uint64_t offset_bytes) override;
  void write(Operation& op, int fd, std::span<const iovec> from, std::uint64_t offset_bytes, Durability) override;
  void sync(Operation& op, int fd) override;
  void allocate(Operation& op, int fd, int mode, std::uint64_t offset_bytes, std::uint64_t length_bytes) override;
  void block(Operation& op, std::move_only_function<int()> call) override;
  void cancel(Operation& op) override;

 private:
  struct PendingCall {
    Operation* operation;
    std::move_only_function<int()> call;
  };
  void refuse(Operation& op) {
    block(op, [] { return -EOPNOTSUPP; });
  }
  bool run_one_event();

  base::SimulatedClock clock_;
  TimerQueue timers_;
  DeferredList deferred_;
  std::deque<Job> jobs_;
  std::deque<PendingCall> calls_;
  bool stopping_ = false;
};

}  // namespace uscst::io
