#include "compat/scstadmin/list.h"

#include <algorithm>

namespace uscst::scstadmin {
namespace {

using Names = std::vector<std::string>;

std::size_t widest(const Names& names, std::size_t least = 0) {
  for (const std::string& name : names) least = std::max(least, name.size());
  return least;
}

std::string rule(std::size_t width) { return std::string(width, '-'); }

void list_names(Console& console, std::string_view heading, const Names& names, std::size_t width) {
  console.print("\t{}\n\t{}\n", heading, rule(width));
  for (const std::string& name : names) console.print("\t{}\n", name);
}

Names handler_devices(const Scst& scst, const std::string& handler) {
  Names devices = list_handler_devices(scst.tree(), handler).value_or(Names());
  if (devices.empty()) devices.emplace_back("-");
  std::sort(devices.begin(), devices.end());
  return devices;
}

void list_owner_luns(Console& console, const Luns& luns) {
  console.print("Assigned LUNs:\n\n");
  if (luns.empty()) {
    console.print("\t(none)\n");
    return;
  }
  std::size_t width = 0;
  for (const auto& [lun, device] : luns) width = std::max(width, device.size());
  console.print("\tLUN  {}\n\t{}\n", padded("Device", width), rule(width + 5));
  for (const auto& [lun, device] : luns) console.print("\t{} {}\n", padded(lun, 4), padded(device, width));
}

void list_owner_initiators(Console& console, const Names& initiators) {
  console.print("\nAssigned Initiators:\n\n");
  if (initiators.empty()) {
    console.print("\t(none)\n");
  } else {
    list_names(console, "Initiator", initiators, widest(initiators));
  }
}

// A session's attributes, and the LUNs it sees when an initiator group gives them to it.
Attributes session_attributes(const Scst& scst, const LunOwner& target, const std::string& session) {
  const std::string path = join_path({target.target_path(), "sessions", session});
  Attributes attributes = read_attributes(scst.tree(), ObjectKind::kSession, path).value_or(Attributes());
  for (auto& [name, attribute] : attributes) attribute.is_static = false;
  const std::string link = scst.tree().link(join_path({path, "luns"})).value_or("");
  constexpr std::string_view kGroups = "../../ini_groups/";
  constexpr std::string_view kLuns = "/luns";
  if (link.starts_with(kGroups) && link.ends_with(kLuns)) {
    const std::string group = link.substr(kGroups.size(), link.size() - kGroups.size() - kLuns.size());
    for (const auto& [lun, device] :
         list_luns(scst.tree(), LunOwner{target.driver, target.target, group}.path()).value_or(Luns())) {
      attributes[fmt::format("LUN {}", lun)].value = device;
    }
  }
  return attributes;
}

struct Row {
  std::string name;
  std::string value;
  bool writable;
  bool key;
};

Names flags_in(std::string_view text) {
  Names flags;
  while (true) {
    const std::size_t bar = text.find('|');
    std::string_view flag = text.substr(0, bar);
    while (flag.starts_with(' ')) flag.remove_prefix(1);
    while (flag.ends_with(' ')) flag.remove_suffix(1);
    flags.emplace_back(flag);
    if (bar == std::string_view::npos) return flags;
    text.remove_prefix(bar + 1);
  }
}

std::vector<Row> attribute_rows(const Attributes& attributes, bool nonkey) {
  std::vector<Row> rows;
  for (const auto& [name, attribute] : attributes) {
    const bool writable = !attribute.is_static;
    const std::size_t first = rows.size();
    if (attribute.has_keys()) {
      for (const auto& [number, value] : attribute.keys)
        rows.push_back({"", value.empty() ? "<not set>" : value, writable, true});
    } else if (!nonkey || attribute.is_hidden) {
      continue;
    } else if (name == "trace_level" && attribute.value && !attribute.value->empty()) {
      for (std::string& flag : flags_in(*attribute.value)) rows.push_back({"", std::move(flag), writable, false});
    } else {
      const std::string value = attribute.value.value_or("<n/a>");
      rows.push_back({"", value.empty() ? "<not set>" : value, writable, false});
    }
    rows[first].name = name;
  }
  return rows;
}

// How wide the columns are. Placeholders like <not set> do not count.
std::pair<std::size_t, std::size_t> column_widths(const Attributes& attributes, bool nonkey) {
  std::size_t name_width = 9, value_width = 5;
  for (const auto& [name, attribute] : attributes) {
    if (!attribute.has_keys() && !nonkey) continue;
    name_width = std::max(name_width, name.size());
    for (const auto& [number, value] : attribute.keys) value_width = std::max(value_width, value.size());
    if (attribute.has_keys() || !attribute.value) continue;
    value_width =
        std::max(value_width, name == "trace_level" ? widest(flags_in(*attribute.value)) : attribute.value->size());
  }
  return {name_width, value_width};
}

void list_choices(Console& console, const Attributes& attributes) {
  const auto level = attributes.find("trace_level");
  if (level == attributes.end()) return;
  console.print("\n\tPossible trace levels:\n\t  (use trace_level=\"add <level>\", none, all or default to set):\n");
  constexpr std::size_t kPerLine = 5;
  const Names& choices = level->second.choices;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    console.print("{}{}, {}", i % kPerLine == 0 ? "\t\t" : "", choices[i], i % kPerLine == kPerLine - 1 ? "\n" : "");
  }
  console.print("\n");
}

}  // namespace

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  if (out.size() < width) out.resize(width, ' ');
  return out;
}

