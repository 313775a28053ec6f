// The part of -config that deals with targets: their LUNs, initiator groups, initiators and attributes.
#pragma once

#include "compat/scstadmin/actions.h"
#include "compat/scstadmin/conf.h"
#include "compat/scstadmin/current.h"

namespace uscst::scstadmin {

// Whether creation parameters differ from what the object has now.
bool parameters_differ(const Wanted& wanted, const Attributes& now);

// LUNs and groups that are not in the configuration, or are there with other parameters: with -force they go (or are
// made again), without it they are named. Answers the number of changes.
base::Result<int> remove_assignments(Actions& actions, const Current& current, const ConfNode& conf);

// Targets, LUNs, groups, initiators and attributes that are in the configuration.
base::Result<int> add_assignments(Actions& actions, const Current& current, const ConfNode& conf);

}  // namespace uscst::scstadmin
