// What one reactor has of the engine: its sessions' commands, its buffers, the commands that wait for memory. The
// engine knows a thread by its shard; in tests a shard stands on a simulated executor.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <vector>

#include "engine/io/buffer.h"
#include "engine/io/executor.h"
#include "engine/io/reactor.h"
#include "engine/target/command.h"
#include "engine/target/gate.h"
#include "engine/target/session_tasks.h"

namespace uscst::target {

class ShardGroup;

class Shard {
 public:
  // `reactor` is null on a simulated executor.
  Shard(ShardGroup& group, io::Executor& executor, io::Reactor* reactor, io::BufferBudget& budget)
      : group_(group),
        executor_(executor),
        reactor_(reactor),
        budget_(budget),
        buffers_(budget),
        resume_waiting_(io::Call<>::to<&Shard::resume_waiting>(this)) {}

  // --- any thread
  ShardGroup& group() const { return group_; }
  io::Executor& executor() const { return executor_; }
  io::Reactor* reactor() const { return reactor_; }
  io::BufferStatistics& buffer_statistics() { return buffers_.statistics(); }
  // Of the kernel; 0 before the first session.
  int thread_id() const { return thread_id_.load(std::memory_order_relaxed); }

  // --- own thread
  io::BufferPool& buffers() { return buffers_; }
  void attach(SessionTasks& tasks);
  template <class Visit>
  void for_each_session(Visit visit) {
    for (SessionTasks& tasks : sessions_) visit(tasks);
  }
  // Visits every command of every session that has not ended.
  template <class Visit>
  void for_each_command(Visit visit) {
    for (SessionTasks& tasks : sessions_) tasks.for_each_command(visit);
  }
  // False for what is beyond the bound itself.
  bool may_ever_allocate(std::uint64_t length_bytes) const;
  // Memory for a command, first come first served on this shard. False: the command waits, and gets buffer_came() when
  // it is to ask again.
  bool allocate_in_turn(Command& command, std::size_t length_bytes, io::Buffer& out);
  // A command gave its memory back, or waits for it no longer.
  void buffer_returned();
  // A gate was opened: commands that it held look again.
  void reopen_gates();

 private:
  void resume_waiting();
  void tell_other_shards();

  ShardGroup& group_;
  io::Executor& executor_;
  io::Reactor* const reactor_;
  io::BufferBudget& budget_;
  io::BufferPool buffers_;
  boost::intrusive::list<SessionTasks, boost::intrusive::constant_time_size<false>> sessions_;
  boost::intrusive::list<Command, boost::intrusive::base_hook<CommandWaitHook>,
                         boost::intrusive::constant_time_size<false>>
      waiting_for_buffer_;
  Command* resuming_ = nullptr;            // the one at the head of the queue, asking again
  std::atomic<bool> wants_memory_{false};  // to be told when another shard gives memory back
  std::atomic<int> thread_id_{0};
  io::Deferred resume_waiting_;
};

// All shards and the control thread's executor. Owned by main(); the list is fixed before the reactors run.
class ShardGroup {
 public:
  explicit ShardGroup(io::Executor& control) : control_(control) {}
  io::Executor& control() const { return control_; }
  std::vector<Shard*> shards;
  Gate suspend_gate;
  std::atomic<int> shards_that_want_memory{0};
  // Any thread: tells every shard that a gate was opened.
  void reopen_gates();

 private:
  io::Executor& control_;
};

}  // namespace uscst::target
