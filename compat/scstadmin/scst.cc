#include "compat/scstadmin/scst.h"

#include <algorithm>
#include <cstring>

namespace uscst::scstadmin {
namespace {

constexpr std::string_view kMgmt = "mgmt";

std::string device_group_path(const std::string& group) { return join_path({"device_groups", group}); }

std::string target_group_path(const std::string& group, const std::string& target_group) {
  return join_path({"device_groups", group, "target_groups", target_group});
}

}  // namespace

bool Scst::has(base::Result<std::vector<std::string>> names, const std::string& name) const {
  return !name.empty() && names && std::find(names->begin(), names->end(), name) != names->end();
}

bool Scst::handler_exists(const std::string& handler) const { return has(list_handlers(tree_), handler); }
bool Scst::device_exists(const std::string& device) const { return has(list_directories(tree_, "devices"), device); }
bool Scst::driver_exists(const std::string& driver) const { return has(list_drivers(tree_), driver); }
bool Scst::target_exists(const std::string& driver, const std::string& target) const {
  return has(list_targets(tree_, driver), target);
}
bool Scst::group_exists(const LunOwner& group) const {
  return has(list_groups(tree_, group.target_path()), group.group);
}

bool Scst::lun_exists(const LunOwner& owner, const std::string& lun) const {
  const base::Result<Luns> luns = list_luns(tree_, owner.path());
  return luns && luns->contains(lun);
}

std::optional<std::string> Scst::enabled(const std::string& path) const {
  // A target that is not there yet starts disabled; scst_local's cannot be.
  if (tree_.is_planned(path)) {
    return path.starts_with("targets/scst_local/") ? std::nullopt : std::optional<std::string>("0");
  }
  const base::Result<std::string> text = tree_.read(join_path({path, "enabled"}));
  if (!text) return std::nullopt;
  return text->substr(0, text->find('\n'));
}

bool Scst::makes_targets(const std::string& driver) const {
  const std::optional<NodeInfo> mgmt = tree_.stat(join_path({"targets", driver, kMgmt}));
  return mgmt && mgmt->is_regular && (mgmt->mode & 0200) != 0;
}

bool Scst::is_virtual_target(const std::string& driver, const std::string& target) const {
  if (!makes_targets(driver)) return false;
  const base::Result<std::string> hardware = tree_.read(join_path({"targets", driver, target, "hw_target"}));
  return !hardware || !hardware->starts_with('1');
}

// What of an owner's names does not exist, as a sentence; empty when all do.
std::string Scst::missing(const LunOwner& owner) const {
  if (!driver_exists(owner.driver)) return fmt::format("Driver '{}' is not available", owner.driver);
  if (owner.target.empty()) return {};
  if (!target_exists(owner.driver, owner.target)) return fmt::format("Target '{}' is not available", owner.target);
  if (!owner.group.empty() && !group_exists(owner)) return fmt::format("Group '{}' does not exist", owner.group);
  return {};
}

std::string Scst::missing_group(const std::string& group, const std::string& target_group) const {
  if (!has(list_device_groups(tree_), group)) return fmt::format("Device group '{}' does not exist", group);
  if (!target_group.empty() && !has(list_target_groups(tree_, group), target_group)) {
    return fmt::format("Target Group '{}' does not exist", target_group);
  }
  return {};
}

base::Result<Attributes> Scst::attributes_or(std::string_view what, ObjectKind kind, const std::string& path,
                                             const std::function<std::string()>& missing, bool for_show) const {
  if (tree_.is_planned(path)) return Attributes{{kAnyAttribute, {}}};
  base::Result<Attributes> attributes = read_attributes(tree_, kind, path, for_show);
  if (attributes) return attributes;
  const std::string reason = missing();
  if (!reason.empty()) return base::fail(1, fmt::format("{}(): {}", what, reason));
  // Perl's opendir of a file leaves EBADF behind: scripts know that message.
  const int code = attributes.error().code == ENOTDIR ? EBADF : attributes.error().code;
  return base::fail(
      1, fmt::format("{}(): Unable to read directory '{}/{}': {}", what, tree_.root(), path, std::strerror(code)));
}

base::Result<Attributes> Scst::scst_attributes() const {
  return attributes_or("scstAttributes", ObjectKind::kRoot, "", [] { return std::string(); });
}

base::Result<Attributes> Scst::handler_attributes(const std::string& handler, bool for_show) const {
  base::Result<Attributes> out = attributes_or(
      "handlerAttributes", ObjectKind::kHandler, join_path({"handlers", handler}),
      [&] { return handler_exists(handler) ? std::string() : fmt::format("Handler '{}' is not available", handler); },
      for_show);
  if (out) (*out)["devices"] = {.is_static = true, .is_hidden = true};
  return out;
}

base::Result<Attributes> Scst::device_attributes(const std::string& device, bool for_show) const {
  return attributes_or(
      "deviceAttributes", ObjectKind::kDevice, join_path({"devices", device}),
      [&] { return device_exists(device) ? std::string() : fmt::format("Device '{}' is not open", device); }, for_show);
}

base::Result<Attributes> Scst::driver_attributes(const std::string& driver) const {
  return attributes_or("driverAttributes", ObjectKind::kDriver, join_path({"targets", driver}),
                       [&] { return missing({driver, ""}); });
}

base::Result<Attributes> Scst::target_attributes(const std::string& driver, const std::string& target) const {
  if (driver.empty() || target.empty()) return base::fail(1, "Too few arguments");
  const LunOwner owner{driver, target};
  return attributes_or("targetAttributes", ObjectKind::kTarget, owner.path(), [&] { return missing(owner); });
}

base::Result<Attributes> Scst::group_attributes(const LunOwner& group) const {
  return attributes_or("groupAttributes", ObjectKind::kGroup, group.path(), [&] { return missing(group); });
}

base::Result<Attributes> Scst::lun_attributes(const LunOwner& owner, const std::string& lun) const {
  return attributes_or("lunAttributes", ObjectKind::kLun, join_path({owner.path(), "luns", lun}), [&] {
    std::string reason = missing(owner);
    if (reason.empty() && !lun_exists(owner, lun)) reason = fmt::format("LUN '{}' does not exist", lun);
    return reason;
  });
}

base::Result<Attributes> Scst::initiator_attributes(const LunOwner& group, const std::string& initiator) const {
  return attributes_or("initiatorAttributes", ObjectKind::kInitiator,
                       join_path({group.path(), "initiators", initiator}), [&] {
                         std::string reason = missing(group);
                         if (reason.empty() && !has(list_initiators(tree_, group.path()), initiator))
                           reason = fmt::format("Initiator '{}' does not exist", initiator);
                         return reason;
                       });
}

base::Result<Attributes> Scst::alua_attributes() const {
  return attributes_or("aluaAttributes", ObjectKind::kAlua, "device_groups", [] { return std::string(); });
}

base::Result<Attributes> Scst::device_group_attributes(const std::string& group) const {
  return attributes_or("deviceGroupAttributes", ObjectKind::kDeviceGroup, device_group_path(group),
                       [&] { return missing_group(group, ""); });
}

base::Result<Attributes> Scst::target_group_attributes(const std::string& group,
                                                       const std::string& target_group) const {
  return attributes_or("targetGroupAttributes", ObjectKind::kTargetGroup, target_group_path(group, target_group),
                       [&] { return missing_group(group, target_group); });
}

base::Result<Attributes> Scst::member_attributes(const std::string& group, const std::string& target_group,
                                                 const std::string& member) const {
  return attributes_or("targetGroupTargetAttributes", ObjectKind::kMember,
                       join_path({target_group_path(group, target_group), member}), [&] {
                         std::string reason = missing_group(group, target_group);
                         if (reason.empty() && !has(list_members(tree_, group, target_group), member))
                           reason = fmt::format("Target '{}' does not exist", member);
                         return reason;
                       });
}

base::Result<std::set<std::string>> Scst::parameters_of(const std::string& mgmt_path) const {
  const base::Result<std::string> text = tree_.read(mgmt_path);
  if (!text) return std::unexpected(text.error());
  return listed_names(*text, kParametersPrefix);
}

std::set<std::string> Scst::names_of(const std::string& mgmt_path, std::string_view prefix) const {
  const base::Result<std::string> text = tree_.read(mgmt_path);
  return text ? listed_names(*text, prefix) : std::set<std::string>();
}

base::Result<std::set<std::string>> Scst::device_parameters(const std::string& handler) const {
  base::Result<std::set<std::string>> names = parameters_of(join_path({"handlers", handler, kMgmt}));
  if (names) return names;
  if (!handler_exists(handler)) {
    return base::fail(1, fmt::format("deviceCreateAttributes(): Handler '{}' is not available", handler));
  }
  return base::fail(1, fmt::format("deviceCreateAttributes(): Unable to open mgmt interface for handler '{}': {}",
                                   handler, std::strerror(names.error().code)));
}

base::Result<std::set<std::string>> Scst::target_parameters(const std::string& driver) const {
  return parameters_of(join_path({"targets", driver, kMgmt}));
}

base::Result<std::set<std::string>> Scst::lun_parameters(const LunOwner& owner) const {
  base::Result<std::set<std::string>> names = parameters_of(join_path({owner.path(), "luns", kMgmt}));
  if (names) return names;
  return base::fail(1, fmt::format("lunCreateAttributes(): {}", missing(owner)));
}

base::Result<std::set<std::string>> Scst::initiator_parameters(const LunOwner& group) const {
  base::Result<std::set<std::string>> names = parameters_of(join_path({group.path(), "initiators", kMgmt}));
  if (names) return names;
  return base::fail(1, fmt::format("initiatorCreateAttributes(): {}", missing(group)));
}

std::set<std::string> Scst::dynamic_driver_attributes(const std::string& driver) const {
  return names_of(join_path({"targets", driver, kMgmt}), kDriverAttributesPrefix);
}

std::set<std::string> Scst::dynamic_target_attributes(const std::string& driver) const {
  return names_of(join_path({"targets", driver, kMgmt}), kTargetAttributesPrefix);
}

}  // namespace uscst::scstadmin
