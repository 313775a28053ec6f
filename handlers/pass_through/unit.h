// A SCSI device of this machine as a logical unit: commands go to the device as they are. Owned by its Device, from the
// device's arrival to its end; handlers take turns at it. Rooms marked below say which thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "engine/base/log.h"
#include "engine/io/blocking_pool.h"
#include "engine/target/device.h"
#include "engine/target/logical_unit.h"
#include "handlers/scsi_host/scsi_host.h"

namespace uscst::handlers {

// What tells one pass-through handler from another. Constant data.
struct PassThroughKind {
  std::string_view name;
  int type = 0;  // peripheral device type of its devices
  int threads = 1;
  // What a command of each class of the opcode table may take at the device.
  std::chrono::seconds short_timeout{3}, regular_timeout{900}, long_timeout{14000};
  bool moves_no_data = false;  // _perf: READ and WRITE end at once, with whatever the buffer holds
  bool in_clusters = false;    // has cluster_mode and pr_dump_dir
};

struct PassThroughEnvironment {
  io::Reactor& control;
  io::BlockingPool& pool;
  base::Log& log;
};

class PassThroughUnit final : public target::LogicalUnit {
 public:
  PassThroughUnit(PassThroughEnvironment& environment, std::shared_ptr<ScsiHostDevice> device)
      : environment_(environment), device_(std::move(device)) {}

  // --- any thread
  scsi::DeviceTraits traits() const override;
  scsi::ControlState control() const override;
  void execute(target::Command& command) override;
  void reset() override;
  bool takes_part_in(scsi::Operation operation) const override;

  // --- control thread
  std::span<const target::Attribute<target::Device>> attributes() const override;
  bool read_only() const override { return false; }
  // Asks the device what there is to know of it: serial number, control mode page, block size. ENODEV when it does not
  // answer at all. No command of the device runs meanwhile.
  void attach(const PassThroughKind& kind, target::Done done);
  void detach() { kind_.store(nullptr, std::memory_order_release); }
  const std::string& serial_number() const { return serial_number_; }  // empty where the device tells none

  // --- reactors, for commands under way
  ScsiHostDevice& device() const { return *device_; }
  const PassThroughKind& kind() const { return *kind_.load(std::memory_order_acquire); }
  void set_control(const scsi::ControlState& state) { control_.store(state, std::memory_order_relaxed); }
  void learn_block_size(base::Bytes capacity);  // what READ CAPACITY (10) or (16) answered

 private:
  class Probe;

  PassThroughEnvironment& environment_;
  const std::shared_ptr<ScsiHostDevice> device_;
  std::atomic<const PassThroughKind*> kind_{nullptr};
  std::atomic<scsi::ControlState> control_{};
  static_assert(std::atomic<scsi::ControlState>::is_always_lock_free);
  std::atomic<std::uint8_t> block_shift_{9};
  std::string serial_number_;
};

}  // namespace uscst::handlers
