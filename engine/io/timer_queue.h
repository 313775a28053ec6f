// The armed timers of one executor, by deadline, those of equal deadline in the order they were armed. Member of the
// executor; own thread only.
#pragma once

#include <optional>

#include "engine/io/executor.h"

namespace uscst::io {

class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  void arm(Timer& timer, base::TimePoint deadline);
  bool empty() const { return timers_.empty(); }
  std::optional<base::TimePoint> next_deadline() const;

  // A round fires what was armed before it began, so that a timer that arms itself with no delay cannot hold the loop.
  void begin_round() { ++round_; }
  // Fires the next timer of this round that is due at `now`; false when there is none.
  bool fire_one(base::TimePoint now);

 private:
  bi::multiset<Timer, bi::base_hook<AutoUnlinkSet>, bi::constant_time_size<false>> timers_;
  std::uint64_t round_ = 0;
};

// The work deferred on one executor. Member of the executor; own thread only.
class DeferredList {
 public:
  void add(Deferred& work) {
    if (!work.pending()) list_.push_back(work);
  }
  bool empty() const { return list_.empty(); }
  // Runs what is in the list now; what is deferred meanwhile waits for the next round.
  void run_round() {
    if (!list_.empty()) run_all();
  }

 private:
  using List = bi::list<Deferred, bi::base_hook<AutoUnlinkList>, bi::constant_time_size<false>>;
  void run_all();

  List list_;
};

}  // namespace uscst::io
