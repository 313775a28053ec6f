// The part of Scst that sets attributes. Those of devices and targets are written without a newline, all others with
// one.
#include <cstring>

#include "compat/scstadmin/scst.h"

namespace uscst::scstadmin {
namespace {

std::string errno_name(int code) {
  const char* name = ::strerrorname_np(code);
  return name == nullptr ? std::to_string(code) : name;
}

// A write of nothing does nothing: an attribute is emptied by an empty line.
std::string value_or_newline(const std::string& value) { return value.empty() ? "\n" : value; }

std::string target_group_path(const std::string& group, const std::string& target_group) {
  return join_path({"device_groups", group, "target_groups", target_group});
}

}  // namespace

Code Scst::set_attribute(const std::string& path, const std::string& text, const std::function<Checks()>& checks,
                         AttributeCodes codes) {
  const base::Status sent = send(path, text);
  if (sent) return Code::kOk;
  const Code missing = first_failed(checks(), Code::kOk);
  if (missing != Code::kOk) return missing;
  console_.complain("({}) ", errno_name(sent.error().code));
  const std::optional<NodeInfo> info = tree_.stat(path);
  if (!info || !info->is_regular) return codes.unknown;
  return (info->mode & 0200) == 0 ? codes.is_static : codes.failed;
}

Code Scst::set_scst_attribute(const std::string& name, const std::string& value) {
  return set_attribute(name, value + "\n", [] { return Checks(); },
                       {Code::kNoScstAttribute, Code::kScstAttributeStatic, Code::kSetScstAttribute});
}

Code Scst::set_handler_attribute(const std::string& handler, const std::string& name, const std::string& value) {
  return set_attribute(join_path({"handlers", handler, name}), value + "\n",
                       [&] { return Checks{{handler_exists(handler), Code::kNoHandler}}; },
                       {Code::kNoHandlerAttribute, Code::kHandlerAttributeStatic, Code::kSetHandlerAttribute});
}

Code Scst::set_device_attribute(const std::string& device, const std::string& name, const std::string& value) {
  return set_attribute(join_path({"devices", device, name}), value_or_newline(value),
                       [&] { return Checks{{device_exists(device), Code::kNoDevice}}; },
                       {Code::kNoDeviceAttribute, Code::kDeviceAttributeStatic, Code::kSetDeviceAttribute});
}

Code Scst::set_driver_attribute(const std::string& driver, const std::string& name, const std::string& value) {
  return set_attribute(join_path({"targets", driver, name}), value + "\n",
                       [&] { return Checks{{driver_exists(driver), Code::kNoDriver}}; },
                       {Code::kNoDriverAttribute, Code::kDriverAttributeStatic, Code::kSetDriverAttribute});
}

Code Scst::set_target_attribute(const std::string& driver, const std::string& target, const std::string& name,
                                const std::string& value) {
  return set_attribute(join_path({"targets", driver, target, name}), value_or_newline(value),
                       [&] {
                         return Checks{{driver_exists(driver), Code::kNoDriver},
                                       {target_exists(driver, target), Code::kNoTarget}};
                       },
                       {Code::kNoTargetAttribute, Code::kTargetAttributeStatic, Code::kSetTargetAttribute});
}

Code Scst::set_group_attribute(const LunOwner& group, const std::string& name, const std::string& value) {
  return set_attribute(join_path({group.path(), name}), value + "\n",
                       [&] {
                         return Checks{{driver_exists(group.driver), Code::kNoDriver},
                                       {target_exists(group.driver, group.target), Code::kNoTarget},
                                       {group_exists(group), Code::kNoGroup}};
                       },
                       {Code::kNoGroupAttribute, Code::kGroupAttributeStatic, Code::kSetGroupAttribute});
}

Code Scst::set_lun_attribute(const LunOwner& owner, const std::string& lun, const std::string& name,
                             const std::string& value) {
  const bool in_group = !owner.group.empty();
  return set_attribute(join_path({owner.path(), "luns", lun, name}), value + "\n",
                       [&] {
                         return Checks{{driver_exists(owner.driver), Code::kNoDriver},
                                       {target_exists(owner.driver, owner.target), Code::kNoTarget},
                                       {!in_group || group_exists(owner), Code::kNoGroup},
                                       {lun_exists(owner, lun), in_group ? Code::kGroupNoLun : Code::kTargetNoLun}};
                       },
                       {Code::kNoLunAttribute, Code::kLunAttributeStatic, Code::kSetLunAttribute});
}

Code Scst::set_alua_attribute(const std::string& name, const std::string& value) {
  return set_attribute(join_path({"device_groups", name}), value + "\n", [] { return Checks(); },
                       {Code::kNoAluaAttribute, Code::kAluaAttributeStatic, Code::kSetAluaAttribute});
}

Code Scst::set_device_group_attribute(const std::string& group, const std::string& name, const std::string& value) {
  return set_attribute(
      join_path({"device_groups", group, name}), value + "\n",
      [&] { return Checks{{has(list_device_groups(tree_), group), Code::kNoDeviceGroup}}; },
      {Code::kNoDeviceGroupAttribute, Code::kDeviceGroupAttributeStatic, Code::kSetDeviceGroupAttribute});
}

Code Scst::set_target_group_attribute(const std::string& group, const std::string& target_group,
                                      const std::string& name, const std::string& value) {
  return set_attribute(
      join_path({target_group_path(group, target_group), name}), value + "\n",
      [&] {
        return Checks{{has(list_device_groups(tree_), group), Code::kNoDeviceGroup},
                      {has(list_target_groups(tree_, group), target_group), Code::kNoTargetGroup}};
      },
      {Code::kNoTargetGroupAttribute, Code::kTargetGroupAttributeStatic, Code::kSetTargetGroupAttribute});
}

Code Scst::set_member_attribute(const std::string& group, const std::string& target_group, const std::string& member,
                                const std::string& name, const std::string& value) {
  return set_attribute(join_path({target_group_path(group, target_group), member, name}), value + "\n",
                       [&] {
                         return Checks{{has(list_device_groups(tree_), group), Code::kNoDeviceGroup},
                                       {has(list_target_groups(tree_, group), target_group), Code::kNoTargetGroup},
                                       {has(list_members(tree_, group, target_group), member), Code::kNoMember}};
                       },
                       {Code::kNoMemberAttribute, Code::kMemberAttributeStatic, Code::kSetMemberAttribute});
}

Code Scst::change_dynamic_driver_attribute(bool add, const std::string& driver, const std::string& name,
                                           const std::string& value) {
  const std::string command = fmt::format("{} {} {}", add ? "add_attribute" : "del_attribute", name, value);
  if (send(join_path({"targets", driver, "mgmt"}), command)) return Code::kOk;
  return first_failed({{driver_exists(driver), Code::kNoDriver},
                       {makes_targets(driver), Code::kDriverNotVirtual},
                       {dynamic_driver_attributes(driver).contains(name), Code::kNoDriverAttribute}},
                      add ? Code::kAddDriverAttribute : Code::kRemoveDriverAttribute);
}

Code Scst::change_dynamic_target_attribute(bool add, const std::string& driver, const std::string& target,
                                           const std::string& name, const std::string& value) {
  const std::string command =
      fmt::format("{} {} {} {}", add ? "add_target_attribute" : "del_target_attribute", target, name, value);
  if (send(join_path({"targets", driver, "mgmt"}), command)) return Code::kOk;
  return first_failed({{driver_exists(driver), Code::kNoDriver},
                       {target_exists(driver, target), Code::kNoTarget},
                       {makes_targets(driver), Code::kDriverNotVirtual},
                       {dynamic_target_attributes(driver).contains(name), Code::kNoTargetAttribute}},
                      add ? Code::kAddTargetAttribute : Code::kRemoveTargetAttribute);
}

}  // namespace uscst::scstadmin
