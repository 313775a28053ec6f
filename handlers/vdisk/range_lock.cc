#include "handlers/vdisk/range_lock.h"

#include <cassert>

namespace uscst::handlers {

bool RangeLock::conflict(const Hold& a, const Hold& b) {
  const bool overlap = a.begin_ < b.end_ && b.begin_ < a.end_;
  return overlap && (a.use_ == Use::kExclusive || b.use_ == Use::kExclusive);
}

bool RangeLock::enter(Hold& hold, std::uint64_t begin, std::uint64_t count, Use use, std::size_t lane) {
  assert(hold.state_ == Hold::State::kFree);
  hold.lock_ = this;
  hold.begin_ = begin;
  hold.end_ = begin + count;
  hold.use_ = use;
  hold.lane_ = static_cast<unsigned>(lane % kLanes);
  if (use == Use::kShared) {
    Lane& own = lanes_[hold.lane_];
    std::lock_guard lock(own.mutex);
    // Relaxed: whoever announced itself and has looked into this lane held the lane's mutex in between.
    if (exclusives_.load(std::memory_order_relaxed) == 0) {
      own.running.push_back(hold);
      hold.awaited_ = false;
      hold.state_ = Hold::State::kHeld;
      return true;
    }
  }
  return enter_queue(hold);
}

bool RangeLock::enter_queue(Hold& hold) {
  std::lock_guard lock(mutex_);
  hold.blockers_ = 0;
  for (const Hold& earlier : queue_) hold.blockers_ += conflict(earlier, hold);
  if (hold.use_ == Use::kExclusive) {
    exclusives_.fetch_add(1, std::memory_order_relaxed);
    hold.blockers_ += await_running(hold);
  } else if (hold.blockers_ == 0) {
    run(hold, false);
    return true;
  }
  hold.state_ = hold.blockers_ == 0 ? Hold::State::kHeld : Hold::State::kWaiting;
  queue_.push_back(hold);
  return hold.state_ == Hold::State::kHeld;
}

// How many run already; each will tell when it leaves.
unsigned RangeLock::await_running(const Hold& exclusive) {
  unsigned found = 0;
  for (Lane& lane : lanes_) {
    std::lock_guard lock(lane.mutex);
    for (Hold& running : lane.running) {
      if (!conflict(running, exclusive)) continue;
      running.awaited_ = true;
      ++found;
    }
  }
  return found;
}

void RangeLock::run(Hold& hold, bool awaited) {
  Lane& lane = lanes_[hold.lane_];
  std::lock_guard lock(lane.mutex);
  lane.running.push_back(hold);
  hold.awaited_ = awaited;
  hold.state_ = Hold::State::kHeld;
}

void RangeLock::Hold::leave() {
  assert(state_ != State::kWaiting);
  if (state_ == State::kHeld) lock_->leave(*this);
}

void RangeLock::leave(Hold& hold) {
  hold.state_ = Hold::State::kFree;
  if (hold.use_ == Use::kExclusive) {
    std::lock_guard lock(mutex_);
    return leave_queue(hold);
  }
  Lane& lane = lanes_[hold.lane_];
  {
    std::lock_guard lock(lane.mutex);
    if (!hold.awaited_) return lane.running.erase(lane.running.iterator_to(hold)), void();
  }
  // Taken out under mutex_, so that none who is counting just now is told of a range that it did not count.
  std::lock_guard lock(mutex_);
  {
    std::lock_guard lane_lock(lane.mutex);
    lane.running.erase(lane.running.iterator_to(hold));
  }
  tell(queue_.begin(), hold);
}

bool RangeLock::Hold::abandon() {
  if (lock_ == nullptr) return false;
  std::lock_guard lock(lock_->mutex_);
  if (state_ != State::kWaiting) return false;
  state_ = State::kFree;
  lock_->leave_queue(*this);
  return true;
}

// With the mutex held. Only those behind it count it.
void RangeLock::leave_queue(Hold& hold) {
  if (hold.use_ == Use::kExclusive) exclusives_.fetch_sub(1, std::memory_order_relaxed);
  tell(queue_.erase(queue_.iterator_to(hold)), hold);
}

// With the mutex held. A running one stands before all that conflict with it in the queue: had one been there earlier,
// it would not run.
void RangeLock::tell(List::iterator from, const Hold& gone) {
  while (from != queue_.end()) {
    Hold& waiting = *from++;
    if (conflict(waiting, gone) && --waiting.blockers_ == 0) grant(waiting);
  }
}

// With the mutex held. Those behind a shared one have counted it, so that it must tell them.
void RangeLock::grant(Hold& hold) {
  if (hold.use_ == Use::kShared) {
    queue_.erase(queue_.iterator_to(hold));
    run(hold, true);
  } else {
    hold.state_ = Hold::State::kHeld;
  }
  hold.executor_.post([&hold] { hold.granted_(); });
}

}  // namespace uscst::handlers
