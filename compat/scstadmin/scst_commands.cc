// The half of Scst that changes the tree.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "compat/scstadmin/scst.h"

namespace uscst::scstadmin {
namespace {

std::string joined(const Parameters& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) out += fmt::format("{}={};", name, value);
  return out;
}

bool all_known(const Parameters& parameters, const base::Result<std::set<std::string>>& known) {
  return std::all_of(parameters.begin(), parameters.end(),
                     [&](const auto& p) { return known && known->contains(p.first); });
}

std::string target_groups_path(const std::string& group) {
  return join_path({"device_groups", group, "target_groups"});
}

}  // namespace

base::Status Scst::send(const std::string& path, const std::string& text) {
  if (!debug_) return tree_.write(path, text);
  if (path.starts_with("handlers/") && path.ends_with("/mgmt")) {
    console_.print("DBG({}): {}\n", ::getpid(), text);
  } else {
    console_.print("DBG({}): {}/{} -> {}\n", ::getpid(), tree_.root(), path, text);
  }
  return {};
}

Code Scst::first_failed(const Checks& checks, Code failed) {
  const auto broken = std::find_if(checks.begin(), checks.end(), [](const Check& check) { return !check.holds; });
  return broken == checks.end() ? failed : broken->otherwise;
}

Code Scst::open_device(const std::string& handler, const std::string& device, const Parameters& parameters) {
  // cluster_mode goes last: it forbids what other parameters set.
  Parameters ordered = parameters;
  const auto mode =
      std::find_if(ordered.begin(), ordered.end(), [](const auto& p) { return p.first == "cluster_mode"; });
  if (mode != ordered.end()) std::rotate(mode, mode + 1, ordered.end());
  const base::Status sent =
      send(join_path({"handlers", handler, "mgmt"}), fmt::format("add_device {} {}", device, joined(ordered)));
  if (sent) return Code::kOk;
  return first_failed({{handler_exists(handler), Code::kNoHandler},
                       {all_known(parameters, device_parameters(handler)), Code::kNoDeviceAttribute},
                       {!has(list_handler_devices(tree_, handler), device), Code::kDeviceExists},
                       {sent.error().code != EINVAL, Code::kOpenDevice}},
                      Code::kFatal);
}

Code Scst::close_device(const std::string& handler, const std::string& device) {
  if (send(join_path({"handlers", handler, "mgmt"}), fmt::format("del_device {}", device))) return Code::kOk;
  return first_failed({{handler_exists(handler), Code::kNoHandler},
                       {has(list_handler_devices(tree_, handler), device), Code::kNoDevice}},
                      Code::kFatal);
}

Code Scst::add_target(const std::string& driver, const std::string& target, const Parameters& parameters) {
  if (send(join_path({"targets", driver, "mgmt"}), fmt::format("add_target {} {}", target, joined(parameters))))
    return Code::kOk;
  return first_failed({{driver_exists(driver), Code::kNoDriver},
                       {!target_exists(driver, target), Code::kTargetExists},
                       {makes_targets(driver), Code::kDriverNotVirtual},
                       {all_known(parameters, target_parameters(driver)), Code::kNoTargetAttribute}},
                      Code::kAddTarget);
}

// Asks every session that can be closed to close; false when some are still there after kMgmtTimeout.
bool Scst::close_sessions(const std::string& target_path) {
  const std::string path = join_path({target_path, "sessions"});
  std::vector<std::string> closing;
  for (const std::string& name : list_directories(tree_, path).value_or(std::vector<std::string>())) {
    const std::string force_close = join_path({path, name, "force_close"});
    if (!tree_.stat(force_close)) continue;
    if (!send(force_close, "1") && tree_.is_directory(join_path({path, name}))) return false;
    closing.push_back(name);
  }
  if (debug_) return true;
  const auto deadline = std::chrono::steady_clock::now() + kMgmtTimeout;
  while (true) {
    std::erase_if(closing, [&](const std::string& name) { return !tree_.is_directory(join_path({path, name})); });
    if (closing.empty()) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kMgmtPollInterval);
  }
}

Code Scst::remove_target(const std::string& driver, const std::string& target) {
  const Code problem = first_failed({{driver_exists(driver), Code::kNoDriver},
                                     {target_exists(driver, target), Code::kNoTarget},
                                     {makes_targets(driver), Code::kDriverNotVirtual}},
                                    Code::kOk);
  if (problem != Code::kOk) return problem;
  const LunOwner owner{driver, target};
  set_target_attribute(driver, target, "enabled", "0");  // not every driver has it
  if (!close_sessions(owner.target_path())) return Code::kTargetBusy;
  if (send(join_path({"targets", driver, "mgmt"}), fmt::format("del_target {}", target))) return Code::kOk;
  return Code::kRemoveTarget;
}

Code Scst::add_group(const LunOwner& group) {
  if (send(join_path({group.target_path(), "ini_groups/mgmt"}), fmt::format("create {}", group.group)))
    return Code::kOk;
  return first_failed({{driver_exists(group.driver), Code::kNoDriver},
                       {target_exists(group.driver, group.target), Code::kNoTarget},
                       {!group_exists(group), Code::kGroupExists}},
                      Code::kAddGroup);
}

