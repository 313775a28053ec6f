// Initiator groups: who is shown which LUNs. Every change suspends activity and gives each session the group that its
// name selects then.
#include <algorithm>

#include "engine/target/registry.h"

namespace uscst::target {

namespace {

bool shows_the_same(const LunMap& a, const LunMap& b) {
  return std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const LunMap::Entry& x, const LunMap::Entry& y) {
                      return x.nexus_lun == y.nexus_lun && x.read_only == y.read_only;
                    });
}

}  // namespace

bool Registry::has_sessions(const AccessGroup& group) const {
  const auto& sessions = group.target().sessions();
  return std::any_of(sessions.begin(), sessions.end(),
                     [&](const auto& session) { return &session->group() == &group; });
}

void Registry::reassign_sessions() {
  for (Driver* driver : drivers_) {
    for (const auto& target : driver->targets()) {
      for (const auto& session : target->sessions()) {
        AccessGroup& group = target->group_for(session->initiator_name());
        if (&group == session->group_) continue;
        log_.info("target {}: session {} moves to group '{}'", target->name(), session->name(), group.name());
        session->group_ = &group;
        std::shared_ptr<const LunMap> before = session->lun_map();
        renew_lun_map(*session, true);
        if (!shows_the_same(*before, *session->lun_map())) tell_luns_changed(*session);
        target->publish_lun_map(*session);
      }
    }
  }
}

void Registry::create_group(Target& target, const std::string& name, Done done) {
  if (!target.driver().has_groups())
    return done(base::fail(EINVAL, fmt::format("target {} has no initiator groups", target.name())));
  auto create = [this, id = target.id(), name]() -> base::Status {
    Target* still = find_target(id);
    if (!still) return {};
    if (still->find_group(name))
      return base::fail(EEXIST, fmt::format("target {}: group {} exists already", still->name(), name));
    still->groups_.push_back(std::make_unique<AccessGroup>(*still, name, next_id()));
    return {};
  };
  while_suspended(std::move(create), std::move(done));
}

void Registry::delete_group(Target& target, std::string_view name, Done done) {
  AccessGroup* group = target.find_group(name);
  if (!settings.forcibly_close_sessions || !group || !has_sessions(*group))
    return erase_group(target, name, std::move(done));
  if (auto closed = close_sessions(*group); !closed) return done(std::move(closed));
  group_deletions_.push_back({target.id(), group->id(), std::string(name), std::move(done)});
}

// Whoever logs in from now on gets another group.
base::Status Registry::close_sessions(AccessGroup& group) {
  std::vector<SessionTransport*> closing;
  for_each_session(group, [&](Session& session) { closing.push_back(session.transport); });
  if (!std::ranges::all_of(closing, &SessionTransport::can_close))
    return base::fail(EBUSY, fmt::format("group {}: the sessions of target {} cannot be closed", group.name(),
                                         group.target().name()));
  group.deleting = true;
  for (SessionTransport* transport : closing) transport->close();
  return {};
}

void Registry::session_removed() {
  std::vector<GroupDeletion> waiting = std::exchange(group_deletions_, {});
  for (GroupDeletion& deletion : waiting) {
    Target* target = find_target(deletion.target_id);
    AccessGroup* group = target ? target->find_group(deletion.name) : nullptr;
    if (!group || group->id() != deletion.group_id) {
      deletion.done({});
    } else if (has_sessions(*group)) {
      group_deletions_.push_back(std::move(deletion));
    } else {
      auto erased = [this, id = deletion.target_id, name = deletion.name,
                     done = std::move(deletion.done)](base::Status status) mutable {
        Target* still = status ? nullptr : find_target(id);
        if (AccessGroup* kept = still ? still->find_group(name) : nullptr) kept->deleting = false;
        done(std::move(status));
      };
      erase_group(*target, deletion.name, std::move(erased));
    }
  }
}

void Registry::erase_group(Target& target, std::string_view name, Done done) {
  auto erase = [this, id = target.id(), name = std::string(name)]() -> base::Status {
    Target* still = find_target(id);
    if (!still) return {};
    AccessGroup* group = still->find_group(name);
    if (!group) return base::fail(EINVAL, fmt::format("target {}: there is no group '{}'", still->name(), name));
    if (has_sessions(*group)) {
      return base::fail(EBUSY, fmt::format("target {}: group {} has sessions; close them or move their names first",
                                           still->name(), name));
    }
    while (!group->luns.empty()) unmap_lun(*group, group->luns.begin()->first);
    std::erase_if(still->groups_, [&](const auto& g) { return g.get() == group; });
    return {};
  };
  while_suspended(std::move(erase), std::move(done));
}

void Registry::add_initiator(AccessGroup& group, const std::string& pattern, Done done) {
  change_initiators(
      group,
      [pattern](AccessGroup& g) -> base::Status {
        if (std::find(g.initiators.begin(), g.initiators.end(), pattern) != g.initiators.end()) {
          return base::fail(EEXIST, fmt::format("group {}: initiator {} is there already", g.name(), pattern));
        }
        g.initiators.push_back(pattern);
        return {};
      },
      std::move(done));
}

void Registry::delete_initiator(AccessGroup& group, std::string_view pattern, Done done) {
  change_initiators(
      group,
      [pattern = std::string(pattern)](AccessGroup& g) -> base::Status {
        if (std::erase(g.initiators, pattern) == 0) {
          return base::fail(EINVAL, fmt::format("group {}: there is no initiator '{}'", g.name(), pattern));
        }
        return {};
      },
      std::move(done));
}

void Registry::move_initiator(AccessGroup& group, std::string_view pattern, std::string_view destination, Done done) {
  change_initiators(
      group,
      [pattern = std::string(pattern), to = std::string(destination)](AccessGroup& g) -> base::Status {
        AccessGroup* other = g.target().find_group(to);
        if (!other) return base::fail(EINVAL, fmt::format("target {}: there is no group '{}'", g.target().name(), to));
        if (std::find(g.initiators.begin(), g.initiators.end(), pattern) == g.initiators.end()) {
          return base::fail(EINVAL, fmt::format("group {}: there is no initiator '{}'", g.name(), pattern));
        }
        if (std::find(other->initiators.begin(), other->initiators.end(), pattern) != other->initiators.end()) {
          return base::fail(EEXIST, fmt::format("group {}: initiator {} is there already", to, pattern));
        }
        std::erase(g.initiators, pattern);
        other->initiators.push_back(pattern);
        return {};
      },
      std::move(done));
}

void Registry::clear_initiators(AccessGroup& group, Done done) {
  change_initiators(
      group,
      [](AccessGroup& g) -> base::Status {
        g.initiators.clear();
        return {};
      },
      std::move(done));
}

// The group or its target may have been deleted while the change waited for running commands: then there is nothing to
// do.
void Registry::change_initiators(AccessGroup& group, std::move_only_function<base::Status(AccessGroup&)> change,
                                 Done done) {
  auto apply = [this, id = group.target().id(), name = group.name(),
                change = std::move(change)]() mutable -> base::Status {
    Target* target = find_target(id);
    AccessGroup* still = target ? target->find_group(name) : nullptr;
    if (!still) return {};
    base::Status status = change(*still);
    if (status) reassign_sessions();
    return status;
  };
  while_suspended(std::move(apply), std::move(done));
}

}  // namespace uscst::target
