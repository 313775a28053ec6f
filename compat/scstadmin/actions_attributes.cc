// The half of Actions that sets attributes.
#include <algorithm>

#include "compat/scstadmin/actions.h"

namespace uscst::scstadmin {
namespace {

std::string lacking(std::string_view subject) {
  return fmt::format("\t-> WARNING: {} lacks the settable attribute ", subject);
}

}  // namespace

base::Result<int> Actions::set_attributes(const Settable& object, const Wanted& wanted, bool tell_same) {
  if (!object.existing) {
    warn(object.existing.error().text);
    return 1;
  }
  const std::map<std::string, std::set<std::string>> existing = settable_values(*object.existing);
  int changes = 0;
  for (const auto& [name, value] : as_parameters(wanted)) {
    const auto now = existing.find(name);
    const bool is_known = now != existing.end();
    if (!is_known && !existing.contains(kAnyAttribute)) {
      console_.print("{}'{}', ignoring.\n\n", object.lacking, name);
      continue;
    }
    if (is_known && now->second.contains(value)) {
      if (tell_same) console_.print("\t-> Attribute '{}' already set to value '{}', ignoring.\n", name, value);
      continue;
    }
    console_.print("\t-> Setting {} attribute '{}' to value '{}'{}: ", object.kind, name, value, object.suffix);
    const Code code = object.set(name, value);
    console_.print("done.\n");
    if (code == Code::kOk) ++changes;
    warn(code_text(code));
  }
  return changes;
}

base::Result<int> Actions::set_scst_attributes(const Wanted& wanted, bool tell_same) {
  return set_attributes({scst_.scst_attributes(), lacking("SCST"), "SCST", "",
                         [&](const auto& name, const auto& value) { return scst_.set_scst_attribute(name, value); }},
                        wanted, tell_same);
}

base::Result<int> Actions::set_handler_attributes(const std::string& handler, const Wanted& wanted, bool tell_same) {
  return set_attributes(
      {scst_.handler_attributes(handler), lacking(fmt::format("Handler '{}'", handler)), "handler",
       fmt::format(" for handler '{}'", handler),
       [&](const auto& name, const auto& value) { return scst_.set_handler_attribute(handler, name, value); }},
      wanted, tell_same);
}

base::Result<int> Actions::set_device_attributes(const std::string& device, const Wanted& wanted, bool tell_same) {
  return set_attributes(
      {scst_.device_attributes(device), lacking(fmt::format("Device '{}'", device)), "device",
       fmt::format(" for device '{}'", device),
       [&](const auto& name, const auto& value) { return scst_.set_device_attribute(device, name, value); }},
      wanted, tell_same);
}

base::Result<int> Actions::set_group_attributes(const LunOwner& group, const Wanted& wanted, bool tell_same) {
  return set_attributes(
      {scst_.group_attributes(group), lacking(fmt::format("Driver/target/group '{}'", group.label())), "group",
       fmt::format(" for group '{}'", group.group),
       [&](const auto& name, const auto& value) { return scst_.set_group_attribute(group, name, value); }},
      wanted, tell_same);
}

base::Result<int> Actions::set_lun_attributes(const LunOwner& owner, const std::string& lun, const Wanted& wanted,
                                              bool tell_same) {
  const std::string where = fmt::format("{}/LUN '{}/{}'", owner.kind(), owner.label(), lun);
  return set_attributes(
      {scst_.lun_attributes(owner, lun), lacking("D" + where.substr(1)), "LUN", fmt::format(" for {}", where),
       [&](const auto& name, const auto& value) { return scst_.set_lun_attribute(owner, lun, name, value); }},
      wanted, tell_same);
}

base::Result<int> Actions::set_alua_attributes(const Wanted& wanted) {
  return set_attributes({scst_.alua_attributes(), "\t-> WARNING: no settable ALUA attribute ", "ALUA", "",
                         [&](const auto& name, const auto& value) { return scst_.set_alua_attribute(name, value); }},
                        wanted, false);
}

base::Result<int> Actions::set_device_group_attributes(const std::string& group, const Wanted& wanted, bool tell_same) {
  return set_attributes(
      {scst_.device_group_attributes(group), lacking(fmt::format("Device Group '{}'", group)), "Device Group",
       fmt::format(" for device group '{}'", group),
       [&](const auto& name, const auto& value) { return scst_.set_device_group_attribute(group, name, value); }},
      wanted, tell_same);
}

base::Result<int> Actions::set_target_group_attributes(const std::string& group, const std::string& target_group,
                                                       const Wanted& wanted, bool tell_same) {
  const std::string label = join_path({group, target_group});
  return set_attributes(
      {scst_.target_group_attributes(group, target_group), lacking(fmt::format("Target Group '{}'", label)),
       "Target Group", fmt::format(" for target group '{}'", label),
       [&](const auto& name, const auto& value) {
         return scst_.set_target_group_attribute(group, target_group, name, value);
       }},
      wanted, tell_same);
}

base::Result<int> Actions::set_member_attributes(const std::string& group, const std::string& target_group,
                                                 const std::string& member, const Wanted& wanted, bool tell_same) {
  const std::string label = join_path({group, target_group, member});
  return set_attributes({scst_.member_attributes(group, target_group, member),
                         lacking(fmt::format("Target '{}'", label)), "target", fmt::format(" for target '{}'", label),
                         [&](const auto& name, const auto& value) {
                           return scst_.set_member_attribute(group, target_group, member, name, value);
                         }},
                        wanted, tell_same);
}

base::Status Actions::set_target_attribute(const std::string& driver, const std::string& target,
                                           const std::string& name, const std::string& value) {
  if (name == "enabled") {
    console_.print("\t-> {} driver/target '{}/{}': ", value == "0" ? "Disabling" : "Enabling", driver, target);
  } else {
    console_.print("\t-> Setting target attribute '{}' to value '{}' for driver/target '{}/{}': ", name, value, driver,
                   target);
  }
  const Code code = scst_.set_target_attribute(driver, target, name, value);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

Code Actions::set_driver_attribute(const std::string& driver, const std::string& name, const std::string& value) {
  if (name == "enabled") {
    console_.print("\t-> {} driver '{}': ", value == "0" ? "Disabling" : "Enabling", driver);
  } else {
    console_.print("\t-> Setting driver attribute '{}' to value '{}' for driver '{}': ", name, value, driver);
  }
  const Code code = scst_.set_driver_attribute(driver, name, value);
  console_.print("done.\n");
  return code;
}

base::Status Actions::change_dynamic_driver_attribute(bool add, const std::string& driver, const std::string& name,
                                                      const std::string& value) {
  console_.print("\t-> {} attribute '{}' with value '{}' for driver '{}': ", add ? "Adding driver" : "Removing dynamic",
                 name, value, driver);
  const Code code = scst_.change_dynamic_driver_attribute(add, driver, name, value);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Status Actions::change_dynamic_target_attribute(bool add, const std::string& driver, const std::string& target,
                                                      const std::string& name, const std::string& value) {
  console_.print("\t-> {} attribute '{}' with value '{}' for driver/target '{}/{}': ",
                 add ? "Adding target" : "Removing dynamic", name, value, driver, target);
  const Code code = scst_.change_dynamic_target_attribute(add, driver, target, name, value);
  console_.print("done.\n");
  return stop_unless_ok(code);
}

base::Result<int> Actions::set_dynamic(const Dynamic& object, const Wanted& wanted, bool remove_others) {
  if (!object.existing) {
    warn(object.existing.error().text);
    return 0;
  }
  std::map<std::string, std::set<std::string>> existing = settable_values(*object.existing);
  int changes = 0;
  for (const auto& [name, value] : as_parameters(wanted)) {
    const bool is_dynamic = object.names.contains(name);
    const auto now = existing.find(name);
    if (now == existing.end() && !is_dynamic && !existing.contains(kAnyAttribute)) {
      console_.print("\t-> WARNING: {} lacks the settable attribute '{}', ignoring.\n\n", object.subject, name);
    } else if (now != existing.end() && now->second.erase(value) != 0) {
      continue;  // has that value, and keeps it
    } else if (is_dynamic) {
      if (const base::Status added = object.change(true, name, value); !added) return std::unexpected(added.error());
      ++changes;
    } else {
      const base::Result<bool> set = object.set(name, value);
      if (!set) return std::unexpected(set.error());
      if (*set) ++changes;
    }
  }
  const base::Result<int> others = handle_others(object, existing, remove_others);
  if (!others) return others;
  return changes + *others;
}

// The values of dynamic attributes that nobody asked for.
base::Result<int> Actions::handle_others(const Dynamic& object,
                                         const std::map<std::string, std::set<std::string>>& others, bool remove) {
  int changes = 0;
  for (const auto& [name, values] : others) {
    if (!object.names.contains(name)) continue;
    for (const std::string& value : values) {
      if (remove) {
        if (const base::Status removed = object.change(false, name, value); !removed)
          return std::unexpected(removed.error());
        ++changes;
      } else {
        console_.print(
            "\t-> {} dynamic attribute '{}' with value '{}' is not in configuration. Use -force to remove it.\n",
            object.kind, name, value);
      }
    }
  }
  return changes;
}

base::Result<int> Actions::set_driver_attributes(const std::string& driver, const Wanted& wanted, bool remove_others) {
  return set_dynamic({scst_.driver_attributes(driver), fmt::format("Driver '{}'", driver), "Driver",
                      scst_.dynamic_driver_attributes(driver),
                      [&](const auto& name, const auto& value) -> base::Result<bool> {
                        warn(code_text(set_driver_attribute(driver, name, value)));
                        return false;
                      },
                      [&](bool add, const auto& name, const auto& value) {
                        return change_dynamic_driver_attribute(add, driver, name, value);
                      }},
                     wanted, remove_others);
}

base::Result<int> Actions::set_target_attributes(const std::string& driver, const std::string& target,
                                                 const Wanted& wanted, bool remove_others) {
  return set_dynamic({scst_.target_attributes(driver, target), fmt::format("Driver/target '{}/{}'", driver, target),
                      "Target", scst_.dynamic_target_attributes(driver),
                      [&](const auto& name, const auto& value) -> base::Result<bool> {
                        const base::Status set = set_target_attribute(driver, target, name, value);
                        if (!set) return std::unexpected(set.error());
                        return true;
                      },
                      [&](bool add, const auto& name, const auto& value) {
                        return change_dynamic_target_attribute(add, driver, target, name, value);
                      }},
                     wanted, remove_others);
}

base::Status Actions::clear_dynamic_driver_attributes(const std::string& driver) {
  if (!scst_.makes_targets(driver)) return {};
  console_.print("\t-> Removing all dynamic attributes from driver '{}': ", driver);
  const std::set<std::string> dynamic = scst_.dynamic_driver_attributes(driver);
  for (const auto& [name, attribute] : scst_.driver_attributes(driver).value_or(Attributes())) {
    if (!dynamic.contains(name)) continue;
    for (const auto& [number, value] : attribute.keys) {
      const base::Status ok = stop_unless_ok(scst_.change_dynamic_driver_attribute(false, driver, name, value));
      if (!ok) return ok;
    }
  }
  console_.print("done.\n");
  return {};
}

}  // namespace uscst::scstadmin
