// The SBC disk: carries out the commands of a virtual disk against a backing store, whatever its kind. Owned by its
// Device. Commands run on any reactor, at the same time; attributes and the store change on the control thread, the
// store only while no command runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/log.h"
#include "engine/io/blocking_pool.h"
#include "engine/scsi/inquiry.h"
#include "engine/target/command.h"
#include "engine/target/device.h"
#include "engine/target/logical_unit.h"
#include "engine/target/registry.h"
#include "handlers/examine.h"
#include "handlers/vdisk/config.h"
#include "handlers/vdisk/range_lock.h"
#include "handlers/vdisk/serial_numbers.h"

namespace uscst::handlers {

// What the disks of all kinds are given by main(). Everything named outlives them.
struct VdiskEnvironment {
  io::Reactor& control;    // calls that may block and whose result is waited for
  io::BlockingPool& pool;  // those that nobody waits for: closing files
  base::Log& log;
  std::string state_directory;  // has pr/ and, for saved mode pages, vdev_mode_pages/
  ForbiddenPath forbidden;
  int default_threads = 8;  // num_threads of scst_vdisk: of devices on files
  SerialNumbers serial_numbers{};
};

// What the attributes tell about the disk; each is a string as shown.
struct DiskIdentity {
  std::string t10_vendor_id, vendor_specific_id, product_id, product_revision, scsi_device_name, t10_device_id;
  std::string serial_number, inquiry_text;
  std::vector<std::uint8_t> eui64_id, naa_id;
};

// What the mode pages hold when nothing was saved.
scsi::ModePages default_mode_pages(const VdiskConfig& config);

class SbcDisk final : public target::LogicalUnit {
 public:
  SbcDisk(VdiskEnvironment& environment, target::Registry& registry, std::string name, VdiskConfig config,
          std::span<const target::Attribute<target::Device>> attributes);
  ~SbcDisk() override;

  // --- target::LogicalUnit
  scsi::DeviceTraits traits() const override;
  scsi::ControlState control() const override;
  void execute(target::Command& command) override;
  void reset() override;
  std::span<const target::Attribute<target::Device>> attributes() const override { return attributes_; }
  bool read_only() const override { return config_.read_only; }
  target::Protection protection() const override;
  void retire(std::move_only_function<void()> done) override;
  bool takes_part_in(scsi::Operation operation) const override;
  bool follows_alua_state() const override { return config_.bind_alua_state; }
  void follow_alua_state(target::Device& device, bool serves, target::Done done) override;

  // --- control thread: configuration
  const VdiskConfig& config() const { return config_; }
  VdiskConfig& config() { return config_; }
  VdiskEnvironment& environment() const { return environment_; }
  target::Registry& registry() const { return registry_; }
  const std::string& name() const { return name_; }
  // A copy, and the only way to change it.
  DiskIdentity identity() const;
  template <class Change>
  void change_identity(Change change) {
    std::lock_guard lock(mutex_);
    environment_.serial_numbers.remove(identity_.serial_number);
    change(identity_);
    environment_.serial_numbers.add(identity_.serial_number);
  }
  // VPD page B0; 0 is allowed. The store's own optimum holds until one is set.
  std::uint32_t optimal_transfer_bytes() const { return optimal_transfer_bytes_; }
  void set_optimal_transfer_bytes(std::uint32_t bytes) {
    optimal_transfer_bytes_ = bytes;
    optimal_transfer_set_ = true;
  }
  bool physical_block_exponent_shown() const { return show_physical_exponent_; }
  void show_physical_block_exponent(bool shown) { show_physical_exponent_ = shown; }
  void set_explicit_alua(bool on) { explicit_alua_ = on; }
  bool explicit_alua() const { return explicit_alua_; }
  std::atomic<bool> read_zero{false};
  void set_mode_pages(const scsi::ModePages& current, const scsi::ModePages& saved, bool saving_possible);
  scsi::ModePages default_mode_pages() const { return handlers::default_mode_pages(config_); }

