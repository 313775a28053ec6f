#include "compat/scstadmin/current.h"

#include <algorithm>
#include <set>
#include <utility>

namespace uscst::scstadmin {
namespace {

using Names = base::Result<std::vector<std::string>>;

Names sorted(Names names) {
  if (names) std::sort(names->begin(), names->end());
  return names;
}

base::Result<CurrentGroup> read_group(const Tree& tree, const std::string& path) {
  CurrentGroup group;
  Names initiators = list_initiators(tree, path);
  if (!initiators) return std::unexpected(initiators.error());
  group.initiators = std::move(*initiators);
  base::Result<Luns> luns = list_luns(tree, path);
  if (!luns) return std::unexpected(luns.error());
  group.luns = std::move(*luns);
  return group;
}

base::Result<CurrentTarget> read_target(const Tree& tree, const std::string& path) {
  CurrentTarget target;
  base::Result<Luns> luns = list_luns(tree, path);
  if (luns) target.luns = std::move(*luns);
  const Names groups = list_groups(tree, path);
  if (!groups) return std::unexpected(groups.error());
  for (const std::string& name : *groups) {
    base::Result<CurrentGroup> group = read_group(tree, join_path({path, "ini_groups", name}));
    if (!group) return std::unexpected(group.error());
    target.groups[name] = std::move(*group);
  }
  return target;
}

base::Result<CurrentDeviceGroup> read_device_group(const Tree& tree, const std::string& name) {
  CurrentDeviceGroup group;
  Names devices = list_group_devices(tree, name);
  if (!devices) return std::unexpected(devices.error());
  group.devices = std::move(*devices);
  const Names target_groups = list_target_groups(tree, name);
  if (!target_groups) return std::unexpected(target_groups.error());
  for (const std::string& target_group : *target_groups) {
    Names members = list_members(tree, name, target_group);
    group.target_groups[target_group] = members ? std::move(*members) : std::vector<std::string>();
  }
  return group;
}

void prefetch_handlers(const Tree& tree, const std::vector<std::string>& handlers) {
  std::vector<Wish> links;
  for (const std::string& handler : handlers) {
    const std::string path = join_path({"handlers", handler});
    for (const Entry& entry : tree.entries(path).value_or(std::vector<Entry>())) {
      if (entry.type == EntryType::kLink)
        links.push_back({Wish::What::kLink, join_path({"devices", entry.name, "handler"})});
    }
  }
  tree.prefetch(links);
}

// First what is in the groups of a target, then the links of all its LUNs.
void prefetch_target(const Tree& tree, const std::string& path) {
  std::vector<std::string> owners{path};
  std::vector<Wish> directories;
  for (const std::string& group : list_groups(tree, path).value_or(std::vector<std::string>())) {
    owners.push_back(join_path({path, "ini_groups", group}));
    directories.push_back({Wish::What::kEntries, join_path({owners.back(), "luns"})});
    directories.push_back({Wish::What::kEntries, join_path({owners.back(), "initiators"})});
  }
  tree.prefetch(directories);
  std::vector<Wish> links;
  for (const std::string& owner : owners) {
    const std::string luns = join_path({owner, "luns"});
    for (const Entry& entry : tree.entries(luns).value_or(std::vector<Entry>())) {
      if (entry.type == EntryType::kDirectory)
        links.push_back({Wish::What::kLink, join_path({luns, entry.name, "device"})});
    }
  }
  tree.prefetch(links);
}

base::Status read_handlers(const Tree& tree, Current& current) {
  const Names handlers = list_handlers(tree);
  if (!handlers) return std::unexpected(handlers.error());
  prefetch_handlers(tree, *handlers);
  for (const std::string& handler : *handlers) {
    Names devices = list_handler_devices(tree, handler);
    if (!devices) return std::unexpected(devices.error());
    current.handlers[handler] = std::move(*devices);
  }
  return {};
}

base::Status read_drivers(const Tree& tree, Current& current) {
  const Names drivers = list_drivers(tree);
  if (!drivers) return std::unexpected(drivers.error());
  for (const std::string& driver : *drivers) {
    std::map<std::string, CurrentTarget>& targets = current.drivers[driver];
    const Names names = list_targets(tree, driver);
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) {
      prefetch_target(tree, join_path({"targets", driver, name}));
      base::Result<CurrentTarget> target = read_target(tree, join_path({"targets", driver, name}));
      if (!target) return std::unexpected(target.error());
      targets[name] = std::move(*target);
    }
  }
  return {};
}

}  // namespace

Names list_directories(const Tree& tree, const std::string& path) {
  const base::Result<std::vector<Entry>> entries = tree.entries(path);
  if (!entries) return std::unexpected(entries.error());
  std::vector<std::string> names;
  for (const Entry& entry : *entries) {
    const bool is_directory = entry.type == EntryType::kDirectory ||
                              (entry.type == EntryType::kLink && tree.is_directory(join_path({path, entry.name})));
    if (is_directory) names.push_back(entry.name);
  }
  return names;
}

