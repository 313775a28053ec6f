#include "engine/target/explicit_alua.h"

#include <algorithm>

#include "engine/io/executor.h"
#include "engine/target/device_groups.h"
#include "engine/target/registry.h"

namespace uscst::target {

struct ExplicitAlua::Running {
  explicit Running(ExplicitAlua& all) : owner(all), limit(io::Call<>::to<&Running::out_of_time>(this)) {}
  void out_of_time() { owner.finish(owner.running_, base::fail(ETIMEDOUT, "no answer in time")); }

  ExplicitAlua& owner;
  std::shared_ptr<Device> device;
  std::vector<scsi::TargetPortGroupRequest> wanted;
  std::uint64_t nexus_id = 0;
  Done done;
  std::uint64_t group_id = 0;  // of the device group
  AccessStateRequest request;
  std::vector<std::shared_ptr<Device>> held;
  io::Timer limit;
};

ExplicitAlua::ExplicitAlua(Registry& registry) : registry_(registry) {}
ExplicitAlua::~ExplicitAlua() = default;

void ExplicitAlua::request(std::shared_ptr<Device> device, std::vector<scsi::TargetPortGroupRequest> wanted,
                           std::uint64_t nexus_id, Done done) {
  auto running = std::make_shared<Running>(*this);
  running->device = std::move(device);
  running->wanted = std::move(wanted);
  running->nexus_id = nexus_id;
  running->done = std::move(done);
  waiting_.push_back(std::move(running));
  if (!running_) next();
}

bool ExplicitAlua::comes_from(std::uint64_t nexus_id, const DeviceGroup& group) const {
  return running_ && running_->nexus_id == nexus_id && running_->group_id == group.id();
}

void ExplicitAlua::next() {
  if (waiting_.empty()) return;
  running_ = std::move(waiting_.front());
  waiting_.pop_front();
  begin(running_);
}

// The groups may have changed since the command was checked against them.
void ExplicitAlua::begin(std::shared_ptr<Running> running) {
  const DeviceGroup* group = running->device->device_group;
  if (!listener_) return finish(running, base::fail(ENOENT, "nothing is there to carry it out (--stpg-program)"));
  if (!group) return finish(running, base::fail(EINVAL, "the device is in no device group"));
  running->group_id = group->id();
  running->request.device = running->device->name();
  running->request.device_group = group->name();
  for (const auto& [id, state] : running->wanted) {
    auto found = std::ranges::find_if(group->target_groups(), [&](const auto& g) { return g->group_id() == id; });
    if (found == group->target_groups().end()) return finish(running, base::fail(EINVAL, "a target group is gone"));
    running->request.changes.push_back({(*found)->name(), (*found)->state(), state});
  }
  std::ranges::copy_if(group->devices(), std::back_inserter(running->held),
                       [&](const auto& device) { return device != running->device; });
  for (const auto& device : running->held) device->gate.close();
  registry_.shards().control().arm_after(running->limit, kLimit);
  auto select = [held = running->held](const Command& command) {
    const bool chosen =
        command.past_gate() && command.nexus_lun() &&
        std::ranges::any_of(held, [&](const auto& device) { return device.get() == &command.device(); });
    return chosen ? SweepVerdict::kWait : SweepVerdict::kSkip;
  };
  if (running->held.empty()) return ask(running);
  registry_.drain(std::move(select), base::Duration::zero(), [this, running](base::Status) {
    if (running->done) ask(running);
  });
}

void ExplicitAlua::ask(const std::shared_ptr<Running>& running) {
  for (const auto& change : running->request.changes) {
    registry_.log().info("device {}: an initiator asks for {}/{} to go from {} to {}", running->request.device,
                         running->request.device_group, change.target_group, name_of(change.from), name_of(change.to));
  }
  listener_(running->request, [this, running](base::Status status) {
    if (running->done) finish(running, std::move(status));
  });
}

void ExplicitAlua::finish(const std::shared_ptr<Running>& running, base::Status status) {
  const std::shared_ptr<Running> ended = running;  // `running` may be the member that is emptied here
  io::Executor::disarm(ended->limit);
  bool opened = false;
  for (const auto& device : ended->held) opened = device->gate.open() || opened;
  if (opened) registry_.shards().reopen_gates();
  const DeviceGroup* group = registry_.device_groups().find(ended->request.device_group);
  for (const auto& change : ended->request.changes) {
    const TargetGroup* target_group = group ? group->find(change.target_group) : nullptr;
    if (status && (!target_group || target_group->state() == change.from))
      status = base::fail(EIO, fmt::format("{}/{} has not changed", ended->request.device_group, change.target_group));
  }
  if (!status)
    registry_.log().error("device {}: SET TARGET PORT GROUPS failed: {}", ended->device->name(), status.error().text);
  running_.reset();
  std::exchange(ended->done, nullptr)(std::move(status));
  if (!running_) next();
}

}  // namespace uscst::target