Code Scst::remove_group(const LunOwner& group) {
  if (send(join_path({group.target_path(), "ini_groups/mgmt"}), fmt::format("del {}", group.group))) return Code::kOk;
  return first_failed({{driver_exists(group.driver), Code::kNoDriver},
                       {target_exists(group.driver, group.target), Code::kNoTarget},
                       {group_exists(group), Code::kNoGroup}},
                      Code::kRemoveGroup);
}

Code Scst::add_initiator(const LunOwner& group, const std::string& initiator) {
  if (send(join_path({group.path(), "initiators/mgmt"}), fmt::format("add {}", initiator))) return Code::kOk;
  return first_failed({{driver_exists(group.driver), Code::kNoDriver},
                       {target_exists(group.driver, group.target), Code::kNoTarget},
                       {group_exists(group), Code::kNoGroup},
                       {!has(list_initiators(tree_, group.path()), initiator), Code::kInitiatorExists}},
                      Code::kAddInitiator);
}

Code Scst::remove_initiator(const LunOwner& group, const std::string& initiator) {
  if (send(join_path({group.path(), "initiators/mgmt"}), fmt::format("del {}", initiator))) return Code::kOk;
  return first_failed({{driver_exists(group.driver), Code::kNoDriver},
                       {target_exists(group.driver, group.target), Code::kNoTarget},
                       {group_exists(group), Code::kNoGroup},
                       {has(list_initiators(tree_, group.path()), initiator), Code::kNoInitiator}},
                      Code::kRemoveInitiator);
}

Code Scst::move_initiator(const LunOwner& from, const std::string& initiator, const std::string& to) {
  const LunOwner other{from.driver, from.target, to};
  if (send(join_path({from.path(), "initiators/mgmt"}), fmt::format("move {} {}", initiator, to))) return Code::kOk;
  return first_failed({{driver_exists(from.driver), Code::kNoDriver},
                       {target_exists(from.driver, from.target), Code::kNoTarget},
                       {group_exists(from), Code::kNoGroup},
                       {group_exists(other), Code::kNoGroup},
                       {has(list_initiators(tree_, from.path()), initiator), Code::kNoInitiator},
                       {!has(list_initiators(tree_, other.path()), initiator), Code::kInitiatorExists}},
                      Code::kMoveInitiator);
}

Code Scst::clear_initiators(const LunOwner& group) {
  if (send(join_path({group.path(), "initiators/mgmt"}), "clear")) return Code::kOk;
  return first_failed({{driver_exists(group.driver), Code::kNoDriver},
                       {target_exists(group.driver, group.target), Code::kNoTarget},
                       {group_exists(group), Code::kNoGroup}},
                      Code::kClearInitiators);
}

Code Scst::add_lun(const LunOwner& owner, const std::string& device, const std::string& lun,
                   const Parameters& parameters) {
  const bool in_group = !owner.group.empty();
  const std::string command = fmt::format("add {} {} {}", device, lun, joined(parameters));
  if (send(join_path({owner.path(), "luns/mgmt"}), command)) return Code::kOk;
  return first_failed({{driver_exists(owner.driver), Code::kNoDriver},
                       {target_exists(owner.driver, owner.target), Code::kNoTarget},
                       {!in_group || group_exists(owner), Code::kNoGroup},
                       {!lun_exists(owner, lun), in_group ? Code::kGroupLunExists : Code::kTargetLunExists},
                       {device_exists(device), Code::kNoDevice},
                       {all_known(parameters, lun_parameters(owner)), Code::kNoLunAttribute}},
                      in_group ? Code::kGroupAddLun : Code::kTargetAddLun);
}

Code Scst::remove_lun(const LunOwner& owner, const std::string& lun) {
  const bool in_group = !owner.group.empty();
  if (send(join_path({owner.path(), "luns/mgmt"}), fmt::format("del {}", lun))) return Code::kOk;
  return first_failed({{driver_exists(owner.driver), Code::kNoDriver},
                       {target_exists(owner.driver, owner.target), Code::kNoTarget},
                       {!in_group || group_exists(owner), Code::kNoGroup},
                       {lun_exists(owner, lun), in_group ? Code::kGroupNoLun : Code::kTargetNoLun}},
                      in_group ? Code::kGroupRemoveLun : Code::kTargetAddLun);
}

