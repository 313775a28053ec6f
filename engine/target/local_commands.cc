// Operations that need no logical unit, or more than one: the engine carries them out.
#include <span>
#include <vector>

#include "engine/scsi/inquiry.h"
#include "engine/scsi/lun.h"
#include "engine/scsi/report.h"
#include "engine/target/alua_view.h"
#include "engine/target/command.h"
#include "engine/target/device.h"
#include "engine/target/device_groups.h"
#include "engine/target/registry.h"
#include "engine/target/session.h"
#include "engine/target/session_tasks.h"

namespace uscst::target {
namespace {

void answer(Command& command, const scsi::SenseResult<std::vector<std::uint8_t>>& result) {
  if (result) {
    command.complete_with(*result);
  } else {
    command.complete(result.error());
  }
}

// SPC-5 6.33; reading the list tells what a pending REPORTED LUNS DATA HAS CHANGED would.
void report_luns(Command& command) {
  const LunMap& map = *command.tasks().lun_map();
  auto result =
      scsi::report_luns(command.decoded(), map.luns_as_mapped(), map.address_method, command.nexus_lun() != nullptr);
  if (result) {
    for (const LunMap::Entry& entry : map.entries) entry.nexus_lun->drop_attention(scsi::kUaReportedLunsChanged);
  }
  answer(command, result);
}

bool goes_on_to_unit(const Command& command) {
  return command.nexus_lun() && command.device().unit().takes_part_in(command.decoded().operation());
}

// SPC-5 6.39: a pending unit attention is told as data and so cleared.
void request_sense(Command& command) {
  scsi::Sense pending = scsi::kNoSense;
  if (!command.nexus_lun()) {
    pending = scsi::kLunNotSupported;
  } else if (auto attention = command.take_attention()) {
    pending = *attention;
  } else if (goes_on_to_unit(command)) {
    return command.device().unit().execute(command);
  }
  command.complete_with(scsi::request_sense(command.decoded(), pending));
}

void complete_or_go_on(Command& command) {
  goes_on_to_unit(command) ? command.device().unit().execute(command) : command.complete();
}

// SPC-2 5.5: for the nexus, extents and third parties ignored.
void reserve(Command& command) {
  if (auto sense = scsi::check_reserve(command.decoded())) {
    command.complete(*sense);
  } else if (command.device().reserve(command.nexus_lun()->nexus_id())) {
    complete_or_go_on(command);
  } else {
    command.complete(scsi::Status::kReservationConflict);
  }
}

void release(Command& command) {
  const std::uint64_t holder = command.device().reservation_holder.load(std::memory_order_acquire);
  if (holder != command.nexus_lun()->nexus_id()) return command.complete();
  command.device().release(holder);
  complete_or_go_on(command);
}

// SPC-5 6.37
void report_target_port_groups(Command& command) {
  const auto view = command.device().alua();
  std::span<const scsi::TargetPortGroup> groups;
  if (view) groups = view->groups;
  answer(command, scsi::report_target_port_groups(command.decoded(), groups));
}

// SPC-5 6.45. The control thread has the last word; until then the command waits, and nothing waits for it.
void set_target_port_groups(Command& command) {
  std::vector<std::uint8_t> list(command.data().length_bytes());
  command.data().copy_out(0, list);
  const auto view = command.device().alua();
  std::span<const scsi::TargetPortGroup> groups;
  if (view) groups = view->groups;
  auto wanted = scsi::parse_set_target_port_groups(list, groups);
  if (!wanted) return command.complete(wanted.error());
  if (wanted->empty()) return command.complete();
  command.wait_for_configuration();
  auto answered = [&command](base::Status status) {
    command.shard().executor().post([&command, ok = status.has_value()] {
      ok ? command.complete() : command.complete(scsi::kSetTargetPortGroupsFailed);
    });
  };
  command.shard().group().control().post(
      [&registry = command.session().target().registry(), device = command.device().shared_from_this(),
       nexus_id = command.nexus_lun()->nexus_id(), wanted = std::move(*wanted), answered]() mutable {
        registry.device_groups().explicit_alua().request(std::move(device), std::move(wanted), nexus_id,
                                                         std::move(answered));
      });
}

}  // namespace

void carry_out(Command& command) {
  using scsi::Operation;
  switch (command.decoded().operation()) {
    case Operation::kInquiry: return answer(command, scsi::inquiry_unmapped(command.decoded()));
    case Operation::kReportLuns: return report_luns(command);
    case Operation::kRequestSense: return request_sense(command);
    case Operation::kReserve: return reserve(command);
    case Operation::kRelease: return release(command);
    case Operation::kReportTargetPortGroups: return report_target_port_groups(command);
    case Operation::kSetTargetPortGroups: return set_target_port_groups(command);
    case Operation::kReportSupportedOpcodes:
      if (goes_on_to_unit(command)) return command.device().unit().execute(command);
      return answer(command, scsi::report_supported_opcodes(command.decoded(), command.device().unit().traits()));
    case Operation::kReportSupportedTaskManagement:
      return command.complete_with(scsi::report_supported_task_management(command.decoded()));
    default: return command.complete(scsi::kInvalidOpcode);
  }
}

}  // namespace uscst::target
