#include "engine/target/session_tasks.h"

#include <algorithm>

#include "engine/target/device.h"
#include "engine/target/session.h"
#include "engine/target/shard.h"
#include "engine/target/sweep.h"

namespace uscst::target {

SessionCounters::Direction& SessionCounters::of(scsi::Direction direction) {
  switch (direction) {
    case scsi::Direction::kIn: return read;
    case scsi::Direction::kOut: return write;
    case scsi::Direction::kNone: break;
  }
  return none;
}

void SessionTasks::start(Command& command) {
  commands_.push_back(command);
  command.start(*this);
}

void SessionTasks::finished(Command& command, bool responded) {
  commands_.erase(commands_.iterator_to(command));
  CommandTransport& transport = command.transport();
  transport.ended(command, responded);
  if (closing_ && commands_.empty()) end_session();
}

void SessionTasks::close(io::Job ended) {
  closing_ = true;
  ended_ = std::move(ended);
  for_each_command([](Command& command) { command.abort(AbortReason::kSessionEnd); });
  if (commands_.empty()) end_session();
}

// Later, not now: whoever called may still be looking at the session.
void SessionTasks::end_session() {
  if (!ended_) return;
  shard_.executor().post([this, ended = std::exchange(ended_, nullptr)]() mutable {
    unlink();
    ended();
  });
}

// --- task management (SAM-5 clause 7)

void SessionTasks::manage(TaskManagementFunction function, const scsi::LunBytes& lun, const CommandTag& tag,
                          TaskManagementDone done) {
  auto number = scsi::decode_lun(lun);
  const LunMap::Entry* entry = number ? lun_map_->find(*number) : nullptr;
  if (!entry) return done(TaskManagementResult::kFailed);
  switch (function) {
    case TaskManagementFunction::kAbortTask: return abort_task(tag, std::move(done));
    case TaskManagementFunction::kAbortTaskSet: return abort_task_set(*entry, std::move(done));
    case TaskManagementFunction::kClearTaskSet: return clear_task_set(*entry, std::move(done));
    case TaskManagementFunction::kLogicalUnitReset: return reset_logical_unit(*entry, std::move(done));
    case TaskManagementFunction::kClearAca: return done(TaskManagementResult::kComplete);  // there is no ACA to clear
  }
  done(TaskManagementResult::kNotSupported);
}

// A task that is gone has ended: function complete (SAM-5 7.2).
void SessionTasks::abort_task(const CommandTag& tag, TaskManagementDone done) {
  auto found = std::find_if(commands_.begin(), commands_.end(), [&](const Command& c) { return c.request.tag == tag; });
  if (found == commands_.end()) return done(TaskManagementResult::kComplete);
  found->add_sweep(std::make_shared<SweepToken>(
      shard_.executor(), [done = std::move(done)]() mutable { done(TaskManagementResult::kComplete); }));
  found->abort(AbortReason::kOwnNexus);
}

void SessionTasks::abort_task_set(const LunMap::Entry& entry, TaskManagementDone done) {
  auto select = [nexus_lun = entry.nexus_lun](const Command& command) {
    return command.nexus_lun() == nexus_lun.get() ? SweepVerdict::kAbortForOwnNexus : SweepVerdict::kSkip;
  };
  sweep(shard_.group(), shard_.executor(), std::move(select),
        [done = std::move(done)]() mutable { done(TaskManagementResult::kComplete); });
}

void SessionTasks::clear_task_set(const LunMap::Entry& entry, TaskManagementDone done) {
  Device& device = entry.nexus_lun->device();
  scsi::ControlState control = device.unit().control();
  if (control.tst != 0) return abort_task_set(entry, std::move(done));
  std::uint64_t own = entry.nexus_lun->nexus_id();
  if (!control.tas) device.raise_for_all(scsi::kUaCommandsCleared, own);
  abort_all_of_device(entry, [done = std::move(done)]() mutable { done(TaskManagementResult::kComplete); });
}

void SessionTasks::reset_logical_unit(const LunMap::Entry& entry, TaskManagementDone done) {
  entry.nexus_lun->device().release_any();
  abort_all_of_device(entry, [device = entry.nexus_lun->device_pointer(), done = std::move(done)]() mutable {
    device->unit().reset();
    device->raise_for_all(scsi::kUaReset);
    done(TaskManagementResult::kComplete);
  });
}

void SessionTasks::abort_all_of_device(const LunMap::Entry& entry, io::Job done) {
  auto select = [device = entry.nexus_lun->device_pointer(),
                 own = entry.nexus_lun->nexus_id()](const Command& command) {
    const NexusLun* at = command.nexus_lun();
    if (!at || &at->device() != device.get()) return SweepVerdict::kSkip;
    return at->nexus_id() == own ? SweepVerdict::kAbortForOwnNexus : SweepVerdict::kAbortForOtherNexus;
  };
  sweep(shard_.group(), shard_.executor(), std::move(select), std::move(done));
}

}  // namespace uscst::target
