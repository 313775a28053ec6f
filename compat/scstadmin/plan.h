// What -config would do, without doing it: -plan, and the look at live sessions before -config starts.
//
// A plan is the run of apply_conf() itself on a PlannedTree, so that it and -config cannot disagree about what has to
// be changed. What the tree refuses is not foreseen. One thread.
#pragma once

#include <string>
#include <vector>

#include "compat/scstadmin/actions.h"
#include "compat/scstadmin/conf.h"
#include "compat/scstadmin/current.h"
#include "compat/scstadmin/planned_tree.h"

namespace uscst::scstadmin {

// What happens to one session that is there now.
struct SessionEffect {
  std::string session;                // "driver/target: name"
  std::vector<std::string> harmless;  // "gains LUN 3 (disk1)"
  std::vector<std::string> harmful;   // "loses LUN 2 (disk2)", "ends"
};

struct Plan {
  std::vector<Step> steps;
  std::vector<SessionEffect> sessions;  // those that something happens to, in the order of their names
  std::vector<std::string> left;        // what -config says about things it leaves as they are
  std::string error;                    // where -config would stop, with `steps` what it does until then

  bool is_harmful() const;
};

Plan make_plan(Tree& tree, const Current& current, const ConfNode& conf, Flags flags);

std::string plan_text(const Plan& plan, bool force);
// The sessions that would be hurt, a line each.
std::string harm_text(const Plan& plan);

// Whether any initiator is logged in, the copy manager's own session left out.
bool has_sessions(const Tree& tree, const Current& current);

// Whether SCST takes `name` for what `pattern` means: `*`, `?` and `!`, upper and lower case alike.
bool matches_initiator(std::string_view pattern, std::string_view name);

}  // namespace uscst::scstadmin
