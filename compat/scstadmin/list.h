// The -list_* options: what there is, as tables of text. Each answers scstadmin's exit status.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compat/scstadmin/console.h"
#include "compat/scstadmin/scst.h"

namespace uscst::scstadmin {

// `text` with blanks behind it up to `width` bytes.
std::string padded(std::string_view text, std::size_t width);

void list_all_handlers(Scst& scst, Console& console);
// Devices of a handler, or of all handlers when the name is empty.
void list_devices(Scst& scst, Console& console, const std::string& handler);
void list_all_drivers(Scst& scst, Console& console);
// Targets of a driver, or of all drivers when the name is empty.
void list_driver_targets(Scst& scst, Console& console, const std::string& driver);
// LUNs and initiators of a target or group.
int list_lun_owner(Scst& scst, Console& console, const LunOwner& owner);
// The same for all targets and groups that match; empty names match all.
int list_lun_owners(Scst& scst, Console& console, const LunOwner& wanted);
void list_sessions(Scst& scst, Console& console);
void list_all_device_groups(Scst& scst, Console& console);
void list_device_group(Scst& scst, Console& console, const std::string& group);
void list_target_groups_of(Scst& scst, Console& console, const std::string& group);
void list_target_group(Scst& scst, Console& console, const std::string& group, const std::string& target_group);

// A table of attributes; without `nonkey` only those marked [key].
void list_attributes(Console& console, const Attributes& attributes, bool nonkey);
// The names that can be given when an object is made, under a heading; false when there are none.
bool list_parameters(Console& console, std::string_view heading, const std::set<std::string>& names);

}  // namespace uscst::scstadmin
