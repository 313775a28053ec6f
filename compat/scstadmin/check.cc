#include <map>
#include <set>

#include "compat/scstadmin/apply.h"

namespace uscst::scstadmin {
namespace {

class Checker {
 public:
  Checker(Scst& scst, Console& console, const Current& current, ConfNode& conf)
      : scst_(scst), console_(console), current_(current), conf_(conf) {}

  bool run() {
    check_sections();
    for (const auto& [driver, section] : conf_.below("TARGET_DRIVER")) check_driver(driver, section);
    check_handlers();
    if (ConfNode* drivers = conf_.find("TARGET_DRIVER")) {
      for (auto& [driver, section] : drivers->children) check_targets(driver, section);
    }
    check_device_groups();
    if (errors_ != 0) {
      console_.print("\t-> Done, {} errors found.\n", errors_);
      return false;
    }
    console_.print("\t-> Done, {} warnings found.\n\n", warnings_);
    return true;
  }

 private:
  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) {
    console_.print("\t-> WARNING: {}\n\n", fmt::format(format, std::forward<Args>(args)...));
    ++warnings_;
  }
  template <class... Args>
  void fail(fmt::format_string<Args...> format, Args&&... args) {
    console_.print("\t-> FATAL: {}\n", fmt::format(format, std::forward<Args>(args)...));
    ++errors_;
  }

  void check_sections() {
    const bool no_drivers = conf_.below("TARGET_DRIVER").empty();
    const bool no_handlers = conf_.below("HANDLER").empty();
    if (no_drivers) warn("No TARGET_DRIVER section defined. No target drivers will be configured.");
    if (no_handlers) warn("No HANDLER section defined. Only physical media will be configured for targets.");
    if (no_drivers && no_handlers) {
      console_.print("FATAL: No target drivers or handlers defined, aborting!\n");
      ++errors_;
    }
  }

  void check_driver(const std::string& driver, const ConfNode& section) {
    const auto now = current_.drivers.find(driver);
    if (now == current_.drivers.end()) return warn("Target driver '{}' is not loaded or available.", driver);
    if (section.below("TARGET").empty()) return warn("Driver '{}' has no configured targets.", driver);
    for (const auto& [target, content] : section.below("TARGET")) {
      check_initiators(content);
      if (!now->second.contains(target) && !scst_.makes_targets(driver)) {
        fail("Target '{}' for driver '{}' does not exist.", target, driver);
      }
    }
  }

  void check_initiators(const ConfNode& target) {
    std::set<std::string> seen;
    for (const auto& [group, content] : target.below("GROUP")) {
      for (const auto& [initiator, below] : content.below("INITIATOR")) {
        if (seen.insert(initiator).second) continue;
        fail(
            "Initiator '{}' belongs to more than one group.\n\t     Initiators can only belong to one group at a time "
            "for a given target.",
            initiator);
      }
    }
  }

  void check_handlers() {
    ConfNode* handlers = conf_.find("HANDLER");
    if (handlers == nullptr) return;
    for (auto it = handlers->children.begin(); it != handlers->children.end();) {
      if (!scst_.handler_exists(it->first)) {
        console_.print("\t-> WARNING: No such handler '{}' available, ignoring.\n", it->first);
        ++warnings_;
        it = handlers->children.erase(it);
        continue;
      }
      if (ConfNode* devices = it->second.find("DEVICE")) check_device_names(it->first, *devices);
      ++it;
    }
  }

  void check_device_names(const std::string& handler, ConfNode& devices) {
    std::map<std::string, ConfNode, std::less<>> renamed;
    for (auto& [device, content] : devices.children) {
      std::string name = device;
      if (device.starts_with("/dev/")) {
        name = device.substr(5);
        warn("Device '{}' configured for handler '{}' may not contain the full /dev path, please change to '{}'.",
             device, handler, name);
      } else if (device.find('/') != std::string::npos) {
        fail("Device '{}' configured for handler '{}' may not contain character '/'.", device, handler);
      }
      devices_.insert(device);
      devices_.insert(name);
      renamed[name] = std::move(content);
    }
    devices.children = std::move(renamed);
  }

  void check_targets(const std::string& driver, ConfNode& section) {
    ConfNode* targets = section.find("TARGET");
    if (targets == nullptr) return;
    for (auto& [target, content] : targets->children) {
      if (ConfNode* luns = content.find("LUN")) check_luns({driver, target}, *luns);
      ConfNode* groups = content.find("GROUP");
      if (groups == nullptr) continue;
      for (auto& [group, below] : groups->children) {
        if (ConfNode* luns = below.find("LUN")) check_luns({driver, target, group}, *luns);
      }
    }
  }

  void check_luns(const LunOwner& owner, ConfNode& luns) {
    std::erase_if(luns.children, [&](const auto& lun) {
      bool unknown = false;
      for (const auto& [device, below] : lun.second.children) {
        if (devices_.contains(device)) continue;
        warn(
            "Device '{}' associated with driver/target '{}/{}' at LUN {} is not defined within configuration, removing "
            "it.",
            device, owner.driver, owner.target, lun.first);
        unknown = true;
      }
      return unknown;
    });
    if (owner.driver == "copy_manager" || luns.find("0") != nullptr) return;
    warn("No LUN 0 defined for {} '{}'. Many initiators require a LUN 0 to be defined.", owner.kind(), owner.label());
  }

  void check_device_groups() {
    ConfNode* groups = conf_.find("DEVICE_GROUP");
    if (groups == nullptr) return;
    for (auto& [group, content] : groups->children) {
      ConfNode* devices = content.find("DEVICE");
      if (devices == nullptr) continue;
      std::erase_if(devices->children, [&](const auto& device) {
        if (devices_.contains(device.first)) return false;
        warn("Device '{}' associated with device group '{}' is not defined within configuration, removing it.",
             device.first, group);
        return true;
      });
    }
  }

  Scst& scst_;
  Console& console_;
  const Current& current_;
  ConfNode& conf_;
  std::set<std::string> devices_;
  int warnings_ = 0;
  int errors_ = 0;
};

}  // namespace

bool check_conf(Scst& scst, Console& console, const Current& current, ConfNode& conf) {
  return Checker(scst, console, current, conf).run();
}

}  // namespace uscst::scstadmin