Code Scst::replace_lun(const LunOwner& owner, const std::string& device, const std::string& lun,
                       const Parameters& parameters) {
  const bool in_group = !owner.group.empty();
  const base::Result<Luns> luns = list_luns(tree_, owner.path());
  const auto old = luns ? luns->find(lun) : Luns::const_iterator();
  const bool found = luns && old != luns->end();
  // `replace` of a free LUN would add one, so all is checked first.
  const Code problem = first_failed({{driver_exists(owner.driver), Code::kNoDriver},
                                     {target_exists(owner.driver, owner.target), Code::kNoTarget},
                                     {!in_group || group_exists(owner), Code::kNoGroup},
                                     {found, in_group ? Code::kGroupNoLun : Code::kTargetNoLun},
                                     {device_exists(device), Code::kNoDevice},
                                     {all_known(parameters, lun_parameters(owner)), Code::kNoLunAttribute},
                                     {!found || old->second != device, Code::kLunHasDevice}},
                                    Code::kOk);
  if (problem != Code::kOk) return problem;
  const std::string command = fmt::format("replace {} {} {}", device, lun, joined(parameters));
  return send(join_path({owner.path(), "luns/mgmt"}), command) ? Code::kOk : Code::kReplaceLun;
}

Code Scst::clear_luns(const LunOwner& owner) {
  const bool in_group = !owner.group.empty();
  if (send(join_path({owner.path(), "luns/mgmt"}), "clear")) return Code::kOk;
  return first_failed({{driver_exists(owner.driver), Code::kNoDriver},
                       {target_exists(owner.driver, owner.target), Code::kNoTarget},
                       {!in_group || group_exists(owner), Code::kNoGroup}},
                      in_group ? Code::kGroupClearLuns : Code::kTargetClearLuns);
}

Code Scst::add_device_group(const std::string& group) {
  if (send("device_groups/mgmt", fmt::format("create {}", group))) return Code::kOk;
  return first_failed({{!has(list_device_groups(tree_), group), Code::kDeviceGroupExists}}, Code::kAddDeviceGroup);
}

Code Scst::remove_device_group(const std::string& group) {
  if (send("device_groups/mgmt", fmt::format("del {}", group))) return Code::kOk;
  return first_failed({{has(list_device_groups(tree_), group), Code::kNoDeviceGroup}}, Code::kRemoveDeviceGroup);
}

Code Scst::add_group_device(const std::string& group, const std::string& device) {
  if (send(join_path({"device_groups", group, "devices/mgmt"}), fmt::format("add {}", device))) return Code::kOk;
  bool in_other_group = false;
  for (const std::string& other : list_device_groups(tree_).value_or(std::vector<std::string>())) {
    in_other_group = in_other_group || has(list_group_devices(tree_, other), device);
  }
  return first_failed({{has(list_device_groups(tree_), group), Code::kNoDeviceGroup},
                       {device_exists(device), Code::kNoDevice},
                       {!has(list_group_devices(tree_, group), device), Code::kGroupDeviceExists},
                       {!in_other_group, Code::kDeviceInOtherGroup}},
                      Code::kAddGroupDevice);
}

Code Scst::remove_group_device(const std::string& group, const std::string& device) {
  if (send(join_path({"device_groups", group, "devices/mgmt"}), fmt::format("del {}", device))) return Code::kOk;
  return first_failed({{has(list_device_groups(tree_), group), Code::kNoDeviceGroup},
                       {device_exists(device), Code::kNoDevice},
                       {has(list_group_devices(tree_, group), device), Code::kNoGroupDevice}},
                      Code::kRemoveGroupDevice);
}

Code Scst::add_target_group(const std::string& group, const std::string& target_group) {
  if (send(join_path({target_groups_path(group), "mgmt"}), fmt::format("add {}", target_group))) return Code::kOk;
  return first_failed({{has(list_device_groups(tree_), group), Code::kNoDeviceGroup},
                       {!has(list_target_groups(tree_, group), target_group), Code::kTargetGroupExists}},
                      Code::kAddTargetGroup);
}

Code Scst::remove_target_group(const std::string& group, const std::string& target_group) {
  if (send(join_path({target_groups_path(group), "mgmt"}), fmt::format("del {}", target_group))) return Code::kOk;
  return first_failed({{has(list_device_groups(tree_), group), Code::kNoDeviceGroup},
                       {has(list_target_groups(tree_, group), target_group), Code::kNoTargetGroup}},
                      Code::kRemoveTargetGroup);
}

Code Scst::add_member(const std::string& group, const std::string& target_group, const std::string& member) {
  if (send(join_path({target_groups_path(group), target_group, "mgmt"}), fmt::format("add {}", member)))
    return Code::kOk;
  return first_failed({{has(list_device_groups(tree_), group), Code::kNoDeviceGroup},
                       {has(list_target_groups(tree_, group), target_group), Code::kNoTargetGroup},
                       {!has(list_members(tree_, group, target_group), member), Code::kMemberExists}},
                      Code::kAddMember);
}

Code Scst::remove_member(const std::string& group, const std::string& target_group, const std::string& member) {
  if (send(join_path({target_groups_path(group), target_group, "mgmt"}), fmt::format("del {}", member)))
    return Code::kOk;
  return first_failed({{has(list_device_groups(tree_), group), Code::kNoDeviceGroup},
                       {has(list_target_groups(tree_, group), target_group), Code::kNoTargetGroup},
                       {has(list_members(tree_, group, target_group), member), Code::kNoMember}},
                      Code::kRemoveMember);
}

}  // namespace uscst::scstadmin
