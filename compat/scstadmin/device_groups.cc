#include "compat/scstadmin/device_groups.h"

#include <algorithm>

namespace uscst::scstadmin {
namespace {

const ConfNode kNothing;

const ConfNode& section(const ConfNode& parent, std::string_view kind, const std::string& name) {
  const auto& children = parent.below(kind);
  const auto it = children.find(name);
  return it == children.end() ? kNothing : it->second;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class DeviceGroups {
 public:
  explicit DeviceGroups(Actions& actions) : actions_(actions) {}

  base::Status count(const base::Result<int>& changes) {
    if (!changes) return std::unexpected(changes.error());
    changes_ += *changes;
    return {};
  }
  int changes() const { return changes_; }

  // Removes from a group that runs what `wanted` does not have.
  base::Status reduce(const std::string& name, const CurrentDeviceGroup& group, const ConfNode& wanted) {
    for (const std::string& device : group.devices) {
      if (wanted.below("DEVICE").contains(device)) continue;
      const std::string what = fmt::format("Device '{}' within device group '{}'", device, name);
      if (const base::Status done = remove(what, [&] { return actions_.remove_group_device(name, device, true); });
          !done)
        return done;
    }
    for (const auto& [target_group, members] : group.target_groups) {
      if (!wanted.below("TARGET_GROUP").contains(target_group)) {
        const std::string what = fmt::format("Target Group '{}/{}'", name, target_group);
        const base::Status done = remove(what, [&] { return actions_.remove_target_group(name, target_group, true); });
        if (!done) return done;
        continue;
      }
      for (const std::string& member : members) {
        if (section(wanted, "TARGET_GROUP", target_group).below("TARGET").contains(member)) continue;
        const std::string what = fmt::format("Target '{}/{}/{}'", name, target_group, member);
        const base::Status done = remove(what, [&] { return actions_.remove_member(name, target_group, member); });
        if (!done) return done;
      }
    }
    return {};
  }

  template <class Remove>
  base::Status remove(const std::string& what, Remove remove_it) {
    if (actions_.flags().force) {
      ++changes_;
      return remove_it();
    }
    actions_.console().print("\t-> {} is not in configuration. Use -force to remove.\n", what);
    return {};
  }

  base::Status add(const std::string& name, const ConfNode& wanted, const CurrentDeviceGroup* now) {
    if (now == nullptr) {
      if (const base::Status added = actions_.add_device_group(name); !added) return added;
      ++changes_;
    }
    for (const auto& [device, below] : wanted.below("DEVICE")) {
      if (now != nullptr && contains(now->devices, device)) continue;
      if (const base::Status added = actions_.add_group_device(name, device); !added) return added;
      ++changes_;
    }
    for (const auto& [target_group, content] : wanted.below("TARGET_GROUP")) {
      const bool exists = now != nullptr && now->target_groups.contains(target_group);
      const std::vector<std::string> members =
          exists ? now->target_groups.at(target_group) : std::vector<std::string>();
      if (!exists) {
        if (const base::Status added = actions_.add_target_group(name, target_group); !added) return added;
        ++changes_;
      }
      if (const base::Status done = fill(name, target_group, content, members); !done) return done;
    }
    const base::Result<Wanted> attributes = wanted_attributes(wanted, {"DEVICE", "TARGET_GROUP"});
    if (!attributes) return std::unexpected(attributes.error());
    return attributes->empty() ? base::Status() : count(actions_.set_device_group_attributes(name, *attributes, false));
  }

 private:
  base::Status fill(const std::string& group, const std::string& target_group, const ConfNode& content,
                    const std::vector<std::string>& members) {
    for (const auto& [member, below] : content.below("TARGET")) {
      if (!contains(members, member)) {
        if (const base::Status added = actions_.add_member(group, target_group, member); !added) return added;
        ++changes_;
      }
      const base::Result<Wanted> attributes = wanted_attributes(below);
      if (!attributes) return std::unexpected(attributes.error());
      if (attributes->empty()) continue;
      const base::Status set = count(actions_.set_member_attributes(group, target_group, member, *attributes, false));
      if (!set) return set;
    }
    const base::Result<Wanted> attributes = wanted_attributes(content, {"TARGET"});
    if (!attributes) return std::unexpected(attributes.error());
    return attributes->empty() ? base::Status()
                               : count(actions_.set_target_group_attributes(group, target_group, *attributes, false));
  }

  Actions& actions_;
  int changes_ = 0;
};

}  // namespace

base::Result<int> apply_device_groups(Actions& actions, const Current& current, const ConfNode& conf) {
  DeviceGroups groups(actions);
  const ConfNode* alua = conf.find("ALUA");
  if (alua != nullptr && !alua->children.empty()) {
    const base::Result<Wanted> attributes = wanted_attributes(*alua);
    if (!attributes) return std::unexpected(attributes.error());
    if (const base::Status set = groups.count(actions.set_alua_attributes(*attributes)); !set)
      return std::unexpected(set.error());
  }
  for (const auto& [name, group] : current.device_groups) {
    if (!conf.below("DEVICE_GROUP").contains(name)) {
      const base::Status done = groups.remove(fmt::format("Device Group '{}'", name),
                                              [&] { return actions.remove_device_group(name, true); });
      if (!done) return std::unexpected(done.error());
    } else if (const base::Status done = groups.reduce(name, group, section(conf, "DEVICE_GROUP", name)); !done) {
      return std::unexpected(done.error());
    }
  }
  for (const auto& [name, content] : conf.below("DEVICE_GROUP")) {
    const auto now = current.device_groups.find(name);
    const base::Status done = groups.add(name, content, now == current.device_groups.end() ? nullptr : &now->second);
    if (!done) return std::unexpected(done.error());
  }
  return groups.changes();
}

}  // namespace uscst::scstadmin
