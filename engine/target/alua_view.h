// A device group as commands see it: an immutable snapshot, made by the control thread (DeviceGroups), held by the
// group's devices, used by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/scsi/inquiry.h"
#include "engine/scsi/target_port_groups.h"

namespace uscst::target {

class Command;

struct AluaView {
  std::vector<scsi::TargetPortGroup> groups;                           // in the order made
  std::vector<std::pair<std::uint64_t, std::size_t>> group_of_target;  // id of a target here, index into groups

  const scsi::TargetPortGroup* find(std::uint64_t target_id) const;
};

// What INQUIRY tells about the way a command came in: the port, its group, its transport (SPC-5 6.7, 7.7.6).
scsi::InquiryPath inquiry_path(const Command& command);

}  // namespace uscst::target
