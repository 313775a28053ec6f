// scstadmin as a whole: a command line and a tree in, text and an exit status out. main() gives it the real ones, tests
// others.
#pragma once

#include <span>
#include <string>

#include "compat/scstadmin/console.h"
#include "compat/scstadmin/options.h"
#include "compat/scstadmin/tree.h"

namespace uscst::scstadmin {

inline constexpr const char* kDefaultConf = "/etc/scst.conf";

inline constexpr int kPlanHasChanges = 2;

// Runs what `options` ask for. Answers the exit status.
int run_options(const Options& options, Tree& tree, Console& console);

}  // namespace uscst::scstadmin
