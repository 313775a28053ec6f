#include "compat/scstadmin/actions.h"

#include <algorithm>
#include <tuple>

#include "compat/scstadmin/list.h"

namespace uscst::scstadmin {
namespace {

struct Export {
  std::string driver;
  std::string target;
  std::string group;
  std::string lun;
  auto operator<=>(const Export&) const = default;
};

// Out of the text of a link exported/exportN: ".../targets/DRIVER/TARGET[/ini_groups/GROUP]/luns/LUN".
std::optional<Export> parse_export(std::string_view link) {
  while (link.starts_with("../")) link.remove_prefix(3);
  std::vector<std::string> parts;
  while (true) {
    const std::size_t slash = link.find('/');
    parts.emplace_back(link.substr(0, slash));
    if (slash == std::string_view::npos) break;
    link.remove_prefix(slash + 1);
  }
  if (parts.front() != "targets") return std::nullopt;
  if (parts.size() == 5 && parts[3] == "luns") return Export{parts[1], parts[2], "", parts[4]};
  if (parts.size() == 7 && parts[3] == "ini_groups" && parts[5] == "luns")
    return Export{parts[1], parts[2], parts[4], parts[6]};
  return std::nullopt;
}

// Where a device is a LUN, the copy manager left out.
std::vector<Export> exports_of(const Tree& tree, const std::string& device) {
  const std::string path = join_path({"devices", device, "exported"});
  std::vector<Export> exports;
  for (const std::string& name : tree.list(path).value_or(std::vector<std::string>())) {
    const std::optional<Export> one = parse_export(tree.link(join_path({path, name})).value_or(""));
    if (one && one->driver != "copy_manager") exports.push_back(*one);
  }
  std::sort(exports.begin(), exports.end());
  return exports;
}

}  // namespace

base::Result<Wanted> wanted_attributes(const ConfNode& section, const std::set<std::string>& skip) {
  Wanted wanted;
  for (const auto& [name, values] : section.children) {
    if (skip.contains(name)) continue;
    std::vector<std::string>& out = wanted[name];
    for (const auto& [value, below] : values.children) {
      if (!below.children.empty()) {
        return base::fail(1,
                          fmt::format("Invalid configuration encountered. Attribute '{}' has an invalid value.", name));
      }
      out.push_back(value);
    }
    if (out.empty()) out.emplace_back();
  }
  return wanted;
}

Parameters as_parameters(const Wanted& wanted) {
  Parameters parameters;
  for (const auto& [name, values] : wanted) {
    for (const std::string& value : values) parameters.emplace_back(name, value);
  }
  return parameters;
}

void keep(Wanted& wanted, const std::set<std::string>& names) {
  std::erase_if(wanted, [&](const auto& item) { return !names.contains(item.first); });
}

void drop(Wanted& wanted, const std::set<std::string>& names) {
  std::erase_if(wanted, [&](const auto& item) { return names.contains(item.first); });
}

bool Actions::warn(std::string_view text) {
  if (text.empty()) return false;
  console_.print("\n\nWARNING: Received the following error:\n\n\t{}\n\n", text);
  return true;
}

bool Actions::confirmed() {
  if (flags_.noprompt) return true;
  console_.print(
      "Performing this action may result in lost or corrupt data, are you sure you wish to continue (y/[n]) ? ");
  std::string answer;
  std::getline(console_.input(), answer);
  std::transform(answer.begin(), answer.end(), answer.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (answer == "y" || answer == "yes") return true;
  console_.print("Aborting action.\n");
  return false;
}

base::Status Actions::stop(std::string text) {
  if (!flags_.cont_on_err) return base::fail(1, std::move(text));
  console_.print("{}\n", text);
  return {};
}

base::Status Actions::stop_unless_ok(Code code) {
  return code == Code::kOk ? base::Status() : stop(std::string(code_text(code)));
}

base::Status Actions::open_device(const std::string& handler, const std::string& device, const Wanted& parameters) {
  console_.print("\t-> Opening device '{}' using handler '{}': ", device, handler);
  const Code code = scst_.open_device(handler, device, as_parameters(parameters));
  console_.print("done.\n");
  return stop_unless_ok(code);
}

void Actions::list_exports(const std::string& device) {
  const std::vector<Export> exports = exports_of(scst_.tree(), device);
  std::size_t driver = 6, target = 6, group = 5;
  for (const Export& one : exports) {
    driver = std::max(driver, one.driver.size());
    target = std::max(target, one.target.size());
    group = std::max(group, one.group.size());
  }
  console_.print("Device '{}' is currently in use by the following:\n\n", device);
  const auto row = [&](std::string_view a, std::string_view b, std::string_view c, std::string_view d) {
    console_.print("\t{} {} {} {}\n", padded(a, driver), padded(b, target), padded(c, group), padded(d, 4));
  };
  row("Driver", "Target", "Group", "Lun");
  row(std::string(driver, '-'), std::string(target, '-'), std::string(group, '-'), "----");
  for (const Export& one : exports) row(one.driver, one.target, one.group, one.lun);
}

base::Status Actions::close_device(const std::string& handler, const std::string& device, bool force) {
  if (!force && !exports_of(scst_.tree(), device).empty()) {
    list_exports(device);
    return base::fail(1, fmt::format("Device '{}' still in use, aborting. Use -force to override.", device));
  }
  console_.print("\t-> Closing device '{}' using handler '{}': ", device, handler);
  const Code code = scst_.close_device(handler, device);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

Code Actions::add_target(const std::string& driver, const std::string& target, const Wanted& parameters) {
  console_.print("\t-> Creating target '{}' for driver '{}': ", target, driver);
  const Code code = scst_.add_target(driver, target, as_parameters(parameters));
  console_.print("done.\n");
  return code;
}

Code Actions::remove_target(const std::string& driver, const std::string& target) {
  console_.print("\t-> Removing virtual target '{}' from driver '{}': ", target, driver);
  const Code code = scst_.remove_target(driver, target);
  console_.print("done.\n");
  return code;
}

base::Status Actions::add_group(const LunOwner& group) {
  console_.print("\t-> Adding new group '{}' to driver/target '{}/{}': ", group.group, group.driver, group.target);
  const Code code = scst_.add_group(group);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::remove_group(const LunOwner& group, bool force) {
  const base::Result<Luns> luns = list_luns(scst_.tree(), group.path());
  const base::Result<std::vector<std::string>> initiators = list_initiators(scst_.tree(), group.path());
  if (!force && ((luns && !luns->empty()) || (initiators && !initiators->empty()))) {
    list_lun_owner(scst_, console_, group);
    return base::fail(1, "Group is still in use, aborting. Use -force to override.");
  }
  console_.print("\t-> Removing group '{}' from driver/target '{}/{}': ", group.group, group.driver, group.target);
  const Code code = scst_.remove_group(group);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::add_initiator(const Current& current, const LunOwner& group, const std::string& initiator) {
  const auto driver = current.drivers.find(group.driver);
  if (driver != current.drivers.end() && driver->second.contains(group.target)) {
    for (const auto& [name, content] : driver->second.at(group.target).groups) {
      if (std::find(content.initiators.begin(), content.initiators.end(), initiator) == content.initiators.end())
        continue;
      // The word "target" stands there literally; scripts may have it in their patterns.
      console_.print("\t-> Initiator '{}' already belongs to group '{}' for driver/target '{}/target', ignoring.\n",
                     initiator, name, group.driver);
      return {};
    }
  }
  console_.print("\t-> Adding new initiator '{}' to driver/target/group '{}': ", initiator, group.label());
  const Code code = scst_.add_initiator(group, initiator);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::remove_initiator(const LunOwner& group, const std::string& initiator) {
  console_.print("\t-> Removing initiator '{}' from driver/target/group '{}': ", initiator, group.label());
  const Code code = scst_.remove_initiator(group, initiator);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::move_initiator(const LunOwner& from, const std::string& initiator, const std::string& to) {
  console_.print("\t-> Moving initiator '{}' from group '{}' to group '{}': ", initiator, from.group, to);
  const Code code = scst_.move_initiator(from, initiator, to);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::clear_initiators(const LunOwner& group) {
  console_.print("\t-> Removing all initiators driver/target/group '{}': ", group.label());
  const Code code = scst_.clear_initiators(group);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::add_lun(const LunOwner& owner, const std::string& device, const std::string& lun,
                              const Wanted& parameters) {
  // The copy manager makes its LUNs itself.
  if (owner.driver == "copy_manager" && scst_.lun_exists(owner, lun)) return {};
  console_.print("\t-> Adding device '{}' at LUN {} to {} '{}': ", device, lun, owner.kind(), owner.label());
  const Code code = scst_.add_lun(owner, device, lun, as_parameters(parameters));
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::remove_lun(const LunOwner& owner, const std::string& lun) {
  console_.print("\t-> Removing LUN {} from {} '{}': ", lun, owner.kind(), owner.label());
  const Code code = scst_.remove_lun(owner, lun);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::replace_lun(const LunOwner& owner, const std::string& device, const std::string& lun,
                                  const Wanted& parameters) {
  console_.print("\t-> Replacing device at LUN {} with device '{}' in driver/target/group '{}/{}/{}': ", lun, device,
                 owner.driver, owner.target, owner.group);
  const Code code = scst_.replace_lun(owner, device, lun, as_parameters(parameters));
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::clear_luns(const LunOwner& owner) {
  console_.print("\t-> Removing all LUNs from {} '{}': ", owner.kind(), owner.label());
  const Code code = scst_.clear_luns(owner);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::add_device_group(const std::string& group) {
  console_.print("\t-> Adding new device group '{}': ", group);
  const Code code = scst_.add_device_group(group);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::remove_device_group(const std::string& group, bool force) {
  const base::Result<std::vector<std::string>> devices = list_group_devices(scst_.tree(), group);
  const base::Result<std::vector<std::string>> target_groups = list_target_groups(scst_.tree(), group);
  if (!force && ((devices && !devices->empty()) || (target_groups && !target_groups->empty()))) {
    console_.print("\n");
    list_device_group(scst_, console_, group);
    return base::fail(1, "Device group is still in use, aborting. Use -force to override.");
  }
  console_.print("\t-> Removing device group '{}': ", group);
  const Code code = scst_.remove_device_group(group);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::add_group_device(const std::string& group, const std::string& device) {
  console_.print("\t-> Adding new device group/device '{}/{}': ", group, device);
  const Code code = scst_.add_group_device(group, device);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::remove_group_device(const std::string& group, const std::string& device, bool force) {
  bool in_use = false;
  for (const std::string& name : list_target_groups(scst_.tree(), group).value_or(std::vector<std::string>())) {
    const base::Result<std::vector<std::string>> members = list_members(scst_.tree(), group, name);
    if (force || !members || members->empty()) continue;
    console_.print("\n");
    list_target_group(scst_, console_, group, name);
    in_use = true;
  }
  if (in_use) return base::fail(1, "Device may still be in use, aborting. Use -force to override.");
  console_.print("\t-> Removing device '{}' from target group '{}': ", device, group);
  const Code code = scst_.remove_group_device(group, device);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::add_target_group(const std::string& group, const std::string& target_group) {
  console_.print("\t-> Adding new target group '{}' to device group '{}': ", target_group, group);
  const Code code = scst_.add_target_group(group, target_group);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::remove_target_group(const std::string& group, const std::string& target_group, bool force) {
  const base::Result<std::vector<std::string>> members = list_members(scst_.tree(), group, target_group);
  if (!force && members && !members->empty()) {
    console_.print("\n");
    list_target_group(scst_, console_, group, target_group);
    return base::fail(1, "Target group is still in use, aborting. Use -force to override.");
  }
  console_.print("\t-> Removing target group '{}' from device group '{}': ", target_group, group);
  const Code code = scst_.remove_target_group(group, target_group);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::add_member(const std::string& group, const std::string& target_group, const std::string& member) {
  console_.print("\t-> Adding new target group/target '{}/{}' to device group '{}': ", target_group, member, group);
  const Code code = scst_.add_member(group, target_group, member);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::remove_member(const std::string& group, const std::string& target_group,
                                    const std::string& member) {
  console_.print("\t-> Removing target group/target '{}/{}' from device group '{}': ", target_group, member, group);
  const Code code = scst_.remove_member(group, target_group, member);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

}  // namespace uscst::scstadmin
