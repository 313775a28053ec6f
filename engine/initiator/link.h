// What carries an initiator's tasks to a target: the channels of an SRP login (Session), or the control socket of the
// target host (LocalLink). Owned by whoever uses it; lives on one reactor.
#pragma once

#include <functional>
#include <string>

#include "engine/initiator/task.h"

namespace uscst::initiator {

class Link {
 public:
  using OnEnd = std::move_only_function<void()>;

  virtual ~Link() = default;
  // Closes every channel and reports once none is left. The link may be destroyed then.
  virtual void logout(OnEnd on_end) = 0;
  virtual std::size_t channel_count() const = 0;
  // False (and the task untouched) when the channel is not open. done is never called from within.
  virtual bool submit(std::size_t channel, Task& task) = 0;
  virtual bool submit(std::size_t channel, ManagementTask& task) = 0;
  // On the next open channel in turn. False when none is left.
  virtual bool submit(Task& task) = 0;
  // Why the latest channel ended.
  virtual const std::string& why_closed() const = 0;
};

}  // namespace uscst::initiator
