// Changes of ALUA state: one after the other, each with the stores of the devices that are bound to it.
#include <algorithm>

#include "engine/target/device_groups.h"
#include "engine/target/registry.h"

namespace uscst::target {
namespace {

using scsi::AluaState;

bool serves(AluaState state) { return state == AluaState::kActiveOptimized || state == AluaState::kActiveNonoptimized; }

}  // namespace

void DeviceGroups::enqueue(Change change, Done done) {
  changes_.emplace_back(std::move(change), std::move(done));
  if (!changing_) next_change();
}

// A change that ends within this call is seen by its loop, not by a nested one.
void DeviceGroups::next_change() {
  if (std::exchange(starting_, true)) return;
  while (!changing_ && !changes_.empty()) {
    auto [change, answer] = std::move(changes_.front());
    changes_.pop_front();
    changing_ = true;
    change([this, done = std::move(answer)](base::Status status) mutable {
      changing_ = false;
      done(std::move(status));
      next_change();
    });
  }
  starting_ = false;
}

void DeviceGroups::set_state(TargetGroup& group, AluaState state, Done done) {
  auto change = [this, id = group.id(), state](Done changed) { change_state(id, state, std::move(changed)); };
  enqueue(std::move(change), std::move(done));
}

// Entering a state in which commands are carried out, stores are opened first; leaving, closed last: no command that
// the state lets through finds its medium missing.
void DeviceGroups::change_state(std::uint64_t group_id, AluaState state, Done done) {
  TargetGroup* group = find_target_group(group_id);
  if (!group || group->state() == state) return done({});
  Devices bound = bound_devices(*group);
  if (serves(state)) {
    auto opened = [this, group_id, state, done = std::move(done)](base::Status) mutable {
      if (TargetGroup* still = find_target_group(group_id)) put_state(*still, state);
      done({});  // a store that could not be opened is in the log, and its device inactive
    };
    return follow(std::move(bound), state, std::move(opened));
  }
  put_state(*group, state);
  auto drained = [this, bound = std::move(bound), state, done = std::move(done)](base::Status) mutable {
    follow(std::move(bound), state, std::move(done));
  };
  wait_for_commands(*group, std::move(drained));
}

void DeviceGroups::put_state(TargetGroup& group, AluaState state) {
  group.state_ = state;
  publish(group.device_group());
  refresh(group);
  if (state != AluaState::kTransitioning) tell(group);
  registry_.log().info("changed ALUA state of {}/{} into {}", group.device_group().name(), group.name(),
                       name_of(state));
}

// Those seen through the group here, and all of them unless the group is, at least in part, another node's.
DeviceGroups::Devices DeviceGroups::bound_devices(const TargetGroup& group) const {
  const bool remote = std::ranges::any_of(group.members(), [](const auto& member) { return !member->target; });
  Devices bound;
  for (const auto& device : group.device_group().devices()) {
    if (!device->unit().follows_alua_state()) continue;
    if (!remote || !nexuses_of(group, *device).empty()) bound.push_back(device);
  }
  return bound;
}

// All devices at once; done with the first error when the last has ended.
void DeviceGroups::follow(Devices devices, AluaState state, Done done) const {
  struct Following {
    explicit Following(Done when_done) : done(std::move(when_done)) {}
    Done done;
    std::size_t left = 1;
    base::Status status;
    void end(base::Status one) {
      if (!one && status) status = std::move(one);
      if (--left == 0) done(std::move(status));
    }
  };
  auto following = std::make_shared<Following>(std::move(done));
  for (const auto& device : devices) {
    if (device->deleting) continue;
    ++following->left;
    device->unit().follow_alua_state(*device, serves(state), [this, following, device](base::Status status) {
      if (!status)
        registry_.log().error("device {}: following the ALUA state failed: {}", device->name(), status.error().text);
      following->end(std::move(status));
    });
  }
  following->end({});
}

// By device and target, not by nexus and LUN: what is no longer mapped may still be carried out.
void DeviceGroups::wait_for_commands(const TargetGroup& group, Done done) const {
  std::vector<const Device*> devices;
  std::vector<const Target*> targets;
  for (const auto& device : group.device_group().devices()) devices.push_back(device.get());
  for (const auto& member : group.members()) {
    if (member->target) targets.push_back(member->target);
  }
  if (devices.empty() || targets.empty()) return done({});
  std::ranges::sort(devices);
  auto select = [devices = std::move(devices), targets = std::move(targets)](const Command& command) {
    const bool chosen = command.past_gate() && command.nexus_lun() &&
                        std::ranges::binary_search(devices, &command.device()) &&
                        std::ranges::find(targets, &command.session().target()) != targets.end();
    return chosen ? SweepVerdict::kWait : SweepVerdict::kSkip;
  };
  auto ended = [this, done = std::move(done)](base::Status status) mutable {
    if (!status) registry_.log().warning("commands that the former ALUA state let through are still running");
    done({});
  };
  registry_.drain(std::move(select), kDrainLimit, std::move(ended));
}

}  // namespace uscst::target
