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

// Commands held by a gate look again: their LUN may be gone, and the gate with it.
void SessionTasks::set_lun_map(std::shared_ptr<const LunMap> map) {
  lun_map_ = std::move(map);
  for_each_command([](Command& command) {
    if (command.state() == CommandState::kWaitGate) command.gate_opened();
  });
}

// --- task management (SAM-5 clause 7)

namespace {

bool is_known(TaskManagementFunction function) {
  switch (function) {
    case TaskManagementFunction::kAbortTask:
    case TaskManagementFunction::kAbortTaskSet:
    case TaskManagementFunction::kClearTaskSet:
    case TaskManagementFunction::kLogicalUnitReset:
    case TaskManagementFunction::kClearAca: return true;
  }
  return false;
}

}  // namespace

void SessionTasks::manage(TaskManagementFunction function, const scsi::LunBytes& lun, const CommandTag& tag,
                          TaskManagementDone done) {
  if (!is_known(function)) return done(TaskManagementResult::kNotSupported);
  if (function == TaskManagementFunction::kAbortTask) return abort_task(lun, tag, std::move(done));
  auto number = scsi::decode_lun(lun);
  const LunMap::Entry* entry = number ? lun_map_->find(*number) : nullptr;
  if (!entry) return done(TaskManagementResult::kFailed);
  switch (function) {
    case TaskManagementFunction::kAbortTask: break;
    case TaskManagementFunction::kAbortTaskSet: return abort_task_set(*entry, std::move(done));
    case TaskManagementFunction::kClearTaskSet: return clear_task_set(*entry, std::move(done));
    case TaskManagementFunction::kLogicalUnitReset: return reset_logical_unit(*entry, std::move(done));
    case TaskManagementFunction::kClearAca: return done(TaskManagementResult::kComplete);  // there is no ACA to clear
  }
  done(TaskManagementResult::kNotSupported);
}

// A task that is gone has ended: function complete (SAM-5 7.2). One that is there is waited for even if its LUN is
// gone: the initiator takes any answer as leave to use its memory again.
void SessionTasks::abort_task(const scsi::LunBytes& lun, const CommandTag& tag, TaskManagementDone done) {
  auto found = std::find_if(commands_.begin(), commands_.end(), [&](const Command& c) { return c.request.tag == tag; });
  auto number = scsi::decode_lun(lun);
  if (found == commands_.end()) {
    bool mapped = number && lun_map_->find(*number);
    return done(mapped ? TaskManagementResult::kComplete : TaskManagementResult::kFailed);
  }
  if (scsi::decode_lun(found->request.lun) != number) return done(TaskManagementResult::kFailed);
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
  abort_all_of_device(entry, !control.tas,
                      [done = std::move(done)]() mutable { done(TaskManagementResult::kComplete); });
}

void SessionTasks::reset_logical_unit(const LunMap::Entry& entry, TaskManagementDone done) {
  entry.nexus_lun->device().release_any();
  abort_all_of_device(entry, false, [device = entry.nexus_lun->device_pointer(), done = std::move(done)]() mutable {
    device->unit().reset();
    device->raise_for_all(scsi::kUaReset);
    done(TaskManagementResult::kComplete);
  });
}

// `tell`: another nexus that loses a command gets COMMANDS CLEARED BY ANOTHER INITIATOR for it (SAM-5 5.8.7).
void SessionTasks::abort_all_of_device(const LunMap::Entry& entry, bool tell, io::Job done) {
  auto select = [device = entry.nexus_lun->device_pointer(), own = entry.nexus_lun->nexus_id(),
                 tell](const Command& command) {
    NexusLun* at = command.nexus_lun();
    if (!at || &at->device() != device.get()) return SweepVerdict::kSkip;
    if (at->nexus_id() == own) return SweepVerdict::kAbortForOwnNexus;
    if (tell && command.state() != CommandState::kSendStatus && !command.aborted()) at->raise(scsi::kUaCommandsCleared);
    return SweepVerdict::kAbortForOtherNexus;
  };
  sweep(shard_.group(), shard_.executor(), std::move(select), std::move(done));
}

}  // namespace uscst::target
