#include "engine/target/target.h"

#include <algorithm>
#include <utility>

#include "engine/target/device.h"
#include "engine/target/device_groups.h"
#include "engine/target/registry.h"

namespace uscst::target {

Target::Target(Registry& registry, Driver& driver, std::string name)
    : registry_(registry), driver_(driver), name_(std::move(name)), id_(registry.next_id()), default_group_(*this, "") {
  transport_version = driver.version_descriptor();
}

Target::~Target() { registry_.device_groups().forget(*this); }

AccessGroup* Target::find_group(std::string_view name) {
  auto found = std::find_if(groups_.begin(), groups_.end(), [&](const auto& group) { return group->name() == name; });
  return found == groups_.end() ? nullptr : found->get();
}

AccessGroup& Target::group_for(std::string_view initiator_name) {
  auto found = std::find_if(groups_.begin(), groups_.end(),
                            [&](const auto& group) { return !group->deleting && group->selects(initiator_name); });
  return found == groups_.end() ? default_group_ : **found;
}

Session* Target::find_session(std::string_view name) {
  auto found =
      std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& session) { return session->name() == name; });
  return found == sessions_.end() ? nullptr : found->get();
}

std::string Target::free_session_name(const std::string& initiator_name) {
  std::string name = initiator_name;
  for (unsigned suffix = 1; find_session(name); ++suffix) name = initiator_name + '_' + std::to_string(suffix);
  return name;
}

std::shared_ptr<Session> Target::add_session(const std::string& initiator_name, std::shared_ptr<Nexus> nexus,
                                             Shard& shard, SessionTransport& transport) {
  auto session = std::make_shared<Session>(*this, registry_.next_id(), initiator_name,
                                           free_session_name(initiator_name), std::move(nexus), shard);
  session->transport = &transport;
  session->group_ = &group_for(initiator_name);
  renew_lun_map(*session);
  session->tasks_->set_lun_map(session->lun_map_);
  session->tasks_->measure_latency(registry_.settings.measure_latency);
  ++session->nexus().sessions;
  sessions_.push_back(session);
  return session;
}

void Target::remove_session(Session& session) {
  Nexus& nexus = session.nexus();
  const auto keep = session.nexus_pointer();
  if (std::erase_if(sessions_, [&](const auto& s) { return s.get() == &session; }) == 0) return;
  --nexus.sessions;
  for (const LunMap::Entry& entry : session.lun_map_->entries) {
    entry.nexus_lun->device().give_thread_index(entry.thread_index);
  }
  registry_.session_removed();
}

std::shared_ptr<Nexus> Target::find_nexus(const NexusKey& key) {
  auto found = nexuses_.find(key);
  return found == nexuses_.end() ? nullptr : found->second.lock();
}

std::shared_ptr<Nexus> Target::make_nexus(const NexusKey& key) {
  std::erase_if(nexuses_, [](const auto& entry) { return entry.second.expired(); });
  auto nexus = std::make_shared<Nexus>(registry_.next_id(), key);
  nexuses_[key] = nexus;
  return nexus;
}

std::shared_ptr<const LunMap> Target::make_lun_map(Session& session) {
  auto map = std::make_shared<LunMap>();
  const AccessGroup& group = session.group();
  map->version = registry_.next_id();
  map->address_method = group.address_method;
  map->black_hole = group.black_hole;
  for (const auto& [number, lun] : group.luns) map->entries.set(lun_map_entry(session, lun));
  return map;
}

// A LUN keeps its thread index as long as it shows the same device.
LunMap::Entry Target::lun_map_entry(Session& session, const Lun& lun) {
  auto nexus_lun = session.nexus().at(lun.number, lun.device);
  nexus_lun->alua_state = registry_.device_groups().state_of(*this, *lun.device);
  const LunMap::Entry* before = session.lun_map_ ? session.lun_map_->find(lun.number) : nullptr;
  const bool same = before && before->nexus_lun == nexus_lun;
  return {.lun = lun.number,
          .read_only = lun.read_only || lun.device->unit().read_only(),
          .sequence = lun.sequence,
          .nexus_lun = std::move(nexus_lun),
          .thread_index = same ? before->thread_index : lun.device->take_thread_index()};
}

void Target::leave_if_gone(const LunMap::Entry& entry, const LunMap& now) {
  const LunMap::Entry* found = now.find(entry.lun);
  if (!found || found->nexus_lun != entry.nexus_lun) entry.nexus_lun->device().give_thread_index(entry.thread_index);
}

void Target::renew_lun_map(Session& session) {
  const auto before = std::exchange(session.lun_map_, make_lun_map(session));
  if (!before) return;
  for (const LunMap::Entry& entry : before->entries) leave_if_gone(entry, *session.lun_map_);
}

void Target::renew_lun_map(Session& session, std::uint16_t changed_lun) {
  auto map = std::make_shared<LunMap>(*session.lun_map_);
  map->version = registry_.next_id();
  const LunMap::Entry* before = session.lun_map_->find(changed_lun);
  const auto& luns = session.group().luns;
  if (auto found = luns.find(changed_lun); found != luns.end()) {
    map->entries.set(lun_map_entry(session, found->second));
  } else {
    map->entries.erase(changed_lun);
  }
  if (before) leave_if_gone(*before, *map);
  session.lun_map_ = std::move(map);
}

// The reactor takes the map over in its own time; what runs under the old one is the caller's to wait for.
void Target::publish_lun_map(Session& session) {
  session.tasks_->shard().executor().post(
      [tasks = session.tasks_, map = session.lun_map_] { tasks->set_lun_map(map); });
}

Target* Driver::find_target(std::string_view name) {
  auto found =
      std::find_if(targets_.begin(), targets_.end(), [&](const auto& target) { return target->name() == name; });
  return found == targets_.end() ? nullptr : found->get();
}

Target& Driver::add_target(Registry& registry, std::string name) {
  return *targets_.emplace_back(std::make_unique<Target>(registry, *this, std::move(name)));
}

}  // namespace uscst::target
