// Task attributes (SAM-5 8.6): SIMPLE commands run together, an ORDERED one waits for all before it and holds back all
// behind it, HEAD OF QUEUE runs at once. One per nexus and LUN; its commands may live on different reactors.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <mutex>

#include "engine/target/command.h"

namespace uscst::target {

// Any thread. The common case, no ORDERED command about, is one atomic addition at each end.
class TaskOrder {
 public:
  // Whether `command` may go on now; otherwise it is kept and told later, on its own reactor (Command::order_came).
  // Every command that was let on must call leave() once.
  bool enter(Command& command, bool ordered, bool head_of_queue);
  void leave(bool ordered);
  // Takes a kept command out (it was aborted). False when its turn has come already and order_came() is under way.
  bool forget(Command& command);

 private:
  static constexpr std::uint32_t kSpecial = 1U << 31;  // an ORDERED command runs or waits: all go through the mutex

  void let_on(const Command* entering);

  std::atomic<std::uint32_t> word_{0};  // kSpecial | number of commands let on
  std::mutex mutex_;                    // guards what follows
  boost::intrusive::list<Command, boost::intrusive::base_hook<CommandOrderHook>> waiting_;  // first come first
  bool ordered_running_ = false;
};

}  // namespace uscst::target
