#include "engine/io/timer_queue.h"

namespace uscst::io {

void TimerQueue::arm(Timer& timer, base::TimePoint deadline) {
  if (timer.armed()) timer.unlink();
  timer.deadline_ = deadline;
  timer.round_ = round_;
  timers_.insert(timer);
}

std::optional<base::TimePoint> TimerQueue::next_deadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->deadline();
}

bool TimerQueue::fire_one(base::TimePoint now) {
  for (Timer& timer : timers_) {
    if (timer.deadline_ > now) return false;
    if (timer.round_ == round_) continue;
    timer.unlink();
    timer.fire_();
    return true;
  }
  return false;
}

void DeferredList::run_all() {
  List round;
  round.swap(list_);
  while (!round.empty()) {
    Deferred& work = round.front();
    round.pop_front();
    work.run();
  }
}

}  // namespace uscst::io
