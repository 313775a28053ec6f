// SET TARGET PORT GROUPS (SPC-5 6.45, explicit ALUA). What an initiator asks for is not done by the engine: it holds
// the other devices of the group back, asks a listener, which changes the `state` attributes on this node and on
// others, and then looks whether they changed. Owned by DeviceGroups; control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/scsi/target_port_groups.h"
#include "engine/target/attribute.h"

namespace uscst::target {

class Device;
class DeviceGroup;
class DeviceGroups;
class Registry;

struct AccessStateRequest {
  struct Change {
    std::string target_group;
    scsi::AluaState from, to;
  };
  std::string device, device_group;
  std::vector<Change> changes;
};
// Answers once, on the control thread, when it has tried.
using AccessStateListener = std::function<void(const AccessStateRequest& request, Done done)>;

class ExplicitAlua {
 public:
  // For everything: holding back, and the listener's work.
  static constexpr auto kLimit = std::chrono::seconds(60);

  explicit ExplicitAlua(Registry& registry);
  ~ExplicitAlua();

  void set_listener(AccessStateListener listener) { listener_ = std::move(listener); }
  // For a command of the nexus, which must not be one that a drain waits for. Requests are carried out one after the
  // other. Any error means that not everything that was asked for has come about.
  void request(std::shared_ptr<Device> device, std::vector<scsi::TargetPortGroupRequest> wanted, std::uint64_t nexus_id,
               Done done);
  // True for the nexus whose request is being carried out for this group: it is not told of what it asked for.
  bool comes_from(std::uint64_t nexus_id, const DeviceGroup& group) const;

 private:
  struct Running;
  void next();
  void begin(std::shared_ptr<Running> running);
  void ask(const std::shared_ptr<Running>& running);
  void finish(const std::shared_ptr<Running>& running, base::Status status);

  Registry& registry_;
  AccessStateListener listener_;
  std::deque<std::shared_ptr<Running>> waiting_;
  std::shared_ptr<Running> running_;
};

}  // namespace uscst::target
