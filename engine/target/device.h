// A device of the tree: a logical unit with its name, handler, exports and what all nexuses share at it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/scsi/sense.h"
#include "engine/target/attribute.h"
#include "engine/target/gate.h"
#include "engine/target/logical_unit.h"
#include "engine/target/persistent_reservations.h"

namespace uscst::target {

class AccessGroup;
class DeviceGroup;
class Handler;
class NexusLun;
struct AluaView;

class Device : public std::enable_shared_from_this<Device> {
 public:
  static constexpr std::size_t kMaximumNameLength = 64;
  static constexpr int kDefaultMaximumCommands = 64;

  // `id` is of Registry::next_id().
  Device(std::string name, std::uint64_t id, Handler* handler, std::unique_ptr<LogicalUnit> unit);
  ~Device();

  // --- fixed, any thread
  const std::string& name() const { return name_; }
  LogicalUnit& unit() { return *unit_; }
  const LogicalUnit& unit() const { return *unit_; }
  std::uint64_t id() const { return id_; }  // unique over the life of the process

  // --- any thread
  Gate gate;
  std::atomic<int> maximum_commands{kDefaultMaximumCommands};  // per nexus and LUN: max_tgt_dev_commands
  // The nexus that holds the SPC-2 reservation, 0 for none (SPC-2 5.5).
  std::atomic<std::uint64_t> reservation_holder{0};
  // False when another nexus holds it; then nothing changed.
  bool reserve(std::uint64_t nexus_id);
  void release(std::uint64_t nexus_id);  // nothing happens where another holds it
  PersistentReservations persistent_reservations;
  void release_any() { reservation_holder.store(0, std::memory_order_release); }
  // Raises a unit attention for every nexus at this device, or for all but one.
  void raise_for_all(const scsi::Sense& unit_attention, std::uint64_t except_nexus_id = 0);
  void for_each_nexus(const std::function<void(NexusLun&)>& visit);
  // A SCSI device of this machine that no handler has: its LUNs answer as if nothing were mapped.
  std::atomic<bool> has_handler;
  // The device group that it is in, as commands see it; null: in none. Set by DeviceGroups.
  std::shared_ptr<const AluaView> alua() const;
  void set_alua(std::shared_ptr<const AluaView> view);

  // --- control thread
  Handler* handler() const { return handler_; }
  // Of a SCSI device: the handler that has it now, or none. Threads and the limit of commands become the handler's.
  void set_handler(Handler* handler);
  // Set where the device is a SCSI device of this machine, which is there without a handler; fixed.
  struct ScsiOrigin {
    int type = 0;            // peripheral device type
    std::string sysfs_path;  // of its directory scsi_device/H:C:I:L, below /sys
  };
  std::optional<ScsiOrigin> scsi_origin;
  // Changes of handler take place one after another.
  bool changing_handler = false;
  std::deque<std::move_only_function<void()>> next_handler_changes;
  WrittenNames written;
  DeviceGroup* device_group = nullptr;  // set by DeviceGroups
  bool deleting = false;                // del_device waits for its commands; it is as good as gone
  int numa_node_id = -1;
  int threads_num = 1;
  bool threads_shared = false;  // threads_pool_type
  // Numbers its LUNs in sessions, as SCST numbers the thread pools of a device: the lowest that is free.
  int take_thread_index();
  void give_thread_index(int index) { thread_indexes_.erase(index); }
  // The LUNs that map the device, as `exported/export<number>`; numbers are never used again.
  struct Export {
    unsigned number = 0;
    AccessGroup* group = nullptr;
    std::uint16_t lun = 0;
  };
  const std::vector<Export>& exports() const { return exports_; }
  void add_export(AccessGroup& group, std::uint16_t lun);
  void remove_export(AccessGroup& group, std::uint16_t lun);
  // Commands held back by `block`.
  int blocks = 0;
  bool block_draining = false;
  std::vector<std::function<void(base::Status)>> end_block_waits;  // of those that blocked it; see Registry::drain

 private:
  std::set<int> thread_indexes_;
  friend class NexusLun;
  void enter(NexusLun& nexus_lun);
  void leave(NexusLun& nexus_lun);

  const std::string name_;
  const std::uint64_t id_;
  Handler* handler_;
  std::unique_ptr<LogicalUnit> unit_;
  std::vector<Export> exports_;
  unsigned next_export_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<NexusLun*> nexuses_;
  std::shared_ptr<const AluaView> alua_;
};

}  // namespace uscst::target
