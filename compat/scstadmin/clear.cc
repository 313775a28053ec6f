#include "compat/scstadmin/apply.h"

namespace uscst::scstadmin {
namespace {

base::Status clear_device_groups(Actions& actions, const Current& current) {
  for (const auto& [name, group] : current.device_groups) {
    for (const auto& [target_group, members] : group.target_groups) {
      if (const base::Status done = actions.remove_target_group(name, target_group, true); !done) return done;
    }
    for (const std::string& device : group.devices) {
      if (const base::Status done = actions.remove_group_device(name, device, true); !done) return done;
    }
    if (const base::Status done = actions.remove_device_group(name, true); !done) return done;
  }
  return {};
}

base::Status clear_target(Actions& actions, const LunOwner& owner, const CurrentTarget& target) {
  for (const auto& [name, content] : target.groups) {
    const LunOwner group{owner.driver, owner.target, name};
    if (const base::Status done = actions.clear_initiators(group); !done) return done;
    if (const base::Status done = actions.clear_luns(group); !done) return done;
    if (const base::Status done = actions.remove_group(group, true); !done) return done;
  }
  if (const base::Status done = actions.clear_luns(owner); !done) return done;
  if (actions.scst().is_virtual_target(owner.driver, owner.target)) {
    actions.warn(code_text(actions.remove_target(owner.driver, owner.target)));
  }
  return {};
}

base::Status disable_all(Actions& actions) {
  const Wanted disabled{{"enabled", {"0"}}};
  for (const std::string& driver : list_drivers(actions.scst().tree()).value_or(std::vector<std::string>())) {
    for (const std::string& target : list_targets(actions.scst().tree(), driver).value_or(std::vector<std::string>())) {
      const base::Result<int> done = actions.set_target_attributes(driver, target, disabled, false);
      if (!done) return std::unexpected(done.error());
    }
    if (!actions.scst().driver_attributes(driver).value_or(Attributes()).contains("enabled")) continue;
    const base::Result<int> done = actions.set_driver_attributes(driver, disabled, false);
    if (!done) return std::unexpected(done.error());
  }
  return {};
}

}  // namespace

base::Status clear_configuration(Actions& actions, const Current& current) {
  actions.console().print("-> Clearing running configuration.\n");
  if (const base::Status done = clear_device_groups(actions, current); !done) return done;
  for (const auto& [driver, targets] : current.drivers) {
    for (const auto& [target, content] : targets) {
      if (const base::Status done = clear_target(actions, {driver, target}, content); !done) return done;
    }
    if (const base::Status done = actions.clear_dynamic_driver_attributes(driver); !done) return done;
  }
  for (const auto& [handler, devices] : current.handlers) {
    for (const std::string& device : devices) {
      if (const base::Status done = actions.close_device(handler, device, true); !done) return done;
    }
  }
  if (const base::Status done = disable_all(actions); !done) return done;
  actions.console().print("\t-> Configuration cleared.\n");
  return {};
}

}  // namespace uscst::scstadmin
