#include "compat/scstadmin/assign.h"

#include <algorithm>

namespace uscst::scstadmin {
namespace {

const ConfNode kNothing;

const ConfNode& section(const ConfNode& parent, std::string_view kind, const std::string& name) {
  const auto& children = parent.below(kind);
  const auto it = children.find(name);
  return it == children.end() ? kNothing : it->second;
}

const CurrentTarget* find_target(const Current& current, const LunOwner& owner) {
  const auto driver = current.drivers.find(owner.driver);
  if (driver == current.drivers.end()) return nullptr;
  const auto target = driver->second.find(owner.target);
  return target == driver->second.end() ? nullptr : &target->second;
}

class Remover {
 public:
  Remover(Actions& actions, const ConfNode& conf) : actions_(actions), conf_(conf) {}

  base::Status target(const LunOwner& owner, const CurrentTarget& now) {
    const ConfNode& wanted = section(section(conf_, "TARGET_DRIVER", owner.driver), "TARGET", owner.target);
    if (const base::Status done = luns(owner, now.luns, wanted); !done) return done;
    for (const auto& [name, content] : now.groups) {
      const LunOwner group{owner.driver, owner.target, name};
      if (const base::Status done = luns(group, content.luns, section(wanted, "GROUP", name)); !done) return done;
      if (wanted.below("GROUP").contains(name)) continue;
      if (!actions_.flags().force) {
        actions_.console().print("\t-> Group '{}' is not in configuration. Use -force to remove.\n", name);
        continue;
      }
      if (const base::Status removed = actions_.remove_group(group, true); !removed) return removed;
      ++changes_;
    }
    return {};
  }

  int changes() const { return changes_; }

 private:
  base::Status luns(const LunOwner& owner, const Luns& now, const ConfNode& wanted) {
    for (const auto& [lun, device] : now) {
      const ConfNode& devices = section(wanted, "LUN", lun);
      const ConfNode* parameters = devices.find(device);
      const base::Status done =
          parameters == nullptr ? surplus(owner, lun, device) : compare(owner, lun, device, *parameters);
      if (!done) return done;
    }
    return {};
  }

  base::Status surplus(const LunOwner& owner, const std::string& lun, const std::string& device) {
    if (actions_.flags().force) {
      ++changes_;
      return actions_.remove_lun(owner, lun);
    }
    if (owner.driver == "copy_manager") return {};
    actions_.console().print(
        "\t-> Device '{}' at LUN '{}' is not in configuration for {} '{}'. Use -force to remove it.\n", device, lun,
        owner.kind(), owner.label());
    return {};
  }

  base::Status compare(const LunOwner& owner, const std::string& lun, const std::string& device,
                       const ConfNode& content) {
    base::Result<Wanted> wanted = wanted_attributes(content);
    if (!wanted) return std::unexpected(wanted.error());
    const base::Result<Attributes> now = actions_.scst().lun_attributes(owner, lun);
    if (!now) return actions_.stop(now.error().text);
    const base::Result<std::set<std::string>> possible = actions_.scst().lun_parameters(owner);
    if (!possible) return actions_.stop(possible.error().text);
    keep(*wanted, *possible);
    if (!parameters_differ(*wanted, *now)) return {};
    actions_.console().print("\t-> Assigned device '{}' in {} '{}' at LUN '{}' is configured differently.\n", device,
                             owner.group.empty() ? "target" : "group", owner.group.empty() ? owner.target : owner.group,
                             lun);
    if (!actions_.flags().force) {
      actions_.console().print(
          "\t  -> Use -force to re-assign device with new attributes. NOTE: This will disrupt all initiators using "
          "this device.\n");
      return {};
    }
    actions_.console().print("\t  -> Re-assigning device with new attributes.\n");
    changes_ += 2;
    if (const base::Status removed = actions_.remove_lun(owner, lun); !removed) return removed;
    return actions_.add_lun(owner, device, lun, *wanted);
  }

  Actions& actions_;
  const ConfNode& conf_;
  int changes_ = 0;
};

class Adder {
 public:
  Adder(Actions& actions, const Current& current) : actions_(actions), current_(current) {}

