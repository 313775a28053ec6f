// LUNs of groups. A change is published to the reactors at once; what ran under the old map is waited for.
#include <algorithm>

#include "engine/target/registry.h"

namespace uscst::target {
namespace {

base::Status check_protection(const Target& target, const Device& device) {
  const Protection protection = device.unit().protection();
  if (protection.type == 0) return {};
  const ProtectionSupport support = target.driver().protection_support();
  const auto& sizes = support.block_bytes;
  std::string_view what;
  if (!support.supported) {
    what = "T10-PI";
  } else if (protection.checked_by_target && (support.target_types >> protection.type & 1) == 0) {
    what = "this type of T10-PI in mode tgt";
  } else if (!sizes.empty() && std::ranges::find(sizes, protection.block_bytes) == sizes.end()) {
    what = "T10-PI with this block size";
  } else {
    return {};
  }
  return base::fail(EINVAL, fmt::format("target {} doesn't support {} (device {}, type {})", target.name(), what,
                                        device.name(), protection.type));
}

base::Status check_lun(const AccessGroup& group, const Device& device, bool read_only) {
  auto status = check_protection(group.target(), device);
  return status ? group.target().driver().check_lun(device, read_only) : status;
}

}  // namespace

base::Result<std::shared_ptr<Device>> Registry::device_for_lun(const AccessGroup& group, std::string_view name) const {
  auto device = find_device(name);
  if (!device || device->deleting) {
    return base::fail(EINVAL, fmt::format("target {}: there is no device '{}'", group.target().name(), name));
  }
  return device;
}

void Registry::map_lun(AccessGroup& group, std::shared_ptr<Device> device, std::uint16_t lun, bool read_only) {
  device->add_export(group, lun);
  group.luns[lun] = Lun{lun, std::move(device), read_only, next_id()};
}

std::vector<std::shared_ptr<NexusLun>> Registry::unmap_lun(AccessGroup& group, std::uint16_t lun) {
  std::vector<std::shared_ptr<NexusLun>> leaving;
  for_each_session(group, [&](Session& session) {
    if (const LunMap::Entry* entry = session.lun_map()->find(lun)) leaving.push_back(entry->nexus_lun);
  });
  group.luns.at(lun).device->remove_export(group, lun);
  group.luns.erase(lun);
  return leaving;
}

void Registry::wait_for(std::vector<std::shared_ptr<NexusLun>> leaving, Done done) {
  if (leaving.empty()) return done({});
  auto select = [leaving = std::move(leaving)](const Command& command) {
    bool chosen = command.past_gate() && std::any_of(leaving.begin(), leaving.end(), [&](const auto& nexus_lun) {
                    return nexus_lun.get() == command.nexus_lun();
                  });
    return chosen ? SweepVerdict::kWait : SweepVerdict::kSkip;
  };
  drain(std::move(select), base::Duration::zero(), std::move(done));
}

void Registry::for_each_session(AccessGroup& group, const std::function<void(Session&)>& visit) {
  for (const auto& session : group.target().sessions()) {
    if (&session->group() == &group) visit(*session);
  }
}

void Registry::publish(AccessGroup& group, bool luns_changed) {
  for_each_session(group, [&](Session& session) {
    group.target().renew_lun_map(session);
    if (luns_changed) tell_luns_changed(session);
    group.target().publish_lun_map(session);
  });
}

void Registry::publish_lun(AccessGroup& group, std::uint16_t lun) {
  for_each_session(group, [&](Session& session) {
    group.target().renew_lun_map(session, lun);
    tell_luns_changed(session);
    group.target().publish_lun_map(session);
  });
}

void Registry::tell_luns_changed(Session& session) {
  if (!session.target().driver().tells_luns_changed()) return;
  for (const LunMap::Entry& entry : session.lun_map()->entries) entry.nexus_lun->raise(scsi::kUaReportedLunsChanged);
}

void Registry::renew_lun_map(Session& session, bool tell_exchanged) {
  std::shared_ptr<const LunMap> before = session.lun_map();
  session.target().renew_lun_map(session);
  for (const LunMap::Entry& entry : session.lun_map()->entries) {
    const LunMap::Entry* old = before->find(entry.lun);
    if (!old || &old->nexus_lun->device() == &entry.nexus_lun->device()) continue;
    entry.nexus_lun->drop_attention(scsi::kUaReset);  // a swap, not a new nexus
    if (tell_exchanged) entry.nexus_lun->raise(scsi::kUaInquiryDataChanged);
  }
}

void Registry::add_lun(AccessGroup& group, std::string_view device_name, std::uint16_t lun, bool read_only, Done done) {
  auto device = device_for_lun(group, device_name);
  if (!device) return done(std::unexpected(device.error()));
  if (group.luns.contains(lun)) {
    return done(base::fail(EEXIST, fmt::format("target {}: LUN {} is mapped to {} already", group.target().name(), lun,
                                               group.luns.at(lun).device->name())));
  }
  if (auto allowed = check_lun(group, **device, read_only); !allowed) return done(std::move(allowed));
  add_free_lun(group, std::move(*device), lun, read_only, std::move(done));
}

void Registry::add_free_lun(AccessGroup& group, std::shared_ptr<Device> device, std::uint16_t lun, bool read_only,
                            Done done) {
  map_lun(group, std::move(device), lun, read_only);
  publish_lun(group, lun);
  group.target().driver().lun_added(group, lun, std::move(done));
}

void Registry::replace_lun(AccessGroup& group, std::string_view device_name, std::uint16_t lun, bool read_only,
                           Replace how, Done done) {
  if (!group.luns.contains(lun)) return add_lun(group, device_name, lun, read_only, std::move(done));
  auto device = device_for_lun(group, device_name);
  if (!device) return done(std::unexpected(device.error()));
  // As in SCST, what was there is gone even when the other may not take its place.
  if (auto allowed = check_lun(group, **device, read_only); !allowed) {
    return delete_lun(group, lun,
                      [allowed, done = std::move(done)](base::Status) mutable { done(std::move(allowed)); });
  }
  auto leaving = unmap_lun(group, lun);
  map_lun(group, std::move(*device), lun, read_only);
  for_each_session(group, [&](Session& session) {
    renew_lun_map(session, false);
    const LunMap::Entry* entry = session.lun_map()->find(lun);
    if (entry && how == Replace::kWithAttention) entry->nexus_lun->raise(scsi::kUaInquiryDataChanged);
    group.target().publish_lun_map(session);
  });
  if (settings.async_lun_replace) {
    parked_.insert(parked_.end(), leaving.begin(), leaving.end());
    leaving.clear();
  }
  auto told = [this, leaving = std::move(leaving), done = std::move(done)](base::Status status) mutable {
    if (!status) return done(std::move(status));
    wait_for(std::move(leaving), std::move(done));
  };
  group.target().driver().lun_added(group, lun, std::move(told));
}

void Registry::set_async_lun_replace(bool on) {
  settings.async_lun_replace = on;
  if (!on) parked_.clear();
}

void Registry::delete_lun(AccessGroup& group, std::uint16_t lun, Done done) {
  if (!group.luns.contains(lun)) {
    return done(base::fail(EINVAL, fmt::format("target {}: there is no LUN {}", group.target().name(), lun)));
  }
  auto leaving = unmap_lun(group, lun);
  publish_lun(group, lun);
  wait_for(std::move(leaving), std::move(done));
}

void Registry::clear_luns(AccessGroup& group, Done done) {
  std::vector<std::shared_ptr<NexusLun>> leaving;
  while (!group.luns.empty()) {
    auto gone = unmap_lun(group, group.luns.begin()->first);
    leaving.insert(leaving.end(), gone.begin(), gone.end());
  }
  publish(group, true);
  wait_for(std::move(leaving), std::move(done));
}

}  // namespace uscst::target
