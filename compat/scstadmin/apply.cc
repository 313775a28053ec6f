#include "compat/scstadmin/apply.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "compat/scstadmin/assign.h"
#include "compat/scstadmin/device_groups.h"

namespace uscst::scstadmin {
namespace {

const std::set<std::string> kSections = {"HANDLER", "TARGET_DRIVER", "ALUA", "DEVICE_GROUP"};

// Whether creation parameters differ from what the object has: another value, or a [key] that is not asked for.
bool differs(const Wanted& wanted, const Attributes& now) {
  for (const auto& [name, values] : wanted) {
    const auto attribute = now.find(name);
    std::optional<std::string> value;
    if (attribute != now.end()) {
      value = attribute->second.has_keys() ? attribute->second.keys.begin()->second : attribute->second.value;
    }
    if (!value && values == std::vector<std::string>{"0"}) continue;
    if (!value || values != std::vector<std::string>{*value}) return true;
  }
  return std::any_of(now.begin(), now.end(),
                     [&](const auto& a) { return a.second.has_keys() && !wanted.contains(a.first); });
}

Attributes only(Attributes attributes, const std::set<std::string>& names) {
  std::erase_if(attributes, [&](const auto& item) { return !names.contains(item.first); });
  return attributes;
}

class Devices {
 public:
  Devices(Actions& actions, Current& current, const ConfNode& conf)
      : actions_(actions), current_(current), conf_(conf) {}

  base::Result<int> run() {
    if (const base::Status closed = close_others(); !closed) return std::unexpected(closed.error());
    for (const auto& [handler, section] : conf_.below("HANDLER")) {
      for (const auto& [device, content] : section.below("DEVICE")) {
        if (const base::Status done = apply(handler, device, content); !done) return std::unexpected(done.error());
      }
      const base::Result<Wanted> wanted = wanted_attributes(section, {"DEVICE"});
      if (!wanted) return std::unexpected(wanted.error());
      if (wanted->empty()) continue;
      if (const base::Status set = count(actions_.set_handler_attributes(handler, *wanted, actions_.flags().force));
          !set) {
        return std::unexpected(set.error());
      }
    }
    return changes_;
  }

 private:
  base::Status count(const base::Result<int>& changes) {
    if (!changes) return std::unexpected(changes.error());
    changes_ += *changes;
    return {};
  }

  base::Status close_others() {
    for (const auto& [handler, devices] : current_.handlers) {
      for (const std::string& device : devices) {
        const auto& sections = conf_.below("HANDLER");
        const auto section = sections.find(handler);
        if (section != sections.end() && section->second.below("DEVICE").contains(device)) continue;
        if (!actions_.flags().force) {
          actions_.console().print("\t-> Device '{}' is not in configuration. Use -force to close it.\n", device);
          continue;
        }
        if (const base::Status closed = actions_.close_device(handler, device, true); !closed) return closed;
        ++changes_;
      }
    }
    return {};
  }

  base::Status apply(const std::string& handler, const std::string& device, const ConfNode& content) {
    const base::Result<Wanted> wanted = wanted_attributes(content);
    if (!wanted) return std::unexpected(wanted.error());
    const base::Result<std::set<std::string>> possible = actions_.scst().device_parameters(handler);
    if (!possible) {
      if (const base::Status stopped = actions_.stop(possible.error().text); !stopped) return stopped;
    }
    const std::set<std::string> names = possible.value_or(std::set<std::string>());
    Wanted parameters = *wanted;
    Wanted attributes = *wanted;
    keep(parameters, names);
    drop(attributes, names);

    const std::vector<std::string>& present = current_.handlers[handler];
    const bool is_open = std::find(present.begin(), present.end(), device) != present.end();
    const base::Status opened =
        is_open ? reopen(handler, device, parameters, names) : open(handler, device, parameters);
    if (!opened) return opened;
    if (attributes.empty()) return {};
    return count(actions_.set_device_attributes(device, attributes, !is_open && actions_.flags().force));
  }

  base::Status open(const std::string& handler, const std::string& device, const Wanted& parameters) {
    ++changes_;
    return actions_.open_device(handler, device, parameters);
  }

  // Closes and opens a device that was made with other parameters.
  base::Status reopen(const std::string& handler, const std::string& device, const Wanted& parameters,
                      const std::set<std::string>& names) {
    const base::Result<Attributes> now = actions_.scst().device_attributes(device);
    if (!now) return actions_.stop(now.error().text);
    if (!differs(parameters, only(*now, names))) return {};
    actions_.console().print("\t-> Device '{}' is configured differently.\n", device);
    if (!actions_.flags().force) {
      actions_.console().print(
          "\t  -> Use -force to re-open device with new attributes. NOTE: This will disrupt all initiators using this "
          "device.\n");
      return {};
    }
    actions_.console().print("\t  -> Closing and re-opening with new attributes.\n");
    if (const base::Status closed = actions_.close_device(handler, device, true); !closed) return closed;
    if (const base::Status opened = actions_.open_device(handler, device, parameters); !opened) return opened;
    changes_ += 2;
    // The LUNs of the device are gone: what follows must see that.
    base::Result<Current> again = collect(actions_.scst(), actions_.console(), true);
    if (!again) return std::unexpected(again.error());
    current_ = std::move(*again);
    return {};
  }

