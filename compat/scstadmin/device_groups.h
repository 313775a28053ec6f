// The part of -config that deals with ALUA: device groups, target groups and their members.
#pragma once

#include "compat/scstadmin/actions.h"
#include "compat/scstadmin/conf.h"
#include "compat/scstadmin/current.h"

namespace uscst::scstadmin {

// Answers the number of changes. Removes what is not in the configuration only with -force.
base::Result<int> apply_device_groups(Actions& actions, const Current& current, const ConfNode& conf);

}  // namespace uscst::scstadmin
