#include "engine/target/shard.h"

namespace uscst::target {

void Shard::buffer_returned() {
  if (!waiting_for_buffer_.empty()) executor_.defer(resume_waiting_);
}

// One round over those that wait now; who still gets nothing waits at the end again, and the round ends.
void Shard::resume_waiting() {
  while (!waiting_for_buffer_.empty()) {
    Command& command = waiting_for_buffer_.front();
    waiting_for_buffer_.pop_front();
    command.buffer_came();
    if (command.CommandWaitHook::is_linked()) return;
  }
}

void Shard::reopen_gates() {
  for_each_command([](Command& command) {
    if (command.state() == CommandState::kWaitGate) command.gate_opened();
  });
}

void ShardGroup::reopen_gates() {
  for (Shard* shard : shards) {
    shard->executor().post([shard] { shard->reopen_gates(); });
  }
}

}  // namespace uscst::target