  Actions& actions_;
  Current& current_;
  const ConfNode& conf_;
  int changes_ = 0;
};

bool same_number(const std::string& a, const std::string& b) {
  const auto number = [](const std::string& text) {
    long value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  return number(a) == number(b);
}

// `enabled` comes last, when all LUNs are there.
base::Result<int> enable_target(Actions& actions, const LunOwner& owner, const ConfNode& content) {
  const std::optional<std::string> now = actions.scst().enabled(owner.path());
  if (!now) return 0;
  const auto& wanted = content.below("enabled");
  if (!wanted.empty()) {
    const std::string& value = wanted.begin()->first;
    if (same_number(value, *now)) return 0;
    if (const base::Status set = actions.set_target_attribute(owner.driver, owner.target, "enabled", value); !set) {
      return std::unexpected(set.error());
    }
    return 1;
  }
  if (owner.driver == "copy_manager" || same_number("0", *now)) return 0;
  if (!actions.flags().force) {
    actions.console().print("\t-> Driver/target '{}' is enabled but not in configuration. Use -force to disable it.\n",
                            owner.label());
    return 0;
  }
  if (const base::Status set = actions.set_target_attribute(owner.driver, owner.target, "enabled", "0"); !set) {
    return std::unexpected(set.error());
  }
  return 1;
}

base::Result<int> enable_targets(Actions& actions, const ConfNode& conf) {
  int changes = 0;
  for (const auto& [driver, section] : conf.below("TARGET_DRIVER")) {
    for (const auto& [target, content] : section.below("TARGET")) {
      const base::Result<int> changed = enable_target(actions, {driver, target}, content);
      if (!changed) return changed;
      changes += *changed;
    }
  }
  return changes;
}

base::Result<int> enable_drivers(Actions& actions, const ConfNode& conf) {
  int changes = 0;
  for (const auto& [driver, section] : conf.below("TARGET_DRIVER")) {
    const auto& wanted = section.below("enabled");
    const std::optional<std::string> now = wanted.empty() ? std::nullopt : actions.scst().enabled("targets/" + driver);
    if (!now || same_number(wanted.begin()->first, *now)) continue;
    actions.set_driver_attribute(driver, "enabled", wanted.begin()->first);
    ++changes;
  }
  return changes;
}

base::Result<int> set_root_attributes(Actions& actions, const ConfNode& conf) {
  const base::Result<Wanted> wanted = wanted_attributes(conf, kSections);
  if (!wanted) return std::unexpected(wanted.error());
  return actions.set_scst_attributes(*wanted, false);
}

}  // namespace

base::Result<Current> collect(Scst& scst, Console& console, bool force) {
  console.print("\nCollecting current configuration: ");
  base::Result<Current> current = read_current(scst.tree());
  if (!current) return current;
  console.print("done.\n\n");
  if (force) return current;
  const std::vector<DoubleInitiator> doubles = double_initiators(*current);
  if (doubles.empty()) return current;
  const DoubleInitiator& first = doubles.front();
  console.print(
      "\t-> FATAL: Initiator '{}' belongs to more than one groups for driver/target '{}/{}', aborting. Use -force to "
      "override.\n",
      first.initiator, first.driver, first.target);
  return base::fail(1, "");
}

base::Status apply_conf(Actions& actions, Current current, const ConfNode& conf) {
  actions.console().print("-> Applying configuration.\n");
  int changes = 0;
  const auto count = [&changes](const base::Result<int>& changed) -> base::Status {
    if (!changed) return std::unexpected(changed.error());
    changes += *changed;
    return {};
  };
  prefetch_devices(actions.scst().tree(), current);
  prefetch_assignments(actions.scst().tree(), current);
  // What goes, goes first: devices that are opened next may need the LUN numbers.
  if (actions.flags().force) {
    if (const base::Status done = count(remove_assignments(actions, current, conf)); !done) return done;
    base::Result<Current> again = collect(actions.scst(), actions.console(), true);
    if (!again) return std::unexpected(again.error());
    current = std::move(*again);
  }
  if (const base::Status done = count(Devices(actions, current, conf).run()); !done) return done;
  if (const base::Status done = count(remove_assignments(actions, current, conf)); !done) return done;
  if (const base::Status done = count(add_assignments(actions, current, conf)); !done) return done;
  if (const base::Status done = count(apply_device_groups(actions, current, conf)); !done) return done;
  if (const base::Status done = count(enable_targets(actions, conf)); !done) return done;
  if (const base::Status done = count(enable_drivers(actions, conf)); !done) return done;
  if (const base::Status done = count(set_root_attributes(actions, conf)); !done) return done;
  actions.console().print("\t-> Done, {} change(s) made.\n", changes);
  return {};
}

bool parameters_differ(const Wanted& wanted, const Attributes& now) { return differs(wanted, now); }

}  // namespace uscst::scstadmin
