// What the real reactors have in common: the turn of the loop, timers, deferred work, jobs from other threads and calls
// on the blocking pool. The kinds add how operations begin and how their completions are collected.
#pragma once

#include <atomic>
#include <optional>
#include <thread>

#include "engine/io/blocking_pool.h"
#include "engine/io/inbox.h"
#include "engine/io/reactor.h"
#include "engine/io/timer_queue.h"

namespace uscst::io {

// The way of the kinds of reactor into an Operation.
class ReactorAccess {
 protected:
  static void begin(Operation& op) {
    assert(!op.in_flight_);
    op.in_flight_ = true;
  }
  // The operation may be gone afterwards.
  static void end(Operation& op, int result) {
    op.in_flight_ = false;
    op.done_(result);
  }
  static auto& pending(Operation& op) { return op.pending_; }
  using Pending = Operation::Pending;
};

class EventLoop : public Reactor, protected ReactorAccess {
 public:
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  const base::Clock& clock() const final { return clock_; }
  void post(Job job) final { inbox_.post(std::move(job)); }
  void defer(Deferred& work) final { deferred_.add(work); }
  void arm(Timer& timer, base::TimePoint deadline) final { timers_.arm(timer, deadline); }
  bool in_own_thread() const final { return own_thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  void stop() final;
  void run() final;
  std::size_t operations_in_flight() const final { return operations_; }
  void block(Operation& op, std::move_only_function<int()> call) final;

 protected:
  EventLoop(int event_fd, BlockingPool& pool);

  // First thing in run().
  virtual void enter() = 0;
  // Hands over what was submitted; with `timeout`, waits that long (nullopt inside: without limit) for completions.
  struct Sleep {
    std::optional<base::Duration> limit;
  };
  virtual void collect(std::optional<Sleep> sleep) = 0;
  // Calls finish() for what has completed, until stopping().
  virtual void dispatch() = 0;

  void started(Operation& op) {
    assert(in_own_thread());
    begin(op);
    ++operations_;
  }
  // One event: the completion and the work it deferred.
  void finish(Operation& op, int result) {
    --operations_;
    end(op, result);
    deferred_.run_round();
  }
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
  Inbox& inbox() { return inbox_; }
  BlockingPool& pool() { return pool_; }

 private:
  void run_posted();
  void run_timers();
  void wait();

  const base::SteadyClock clock_;
  BlockingPool& pool_;
  Inbox inbox_;
  TimerQueue timers_;
  DeferredList deferred_;
  std::size_t operations_ = 0;
  std::atomic<std::thread::id> own_thread_;
  std::atomic<bool> stopping_ = false;
  // Taken from the inbox, not yet run.
  std::vector<Job> jobs_;
  std::vector<PoolResult> results_;
  std::size_t next_job_ = 0, next_result_ = 0;
};

}  // namespace uscst::io