  base::Status driver(const std::string& name, const ConfNode& content) {
    if (!current_.drivers.contains(name)) {
      const base::Status stopped = actions_.stop(fmt::format("Target driver '{}' is not loaded or available.", name));
      if (!stopped) return stopped;
    }
    if (const base::Status done = remove_targets(name, content); !done) return done;
    for (const auto& [target_name, below] : content.below("TARGET")) {
      if (const base::Status done = target({name, target_name}, below); !done) return done;
    }
    const base::Result<Wanted> wanted = wanted_attributes(content, {"TARGET", "enabled"});
    if (!wanted) return std::unexpected(wanted.error());
    return wanted->empty() ? base::Status()
                           : count(actions_.set_driver_attributes(name, *wanted, actions_.flags().force));
  }

  int changes() const { return changes_; }

 private:
  base::Status count(const base::Result<int>& changes) {
    if (!changes) return std::unexpected(changes.error());
    changes_ += *changes;
    return {};
  }

  base::Status remove_targets(const std::string& driver, const ConfNode& content) {
    const auto now = current_.drivers.find(driver);
    if (now == current_.drivers.end()) return {};
    for (const auto& [name, below] : now->second) {
      if (content.below("TARGET").contains(name)) continue;
      if (!actions_.flags().force || !actions_.scst().is_virtual_target(driver, name)) {
        actions_.console().print(
            "\t-> Virtual target '{}' for driver '{}' is not in configuration. Use -force to remove it.\n", name,
            driver);
        continue;
      }
      if (const base::Status removed = actions_.stop_unless_ok(actions_.remove_target(driver, name)); !removed)
        return removed;
      ++changes_;
    }
    return {};
  }

  base::Status create(const LunOwner& owner, const ConfNode& content) {
    if (!actions_.scst().makes_targets(owner.driver)) {
      return actions_.stop(fmt::format("Target '{}' for driver '{}' does not exist.", owner.target, owner.driver));
    }
    if (content.find("HW_TARGET") != nullptr) {
      const base::Status stopped = actions_.stop(
          fmt::format("Hardware target '{}' for driver '{}' does not exist.", owner.target, owner.driver));
      if (!stopped) return stopped;
    }
    base::Result<Wanted> wanted = wanted_attributes(content, {"GROUP", "LUN"});
    if (!wanted) return std::unexpected(wanted.error());
    keep(*wanted, actions_.scst().target_parameters(owner.driver).value_or(std::set<std::string>()));
    const Code code = actions_.add_target(owner.driver, owner.target, *wanted);
    if (code == Code::kOk) ++changes_;
    return actions_.stop_unless_ok(code);
  }

  base::Status target(const LunOwner& owner, const ConfNode& content) {
    if (find_target(current_, owner) == nullptr) {
      if (const base::Status created = create(owner, content); !created) return created;
    }
    // Attributes before LUNs: addr_method counts from the first REPORT LUNS on.
    base::Result<Wanted> wanted = wanted_attributes(content, {"GROUP", "LUN", "enabled", "HW_TARGET"});
    if (!wanted) return std::unexpected(wanted.error());
    if (actions_.scst().is_virtual_target(owner.driver, owner.target)) {
      drop(*wanted, actions_.scst().target_parameters(owner.driver).value_or(std::set<std::string>()));
    }
    const base::Status set =
        count(actions_.set_target_attributes(owner.driver, owner.target, *wanted, actions_.flags().force));
    if (!set) return set;
    // Groups before default LUNs: an initiator that has a group must not see the LUNs of the others in between.
    if (const base::Status done = groups(owner, content); !done) return done;
    return luns(owner, content);
  }

  base::Status groups(const LunOwner& owner, const ConfNode& content) {
    const CurrentTarget* now = find_target(current_, owner);
    for (const auto& [name, below] : content.below("GROUP")) {
      const LunOwner group{owner.driver, owner.target, name};
      if (now == nullptr || !now->groups.contains(name)) {
        if (const base::Status added = actions_.add_group(group); !added) return added;
        ++changes_;
      }
      if (const base::Status done = luns(group, below); !done) return done;
      const base::Result<Wanted> wanted = wanted_attributes(below, {"LUN", "INITIATOR"});
      if (!wanted) return std::unexpected(wanted.error());
      if (wanted->empty()) continue;
      if (const base::Status set = count(actions_.set_group_attributes(group, *wanted, false)); !set) return set;
    }
    return content.below("GROUP").empty() ? base::Status() : initiators(owner, content, now);
  }

