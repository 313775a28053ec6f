// A target port with its groups and sessions, and the driver that it belongs to. Control thread, but for what is
// atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/target/access_group.h"
#include "engine/target/attribute.h"
#include "engine/target/nexus.h"
#include "engine/target/session.h"
#include "engine/target/target_management.h"

namespace uscst::target {

class Driver;
class Registry;

class Target {
 public:
  Target(Registry& registry, Driver& driver, std::string name);
  ~Target();

  Registry& registry() const { return registry_; }
  Driver& driver() const { return driver_; }
  const std::string& name() const { return name_; }
  std::uint64_t id() const { return id_; }

  // --- any thread
  std::atomic<std::uint16_t> relative_target_id{0};
  // Version descriptors of INQUIRY (SPC-5 table 151): of the protocol, and of what carries it; 0 for none.
  std::atomic<std::uint16_t> transport_version{0}, physical_transport_version{0};

  // --- control thread: configuration. What may only be changed with rules is changed through the Registry.
  bool enabled = false;
  bool aen_disabled = false, forward_src = false, forward_dst = false;
  std::string comment;
  WrittenNames written;
  AccessGroup& default_group() { return default_group_; }
  const AccessGroup& default_group() const { return default_group_; }
  const std::vector<std::unique_ptr<AccessGroup>>& groups() const { return groups_; }  // in the order made
  AccessGroup* find_group(std::string_view name);
  // The group of an initiator of this name: the first that selects it, or the default group.
  AccessGroup& group_for(std::string_view initiator_name);

  // --- control thread: sessions
  const std::vector<std::shared_ptr<Session>>& sessions() const { return sessions_; }  // in the order they came
  Session* find_session(std::string_view name);
  // A session for a login that was accepted: name made unique ("_1", "_2", the lowest free suffix), group found, LUN
  // map made. The caller attaches its tasks on the shard afterwards.
  std::shared_ptr<Session> add_session(const std::string& initiator_name, std::shared_ptr<Nexus> nexus, Shard& shard,
                                       SessionTransport& transport);
  // Its commands have ended and its transport is gone. The last session of a nexus ends the nexus.
  void remove_session(Session& session);
  // The living nexus of this key, or null; and a new one, which takes its place.
  std::shared_ptr<Nexus> find_nexus(const NexusKey& key);
  std::shared_ptr<Nexus> make_nexus(const NexusKey& key);

 private:
  friend class Registry;
  std::string free_session_name(const std::string& initiator_name);
  std::shared_ptr<const LunMap> make_lun_map(Session& session);
  LunMap::Entry lun_map_entry(Session& session, const Lun& lun);
  // No longer among the device's LUNs when the group does not have it any more.
  static void leave_if_gone(const LunMap::Entry& entry, const LunMap& now);
  // A new LUN map of the session; then, when its unit attentions are set, to the reactor with it.
  void renew_lun_map(Session& session);
  void renew_lun_map(Session& session, std::uint16_t changed_lun);  // only this LUN of the group is another than before
  void publish_lun_map(Session& session);

  Registry& registry_;
  Driver& driver_;
  const std::string name_;
  const std::uint64_t id_;
  AccessGroup default_group_;
  std::vector<std::unique_ptr<AccessGroup>> groups_;
  std::vector<std::shared_ptr<Session>> sessions_;
  std::map<NexusKey, std::weak_ptr<Nexus>> nexuses_;
};

// What a driver's targets can do with T10 protection information.
struct ProtectionSupport {
  bool supported = false;
  std::uint8_t target_types = 0;                    // bit N: type N in hardware, for dif_mode `tgt`
  std::span<const std::uint32_t> block_bytes = {};  // empty: any
};

// A target driver: what makes targets and carries their sessions. Built by main(). Control thread.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual std::string_view name() const = 0;
  virtual bool can_enable() const = 0;  // targets have `enabled`
  // Enables or disables; disabling closes the sessions and ends when they are gone.
  virtual void set_enabled(Target& target, bool enabled, Done done) = 0;
  virtual std::span<const Attribute<Driver>> attributes() const { return {}; }
  virtual std::span<const Attribute<Target>> target_attributes() const { return {}; }
  virtual int sg_tablesize() const { return 65535; }
  // Without support a driver's targets and sessions have no dif attributes.
  virtual ProtectionSupport protection_support() const { return {}; }
  // Initiator groups may be made.
  virtual bool has_groups() const { return true; }
  // Whether changes of a group's LUNs are told to its sessions (REPORTED LUNS DATA HAS CHANGED).
  virtual bool tells_luns_changed() const { return true; }
  // Whether the device may become a LUN of this driver's targets by hand. EINVAL: it may not.
  virtual base::Status check_lun(const Device&, bool /*read_only*/) const { return {}; }
  // A LUN was added or replaced; the management operation goes on with `done`.
  virtual void lun_added(AccessGroup&, std::uint16_t /*lun*/, Done done) { done({}); }
  // Takes all targets away, with their sessions, LUNs and groups; `done` when they are gone.
  virtual void remove_targets(Done done) = 0;
  // For drivers whose targets are made by command; null for all others.
  virtual TargetManagement* management() { return nullptr; }
  // What targets start with as transport_version.
  virtual std::uint16_t version_descriptor() const = 0;

  const std::vector<std::unique_ptr<Target>>& targets() const { return targets_; }
  Target* find_target(std::string_view name);
  Target& add_target(Registry& registry, std::string name);
  // The trace_level word that the tree shows; null: the driver has none.
  unsigned long* trace_level = nullptr;

 protected:
  friend class Registry;
  std::vector<std::unique_ptr<Target>> targets_;
};

}  // namespace uscst::target
