// ALUA (SPC-5 5.16) as an administrator sees it: device groups, their target port groups, and which targets, here or on
// other nodes, are in them. A (target, device) pair is governed by the target group that has the target within the
// device group that has the device; a pair without one is active. Owned by the Registry; control thread. Commands know
// only what is published to them: NexusLun::alua_state, and Device::alua() for INQUIRY and REPORT TARGET PORT GROUPS.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/scsi/target_port_groups.h"
#include "engine/target/attribute.h"
#include "engine/target/explicit_alua.h"

namespace uscst::target {

class Device;
class DeviceGroup;
class DeviceGroups;
class NexusLun;
class Registry;
class Target;

// "active", "nonoptimized", "standby", "unavailable", "offline", "transitioning".
std::string_view name_of(scsi::AluaState state);
std::optional<scsi::AluaState> alua_state_from(std::string_view name);

class TargetGroup {
 public:
  struct Member {
    std::string name;
    std::uint64_t id = 0;                  // of Registry::next_id()
    Target* target = nullptr;              // null: a target of another node
    std::uint16_t relative_target_id = 0;  // of another node's
    TargetGroup* group = nullptr;
  };

  TargetGroup(DeviceGroup& group, std::string name, std::uint64_t id);
  DeviceGroup& device_group() const { return device_group_; }
  const std::string& name() const { return name_; }
  std::uint64_t id() const { return id_; }
  std::uint16_t group_id() const { return group_id_; }
  bool preferred() const { return preferred_; }
  scsi::AluaState state() const { return state_; }
  const std::vector<std::unique_ptr<Member>>& members() const { return members_; }  // in the order added
  bool contains(const Target& target) const;

 private:
  friend class DeviceGroups;
  DeviceGroup& device_group_;
  const std::string name_;
  const std::uint64_t id_;
  std::uint16_t group_id_ = 0;
  bool preferred_ = false;
  scsi::AluaState state_ = scsi::AluaState::kActiveOptimized;
  std::vector<std::unique_ptr<Member>> members_;
};

class DeviceGroup {
 public:
  DeviceGroup(DeviceGroups& groups, std::string name, std::uint64_t id);
  DeviceGroups& groups() const { return groups_; }
  const std::string& name() const { return name_; }
  std::uint64_t id() const { return id_; }
  const std::vector<std::shared_ptr<Device>>& devices() const { return devices_; }  // in the order added
  const std::vector<std::unique_ptr<TargetGroup>>& target_groups() const { return target_groups_; }  // likewise
  TargetGroup* find(std::string_view name) const;
  TargetGroup* find(const Target& target) const;
  // Of any of its target groups.
  TargetGroup::Member* find_member(std::string_view name) const;

 private:
  friend class DeviceGroups;
  DeviceGroups& groups_;
  const std::string name_;
  const std::uint64_t id_;
  std::vector<std::shared_ptr<Device>> devices_;
  std::vector<std::unique_ptr<TargetGroup>> target_groups_;
};

class DeviceGroups {
 public:
  // How long a change of state waits for the commands that were let through before it.
  static constexpr auto kDrainLimit = std::chrono::seconds(10);

  explicit DeviceGroups(Registry& registry);
  ~DeviceGroups();

  const std::vector<std::unique_ptr<DeviceGroup>>& groups() const { return groups_; }  // in the order made
  DeviceGroup* find(std::string_view name) const;

  // --- what there is. Errors: EEXIST for a name that is there, EINVAL for one that is not.
  base::Status create(const std::string& name);
  // Its pairs are active again: told to every nexus; done when bound devices have their stores back.
  void remove(std::string_view name, Done done);
  base::Status add_device(DeviceGroup& group, std::string_view name);  // EEXIST: in any group
  base::Status remove_device(DeviceGroup& group, std::string_view name);
  base::Status create_target_group(DeviceGroup& group, const std::string& name);
  base::Status remove_target_group(DeviceGroup& group, std::string_view name);
  // A target of any driver here, or, where there is none of the name now, one of another node.
  base::Status add_target(TargetGroup& group, const std::string& name);
  // From whichever target group of the same device group has it.
  base::Status remove_target(TargetGroup& group, std::string_view name);

  // --- attributes
  void set_group_id(TargetGroup& group, std::uint16_t id);
  void set_relative_target_id(TargetGroup::Member& member, std::uint16_t id);
  // Tells every nexus of the group's pairs.
  void set_preferred(TargetGroup& group, bool preferred);
  // Holds for commands at once; every nexus of the group's pairs is told, unless the new state is transitioning.
  // Devices bound to the state have their stores closed or opened. Done when commands that were let through under the
  // former state have ended, or at kDrainLimit. Changes are made one after the other. Errors: EBUSY when a store could
  // not be closed; the state has changed nevertheless.
  void set_state(TargetGroup& group, scsi::AluaState state, Done done);

  // --- what the rest of the engine tells
  void forget(Device& device);               // it is being deleted
  void forget(const Target& target);         // likewise
  void ports_changed(const Target& target);  // its relative target port identifier
  scsi::AluaState state_of(const Target& target, const Device& device) const;
  ExplicitAlua& explicit_alua() { return explicit_; }

 private:
  using Devices = std::vector<std::shared_ptr<Device>>;
  using NexusLuns = std::vector<std::shared_ptr<NexusLun>>;
  using Change = std::move_only_function<void(Done)>;

  TargetGroup* find_target_group(std::uint64_t id) const;
  template <class Visit>
  static void for_each_nexus(const Device& device, Visit visit);
  // The nexuses of the group's pairs.
  static NexusLuns nexuses_of(const TargetGroup& group, const Device& device);
  static NexusLuns nexuses_of(const TargetGroup& group);
  // Puts the state in force for all pairs of the device; for those of one group.
  void refresh(const Device& device) const;
  void refresh(const TargetGroup& group) const;
  void wake() const;
  void publish(const DeviceGroup& group) const;
  void tell(const TargetGroup& group) const;
  Devices bound_devices(const TargetGroup& group) const;

  // Changes of state, one at a time.
  void enqueue(Change change, Done done);
  void next_change();
  void change_state(std::uint64_t group_id, scsi::AluaState state, Done done);
  void put_state(TargetGroup& group, scsi::AluaState state);
  void follow(Devices devices, scsi::AluaState state, Done done) const;
  void wait_for_commands(const TargetGroup& group, Done done) const;

  Registry& registry_;
  ExplicitAlua explicit_;
  std::vector<std::unique_ptr<DeviceGroup>> groups_;
  std::deque<std::pair<Change, Done>> changes_;
  bool changing_ = false;  // one has not ended
  bool starting_ = false;  // within next_change()
};

}  // namespace uscst::target
