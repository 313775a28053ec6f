// Target port groups (SPC-5 5.16): what REPORT TARGET PORT GROUPS answers and what SET TARGET PORT GROUPS asks for.
// Pure, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/scsi/cdb.h"
#include "engine/scsi/rules.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

struct TargetPortGroup {
  std::uint16_t id = 0;
  AluaState state = AluaState::kActiveOptimized;
  bool preferred = false;
  std::vector<std::uint16_t> ports{};  // relative target port identifiers, 255 are told
};

// SPC-5 6.37: the groups in the order given, cut to the allocation length; none where the device is in no device group.
// 5/24/00 for a parameter data format other than length only and extended header.
SenseResult<std::vector<std::uint8_t>> report_target_port_groups(const DecodedCdb& cdb,
                                                                 std::span<const TargetPortGroup> groups);

// SPC-5 6.45: one descriptor of SET TARGET PORT GROUPS.
struct TargetPortGroupRequest {
  std::uint16_t id = 0;
  AluaState state = AluaState::kActiveOptimized;
  friend bool operator==(const TargetPortGroupRequest&, const TargetPortGroupRequest&) = default;
};
inline constexpr std::size_t kMaxTargetPortGroupRequests = 64;

// What is to change; empty for an empty list. 5/24/00 at byte 6 for more than 64 descriptors, 4/67/0A for a state that
// cannot be asked for and for a group that there is not, 2/04/0A for one in transition.
SenseResult<std::vector<TargetPortGroupRequest>> parse_set_target_port_groups(base::Bytes list,
                                                                              std::span<const TargetPortGroup> groups);

}  // namespace uscst::scsi
