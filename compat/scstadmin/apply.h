// -check_config, -config and -clear_config: what a configuration means for the tree, and making it so.
//
// Objects are handled in the order of their names, so that a run of the same file does the same each time.
#pragma once

#include <string>

#include "compat/scstadmin/actions.h"
#include "compat/scstadmin/conf.h"
#include "compat/scstadmin/current.h"

namespace uscst::scstadmin {

// Prints what is wrong with `conf` and takes out of it what cannot be used. True when it can be applied.
bool check_conf(Scst& scst, Console& console, const Current& current, ConfNode& conf);

// "Collecting current configuration"; an error when an initiator is in two groups of a target, unless forced.
base::Result<Current> collect(Scst& scst, Console& console, bool force);

// Brings the tree to `conf`. Removes what is not in it only with -force.
base::Status apply_conf(Actions& actions, Current current, const ConfNode& conf);

base::Status clear_configuration(Actions& actions, const Current& current);

}  // namespace uscst::scstadmin
