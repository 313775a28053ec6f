#include "compat/scstadmin/plan.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "compat/scstadmin/apply.h"

namespace uscst::scstadmin {
namespace {

struct Session {
  LunOwner target;
  std::string name;
  std::string initiator;
  LunOwner owner;  // whose LUNs it sees
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// The group that a session's link `luns` ("../../ini_groups/GROUP/luns") leads to; empty for the target's own LUNs.
std::string group_of(const std::string& link) {
  constexpr std::string_view kGroups = "/ini_groups/";
  const std::size_t start = link.find(kGroups);
  if (start == std::string::npos) return {};
  const std::string rest = link.substr(start + kGroups.size());
  return rest.substr(0, rest.find('/'));
}

std::vector<Session> sessions_of(const Tree& tree, const LunOwner& target) {
  std::vector<Session> out;
  const std::string path = join_path({target.target_path(), "sessions"});
  std::vector<std::string> names = list_directories(tree, path).value_or(std::vector<std::string>());
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::string initiator = first_line(tree.read(join_path({path, name, "initiator_name"})).value_or(name));
    const std::string link = tree.link(join_path({path, name, "luns"})).value_or("");
    out.push_back({target, name, initiator, {target.driver, target.target, group_of(link)}});
  }
  return out;
}

bool takes(const Tree& tree, const LunOwner& group, const std::string& initiator) {
  const std::vector<std::string> patterns = list_initiators(tree, group.path()).value_or(std::vector<std::string>());
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches_initiator(pattern, initiator); });
}

// Where the session belongs in `tree`. The order in which groups were made, which decides between two that match, is
// not in the tree: the group it is in comes first, others by name.
LunOwner owner_in(const Tree& tree, const Session& session) {
  LunOwner owner = session.owner;
  if (!owner.group.empty() && tree.is_directory(owner.path()) && takes(tree, owner, session.initiator)) return owner;
  for (const std::string& group : list_groups(tree, owner.target_path()).value_or(std::vector<std::string>())) {
    owner.group = group;
    if (takes(tree, owner, session.initiator)) return owner;
  }
  owner.group.clear();
  return owner;
}

class Effects {
 public:
  Effects(const Tree& now, const PlannedTree& then) : now_(now), then_(then) {}

  SessionEffect of(const Session& session) const {
    SessionEffect effect{fmt::format("{}: {}", session.target.label(), session.name), {}, {}};
    if (ends(session)) {
      effect.harmful.emplace_back("ends");
      return effect;
    }
    const LunOwner owner = owner_in(then_, session);
    const Luns before = list_luns(now_, session.owner.path()).value_or(Luns());
    const Luns after = list_luns(then_, owner.path()).value_or(Luns());
    compare(before, after, owner, effect);
    const auto place = [](const LunOwner& o) { return o.group.empty() ? std::string("no group") : "group " + o.group; };
    if (owner.group != session.owner.group)
      effect.harmless.push_back(fmt::format("moves from {} to {}", place(session.owner), place(owner)));
    for (const auto& [lun, device] : before) {
      const std::string active = join_path({"devices", device, "active"});
      for (const Step& step : then_.steps()) {
        if (step.object == active && step.value == "0")
          effect.harmful.push_back(fmt::format("LUN {} ({}) stops answering", lun, device));
      }
    }
    return effect;
  }

 private:
  bool ends(const Session& session) const {
    const std::string path = session.target.target_path();
    const std::string enabled = join_path({path, "enabled"});
    if (!then_.is_directory(path)) return true;
    return std::any_of(then_.steps().begin(), then_.steps().end(), [&](const Step& step) {
      const bool disables = step.object == enabled && step.value.find_first_not_of("0") == std::string::npos;
      return disables || step.object == join_path({path, "sessions", session.name});
    });
  }

  void compare(const Luns& before, const Luns& after, const LunOwner& owner, SessionEffect& effect) const {
    for (const auto& [lun, device] : before) {
      const auto kept = after.find(lun);
      if (kept == after.end()) {
        effect.harmful.push_back(fmt::format("loses LUN {} ({})", lun, device));
      } else if (kept->second != device) {
        effect.harmful.push_back(fmt::format("LUN {} becomes another device ({} -> {})", lun, device, kept->second));
      } else if (then_.is_planned(join_path({owner.path(), "luns", lun})) ||
                 then_.is_planned(join_path({"devices", device}))) {
        // In a group that is new to the session it may keep the LUN; one that is removed and made again it does not.
        const bool stays = then_.is_directory(join_path({"devices", device})) &&
                           !then_.is_planned(join_path({"devices", device})) && is_new_owner(owner);
        if (!stays) effect.harmful.push_back(fmt::format("LUN {} ({}) is removed and made again", lun, device));
      }
    }
    for (const auto& [lun, device] : after) {
      if (!before.contains(lun)) effect.harmless.push_back(fmt::format("gains LUN {} ({})", lun, device));
    }
  }