Names list_handlers(const Tree& tree) { return sorted(list_directories(tree, "handlers")); }

// A device of the handler is an entry that is also in devices/ and whose link `handler` leads back here.
Names list_handler_devices(const Tree& tree, const std::string& handler) {
  const base::Result<std::vector<Entry>> entries = tree.entries(join_path({"handlers", handler}));
  if (!entries) return std::unexpected(entries.error());
  std::vector<std::string> names;
  for (const Entry& entry : *entries) {
    if (entry.type == EntryType::kFile) continue;
    const std::optional<std::string> link = tree.link(join_path({"devices", entry.name, "handler"}));
    if (link && last_part(*link) == handler) names.push_back(entry.name);
  }
  return names;
}

Names list_drivers(const Tree& tree) { return sorted(list_directories(tree, "targets")); }

Names list_targets(const Tree& tree, const std::string& driver) {
  Names names = sorted(list_directories(tree, join_path({"targets", driver})));
  if (names) std::erase(*names, "module");
  return names;
}

Names list_groups(const Tree& tree, const std::string& target_path) {
  return sorted(list_directories(tree, join_path({target_path, "ini_groups"})));
}

Names list_initiators(const Tree& tree, const std::string& group_path) {
  Names names = tree.list(join_path({group_path, "initiators"}));
  if (names) std::erase(*names, "mgmt");
  return names;
}

base::Result<Luns> list_luns(const Tree& tree, const std::string& owner_path) {
  const std::string path = join_path({owner_path, "luns"});
  const Names names = list_directories(tree, path);
  if (!names) return std::unexpected(names.error());
  Luns luns;
  for (const std::string& lun : *names) {
    const std::optional<std::string> device = tree.link(join_path({path, lun, "device"}));
    if (device) luns[lun] = last_part(*device);
  }
  return luns;
}

Names list_device_groups(const Tree& tree) { return sorted(list_directories(tree, "device_groups")); }

Names list_group_devices(const Tree& tree, const std::string& device_group) {
  return list_directories(tree, join_path({"device_groups", device_group, "devices"}));
}

Names list_target_groups(const Tree& tree, const std::string& device_group) {
  return list_directories(tree, join_path({"device_groups", device_group, "target_groups"}));
}

Names list_members(const Tree& tree, const std::string& device_group, const std::string& target_group) {
  return sorted(list_directories(tree, join_path({"device_groups", device_group, "target_groups", target_group})));
}

base::Result<Current> read_current(const Tree& tree) {
  Current current;
  if (const base::Status status = read_handlers(tree, current); !status) return std::unexpected(status.error());
  if (const base::Status status = read_drivers(tree, current); !status) return std::unexpected(status.error());
  const Names groups = list_device_groups(tree);
  if (!groups) return std::unexpected(groups.error());
  for (const std::string& name : *groups) {
    base::Result<CurrentDeviceGroup> group = read_device_group(tree, name);
    if (!group) return std::unexpected(group.error());
    current.device_groups[name] = std::move(*group);
  }
  return current;
}

void prefetch_devices(const Tree& tree, const Current& current) {
  std::vector<Wish> objects;
  for (const auto& [handler, devices] : current.handlers) {
    for (const std::string& device : devices) objects.push_back({Wish::What::kObject, join_path({"devices", device})});
  }
  tree.prefetch(objects);
}

void prefetch_assignments(const Tree& tree, const Current& current) {
  std::vector<Wish> objects;
  const auto add = [&objects](const std::string& owner, const Luns& luns) {
    objects.push_back({Wish::What::kObject, owner});
    for (const auto& [lun, device] : luns) objects.push_back({Wish::What::kObject, join_path({owner, "luns", lun})});
  };
  for (const auto& [driver, targets] : current.drivers) {
    for (const auto& [name, target] : targets) {
      const std::string path = join_path({"targets", driver, name});
      add(path, target.luns);
      for (const auto& [group, content] : target.groups) add(join_path({path, "ini_groups", group}), content.luns);
    }
  }
  tree.prefetch(objects);
}

std::vector<DoubleInitiator> double_initiators(const Current& current) {
  std::vector<DoubleInitiator> found;
  for (const auto& [driver, targets] : current.drivers) {
    for (const auto& [target, content] : targets) {
      std::set<std::string> seen;
      for (const auto& [name, group] : content.groups) {
        for (const std::string& initiator : group.initiators) {
          if (!seen.insert(initiator).second) found.push_back({driver, target, initiator});
        }
      }
    }
  }
  return found;
}

}  // namespace uscst::scstadmin