  // --- control thread: the medium. The first two while no command runs.
  void install(OpenedStore opened);  // a fresh store: an earlier flush failure is forgotten
  std::shared_ptr<BackingStore> remove_store();
  // Closes what remove_store() gave, on the blocking pool: closing may write back. Then calls `done`.
  void close(std::shared_ptr<BackingStore> store, std::move_only_function<void()> done);
  std::shared_ptr<BackingStore> store_owner() const { return store_owner_; }
  void set_geometry(const Geometry& geometry);
  void set_size(std::uint64_t bytes) { size_bytes_.store(bytes, std::memory_order_release); }
  bool thin_provisioned() const { return thin_.load(std::memory_order_relaxed); }

  // --- any thread
  std::uint64_t size_bytes() const { return size_bytes_.load(std::memory_order_acquire); }
  std::uint64_t block_count() const { return size_bytes() >> config_.block_shift; }
  std::uint64_t max_unmap_blocks() const;
  BackingStore* store() const { return store_.load(std::memory_order_acquire); }
  RangeLock& ranges() { return ranges_; }
  bool nv_cache() const { return config_.nv_cache; }
  bool medium_removal_prevented() const { return medium_removal_prevented_; }
  // WCE of the caching mode page: writes may stay in a volatile cache.
  bool write_back() const { return write_back_.load(std::memory_order_relaxed); }
  // Linux tells a failed fsync once; until the store is opened anew nothing may claim that data are stable.
  const std::shared_ptr<std::atomic<bool>>& flush_failure() const { return flush_failure_; }
  bool flush_failed() const { return flush_failure_->load(std::memory_order_acquire); }
  void note_flush_failure(std::int64_t error);
  // A write that was to be stable and failed for another reason than space or memory counts as a failed flush.
  void note_write_failure(std::int64_t error, io::Durability durability);
  // Into the log, at most once a second: a broken store fails every command.
  void warn(std::string_view what, std::int64_t error) const;

 private:
  friend class ModeSelectSteps;
  friend void execute_mode_select(SbcDisk& disk, target::Command& command);

  bool answers_without_store(const scsi::DecodedCdb& cdb) const;
  void execute_inquiry(target::Command& command) const;
  void execute_read_capacity(target::Command& command) const;
  void execute_mode_sense(target::Command& command) const;
  void execute_prevent_allow(target::Command& command);
  void log_error(std::string_view what, std::int64_t error) const;
  scsi::InquiryDevice inquiry_device() const;
  scsi::ModeDevice mode_device(const target::Command& command) const;
  scsi::ModePages mode_pages() const;
  void put_mode_pages(const scsi::ModePages& pages);

  VdiskEnvironment& environment_;
  target::Registry& registry_;
  const std::string name_;
  VdiskConfig config_;
  const std::span<const target::Attribute<target::Device>> attributes_;

  std::shared_ptr<BackingStore> store_owner_;
  std::atomic<BackingStore*> store_{nullptr};
  std::atomic<std::uint64_t> size_bytes_{0};
  std::atomic<bool> thin_{false}, explicit_alua_{false}, show_physical_exponent_{true};
  std::atomic<std::uint32_t> optimal_transfer_bytes_;
  std::shared_ptr<std::atomic<bool>> flush_failure_ = std::make_shared<std::atomic<bool>>(false);

  std::atomic<std::uint32_t> control_word_{0};  // scsi::ControlState, packed
  std::atomic<bool> write_back_{true}, medium_removal_prevented_{false};
  bool optimal_transfer_set_ = false;

  RangeLock ranges_;

  mutable std::atomic<std::int64_t> next_warning_ns_{0};

  mutable std::mutex mutex_;  // guards what follows; never held on the path of READ and WRITE
  DiskIdentity identity_;
  Geometry geometry_;
  scsi::ModePages saved_;
  bool saving_possible_ = false;
};

}  // namespace uscst::handlers
