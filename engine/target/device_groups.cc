// Device groups, target groups and their members. Changes of state have a file of their own.
#include "engine/target/device_groups.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/target/alua_view.h"
#include "engine/target/registry.h"

namespace uscst::target {
namespace {

using scsi::AluaState;

constexpr auto kStateNames = std::to_array<std::pair<AluaState, std::string_view>>({
    {AluaState::kActiveOptimized, "active"},
    {AluaState::kActiveNonoptimized, "nonoptimized"},
    {AluaState::kStandby, "standby"},
    {AluaState::kUnavailable, "unavailable"},
    {AluaState::kOffline, "offline"},
    {AluaState::kTransitioning, "transitioning"},
});

template <class Things>
auto* find_named(const Things& things, std::string_view name) {
  auto found = std::ranges::find_if(things, [&](const auto& thing) { return thing->name() == name; });
  return found == things.end() ? nullptr : found->get();
}

std::unexpected<base::Error> no_such(const DeviceGroup& group, std::string_view what, std::string_view name) {
  return base::fail(EINVAL, fmt::format("device group {}: there is no {} '{}'", group.name(), what, name));
}

std::unexpected<base::Error> there_already(const DeviceGroup& group, std::string_view what, std::string_view name) {
  return base::fail(EEXIST, fmt::format("device group {}: {} {} is there already", group.name(), what, name));
}

}  // namespace

std::string_view name_of(AluaState state) {
  auto found = std::ranges::find(kStateNames, state, &std::pair<AluaState, std::string_view>::first);
  return found == kStateNames.end() ? std::string_view() : found->second;
}

std::optional<AluaState> alua_state_from(std::string_view name) {
  auto found = std::ranges::find(kStateNames, name, &std::pair<AluaState, std::string_view>::second);
  if (found == kStateNames.end()) return std::nullopt;
  return found->first;
}

// --- what there is

TargetGroup::TargetGroup(DeviceGroup& group, std::string name, std::uint64_t id)
    : device_group_(group), name_(std::move(name)), id_(id) {}

bool TargetGroup::contains(const Target& target) const {
  return std::ranges::any_of(members_, [&](const auto& member) { return member->target == &target; });
}

DeviceGroup::DeviceGroup(DeviceGroups& groups, std::string name, std::uint64_t id)
    : groups_(groups), name_(std::move(name)), id_(id) {}

TargetGroup* DeviceGroup::find(std::string_view name) const { return find_named(target_groups_, name); }

TargetGroup* DeviceGroup::find(const Target& target) const {
  auto found = std::ranges::find_if(target_groups_, [&](const auto& group) { return group->contains(target); });
  return found == target_groups_.end() ? nullptr : found->get();
}

TargetGroup::Member* DeviceGroup::find_member(std::string_view name) const {
  for (const auto& group : target_groups_) {
    for (const auto& member : group->members()) {
      if (member->name == name) return member.get();
    }
  }
  return nullptr;
}

DeviceGroups::DeviceGroups(Registry& registry) : registry_(registry), explicit_(registry) {}
DeviceGroups::~DeviceGroups() = default;

DeviceGroup* DeviceGroups::find(std::string_view name) const { return find_named(groups_, name); }

TargetGroup* DeviceGroups::find_target_group(std::uint64_t id) const {
  for (const auto& group : groups_) {
    for (const auto& target_group : group->target_groups_) {
      if (target_group->id() == id) return target_group.get();
    }
  }
  return nullptr;
}

// --- device groups

base::Status DeviceGroups::create(const std::string& name) {
  if (find(name)) return base::fail(EEXIST, fmt::format("device group {} exists already", name));
  groups_.push_back(std::make_unique<DeviceGroup>(*this, name, registry_.next_id()));
  return {};
}

// The group is gone at once. What is left is told and given back to its devices in turn, as states are changed.
void DeviceGroups::remove(std::string_view name, Done done) {
  auto found = std::ranges::find_if(groups_, [&](const auto& group) { return group->name() == name; });
  if (found == groups_.end()) return done(base::fail(EINVAL, fmt::format("there is no device group '{}'", name)));
  const std::unique_ptr<DeviceGroup> group = std::move(*found);
  groups_.erase(found);
  Devices bound;
  NexusLuns told;
  for (const auto& target_group : group->target_groups_) {
    if (target_group->state() == AluaState::kActiveOptimized) continue;
    registry_.log().info("changed ALUA state of {}/{} into active", group->name(), target_group->name());
    std::ranges::copy(bound_devices(*target_group), std::back_inserter(bound));
    std::ranges::copy(nexuses_of(*target_group), std::back_inserter(told));
  }
  for (const auto& device : group->devices_) {
    device->device_group = nullptr;
    device->set_alua(nullptr);
    refresh(*device);
  }
  for (const auto& nexus_lun : told) nexus_lun->raise(scsi::kUaAluaStateChanged);
  wake();
  if (bound.empty()) return done({});
  std::ranges::sort(bound);  // a device may be in sight through several of its groups
  bound.erase(std::ranges::unique(bound).begin(), bound.end());
  auto give_back = [this, bound = std::move(bound)](Done given) mutable {
    follow(std::move(bound), AluaState::kActiveOptimized, std::move(given));
  };
  enqueue(std::move(give_back), std::move(done));
}

base::Status DeviceGroups::add_device(DeviceGroup& group, std::string_view name) {
  auto device = registry_.find_device(name);
  if (!device || device->deleting) return no_such(group, "device", name);
  if (device->device_group) return there_already(*device->device_group, "device", name);
  device->device_group = &group;
  group.devices_.push_back(device);
  publish(group);
  refresh(*device);
  wake();
  return {};
}

base::Status DeviceGroups::remove_device(DeviceGroup& group, std::string_view name) {
  auto device = find_named(group.devices_, name);
  if (!device) return no_such(group, "device", name);
  forget(*device);
  return {};
}

void DeviceGroups::forget(Device& device) {
  DeviceGroup* group = std::exchange(device.device_group, nullptr);
  if (!group) return;
  device.set_alua(nullptr);
  refresh(device);
  wake();
  std::erase_if(group->devices_, [&](const auto& member) { return member.get() == &device; });
}

// --- target groups

base::Status DeviceGroups::create_target_group(DeviceGroup& group, const std::string& name) {
  if (group.find(name)) return there_already(group, "target group", name);
  group.target_groups_.push_back(std::make_unique<TargetGroup>(group, name, registry_.next_id()));
  publish(group);
  return {};
}

base::Status DeviceGroups::remove_target_group(DeviceGroup& group, std::string_view name) {
  TargetGroup* gone = group.find(name);
  if (!gone) return no_such(group, "target group", name);
  gone->state_ = AluaState::kActiveOptimized;
  refresh(*gone);
  std::erase_if(group.target_groups_, [&](const auto& target_group) { return target_group.get() == gone; });
  publish(group);
  return {};
}

base::Status DeviceGroups::add_target(TargetGroup& group, const std::string& name) {
  DeviceGroup& device_group = group.device_group();
  if (device_group.find_member(name)) return there_already(device_group, "target", name);
  auto member = std::make_unique<TargetGroup::Member>();
  member->name = name;
  member->id = registry_.next_id();
  member->group = &group;
  for (Driver* driver : registry_.drivers()) {
    if (!member->target) member->target = driver->find_target(name);
  }
  group.members_.push_back(std::move(member));
  publish(device_group);
  refresh(group);
  return {};
}

base::Status DeviceGroups::remove_target(TargetGroup& group, std::string_view name) {
  DeviceGroup& device_group = group.device_group();
  const TargetGroup::Member* member = device_group.find_member(name);
  if (!member) return no_such(device_group, "target", name);
  const bool local = member->target != nullptr;
  std::erase_if(member->group->members_, [&](const auto& one) { return one.get() == member; });
  publish(device_group);
  if (!local) return {};
  for (const auto& device : device_group.devices_) refresh(*device);
  wake();
  return {};
}

// Its sessions are gone, so nothing is left to be refreshed.
void DeviceGroups::forget(const Target& target) {
  for (const auto& group : groups_) {
    for (const auto& target_group : group->target_groups_) {
      if (std::erase_if(target_group->members_, [&](const auto& member) { return member->target == &target; }) > 0)
        publish(*group);
    }
  }
}

// --- what commands see

AluaState DeviceGroups::state_of(const Target& target, const Device& device) const {
  const DeviceGroup* group = device.device_group;
  const TargetGroup* target_group = group ? group->find(target) : nullptr;
  return target_group ? target_group->state() : AluaState::kActiveOptimized;
}

// Every nexus that sees the device, with the target that it sees it through; one with several sessions comes often.
template <class Visit>
void DeviceGroups::for_each_nexus(const Device& device, Visit visit) {
  for (const Device::Export& exported : device.exports()) {
    const Target& target = exported.group->target();
    for (const auto& session : target.sessions()) {
      if (&session->group() != exported.group) continue;
      const LunMap::Entry* entry = session->lun_map()->find(exported.lun);
      if (entry && &entry->nexus_lun->device() == &device) visit(entry->nexus_lun, target);
    }
  }
}

DeviceGroups::NexusLuns DeviceGroups::nexuses_of(const TargetGroup& group, const Device& device) {
  NexusLuns found;
  for_each_nexus(device, [&](const std::shared_ptr<NexusLun>& nexus_lun, const Target& target) {
    if (group.contains(target)) found.push_back(nexus_lun);
  });
  return found;
}

DeviceGroups::NexusLuns DeviceGroups::nexuses_of(const TargetGroup& group) {
  NexusLuns found;
  for (const auto& device : group.device_group().devices())
    std::ranges::copy(nexuses_of(group, *device), std::back_inserter(found));
  return found;
}

void DeviceGroups::refresh(const Device& device) const {
  for_each_nexus(device, [&](const std::shared_ptr<NexusLun>& nexus_lun, const Target& target) {
    nexus_lun->alua_state = state_of(target, device);
  });
}

void DeviceGroups::refresh(const TargetGroup& group) const {
  for (const auto& nexus_lun : nexuses_of(group)) nexus_lun->alua_state = group.state();
  wake();
}

// Commands that wait for the end of a transition look again.
void DeviceGroups::wake() const { registry_.shards().reopen_gates(); }

void DeviceGroups::publish(const DeviceGroup& group) const {
  if (group.devices_.empty()) return;
  auto view = std::make_shared<AluaView>();
  for (const auto& target_group : group.target_groups_) {
    scsi::TargetPortGroup shown{target_group->group_id(), target_group->state(), target_group->preferred(), {}};
    for (const auto& member : target_group->members()) {
      const Target* target = member->target;
      shown.ports.push_back(target ? target->relative_target_id.load() : member->relative_target_id);
      if (target) view->group_of_target.emplace_back(target->id(), view->groups.size());
    }
    view->groups.push_back(std::move(shown));
  }
  for (const auto& device : group.devices_) device->set_alua(view);
}

void DeviceGroups::tell(const TargetGroup& group) const {
  for (const auto& nexus_lun : nexuses_of(group)) {
    if (!explicit_.comes_from(nexus_lun->nexus_id(), group.device_group())) nexus_lun->raise(scsi::kUaAluaStateChanged);
  }
}

void DeviceGroups::ports_changed(const Target& target) {
  for (const auto& group : groups_) {
    if (group->find(target)) publish(*group);
  }
}

// --- attributes

void DeviceGroups::set_group_id(TargetGroup& group, std::uint16_t id) {
  group.group_id_ = id;
  publish(group.device_group());
}

void DeviceGroups::set_relative_target_id(TargetGroup::Member& member, std::uint16_t id) {
  member.relative_target_id = id;
  publish(member.group->device_group());
}

void DeviceGroups::set_preferred(TargetGroup& group, bool preferred) {
  if (group.preferred_ == preferred) return;
  registry_.log().info("changed preferred state of {}/{} into {}", group.device_group().name(), group.name(),
                       preferred ? 1 : 0);
  group.preferred_ = preferred;
  publish(group.device_group());
  tell(group);
}

}  // namespace uscst::target
