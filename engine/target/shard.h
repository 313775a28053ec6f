// What one reactor has of the engine: its sessions' commands, its buffers, the commands that wait for memory. The
// engine knows a thread by its shard; in tests a shard stands on a simulated executor.
#pragma once

#include <boost/intrusive/list.hpp>
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
        buffers_(budget),
        resume_waiting_(io::Call<>::to<&Shard::resume_waiting>(this)) {}

  // --- any thread
  ShardGroup& group() const { return group_; }
  io::Executor& executor() const { return executor_; }
  io::Reactor* reactor() const { return reactor_; }

  // --- own thread
  io::BufferPool& buffers() { return buffers_; }
  void attach(SessionTasks& tasks) { sessions_.push_back(tasks); }
  // Visits every command of every session that has not ended.
  template <class Visit>
  void for_each_command(Visit visit) {
    for (SessionTasks& tasks : sessions_) tasks.for_each_command(visit);
  }
  // Commands that wait for memory, first come first; resumed as buffers come back.
  void wait_for_buffer(Command& command) { waiting_for_buffer_.push_back(command); }
  void buffer_returned();
  // A gate was opened: commands that it held look again.
  void reopen_gates();

 private:
  void resume_waiting();

  ShardGroup& group_;
  io::Executor& executor_;
  io::Reactor* const reactor_;
  io::BufferPool buffers_;
  boost::intrusive::list<SessionTasks, boost::intrusive::constant_time_size<false>> sessions_;
  boost::intrusive::list<Command, boost::intrusive::base_hook<CommandWaitHook>,
                         boost::intrusive::constant_time_size<false>>
      waiting_for_buffer_;
  io::Deferred resume_waiting_;
};

// All shards and the control thread's executor. Owned by main(); the list is fixed before the reactors run.
class ShardGroup {
 public:
  explicit ShardGroup(io::Executor& control) : control_(control) {}
  io::Executor& control() const { return control_; }
  std::vector<Shard*> shards;
  Gate suspend_gate;
  // Any thread: tells every shard that a gate was opened.
  void reopen_gates();

 private:
  io::Executor& control_;
};

}  // namespace uscst::target
