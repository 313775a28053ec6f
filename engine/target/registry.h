// The configuration: handlers, devices, drivers, targets, and every change of it that has rules. Owned by main();
// control thread. A change that must wait for commands publishes new snapshots at once, and calls back when the
// commands that ran under the old ones have ended.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/log.h"
#include "engine/io/reactor.h"
#include "engine/target/device.h"
#include "engine/target/gate.h"
#include "engine/target/handler.h"
#include "engine/target/shard.h"
#include "engine/target/sweep.h"
#include "engine/target/target.h"

namespace uscst::target {

class DeviceGroups;

// Attributes of the root directory that the engine itself has no other place for.
struct RootSettings {
  std::uint32_t setup_id = 0;
  int threads = 0, default_threads = 0;
  unsigned long max_tasklet_cmd = 10;
  std::uint64_t poll_us = 0;
  bool force_global_sgv_pool = false, measure_latency = false, async_lun_replace = false;
  bool forcibly_close_sessions = false;  // module parameter: deleting a group closes its sessions
  std::string cluster_name;
};

// Told of what happens to virtual devices. Control thread.
class DeviceWatcher {
 public:
  virtual ~DeviceWatcher() = default;
  // A device came; add_device is answered by `done`. An error takes the device back.
  virtual void device_added(const std::shared_ptr<Device>& device, Done done) = 0;
  // Its INQUIRY data are other than before.
  virtual void identity_changed(Device& device) = 0;
};

class Registry {
 public:
  static constexpr auto kDrainLimit = std::chrono::seconds(90);
  static constexpr auto kMeasureLatencyLimit = std::chrono::seconds(10);

  Registry(ShardGroup& shards, base::Log& log);
  ~Registry();

  ShardGroup& shards() const { return shards_; }
  base::Log& log() const { return log_; }
  RootSettings settings;

  // Never the same twice: nexuses, sessions, targets and LUN maps are told apart by it.
  std::uint64_t next_id() { return ++last_id_; }

  // --- what there is
  void add_handler(Handler& handler) { handlers_.push_back(&handler); }
  void add_driver(Driver& driver) { drivers_.push_back(&driver); }
  const std::vector<Handler*>& handlers() const { return handlers_; }
  const std::vector<Driver*>& drivers() const { return drivers_; }
  const std::map<std::string, std::shared_ptr<Device>, std::less<>>& devices() const { return devices_; }
  std::shared_ptr<Device> find_device(std::string_view name) const;
  Handler* find_handler(std::string_view name) const;
  Driver* find_driver(std::string_view name) const;

  // --- devices. Errors: EINVAL for a bad name or parameter, EEXIST, and those of the handler.
  void create_device(Handler& handler, const std::string& name, const Parameters& parameters, Done done);
  // Raises INQUIRY DATA HAS CHANGED for every nexus at the device.
  void identity_changed(Device& device);
  void set_device_watcher(DeviceWatcher* watcher) { watcher_ = watcher; }
  // Takes the device's LUNs away everywhere, waits for its commands, lets it go: when `done` runs, nothing of the
  // engine holds it any more. EINVAL when there is none of the name.
  void delete_device(Handler& handler, std::string_view name, Done done);

  // --- modules that come and go
  // Takes the handler's devices away as delete_device() does, then the handler.
  void remove_handler(Handler& handler, Done done);
  // Takes the driver's targets away with their sessions, LUNs and groups, then the driver.
  void remove_driver(Driver& driver, Done done);

  // --- persistent reservations of a device
  // Where they are kept, and the reactor of this thread for reading them; set by main() before there are devices.
  struct ReservationPlace {
    std::string directory = "/var/lib/scst/pr";
    io::Reactor* reactor = nullptr;  // without one the calls block
  };
  ReservationPlace reservation_place;
  std::string default_reservation_file(const Device& device) const;
  std::string reservation_file(const Device& device) const;  // pr_file_name, or the default
  // True while a session has it as a LUN.
  bool has_nexus(const Device& device) const;
  // `pr_file_name`: EBUSY with a nexus; else the rules of check_reservation_file_name(), and what is in the file must
  // be right. An empty name: the default. On errors everything stays as it was.
  void set_reservation_file(Device& device, std::string name, Done done);
  // `pr_state`: EBUSY with a nexus; else as parse_reservation_state().
  base::Status set_reservation_state(Device& device, std::string_view text);

