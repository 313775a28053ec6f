// The configuration that runs: which objects there are in the tree, without their attributes.
//
// A snapshot made by read_current(); plain data, one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compat/scstadmin/tree.h"

namespace uscst::scstadmin {

using Luns = std::map<std::string, std::string>;  // number (as the directory is called) to device

struct CurrentGroup {
  Luns luns;
  std::vector<std::string> initiators;
};

struct CurrentTarget {
  Luns luns;
  std::map<std::string, CurrentGroup> groups;
};

struct CurrentDeviceGroup {
  std::vector<std::string> devices;
  std::map<std::string, std::vector<std::string>> target_groups;
};

struct Current {
  std::map<std::string, std::vector<std::string>> handlers;  // devices in the order of the directory
  std::map<std::string, std::map<std::string, CurrentTarget>> drivers;
  std::map<std::string, CurrentDeviceGroup> device_groups;
};

// Directories below `path`, in the order of the file system.
base::Result<std::vector<std::string>> list_directories(const Tree& tree, const std::string& path);

base::Result<std::vector<std::string>> list_handlers(const Tree& tree);  // sorted
base::Result<std::vector<std::string>> list_handler_devices(const Tree& tree, const std::string& handler);
base::Result<std::vector<std::string>> list_drivers(const Tree& tree);                                 // sorted
base::Result<std::vector<std::string>> list_targets(const Tree& tree, const std::string& driver);      // sorted
base::Result<std::vector<std::string>> list_groups(const Tree& tree, const std::string& target_path);  // sorted
base::Result<std::vector<std::string>> list_initiators(const Tree& tree, const std::string& group_path);
base::Result<Luns> list_luns(const Tree& tree, const std::string& owner_path);
base::Result<std::vector<std::string>> list_device_groups(const Tree& tree);  // sorted
base::Result<std::vector<std::string>> list_group_devices(const Tree& tree, const std::string& device_group);
base::Result<std::vector<std::string>> list_target_groups(const Tree& tree, const std::string& device_group);
base::Result<std::vector<std::string>> list_members(const Tree& tree, const std::string& device_group,
                                                    const std::string& target_group);  // sorted

base::Result<Current> read_current(const Tree& tree);

// Hints `tree` that the attributes of all devices, and of all targets, groups and LUNs, will be asked for.
void prefetch_devices(const Tree& tree, const Current& current);
void prefetch_assignments(const Tree& tree, const Current& current);

// An initiator that is in two groups of one target, if any: driver, target and initiator.
struct DoubleInitiator {
  std::string driver;
  std::string target;
  std::string initiator;
};
std::vector<DoubleInitiator> double_initiators(const Current& current);

}  // namespace uscst::scstadmin
