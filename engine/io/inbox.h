// What other threads hand to an event loop: jobs, and the results of calls made on the blocking pool. Member of the
// loop. Owns the eventfd that wakes the loop, which is written only when the loop may be asleep.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "engine/io/executor.h"

namespace uscst::io {

class Operation;

struct PoolResult {
  Operation* operation;
  int result;
};

class Inbox {
 public:
  explicit Inbox(int event_fd) : event_fd_(event_fd) {}  // blocking; becomes the inbox's
  ~Inbox();
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // --- any thread
  void post(Job job);
  void complete(Operation& operation, int result);
  void wake();

  // --- the loop's thread
  int event_fd() const { return event_fd_; }
  bool posted() const { return state_.load(std::memory_order_acquire) == State::kPosted; }
  // Takes everything; both must be empty.
  void take(std::vector<Job>& jobs, std::vector<PoolResult>& results);
  // False when something came in meanwhile: don't sleep.
  bool fall_asleep();
  void wake_up();

 private:
  enum class State { kAwake, kPosted, kAsleep };
  void announce();

  const int event_fd_;
  std::atomic<State> state_{State::kAwake};
  std::mutex mutex_;
  std::vector<Job> jobs_;
  std::vector<PoolResult> results_;
};

}  // namespace uscst::io