  // --- SCSI devices of this machine: in the tree as H:C:I:L with the machine's device, with a handler or without.
  // EEXIST when the name is taken.
  base::Status add_scsi_device(std::shared_ptr<Device> device);
  // It is gone from the machine: as delete_device.
  void remove_scsi_device(std::string_view name, Done done);
  // Gives the device to a pass-through handler, away from the one that has it; its LUNs stay. Waits for its commands
  // (kDrainLimit, then EBUSY). EINVAL: no such device, or of another type; else what the handler's attach() says.
  void assign_device(Handler& handler, std::string_view name, Done done);
  // EINVAL: no such device, or another handler's.
  void unassign_device(Handler& handler, std::string_view name, Done done);

  // --- LUNs of a group. EINVAL, EEXIST, and EINVAL for T10-PI that the target cannot; `replace` of a free LUN adds it.
  enum class Replace { kWithAttention, kWithoutAttention };
  void add_lun(AccessGroup& group, std::string_view device_name, std::uint16_t lun, bool read_only, Done done);
  // For drivers themselves: of a free LUN, without asking Driver::check_lun().
  void add_free_lun(AccessGroup& group, std::shared_ptr<Device> device, std::uint16_t lun, bool read_only, Done done);
  void replace_lun(AccessGroup& group, std::string_view device_name, std::uint16_t lun, bool read_only, Replace how,
                   Done done);
  void delete_lun(AccessGroup& group, std::uint16_t lun, Done done);
  void clear_luns(AccessGroup& group, Done done);
  // async_lun_replace: `replace` answers without waiting for the commands of what was there, which stays as it is for
  // its nexuses (a reservation, say) until this is set to 0.
  void set_async_lun_replace(bool on);
  // After address_method or black_hole changed: gives the group's sessions new snapshots.
  void republish(AccessGroup& group) { publish(group, false); }

  // --- initiator groups; each suspends activity, then gives every session the group that its name now selects.
  void create_group(Target& target, const std::string& name, Done done);  // EEXIST; EINVAL where there may be none
  // EBUSY with sessions; with forcibly_close_sessions they are closed first, EBUSY where they cannot be.
  void delete_group(Target& target, std::string_view name, Done done);
  void add_initiator(AccessGroup& group, const std::string& pattern, Done done);
  void delete_initiator(AccessGroup& group, std::string_view pattern, Done done);
  void move_initiator(AccessGroup& group, std::string_view pattern, std::string_view destination, Done done);
  void clear_initiators(AccessGroup& group, Done done);

  // --- ALUA
  DeviceGroups& device_groups() const { return *device_groups_; }

  // --- targets
  // By Target::id(); null once it is gone: work that waited asks again.
  Target* find_target(std::uint64_t id) const;
  // Takes a target away with its LUNs and groups. Its sessions have ended.
  void delete_target(Target& target);
  // 0 while disabled, 1..65535 else EINVAL; EBADSLT when another enabled target has it.
  base::Status set_relative_target_id(Target& target, std::uint64_t id);
  // EBADSLT as above; with id 0 the target gets the next free one.
  void set_enabled(Target& target, bool enabled, Done done);

  // --- suspension. Holds all commands back until resume() was called as often.
  // Waits for running commands at most `limit` (0: for ever), then EBUSY with nothing changed.
  // What is returned ends the waiting at once, with the result given; afterwards it does nothing.
  using EndWait = std::function<void(base::Status)>;
  EndWait suspend(base::Duration limit, Done done);
  void resume();
  int suspend_depth() const { return shards_.suspend_gate.depth(); }
  // The administrator's own: resuming takes back only these, and ends the waiting of one that is not through yet.
  EndWait suspend_by_user(base::Duration limit, Done done);
  void resume_by_user();
  // Suspends, makes the change, resumes, answers with its result.
  void while_suspended(std::move_only_function<base::Status()> change, Done done);

