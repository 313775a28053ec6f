// The copy manager: a target driver without a fabric, whose one session has every virtual device as a LUN, so that
// EXTENDED COPY (SPC-5 6.4) can reach source and destination. Owned by main(); control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "engine/target/local_session.h"
#include "engine/target/registry.h"

namespace uscst::copy_manager {

class Driver final : public target::Driver, public target::DeviceWatcher {
 public:
  static constexpr std::string_view kTargetName = "copy_manager_tgt";
  static constexpr std::string_view kSessionName = "copy_manager_sess";

  // `assigns_automatically`: every virtual device becomes a LUN when it is made (auto_cm_assignment). The session lives
  // on `shard`. Registers itself with the registry.
  Driver(target::Registry& registry, target::Shard& shard, bool assigns_automatically);

  std::string_view name() const override { return "copy_manager"; }
  bool can_enable() const override { return false; }
  void set_enabled(target::Target&, bool, target::Done done) override { done({}); }
  // Part of the core, which does not come and go.
  void remove_targets(target::Done done) override { done(base::fail(EBUSY, "the copy manager stays")); }
  std::uint16_t version_descriptor() const override { return 0; }
  std::span<const target::Attribute<target::Driver>> attributes() const override;
  target::ProtectionSupport protection_support() const override;
  bool has_groups() const override { return false; }
  bool tells_luns_changed() const override { return false; }
  base::Status check_lun(const target::Device& device, bool read_only) const override;
  void lun_added(target::AccessGroup& group, std::uint16_t lun, target::Done done) override;

  void device_added(const std::shared_ptr<target::Device>& device, target::Done done) override;
  void identity_changed(target::Device& device) override;

  // VPD page 83h of the device at this LUN as it was told last; empty when it could not be read.
  base::Bytes identification(std::uint16_t lun) const;
  // Source and destination need not be visible to the initiator that asks for a copy.
  bool allow_not_connected_copy = false;

  const target::LocalSession& session() const { return *session_; }
  // Aborts the session's commands; `done` when it is gone. Nothing is mapped afterwards.
  void stop(io::Job done);

 private:
  struct Identification {
    std::uint64_t device_id = 0;
    std::vector<std::uint8_t> page;
  };

  // The next free LUN behind the one given last, or nothing when all are taken.
  std::optional<std::uint16_t> free_lun();
  // Asks for the device identification; `done` when it has come or will not come.
  void identify(std::uint16_t lun, int attempts, io::Job done);

  target::Registry& registry_;
  const bool assigns_automatically_;
  target::Target& target_;
  std::shared_ptr<target::LocalSession> session_;
  io::Job stopped_;
  std::uint16_t next_lun_ = 0;
  std::map<std::uint16_t, Identification> identifications_;  // by LUN; those of LUNs that are gone hold no device
};

}  // namespace uscst::copy_manager
