// What there is, suspension and targets. Devices, LUNs and groups have files of their own.
#include "engine/target/registry.h"

#include <algorithm>

#include "engine/target/device_groups.h"

namespace uscst::target {

Registry::Registry(ShardGroup& shards, base::Log& log)
    : shards_(shards), log_(log), device_groups_(std::make_unique<DeviceGroups>(*this)) {}
Registry::~Registry() = default;

std::shared_ptr<Device> Registry::find_device(std::string_view name) const {
  auto found = devices_.find(name);
  return found == devices_.end() ? nullptr : found->second;
}

Handler* Registry::find_handler(std::string_view name) const {
  auto found = std::find_if(handlers_.begin(), handlers_.end(), [&](const Handler* h) { return h->name() == name; });
  return found == handlers_.end() ? nullptr : *found;
}

Driver* Registry::find_driver(std::string_view name) const {
  auto found = std::find_if(drivers_.begin(), drivers_.end(), [&](const Driver* d) { return d->name() == name; });
  return found == drivers_.end() ? nullptr : *found;
}

// --- suspension

// A sweep under a time limit: whichever comes first answers, the other finds nothing to do.
struct Registry::Draining : std::enable_shared_from_this<Registry::Draining> {
  explicit Draining(Done when_done) : done(std::move(when_done)), limit(io::Call<>::to<&Draining::out_of_time>(this)) {}
  void finish(base::Status status) {
    io::Executor::disarm(limit);
    auto keep = std::move(self);
    if (done) std::exchange(done, nullptr)(std::move(status));
  }
  void out_of_time() { finish(base::fail(EBUSY, "commands did not end in time; nothing was changed")); }

