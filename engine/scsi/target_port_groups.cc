#include "engine/scsi/target_port_groups.h"

#include <algorithm>

#include "engine/base/byte_order.h"
#include "engine/scsi/data_in.h"

namespace uscst::scsi {
namespace {

constexpr std::uint8_t kPreferred = 0x80;
constexpr std::uint8_t kSupportedStates = 0xCF;  // transition, offline, unavailable, standby, both active ones
constexpr std::uint8_t kImplicitChange = 0x02;   // status code: by what the administrator did
constexpr std::uint8_t kExtendedHeader = 1;
constexpr std::size_t kMaxPorts = 255;

struct Header {
  base::be32 reserved;
};
static_assert(sizeof(Header) == 4);

struct Descriptor {
  std::uint8_t state;
  std::uint8_t reserved;
  base::be16 id;
};
static_assert(sizeof(Descriptor) == 4);

bool can_be_set(std::uint8_t state) {
  switch (static_cast<AluaState>(state)) {
    case AluaState::kActiveOptimized:
    case AluaState::kActiveNonoptimized:
    case AluaState::kStandby:
    case AluaState::kUnavailable:
    case AluaState::kOffline: return true;
    case AluaState::kTransitioning: break;
  }
  return false;
}

}  // namespace

SenseResult<std::vector<std::uint8_t>> report_target_port_groups(const DecodedCdb& cdb,
                                                                 std::span<const TargetPortGroup> groups) {
  const unsigned format = cdb.bytes[1] >> 5;
  if (format > kExtendedHeader) return refuse(kInvalidFieldInCdb);
  DataIn data;
  data.u32(0);  // length, below
  if (format == kExtendedHeader) {
    data.u8(0x10);
    data.zeros(3);  // no transition ends by itself in a known time
  }
  for (const TargetPortGroup& group : groups) {
    const std::size_t ports = std::min(group.ports.size(), kMaxPorts);
    data.u8((group.preferred ? kPreferred : 0u) | static_cast<unsigned>(group.state));
    data.u8(kSupportedStates);
    data.u16(group.id);
    data.u8(0);
    data.u8(kImplicitChange);
    data.u8(0);
    data.u8(static_cast<unsigned>(ports));
    for (std::size_t i = 0; i < ports; ++i) data.u32(group.ports[i]);
  }
  data.set_u32(0, data.size() - 4);
  return std::move(data).cut(cdb.data_length_bytes);
}

SenseResult<std::vector<TargetPortGroupRequest>> parse_set_target_port_groups(base::Bytes list,
                                                                              std::span<const TargetPortGroup> groups) {
  std::vector<TargetPortGroupRequest> requests;
  if (list.empty()) return requests;
  base::Reader reader(list);
  if (!reader.read<Header>()) return refuse(kParameterListLengthError);
  if (reader.left() / sizeof(Descriptor) > kMaxTargetPortGroupRequests) return bad_cdb(6, 0);
  while (auto descriptor = reader.read<Descriptor>()) {
    const std::uint8_t state = descriptor->state & 0x1F;
    const std::uint16_t id = descriptor->id;
    auto group = std::ranges::find(groups, id, &TargetPortGroup::id);
    if (!can_be_set(state) || id == 0 || group == groups.end()) return refuse(kSetTargetPortGroupsFailed);
    if (group->state == AluaState::kTransitioning) return refuse(kAluaTransition);
    if (group->state != static_cast<AluaState>(state)) requests.push_back({id, static_cast<AluaState>(state)});
  }
  return requests;
}

}  // namespace uscst::scsi
