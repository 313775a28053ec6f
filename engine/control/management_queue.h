// Management writes that go through SCST's queue: they set last_sysfs_mgmt_res, can take long, and answer EAGAIN by
// SCST's rule. Owned by main(); control thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>

#include "engine/base/result.h"
#include "engine/io/executor.h"
#include "engine/target/attribute.h"

namespace uscst::control {

// Whether the work holds what is one big lock in SCST while it waits. Only then may a write answer EAGAIN: waiting for
// running commands to drain leaves the lock free.
enum class Lock { kFree, kHeld };

class ManagementQueue {
 public:
  static constexpr auto kWaitLimit = std::chrono::seconds(15);
  static constexpr auto kCheckInterval = std::chrono::seconds(5);

  // Starts the work; it ends by calling `done` once, now or later.
  using Work = std::move_only_function<void(target::Done done)>;

  explicit ManagementQueue(io::Executor& control) : control_(control) {}
  ~ManagementQueue();
  ManagementQueue(const ManagementQueue&) = delete;
  ManagementQueue& operator=(const ManagementQueue&) = delete;

  // Starts `work` at once: items start in the order written, and one that waits holds none of the others back.
  // `answered` is called once: with the result of the work, or with EAGAIN while the work goes on.
  void run(Lock lock, Work work, target::Done answered);

  // A read that goes through the queue: it waits and answers EAGAIN as a write does, but leaves no result behind.
  using Read = std::move_only_function<void(target::ShowDone done)>;
  void read(Read work, target::ShowDone answered);

  // Items not ended; while there are any, last_sysfs_mgmt_res answers EAGAIN.
  std::size_t pending() const { return items_.size(); }
  // 0 or the negative errno of the write that ended last.
  int last_result() const { return last_result_; }
  // Test switch (SCST's CONFIG_SCST_DEBUG_SYSFS_EAGAIN): every queued write answers EAGAIN at once.
  void set_always_again(bool on) { always_again_ = on; }

 private:
  struct Item;
  enum class Leaves { kResult, kNothing };
  void start(Lock lock, Leaves leaves, Work work, target::Done answered);
  void finish(Item& item, base::Status status);
  void check(Item& item);
  bool lock_held() const;

  io::Executor& control_;
  std::set<std::shared_ptr<Item>> items_;
  int last_result_ = 0;
  bool always_again_ = false;
};

}  // namespace uscst::control
