// An I_T nexus (SAM-5 4.6.2) and what it has at each logical unit: unit attentions, ordering, counts. One initiator
// with several channels is one nexus; its channels may live on different reactors.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "engine/scsi/rules.h"
#include "engine/scsi/sense.h"
#include "engine/target/gate.h"
#include "engine/target/task_order.h"

namespace uscst::target {

class Device;

// What tells nexuses of one target port apart. `peer` is used only where the initiator port identifier is all zero, as
// every iWARP initiator's is by default.
struct NexusKey {
  std::array<std::uint8_t, 16> initiator_port{};
  std::array<std::uint8_t, 16> target_port{};
  std::string peer;
  friend auto operator<=>(const NexusKey&, const NexusKey&) = default;
};

class NexusLun;

class Nexus {
 public:
  Nexus(std::uint64_t id, NexusKey key) : id_(id), key_(std::move(key)) {}
  // Never 0, never used again: reservations remember it.
  std::uint64_t id() const { return id_; }
  const NexusKey& key() const { return key_; }
  std::atomic<int> sessions{0};  // its channels

  // Control thread: this nexus at `device` under `lun`, made when it is not there.
  std::shared_ptr<NexusLun> at(std::uint16_t lun, const std::shared_ptr<Device>& device);

 private:
  const std::uint64_t id_;
  const NexusKey key_;
  // A nexus whose channels come from several addresses may be in several groups: so a number is not enough.
  std::map<std::pair<std::uint16_t, std::uint64_t>, std::weak_ptr<NexusLun>> luns_;  // by LUN and device id
  std::size_t sweep_at_ = 16;  // entries that are no more go when there are so many
};

// One nexus at one logical unit (I_T_L nexus). Any thread.
class NexusLun {
 public:
  NexusLun(std::uint64_t nexus_id, std::uint16_t lun, std::shared_ptr<Device> device);
  ~NexusLun();
  NexusLun(const NexusLun&) = delete;
  NexusLun& operator=(const NexusLun&) = delete;

  std::uint64_t nexus_id() const { return nexus_id_; }
  std::uint16_t lun() const { return lun_; }
  Device& device() const { return *device_; }
  const std::shared_ptr<Device>& device_pointer() const { return device_; }

  // Unit attentions (SAM-5 5.14): first in, first out; one of each kind at a time.
  void raise(const scsi::Sense& unit_attention);
  void raise_first(const scsi::Sense& unit_attention);  // one that could not be delivered, or nexus loss
  bool has_attention() const { return attention_.load(std::memory_order_acquire); }
  std::optional<scsi::Sense> take_attention();
  void drop_attention(const scsi::Sense& unit_attention);

  Gate gate;
  TaskOrder order;
  std::atomic<int> active_commands{0};
  // Of the target port group that has the port, within the device's group; set by DeviceGroups.
  std::atomic<scsi::AluaState> alua_state{scsi::AluaState::kActiveOptimized};

 private:
  const std::uint64_t nexus_id_;
  const std::uint16_t lun_;
  const std::shared_ptr<Device> device_;
  std::atomic<bool> attention_{false};
  std::mutex mutex_;  // guards attentions_
  std::deque<scsi::Sense> attentions_;
};

}  // namespace uscst::target