void list_all_handlers(Scst& scst, Console& console) {
  const Names handlers = list_handlers(scst.tree()).value_or(Names());
  list_names(console, "Handler", handlers, widest(handlers));
}

void list_devices(Scst& scst, Console& console, const std::string& handler) {
  Names handlers = list_handlers(scst.tree()).value_or(Names());
  if (!handler.empty()) std::erase_if(handlers, [&](const std::string& name) { return name != handler; });
  if (handlers.empty()) {
    console.print("No such handler '{}' found.\n", handler);
    return;
  }
  std::size_t device_width = 0;
  for (const std::string& name : handlers) device_width = std::max(device_width, widest(handler_devices(scst, name)));
  const std::size_t width = widest(handlers);
  console.print("\t{}     {}\n\t{}\n", padded("Handler", width), padded("Device", device_width),
                rule(width + device_width + 5));
  for (const std::string& name : handlers) {
    std::string label = name;
    for (const std::string& device : handler_devices(scst, name)) {
      console.print("\t{}    {}\n", padded(label, width), padded(device, device_width));
      label.clear();
    }
  }
}

void list_all_drivers(Scst& scst, Console& console) {
  const Names drivers = list_drivers(scst.tree()).value_or(Names());
  list_names(console, "Driver", drivers, widest(drivers));
}

void list_driver_targets(Scst& scst, Console& console, const std::string& driver) {
  Names drivers = list_drivers(scst.tree()).value_or(Names());
  if (!driver.empty()) std::erase_if(drivers, [&](const std::string& name) { return name != driver; });
  if (drivers.empty()) {
    console.print("No such driver '{}' exists.\n", driver);
    return;
  }
  std::size_t target_width = 0;
  for (const std::string& name : drivers) {
    target_width = std::max(target_width, widest(list_targets(scst.tree(), name).value_or(Names())));
  }
  const std::size_t width = widest(drivers);
  console.print("\t{} {}\n\t{}\n", padded("Driver", width), padded("Target", target_width),
                rule(width + target_width + 1));
  for (const std::string& name : drivers) {
    std::string label = name;
    for (const std::string& target : list_targets(scst.tree(), name).value_or(Names())) {
      console.print("\t{} {}\n", padded(label, width), padded(target, target_width));
      label.clear();
    }
  }
}

int list_lun_owner(Scst& scst, Console& console, const LunOwner& owner) {
  const bool is_group = !owner.group.empty();
  if (is_group && !scst.group_exists(owner)) {
    console.print("\n\nWARNING: Received the following error:\n\n\tinitiators(): Group '{}' does not exist\n\n",
                  owner.group);
    return 1;
  }
  const Luns luns = list_luns(scst.tree(), owner.path()).value_or(Luns());
  const Names initiators = is_group ? list_initiators(scst.tree(), owner.path()).value_or(Names()) : Names();
  if (luns.empty() && initiators.empty()) {
    if (is_group) {
      console.print("Group '{}' has no associated LUNs or initiators.\n", owner.group);
    } else {
      console.print("Driver/target '{}' has no associated LUNs.\n", owner.label());
    }
    return 0;
  }
  list_owner_luns(console, luns);
  if (is_group) list_owner_initiators(console, initiators);
  return 0;
}

