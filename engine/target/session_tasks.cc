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

// For functions that have nothing to wait for.
std::weak_ptr<SweepToken> answered(TaskManagementDone& done, TaskManagementResult result) {
  done(result);
  return {};
}

}  // namespace

std::string_view scst_name(TaskManagementFunction function) {
  switch (function) {
    case TaskManagementFunction::kAbortTask: return "ABORT_TASK";
    case TaskManagementFunction::kAbortTaskSet: return "ABORT_TASK_SET";
    case TaskManagementFunction::kClearTaskSet: return "CLEAR_TASK_SET";
    case TaskManagementFunction::kLogicalUnitReset: return "LUN_RESET";
    case TaskManagementFunction::kClearAca: return "CLEAR_ACA";
  }
  return "";
}

void SessionTasks::manage(TaskManagementFunction function, const scsi::LunBytes& lun, const CommandTag& tag,
                          TaskManagementDone done) {
  if (!is_known(function)) return done(TaskManagementResult::kNotSupported);
  auto management = std::make_shared<Management>(Management{.function = function, .lun = lun, .tag = tag});
  managements_->push_back(management);
  // The list outlives the session where the answer does.
  auto answer = [management, list = managements_, done = std::move(done)](TaskManagementResult result) mutable {
    list->remove(management);
    done(result);
  };
  management->affected = carry_out(*management, std::move(answer));
}

SessionTasks::Affected SessionTasks::carry_out(const Management& management, TaskManagementDone done) {
  if (management.function == TaskManagementFunction::kAbortTask)
    return abort_task(management.lun, management.tag, std::move(done));
  auto number = scsi::decode_lun(management.lun);
  const LunMap::Entry* entry = number ? lun_map_->find(*number) : nullptr;
  if (!entry) return answered(done, TaskManagementResult::kFailed);
  switch (management.function) {
    case TaskManagementFunction::kAbortTask: break;
    case TaskManagementFunction::kAbortTaskSet: return abort_task_set(*entry, std::move(done));
    case TaskManagementFunction::kClearTaskSet: return clear_task_set(*entry, std::move(done));
    case TaskManagementFunction::kLogicalUnitReset: return reset_logical_unit(*entry, std::move(done));
    case TaskManagementFunction::kClearAca: break;  // there is no ACA to clear
  }
  return answered(done, TaskManagementResult::kComplete);
}

// A task that is gone has ended: function complete (SAM-5 7.2). One that is there is waited for even if its LUN is
// gone: the initiator takes any answer as leave to use its memory again.
SessionTasks::Affected SessionTasks::abort_task(const scsi::LunBytes& lun, const CommandTag& tag,
                                                TaskManagementDone done) {
  auto found = std::find_if(commands_.begin(), commands_.end(), [&](const Command& c) { return c.request.tag == tag; });
  auto number = scsi::decode_lun(lun);
  if (found == commands_.end()) {
    bool mapped = number && lun_map_->find(*number);
    return answered(done, mapped ? TaskManagementResult::kComplete : TaskManagementResult::kFailed);
  }
  if (scsi::decode_lun(found->request.lun) != number) return answered(done, TaskManagementResult::kFailed);
  auto token = std::make_shared<SweepToken>(
      shard_.executor(), [done = std::move(done)]() mutable { done(TaskManagementResult::kComplete); });
  std::weak_ptr<SweepToken> affected = token;
  found->add_sweep(std::move(token));
  found->abort(AbortReason::kOwnNexus);
  return affected;
}

SessionTasks::Affected SessionTasks::abort_task_set(const LunMap::Entry& entry, TaskManagementDone done) {
  auto select = [nexus_lun = entry.nexus_lun](const Command& command) {
    return command.nexus_lun() == nexus_lun.get() ? SweepVerdict::kAbortForOwnNexus : SweepVerdict::kSkip;
  };
  return sweep(shard_.group(), shard_.executor(), std::move(select),
               [done = std::move(done)]() mutable { done(TaskManagementResult::kComplete); });
}

SessionTasks::Affected SessionTasks::clear_task_set(const LunMap::Entry& entry, TaskManagementDone done) {
  Device& device = entry.nexus_lun->device();
  scsi::ControlState control = device.unit().control();
  if (control.tst != 0) return abort_task_set(entry, std::move(done));
  return abort_all_of_device(entry, !control.tas,
                             [done = std::move(done)]() mutable { done(TaskManagementResult::kComplete); });
}

SessionTasks::Affected SessionTasks::reset_logical_unit(const LunMap::Entry& entry, TaskManagementDone done) {
  entry.nexus_lun->device().release_any();
  return abort_all_of_device(entry, false,
                             [device = entry.nexus_lun->device_pointer(), done = std::move(done)]() mutable {
                               device->unit().reset();
                               device->raise_for_all(scsi::kUaReset);
                               done(TaskManagementResult::kComplete);
                             });
}

// `tell`: another nexus that loses a command gets COMMANDS CLEARED BY ANOTHER INITIATOR for it (SAM-5 5.8.7).
SessionTasks::Affected SessionTasks::abort_all_of_device(const LunMap::Entry& entry, bool tell, io::Job done) {
  auto select = [device = entry.nexus_lun->device_pointer(), own = entry.nexus_lun->nexus_id(),
                 tell](const Command& command) {
    NexusLun* at = command.nexus_lun();
    if (!at || &at->device() != device.get()) return SweepVerdict::kSkip;
    if (at->nexus_id() == own) return SweepVerdict::kAbortForOwnNexus;
    if (tell && command.state() != CommandState::kSendStatus && !command.aborted()) at->raise(scsi::kUaCommandsCleared);
    return SweepVerdict::kAbortForOtherNexus;
  };
  return sweep(shard_.group(), shard_.executor(), std::move(select), std::move(done));
}

}  // namespace uscst::target
