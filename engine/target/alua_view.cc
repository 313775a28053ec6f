#include "engine/target/alua_view.h"

#include <algorithm>

#include "engine/target/command.h"
#include "engine/target/device.h"
#include "engine/target/session.h"
#include "engine/target/target.h"

namespace uscst::target {

const scsi::TargetPortGroup* AluaView::find(std::uint64_t target_id) const {
  auto found = std::ranges::find(group_of_target, target_id, &std::pair<std::uint64_t, std::size_t>::first);
  return found == group_of_target.end() ? nullptr : &groups[found->second];
}

scsi::InquiryPath inquiry_path(const Command& command) {
  const Target& target = command.session().target();
  scsi::InquiryPath path;
  path.transport_version = target.transport_version.load(std::memory_order_relaxed);
  path.physical_transport_version = target.physical_transport_version.load(std::memory_order_relaxed);
  path.relative_target_port = target.relative_target_id.load(std::memory_order_relaxed);
  const auto view = command.device().alua();
  if (!view) return path;
  path.in_device_group = true;
  const scsi::TargetPortGroup* group = view->find(target.id());
  if (!group) return path;
  path.target_port_group = group->id;
  if (group->state == scsi::AluaState::kUnavailable || group->state == scsi::AluaState::kOffline)
    path.qualifier = scsi::PeripheralQualifier::kUnavailable;
  return path;
}

}  // namespace uscst::target