int list_lun_owners(Scst& scst, Console& console, const LunOwner& wanted) {
  if (!wanted.driver.empty() && !wanted.target.empty() && !wanted.group.empty())
    return list_lun_owner(scst, console, wanted);
  const auto matches = [](const std::string& pattern, const std::string& name) {
    return pattern.empty() || pattern == name;
  };
  bool found = false;
  for (const std::string& driver : list_drivers(scst.tree()).value_or(Names())) {
    if (!matches(wanted.driver, driver)) continue;
    for (const std::string& target : list_targets(scst.tree(), driver).value_or(Names())) {
      if (!matches(wanted.target, target)) continue;
      found = true;
      const LunOwner owner{driver, target};
      console.print("Driver: {}\nTarget: {}\n\n", driver, target);
      list_lun_owner(scst, console, owner);
      console.print("\n");
      for (const std::string& group : list_groups(scst.tree(), owner.path()).value_or(Names())) {
        if (!matches(wanted.group, group)) continue;
        console.print("Group: {}\n\n", group);
        list_lun_owner(scst, console, {driver, target, group});
        console.print("\n\n");
      }
    }
  }
  if (found) return 0;
  if (!wanted.driver.empty() && !wanted.target.empty()) {
    console.print("Driver/target '{}' not found\n", wanted.label());
  } else if (wanted.target.empty()) {
    console.print("Driver '{}' not found.\n", wanted.driver);
  } else {
    console.print("Target '{}' not found.\n", wanted.target);
  }
  return 0;
}

void list_sessions(Scst& scst, Console& console) {
  for (const std::string& driver : list_drivers(scst.tree()).value_or(Names())) {
    for (const std::string& target : list_targets(scst.tree(), driver).value_or(Names())) {
      const LunOwner owner{driver, target};
      console.print("Driver/Target: {}\n\n", owner.label());
      Names sessions = list_directories(scst.tree(), join_path({owner.target_path(), "sessions"})).value_or(Names());
      std::sort(sessions.begin(), sessions.end());
      for (const std::string& session : sessions) {
        console.print("\tSession: {}\n\n", session);
        list_attributes(console, session_attributes(scst, owner, session), true);
        console.print("\n");
      }
      if (sessions.empty()) console.print("\t(no sessions)\n\n");
    }
  }
}

void list_all_device_groups(Scst& scst, Console& console) {
  const Names groups = list_device_groups(scst.tree()).value_or(Names());
  console.print("\tDevice Group\n\t{}\n", rule(widest(groups, 12)));
  for (const std::string& group : groups) console.print("\t{}\n\n", group);
}

void list_device_group(Scst& scst, Console& console, const std::string& group) {
  const Names devices = list_group_devices(scst.tree(), group).value_or(Names());
  const std::size_t width = widest(devices);
  list_names(console, "Devices", devices, width < 6 ? 7 : width);
  const Names target_groups = list_target_groups(scst.tree(), group).value_or(Names());
  console.print("\n");
  list_names(console, "Target Groups", target_groups, widest(target_groups, 12));
}

void list_target_groups_of(Scst& scst, Console& console, const std::string& group) {
  const Names target_groups = list_target_groups(scst.tree(), group).value_or(Names());
  console.print("\n");
  list_names(console, "Target Groups", target_groups, widest(target_groups, 12));
}

void list_target_group(Scst& scst, Console& console, const std::string& group, const std::string& target_group) {
  const Names members = list_members(scst.tree(), group, target_group).value_or(Names());
  list_names(console, "Targets", members, widest(members, 7));
}

void list_attributes(Console& console, const Attributes& attributes, bool nonkey) {
  const auto [name_width, value_width] = column_widths(attributes, nonkey);
  console.print("\t{}     {}     Writable      KEY\n\t{}\n", padded("Attribute", name_width),
                padded("Value", value_width), rule(name_width + value_width + 27));
  const std::vector<Row> rows = attribute_rows(attributes, nonkey);
  for (const Row& row : rows) {
    console.print("\t{}     {}     {}     {}\n", padded(row.name, name_width), padded(row.value, value_width),
                  padded(row.writable ? "Yes" : "No", 9), padded(row.key ? "Yes" : "No", 3));
  }
  if (rows.empty()) console.print("\t(none)\n");
  if (nonkey) list_choices(console, attributes);
}

bool list_parameters(Console& console, std::string_view heading, const std::set<std::string>& names) {
  if (names.empty()) return false;
  std::string_view line = heading;
  console.print("\n\t{}\n\t{}\n", line, rule(line.size()));
  for (const std::string& name : names) console.print("\t{}\n", name);
  return true;
}

}  // namespace uscst::scstadmin
