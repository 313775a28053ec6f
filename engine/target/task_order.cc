#include "engine/target/task_order.h"

#include "engine/target/shard.h"

namespace uscst::target {

bool TaskOrder::enter(Command& command, bool ordered, bool head_of_queue) {
  if (!ordered || head_of_queue) {
    if (std::uint32_t before = word_.fetch_add(1); head_of_queue || !(before & kSpecial)) return true;
    leave(false);  // an ORDERED command is about: queue behind it
  }
  std::lock_guard lock(mutex_);
  if (ordered) word_.fetch_or(kSpecial);
  command.ordered_ = ordered;
  waiting_.push_back(command);
  let_on(&command);
  return !command.CommandOrderHook::is_linked();
}

void TaskOrder::leave(bool ordered) {
  if (!ordered && word_.fetch_sub(1) != (kSpecial | 1)) return;
  std::lock_guard lock(mutex_);
  if (ordered) {
    ordered_running_ = false;
    word_.fetch_sub(1);
  }
  let_on(nullptr);
}

bool TaskOrder::forget(Command& command) {
  std::lock_guard lock(mutex_);
  if (!command.CommandOrderHook::is_linked()) return false;
  waiting_.erase(waiting_.iterator_to(command));
  let_on(nullptr);
  return true;
}

// With the mutex held: lets on what may go, and ends the special time when nothing ORDERED is left. `entering` needs no
// event: its caller looks.
void TaskOrder::let_on(const Command* entering) {
  while (!waiting_.empty() && !ordered_running_) {
    Command& next = waiting_.front();
    if (next.ordered_ && word_.load() != kSpecial) return;  // the last to leave comes back here
    waiting_.pop_front();
    word_.fetch_add(1);
    ordered_running_ = next.ordered_;
    if (&next != entering) next.order_came();
  }
  if (waiting_.empty() && !ordered_running_) word_.fetch_and(~kSpecial);
}

}  // namespace uscst::target
