// The configuration format of SCST 1 (`[HANDLER x]`, `[GROUP x]`, `[ASSIGNMENT x]`, `[TARGETS enable]`), converted to
// today's.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "compat/scstadmin/conf.h"
#include "compat/scstadmin/current.h"

namespace uscst::scstadmin {

struct OldConf {
  ConfNode conf;
  std::string notes;  // for the user, complete lines
};

// `current` tells which targets there are, `creators` which drivers make targets. ENODEV when a target to enable is not
// known.
base::Result<OldConf> convert_old_conf(std::string_view text, const Current& current,
                                       const std::set<std::string>& creators);

}  // namespace uscst::scstadmin