  Done done;
  io::Timer limit;
  std::shared_ptr<Draining> self;  // until it is finished
};

Registry::EndWait Registry::drain(SweepSelector select, base::Duration limit, Done done) {
  auto draining = std::make_shared<Draining>(std::move(done));
  draining->self = draining;
  if (limit > base::Duration::zero()) shards_.control().arm_after(draining->limit, limit);
  sweep(shards_, shards_.control(), std::move(select), [draining] { draining->finish({}); });
  return [draining = std::weak_ptr<Draining>(draining)](base::Status status) {
    if (auto waits = draining.lock()) waits->finish(std::move(status));
  };
}

Registry::EndWait Registry::suspend(base::Duration limit, Done done) {
  shards_.suspend_gate.close();
  auto past_gate = [](const Command& command) {
    return command.past_gate() || command.held_by_device() ? SweepVerdict::kWait : SweepVerdict::kSkip;
  };
  return drain(past_gate, limit, [this, done = std::move(done)](base::Status status) mutable {
    if (!status) resume();
    done(std::move(status));
  });
}

void Registry::resume() {
  if (shards_.suspend_gate.depth() == 0) {
    log_.warning("suspend: resumed more often than suspended; nothing done");
  } else if (shards_.suspend_gate.open()) {
    shards_.reopen_gates();
  }
}

Registry::EndWait Registry::suspend_by_user(base::Duration limit, Done done) {
  ++user_suspends_;
  auto waiting = std::make_shared<EndWait>();
  waiting_user_suspends_.push_back(waiting);
  auto ended = [this, waiting, done = std::move(done)](base::Status status) mutable {
    std::erase(waiting_user_suspends_, waiting);
    if (!status) --user_suspends_;
    done(std::move(status));
  };
  *waiting = suspend(limit, std::move(ended));
  return *waiting;
}

void Registry::resume_by_user() {
  if (user_suspends_ == 0) {
    log_.warning("suspend: resumed more often than suspended; nothing done");
    return;
  }
  if (waiting_user_suspends_.size() == user_suspends_) {
    const auto last = waiting_user_suspends_.back();
    (*last)({});
  }
  --user_suspends_;
  resume();
}

void Registry::while_suspended(std::move_only_function<base::Status()> change, Done done) {
  suspend(kDrainLimit, [this, change = std::move(change), done = std::move(done)](base::Status status) mutable {
    if (!status) return done(std::move(status));
    status = change();
    resume();
    done(std::move(status));
  });
}

Registry::EndWait Registry::set_measure_latency(bool on, Done done) {
  auto set = [on](Shard& shard, std::size_t) {
    shard.for_each_session([on](SessionTasks& tasks) { tasks.measure_latency(on); });
  };
  return suspend(kMeasureLatencyLimit, [this, on, set, done = std::move(done)](base::Status status) mutable {
    if (!status) return done(std::move(status));
    auto finish = [this, done = std::move(done)]() mutable {
      resume();
      done({});
    };
    if (settings.measure_latency == on) return finish();
    settings.measure_latency = on;
    visit_shards(shards_, shards_.control(), set, std::move(finish));
  });
}

void Registry::block(Device& device, Done done) {
  ++device.blocks;
  device.gate.close();
  device.block_draining = true;
  auto select = [target = &device](const Command& command) {
    return command.past_gate() && command.nexus_lun() && &command.device() == target ? SweepVerdict::kWait
                                                                                     : SweepVerdict::kSkip;
  };
  auto ended = [keep = device.shared_from_this(), done = std::move(done)](base::Status status) mutable {
    keep->block_draining = false;
    done(std::move(status));
  };
  device.end_block_waits.push_back(drain(select, base::Duration::zero(), std::move(ended)));
}

base::Status Registry::unblock(Device& device) {
  if (device.blocks == 0) return {};
  --device.blocks;
  if (device.blocks == 0) {
    for (const EndWait& end : std::exchange(device.end_block_waits, {})) end({});
  }
  if (device.gate.open()) shards_.reopen_gates();
  return {};
}

// --- targets

Target* Registry::find_target(std::uint64_t id) const {
  for (const Driver* driver : drivers_) {
    for (const auto& target : driver->targets()) {
      if (target->id() == id) return target.get();
    }
  }
  return nullptr;
}

void Registry::delete_target(Target& target) {
  auto empty = [&](AccessGroup& group) {
    while (!group.luns.empty()) unmap_lun(group, group.luns.begin()->first);
  };
  empty(target.default_group());
  for (const auto& group : target.groups()) empty(*group);
  device_groups_->forget(target);
  std::erase_if(target.driver().targets_, [&](const auto& t) { return t.get() == &target; });
}

bool Registry::relative_target_id_in_use(const Target& except, std::uint16_t id) const {
  for (const Driver* driver : drivers_) {
    for (const auto& target : driver->targets()) {
      bool counts = target->enabled || !driver->can_enable();
      if (target.get() != &except && counts && target->relative_target_id == id) return true;
    }
  }
  return false;
}

// A counter that only grows, so that an id freed a moment ago is not given to another port.
std::uint16_t Registry::next_relative_target_id(const Target& target) {
  do {
    ++last_relative_target_id_;
  } while (last_relative_target_id_ == 0 || relative_target_id_in_use(target, last_relative_target_id_));
  return last_relative_target_id_;
}

base::Status Registry::set_relative_target_id(Target& target, std::uint64_t id) {
  bool enabled = target.enabled || !target.driver().can_enable();
  if (id > 0xFFFF)
    return base::fail(EINVAL, fmt::format("target {}: rel_tgt_id {} is not in 0..65535", target.name(), id));
  auto number = static_cast<std::uint16_t>(id);
  if (number == target.relative_target_id) return {};
  if (enabled && number == 0) {
    return base::fail(EBADSLT,
                      fmt::format("target {}: rel_tgt_id can be 0 only while the target is disabled", target.name()));
  }
  if (enabled && number != 0 && relative_target_id_in_use(target, number)) {
    return base::fail(EBADSLT, fmt::format("target {}: rel_tgt_id {} belongs to another target", target.name(), id));
  }
  target.relative_target_id = number;
  device_groups_->ports_changed(target);
  return {};
}

void Registry::set_enabled(Target& target, bool enabled, Done done) {
  if (enabled && !target.enabled) {
    std::uint16_t id = target.relative_target_id;
    if (id == 0) {
      target.relative_target_id = next_relative_target_id(target);
      device_groups_->ports_changed(target);
    } else if (relative_target_id_in_use(target, id)) {
      return done(
          base::fail(EBADSLT, fmt::format("target {}: rel_tgt_id {} belongs to another target", target.name(), id)));
    }
  }
  target.driver().set_enabled(target, enabled, std::move(done));
}

}  // namespace uscst::target
