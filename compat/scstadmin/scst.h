// Operations on the tree, silent: each sends one command and, when that fails, finds out why.
//
// Owns nothing: the tree belongs to main(). One thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compat/scstadmin/attributes.h"
#include "compat/scstadmin/console.h"
#include "compat/scstadmin/current.h"
#include "compat/scstadmin/errors.h"

namespace uscst::scstadmin {

// A target, or an initiator group of it: where LUNs can be.
struct LunOwner {
  std::string driver;
  std::string target;
  std::string group = {};

  std::string target_path() const { return join_path({"targets", driver, target}); }
  std::string path() const { return group.empty() ? target_path() : join_path({target_path(), "ini_groups", group}); }
  std::string label() const { return join_path({driver, target, group}); }  // "d/t" or "d/t/g"
  std::string kind() const { return group.empty() ? "driver/target" : "driver/target/group"; }
};

// Parameters of a command, in the order they are sent.
using Parameters = std::vector<std::pair<std::string, std::string>>;

class Scst {
 public:
  Scst(Tree& tree, Console& console, bool debug) : tree_(tree), console_(console), debug_(debug) {}

  Tree& tree() { return tree_; }
  const Tree& tree() const { return tree_; }

  // Attributes, or the sentence that says what does not exist.
  base::Result<Attributes> scst_attributes() const;
  base::Result<Attributes> handler_attributes(const std::string& handler, bool for_show = false) const;
  // `for_show`: also those that are only shown, such as where it is exported.
  base::Result<Attributes> device_attributes(const std::string& device, bool for_show = false) const;
  base::Result<Attributes> driver_attributes(const std::string& driver) const;
  base::Result<Attributes> target_attributes(const std::string& driver, const std::string& target) const;
  base::Result<Attributes> group_attributes(const LunOwner& group) const;
  base::Result<Attributes> lun_attributes(const LunOwner& owner, const std::string& lun) const;
  base::Result<Attributes> initiator_attributes(const LunOwner& group, const std::string& initiator) const;
  base::Result<Attributes> alua_attributes() const;
  base::Result<Attributes> device_group_attributes(const std::string& group) const;
  base::Result<Attributes> target_group_attributes(const std::string& group, const std::string& target_group) const;
  base::Result<Attributes> member_attributes(const std::string& group, const std::string& target_group,
                                             const std::string& member) const;

  // What can be given when an object is made.
  base::Result<std::set<std::string>> device_parameters(const std::string& handler) const;
  base::Result<std::set<std::string>> target_parameters(const std::string& driver) const;
  base::Result<std::set<std::string>> lun_parameters(const LunOwner& owner) const;
  base::Result<std::set<std::string>> initiator_parameters(const LunOwner& group) const;
  std::set<std::string> dynamic_driver_attributes(const std::string& driver) const;
  std::set<std::string> dynamic_target_attributes(const std::string& driver) const;

  bool handler_exists(const std::string& handler) const;
  bool device_exists(const std::string& device) const;
  bool driver_exists(const std::string& driver) const;
  bool target_exists(const std::string& driver, const std::string& target) const;
  bool group_exists(const LunOwner& group) const;
  bool lun_exists(const LunOwner& owner, const std::string& lun) const;
  // The value of `enabled` of a driver or target, by its path; nothing when it has no such attribute.
  std::optional<std::string> enabled(const std::string& path) const;
  // Whether the driver makes and removes targets by command.
  bool makes_targets(const std::string& driver) const;
  bool is_virtual_target(const std::string& driver, const std::string& target) const;

  Code open_device(const std::string& handler, const std::string& device, const Parameters& parameters);
  Code close_device(const std::string& handler, const std::string& device);
  Code add_target(const std::string& driver, const std::string& target, const Parameters& parameters);
  // Closes the sessions first and waits for their end.
  Code remove_target(const std::string& driver, const std::string& target);
  Code add_group(const LunOwner& group);
  Code remove_group(const LunOwner& group);
  Code add_initiator(const LunOwner& group, const std::string& initiator);
  Code remove_initiator(const LunOwner& group, const std::string& initiator);
  Code move_initiator(const LunOwner& from, const std::string& initiator, const std::string& to);
  Code clear_initiators(const LunOwner& group);
  Code add_lun(const LunOwner& owner, const std::string& device, const std::string& lun, const Parameters& parameters);
  Code remove_lun(const LunOwner& owner, const std::string& lun);
  Code replace_lun(const LunOwner& owner, const std::string& device, const std::string& lun,
                   const Parameters& parameters);
  Code clear_luns(const LunOwner& owner);
  Code add_device_group(const std::string& group);
  Code remove_device_group(const std::string& group);
  Code add_group_device(const std::string& group, const std::string& device);
  Code remove_group_device(const std::string& group, const std::string& device);
  Code add_target_group(const std::string& group, const std::string& target_group);
  Code remove_target_group(const std::string& group, const std::string& target_group);
  Code add_member(const std::string& group, const std::string& target_group, const std::string& member);
  Code remove_member(const std::string& group, const std::string& target_group, const std::string& member);

  Code set_scst_attribute(const std::string& name, const std::string& value);
  Code set_handler_attribute(const std::string& handler, const std::string& name, const std::string& value);
  Code set_device_attribute(const std::string& device, const std::string& name, const std::string& value);
  Code set_driver_attribute(const std::string& driver, const std::string& name, const std::string& value);
  Code set_target_attribute(const std::string& driver, const std::string& target, const std::string& name,
                            const std::string& value);
  Code set_group_attribute(const LunOwner& group, const std::string& name, const std::string& value);
  Code set_lun_attribute(const LunOwner& owner, const std::string& lun, const std::string& name,
                         const std::string& value);
  Code set_alua_attribute(const std::string& name, const std::string& value);
  Code set_device_group_attribute(const std::string& group, const std::string& name, const std::string& value);
  Code set_target_group_attribute(const std::string& group, const std::string& target_group, const std::string& name,
                                  const std::string& value);
  Code set_member_attribute(const std::string& group, const std::string& target_group, const std::string& member,
                            const std::string& name, const std::string& value);
  Code change_dynamic_driver_attribute(bool add, const std::string& driver, const std::string& name,
                                       const std::string& value);
  Code change_dynamic_target_attribute(bool add, const std::string& driver, const std::string& target,
                                       const std::string& name, const std::string& value);

 private:
  struct Check {
    bool holds;
    Code otherwise;
  };
  using Checks = std::vector<Check>;
  struct AttributeCodes {
    Code unknown;
    Code is_static;
    Code failed;
  };

  base::Status send(const std::string& path, const std::string& text);
  // kOk when the command succeeds, else what the first check that does not hold says, else `failed`.
  static Code first_failed(const Checks& checks, Code failed);
  // `checks` are made only when the write fails.
  Code set_attribute(const std::string& path, const std::string& text, const std::function<Checks()>& checks,
                     AttributeCodes codes);
  base::Result<std::set<std::string>> parameters_of(const std::string& mgmt_path) const;
  std::set<std::string> names_of(const std::string& mgmt_path, std::string_view prefix) const;
  std::string missing(const LunOwner& owner) const;
  std::string missing_group(const std::string& group, const std::string& target_group) const;
  base::Result<Attributes> attributes_or(std::string_view what, ObjectKind kind, const std::string& path,
                                         const std::function<std::string()>& missing, bool for_show = true) const;
  bool has(base::Result<std::vector<std::string>> names, const std::string& name) const;
  bool close_sessions(const std::string& target_path);

  Tree& tree_;
  Console& console_;
  bool debug_;
};

}  // namespace uscst::scstadmin
