#include "engine/control/management_queue.h"

#include <algorithm>
#include <utility>

namespace uscst::control {

struct ManagementQueue::Item {
  Item(ManagementQueue& owner, Lock held, Leaves what, target::Done answer)
      : queue(&owner),
        lock(held),
        leaves(what),
        answered(std::move(answer)),
        patience(io::Call<>::to<&Item::out_of_patience>(this)) {}
  void out_of_patience() { queue->check(*this); }
  void answer(base::Status status) {
    if (answered) std::exchange(answered, nullptr)(std::move(status));
  }

  ManagementQueue* queue;  // null once the queue is gone
  const Lock lock;
  const Leaves leaves;
  target::Done answered;  // empty once the writer has its answer
  io::Timer patience;
};

ManagementQueue::~ManagementQueue() {
  for (const auto& item : items_) {
    item->queue = nullptr;
    io::Executor::disarm(item->patience);
  }
}

void ManagementQueue::run(Lock lock, Work work, target::Done answered) {
  start(lock, Leaves::kResult, std::move(work), std::move(answered));
}

void ManagementQueue::read(Read work, target::ShowDone answered) {
  auto value = std::make_shared<std::string>();
  auto gather = [value, work = std::move(work)](target::Done done) mutable {
    work([value, done = std::move(done)](base::Result<std::string> text) mutable {
      if (!text) return done(std::unexpected(text.error()));
      *value = std::move(*text);
      done({});
    });
  };
  auto answer = [value, answered = std::move(answered)](base::Status status) mutable {
    answered(status ? base::Result<std::string>(std::move(*value)) : std::unexpected(status.error()));
  };
  start(Lock::kFree, Leaves::kNothing, std::move(gather), std::move(answer));
}

void ManagementQueue::start(Lock lock, Leaves leaves, Work work, target::Done answered) {
  auto item = std::make_shared<Item>(*this, lock, leaves, std::move(answered));
  items_.insert(item);
  work([item](base::Status status) {
    if (item->queue) item->queue->finish(*item, std::move(status));
  });
  if (!items_.contains(item)) return;
  if (always_again_ && leaves == Leaves::kResult)
    return item->answer(base::fail(EAGAIN, "the work goes on; see last_sysfs_mgmt_res"));
  control_.arm_after(item->patience, kWaitLimit);
}

void ManagementQueue::finish(Item& item, base::Status status) {
  auto found = std::find_if(items_.begin(), items_.end(), [&](const auto& i) { return i.get() == &item; });
  if (found == items_.end()) return;
  io::Executor::disarm(item.patience);
  if (item.leaves == Leaves::kResult) last_result_ = status ? 0 : -status.error().code;
  auto keep = *found;
  items_.erase(found);
  keep->answer(std::move(status));
}

bool ManagementQueue::lock_held() const {
  return std::any_of(items_.begin(), items_.end(), [](const auto& item) { return item->lock == Lock::kHeld; });
}

void ManagementQueue::check(Item& item) {
  if (!lock_held()) return control_.arm_after(item.patience, kCheckInterval);
  item.answer(base::fail(EAGAIN, "the work goes on; see last_sysfs_mgmt_res"));
}

}  // namespace uscst::control
