#include "engine/target/shard.h"

#include <unistd.h>

namespace uscst::target {

void Shard::attach(SessionTasks& tasks) {
  if (thread_id() == 0) thread_id_.store(::gettid(), std::memory_order_relaxed);
  sessions_.push_back(tasks);
}

// --- memory. The bound is one for all shards: what one gives back may be what another waits for.

bool Shard::may_ever_allocate(std::uint64_t length_bytes) const {
  constexpr std::uint64_t kSlice = io::BufferPool::kSliceBytes;
  return length_bytes <= budget_.limit_bytes() / kSlice * kSlice;
}

bool Shard::allocate_in_turn(Command& command, std::size_t length_bytes, io::Buffer& out) {
  const bool first = waiting_for_buffer_.empty();  // the one that resumes is not in the queue
  if (first || resuming_ == &command) {
    if (buffers_.allocate(length_bytes, out)) return true;
    // Memory that another shard gave back before it could see that this one wants it would be missed: ask once more.
    if (!wants_memory_.exchange(true)) group_.shards_that_want_memory.fetch_add(1);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (buffers_.allocate(length_bytes, out)) return true;
  }
  if (resuming_ == &command) {
    waiting_for_buffer_.push_front(command);
  } else {
    waiting_for_buffer_.push_back(command);
  }
  return false;
}

void Shard::buffer_returned() {
  if (!waiting_for_buffer_.empty()) executor_.defer(resume_waiting_);
  // After the seq_cst give_back(): either this sees that memory is wanted, or who wants it sees what came back.
  if (group_.shards_that_want_memory.load() > 0) tell_other_shards();
}

void Shard::tell_other_shards() {
  for (Shard* shard : group_.shards) {
    if (shard == this || !shard->wants_memory_.exchange(false)) continue;
    group_.shards_that_want_memory.fetch_sub(1);
    shard->executor().post([shard] { shard->resume_waiting(); });
  }
}

// In order, until one still gets nothing: it stays the first.
void Shard::resume_waiting() {
  if (resuming_) return;
  while (!waiting_for_buffer_.empty()) {
    resuming_ = &waiting_for_buffer_.front();
    waiting_for_buffer_.pop_front();
    Command& command = *resuming_;
    command.buffer_came();
    resuming_ = nullptr;
    if (!waiting_for_buffer_.empty() && &waiting_for_buffer_.front() == &command) return;
  }
  if (wants_memory_.exchange(false)) group_.shards_that_want_memory.fetch_sub(1);
}

// --- gates

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
