// Operations on the tree as the user sees them: each says what it does, does it, says "done." and decides whether to go
// on.
//
// A Status with an error means: stop and print it as FATAL. With -cont_on_err failures are printed and the work goes
// on. Made by main(), one thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compat/scstadmin/conf.h"
#include "compat/scstadmin/console.h"
#include "compat/scstadmin/current.h"
#include "compat/scstadmin/scst.h"

namespace uscst::scstadmin {

struct Flags {
  bool force = false;
  bool noprompt = false;
  bool cont_on_err = false;
  bool nonkey = false;
  bool debug = false;
};

// Attributes to set, each with its values; no value at all is one empty value.
using Wanted = std::map<std::string, std::vector<std::string>>;

// The attributes among the children of a section, without the names in `skip`. An error when one of them has a section
// of its own.
base::Result<Wanted> wanted_attributes(const ConfNode& section, const std::set<std::string>& skip = {});
Parameters as_parameters(const Wanted& wanted);
// Keeps the names in `names`, or those that are not there.
void keep(Wanted& wanted, const std::set<std::string>& names);
void drop(Wanted& wanted, const std::set<std::string>& names);

class Actions {
 public:
  Actions(Scst& scst, Console& console, const Flags& flags) : scst_(scst), console_(console), flags_(flags) {}

  Scst& scst() { return scst_; }
  Console& console() { return console_; }
  const Flags& flags() const { return flags_; }

  // Prints a warning that something was answered; false when there is nothing to warn of.
  bool warn(std::string_view text);
  // True when the user says yes, or need not be asked.
  bool confirmed();
  base::Status stop_unless_ok(Code code);
  base::Status stop(std::string text);

  base::Status open_device(const std::string& handler, const std::string& device, const Wanted& parameters);
  // Refuses when the device is a LUN somewhere, unless `force`.
  base::Status close_device(const std::string& handler, const std::string& device, bool force);
  Code add_target(const std::string& driver, const std::string& target, const Wanted& parameters);
  Code remove_target(const std::string& driver, const std::string& target);
  base::Status add_group(const LunOwner& group);
  base::Status remove_group(const LunOwner& group, bool force);
  // Does nothing when the initiator is in a group of `current` already.
  base::Status add_initiator(const Current& current, const LunOwner& group, const std::string& initiator);
  base::Status remove_initiator(const LunOwner& group, const std::string& initiator);
  base::Status move_initiator(const LunOwner& from, const std::string& initiator, const std::string& to);
  base::Status clear_initiators(const LunOwner& group);
  base::Status add_lun(const LunOwner& owner, const std::string& device, const std::string& lun,
                       const Wanted& parameters);
  base::Status remove_lun(const LunOwner& owner, const std::string& lun);
  base::Status replace_lun(const LunOwner& owner, const std::string& device, const std::string& lun,
                           const Wanted& parameters);
  base::Status clear_luns(const LunOwner& owner);
  base::Status add_device_group(const std::string& group);
  base::Status remove_device_group(const std::string& group, bool force);
  base::Status add_group_device(const std::string& group, const std::string& device);
  base::Status remove_group_device(const std::string& group, const std::string& device, bool force);
  base::Status add_target_group(const std::string& group, const std::string& target_group);
  base::Status remove_target_group(const std::string& group, const std::string& target_group, bool force);
  base::Status add_member(const std::string& group, const std::string& target_group, const std::string& member);
  base::Status remove_member(const std::string& group, const std::string& target_group, const std::string& member);

  // Each answers how many attributes were changed. `tell_same`: also say what is set already.
  base::Result<int> set_scst_attributes(const Wanted& wanted, bool tell_same);
  base::Result<int> set_handler_attributes(const std::string& handler, const Wanted& wanted, bool tell_same);
  base::Result<int> set_device_attributes(const std::string& device, const Wanted& wanted, bool tell_same);
  base::Result<int> set_driver_attributes(const std::string& driver, const Wanted& wanted, bool remove_others);
  base::Result<int> set_target_attributes(const std::string& driver, const std::string& target, const Wanted& wanted,
                                          bool remove_others);
  base::Result<int> set_group_attributes(const LunOwner& group, const Wanted& wanted, bool tell_same);
  base::Result<int> set_lun_attributes(const LunOwner& owner, const std::string& lun, const Wanted& wanted,
                                       bool tell_same);
  base::Result<int> set_alua_attributes(const Wanted& wanted);
  base::Result<int> set_device_group_attributes(const std::string& group, const Wanted& wanted, bool tell_same);
  base::Result<int> set_target_group_attributes(const std::string& group, const std::string& target_group,
                                                const Wanted& wanted, bool tell_same);
  base::Result<int> set_member_attributes(const std::string& group, const std::string& target_group,
                                          const std::string& member, const Wanted& wanted, bool tell_same);
  base::Status set_target_attribute(const std::string& driver, const std::string& target, const std::string& name,
                                    const std::string& value);
  Code set_driver_attribute(const std::string& driver, const std::string& name, const std::string& value);
  base::Status change_dynamic_driver_attribute(bool add, const std::string& driver, const std::string& name,
                                               const std::string& value);
  base::Status change_dynamic_target_attribute(bool add, const std::string& driver, const std::string& target,
                                               const std::string& name, const std::string& value);
  // Takes away all dynamic attributes of a driver that has such things.
  base::Status clear_dynamic_driver_attributes(const std::string& driver);

 private:
  // An object whose attributes can be set, and the words to say so.
  struct Settable {
    base::Result<Attributes> existing;
    std::string lacking;  // "\t-> WARNING: ... attribute '{}'", up to the name
    std::string kind;     // "device" in "Setting device attribute"
    std::string suffix;   // " for device 'd'"
    std::function<Code(const std::string& name, const std::string& value)> set;
  };
  // A driver or target, which can have attributes that come and go.
  struct Dynamic {
    base::Result<Attributes> existing;
    std::string subject;  // "Driver 'd'"
    std::string kind;     // "Driver"
    std::set<std::string> names;
    std::function<base::Result<bool>(const std::string&, const std::string&)> set;  // true: counts as a change
    std::function<base::Status(bool add, const std::string&, const std::string&)> change;
  };

  base::Result<int> set_attributes(const Settable& object, const Wanted& wanted, bool tell_same);
  base::Result<int> set_dynamic(const Dynamic& object, const Wanted& wanted, bool remove_others);
  base::Result<int> handle_others(const Dynamic& object, const std::map<std::string, std::set<std::string>>& others,
                                  bool remove);
  void list_exports(const std::string& device);

  Scst& scst_;
  Console& console_;
  Flags flags_;
};

}  // namespace uscst::scstadmin