  bool is_new_owner(const LunOwner& owner) const { return then_.is_planned(owner.path()); }

  const Tree& now_;
  const PlannedTree& then_;
};

// Lines about what -config leaves as it is, and its warnings.
std::vector<std::string> lines_left(const std::string& printed) {
  std::vector<std::string> out;
  std::istringstream in(printed);
  constexpr std::string_view kArrow = "-> ";
  for (std::string line; std::getline(in, line);) {
    const std::size_t arrow = line.find(kArrow);
    if (arrow == std::string::npos) continue;
    if (line.find("Use -force") != std::string::npos || line.find("WARNING") != std::string::npos)
      out.push_back(line.substr(arrow + kArrow.size()));
  }
  return out;
}

char sign_of(Step::Kind kind) { return kind == Step::Kind::kAdd ? '+' : kind == Step::Kind::kRemove ? '-' : '~'; }

}  // namespace

bool matches_initiator(std::string_view pattern, std::string_view name) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  while (!pattern.empty()) {
    if (pattern.front() == '!') return !matches_initiator(pattern.substr(1), name);
    if (pattern.front() == '*') {
      pattern.remove_prefix(1);
      for (std::size_t skip = 0; skip <= name.size(); ++skip) {
        if (matches_initiator(pattern, name.substr(skip))) return true;
      }
      return false;
    }
    if (name.empty() || (pattern.front() != '?' && lower(pattern.front()) != lower(name.front()))) return false;
    pattern.remove_prefix(1);
    name.remove_prefix(1);
  }
  return name.empty();
}

bool has_sessions(const Tree& tree, const Current& current) {
  for (const auto& [driver, targets] : current.drivers) {
    if (driver == "copy_manager") continue;
    for (const auto& [target, content] : targets) {
      const base::Result<std::vector<std::string>> names =
          list_directories(tree, join_path({"targets", driver, target, "sessions"}));
      if (names && !names->empty()) return true;
    }
  }
  return false;
}

bool Plan::is_harmful() const {
  return std::any_of(sessions.begin(), sessions.end(), [](const SessionEffect& s) { return !s.harmful.empty(); });
}

Plan make_plan(Tree& tree, const Current& current, const ConfNode& conf, Flags flags) {
  PlannedTree planned(tree);
  std::ostringstream out, err;
  std::istringstream nothing;
  Console console(out, err, nothing);
  flags.debug = false;
  Scst scst(planned, console, false);
  Actions actions(scst, console, flags);
  Plan plan;
  const base::Status done = apply_conf(actions, current, conf);
  if (!done) plan.error = done.error().text;
  plan.steps = planned.steps();
  plan.left = lines_left(out.str());
  if (plan.steps.empty()) return plan;
  const Effects effects(tree, planned);
  for (const auto& [driver, targets] : current.drivers) {
    if (driver == "copy_manager") continue;
    for (const auto& [target, content] : targets) {
      for (const Session& session : sessions_of(tree, {driver, target})) {
        SessionEffect effect = effects.of(session);
        if (!effect.harmless.empty() || !effect.harmful.empty()) plan.sessions.push_back(std::move(effect));
      }
    }
  }
  return plan;
}

std::string plan_text(const Plan& plan, bool force) {
  std::string text;
  int added = 0, removed = 0, changed = 0;
  for (const Step& step : plan.steps) {
    text += fmt::format("\t{} {}\n", sign_of(step.kind), step.what);
    (step.kind == Step::Kind::kAdd ? added : step.kind == Step::Kind::kRemove ? removed : changed) += 1;
  }
  if (!plan.sessions.empty()) text += "\nSessions:\n";
  for (const SessionEffect& effect : plan.sessions) {
    for (const std::string& what : effect.harmful) text += fmt::format("\t! {} {}\n", effect.session, what);
    for (const std::string& what : effect.harmless) text += fmt::format("\t  {} {}\n", effect.session, what);
  }
  if (!plan.left.empty()) text += "\nLeft as it is:\n";
  for (const std::string& line : plan.left) text += fmt::format("\t{}\n", line);
  if (!plan.error.empty()) text += fmt::format("\nIt would stop there: {}\n", plan.error);
  const auto hurt = std::count_if(plan.sessions.begin(), plan.sessions.end(),
                                  [](const SessionEffect& s) { return !s.harmful.empty(); });
  text += fmt::format("{}Plan{}: {} to add, {} to change, {} to remove; {} session(s) affected, {} of them hurt.\n",
                      text.empty() ? "" : "\n", force ? " with -force" : "", added, changed, removed,
                      plan.sessions.size(), hurt);
  return text;
}

std::string harm_text(const Plan& plan) {
  std::string text;
  for (const SessionEffect& effect : plan.sessions) {
    for (const std::string& what : effect.harmful) text += fmt::format("\t-> Session {} {}.\n", effect.session, what);
  }
  return text;
}

}  // namespace uscst::scstadmin