  base::Status initiators(const LunOwner& owner, const ConfNode& content, const CurrentTarget* now) {
    std::map<std::string, std::string> running;
    if (now != nullptr) {
      for (const auto& [group, below] : now->groups) {
        for (const std::string& initiator : below.initiators) running[initiator] = group;
      }
    }
    std::map<std::string, std::string> wanted;
    for (const auto& [group, below] : content.below("GROUP")) {
      for (const auto& [initiator, nothing] : below.below("INITIATOR")) wanted[initiator] = group;
    }
    for (const auto& [initiator, group] : running) {
      const auto to = wanted.find(initiator);
      const base::Status done = to == wanted.end()
                                    ? remove_initiator({owner.driver, owner.target, group}, initiator)
                                    : move_initiator({owner.driver, owner.target, group}, initiator, to->second);
      if (!done) return done;
    }
    for (const auto& [initiator, group] : wanted) {
      if (running.contains(initiator)) continue;
      if (const base::Status added = actions_.add_initiator(current_, {owner.driver, owner.target, group}, initiator);
          !added) {
        return added;
      }
      ++changes_;
    }
    return {};
  }

  base::Status remove_initiator(const LunOwner& group, const std::string& initiator) {
    if (actions_.flags().force) {
      ++changes_;
      return actions_.remove_initiator(group, initiator);
    }
    actions_.console().print(
        "\t-> Initiator '{}' is not in configuration for driver/target/group '{}'. Use -force to remove it.\n",
        initiator, group.label());
    return {};
  }

  base::Status move_initiator(const LunOwner& from, const std::string& initiator, const std::string& to) {
    if (from.group == to) return {};
    if (actions_.flags().force) {
      ++changes_;
      return actions_.move_initiator(from, initiator, to);
    }
    actions_.console().print("\t-> Initiator '{}' is moving to group '{}' from group '{}'. Use -force to move it.\n",
                             initiator, to, from.group);
    return {};
  }

  base::Status luns(const LunOwner& owner, const ConfNode& content) {
    const CurrentTarget* target = find_target(current_, owner);
    const Luns* now = target == nullptr ? nullptr : &target->luns;
    if (target != nullptr && !owner.group.empty()) {
      const auto group = target->groups.find(owner.group);
      now = group == target->groups.end() ? nullptr : &group->second.luns;
    }
    for (const auto& [lun, devices] : content.below("LUN")) {
      if (now != nullptr && now->contains(lun)) continue;
      if (devices.children.size() > 1) {
        return base::fail(
            1,
            fmt::format(
                "Invalid configuration encountered. Driver/target/group/lun {}/{}/{}/{} has multiple devices assigned.",
                owner.driver, owner.target, owner.group, lun));
      }
      for (const auto& [device, below] : devices.children) {
        const base::Result<Wanted> wanted = wanted_attributes(below);
        if (!wanted) return std::unexpected(wanted.error());
        if (const base::Status added = actions_.add_lun(owner, device, lun, *wanted); !added) return added;
        ++changes_;
      }
    }
    return {};
  }

  Actions& actions_;
  const Current& current_;
  int changes_ = 0;
};

}  // namespace

base::Result<int> remove_assignments(Actions& actions, const Current& current, const ConfNode& conf) {
  Remover remover(actions, conf);
  for (const auto& [driver, targets] : current.drivers) {
    for (const auto& [target, content] : targets) {
      if (const base::Status done = remover.target({driver, target}, content); !done)
        return std::unexpected(done.error());
    }
  }
  return remover.changes();
}

base::Result<int> add_assignments(Actions& actions, const Current& current, const ConfNode& conf) {
  Adder adder(actions, current);
  // Drivers that have targets count as mentioned, without any target.
  std::set<std::string> drivers;
  for (const auto& [driver, content] : conf.below("TARGET_DRIVER")) drivers.insert(driver);
  for (const auto& [driver, targets] : current.drivers) {
    if (!targets.empty()) drivers.insert(driver);
  }
  for (const std::string& driver : drivers) {
    if (const base::Status done = adder.driver(driver, section(conf, "TARGET_DRIVER", driver)); !done)
      return std::unexpected(done.error());
  }
  return adder.changes();
}

}  // namespace uscst::scstadmin