  // measure_latency: begins with zeroed statistics in every session, or frees them; activity is suspended meanwhile.
  EndWait set_measure_latency(bool on, Done done);

  // --- `block` of one device: counted like suspend; done when its commands have ended, or the last block is lifted.
  void block(Device& device, Done done);
  base::Status unblock(Device& device);

  // Waits until the commands that `select` names have ended, usually with a gate closed before; at the limit (0: none)
  // EBUSY.
  EndWait drain(SweepSelector select, base::Duration limit, Done done);

 private:
  struct Draining;
  // All of a device's commands, also those that a gate held or that wait for data: once it has left the LUN maps, they
  // end as soon as they see the new one.
  void drain_device(Device& device, Done done);
  void remove_devices_of(Handler& handler, Done done);
  bool name_is_free(std::string_view name) const;
  void announce(std::shared_ptr<Device> device, Done done);
  void remove_device(std::shared_ptr<Device> device, Done done);
  base::Result<std::shared_ptr<Device>> find_scsi_device(std::string_view name) const;
  void change_handler(std::shared_ptr<Device> device, Handler* handler, Done done);
  void exchange_handler(std::shared_ptr<Device> device, Handler* handler, Done done);
  base::Result<std::shared_ptr<Device>> device_for_lun(const AccessGroup& group, std::string_view name) const;
  void map_lun(AccessGroup& group, std::shared_ptr<Device> device, std::uint16_t lun, bool read_only);
  // What the LUN's nexuses were, for wait_for().
  std::vector<std::shared_ptr<NexusLun>> unmap_lun(AccessGroup& group, std::uint16_t lun);
  void wait_for(std::vector<std::shared_ptr<NexusLun>> leaving, Done done);
  // Gives the sessions of a group new LUN maps; `luns_changed` raises REPORTED LUNS DATA HAS CHANGED. The second kind
  // where one LUN alone was added or deleted.
  void publish(AccessGroup& group, bool luns_changed);
  void publish_lun(AccessGroup& group, std::uint16_t lun);
  void tell_luns_changed(Session& session);
  // The session's LUN map as its group is now, not given to its reactor yet: the unit attentions of a LUN that shows
  // another device than before are set first.
  void renew_lun_map(Session& session, bool tell_exchanged);
  void for_each_session(AccessGroup& group, const std::function<void(Session&)>& visit);
  void reassign_sessions();
  void change_initiators(AccessGroup& group, std::move_only_function<base::Status(AccessGroup&)> change, Done done);
  bool has_sessions(const AccessGroup& group) const;
  base::Status close_sessions(AccessGroup& group);
  void erase_group(Target& target, std::string_view name, Done done);
  friend class Target;
  void session_removed();
  std::uint16_t next_relative_target_id(const Target& target);
  bool relative_target_id_in_use(const Target& except, std::uint16_t id) const;

  ShardGroup& shards_;
  base::Log& log_;
  std::vector<Handler*> handlers_;
  std::vector<Driver*> drivers_;
  std::map<std::string, std::shared_ptr<Device>, std::less<>> devices_;
  DeviceWatcher* watcher_ = nullptr;
  std::vector<std::shared_ptr<NexusLun>> parked_;  // of LUNs replaced while async_lun_replace was on
  struct GroupDeletion {
    std::uint64_t target_id = 0, group_id = 0;
    std::string name;
    Done done;
  };
  std::vector<GroupDeletion> group_deletions_;  // that wait for the group's sessions to end
  std::unique_ptr<DeviceGroups> device_groups_;
  std::uint64_t last_id_ = 0;
  std::size_t user_suspends_ = 0;
  std::vector<std::shared_ptr<EndWait>> waiting_user_suspends_;
  std::uint16_t last_relative_target_id_ = 0;
};

}  // namespace uscst::target
