#include "engine/io/sim_executor.h"

#include "engine/io/event_loop.h"
#include "engine/io/file_calls.h"

namespace uscst::io {
namespace {

struct Access : ReactorAccess {
  using ReactorAccess::begin;
  using ReactorAccess::end;
};

}  // namespace

SimExecutor::~SimExecutor() { assert(calls_.empty()); }

std::size_t SimExecutor::run_until_idle() {
  std::size_t count = 0;
  while (run_one()) ++count;
  return count;
}

bool SimExecutor::run_one() {
  if (!deferred_.empty()) {  // deferred by the test itself, or by deferred work
    deferred_.run_round();
    return true;
  }
  if (!run_one_event()) return false;
  deferred_.run_round();
  return true;
}

bool SimExecutor::run_one_event() {
  if (!jobs_.empty()) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    job();
    return true;
  }
  if (!calls_.empty()) {
    PendingCall next = std::move(calls_.front());
    calls_.pop_front();
    Access::end(*next.operation, next.call());
    return true;
  }
  timers_.begin_round();
  return timers_.fire_one(clock_.now());
}

void SimExecutor::advance(base::Duration by) {
  base::TimePoint target = clock_.now() + by;
  run_until_idle();
  for (auto deadline = next_deadline(); deadline && *deadline <= target; deadline = next_deadline()) {
    clock_.advance(*deadline - clock_.now());
    run_until_idle();
  }
  clock_.advance(target - clock_.now());
}

void SimExecutor::run() {
  while (!stopping_ && run_one()) {
  }
  stopping_ = false;
}

void SimExecutor::block(Operation& op, std::move_only_function<int()> call) {
  Access::begin(op);
  calls_.push_back({&op, std::move(call)});
}

void SimExecutor::cancel(Operation& op) {
  for (PendingCall& pending : calls_) {
    if (pending.operation == &op) pending.call = [] { return -ECANCELED; };
  }
}

void SimExecutor::accept(Operation& op, int) { refuse(op); }
void SimExecutor::connect(Operation& op, int, const sockaddr*, socklen_t) { refuse(op); }
void SimExecutor::receive(Operation& op, int, base::MutableBytes) { refuse(op); }
void SimExecutor::send(Operation& op, int, const msghdr&) { refuse(op); }
void SimExecutor::poll(Operation& op, int, std::uint32_t) { refuse(op); }

void SimExecutor::read(Operation& op, int fd, std::span<const iovec> into, std::uint64_t offset_bytes) {
  block(op, [=] { return read_file(fd, into, offset_bytes); });
}

void SimExecutor::write(Operation& op, int fd, std::span<const iovec> from, std::uint64_t offset_bytes,
                        Durability durability) {
  block(op, [=] { return write_file(fd, from, offset_bytes, durability); });
}

void SimExecutor::sync(Operation& op, int fd) {
  block(op, [=] { return sync_file(fd); });
}

void SimExecutor::allocate(Operation& op, int fd, int mode, std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  block(op, [=] { return allocate_file(fd, mode, offset_bytes, length_bytes); });
}

}  // namespace uscst::io
