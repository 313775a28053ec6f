// What a device handler makes: the thing that carries out commands. Owned by its Device.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/scsi/cdb.h"
#include "engine/scsi/mode_pages.h"
#include "engine/target/attribute.h"

namespace uscst::target {

class Command;
class Device;
class NexusLun;

// T10 protection information that a device is made with (SBC-4 4.21).
struct Protection {
  std::uint8_t type = 0;            // 0: none
  bool checked_by_target = false;   // dif_mode `tgt`
  std::uint32_t block_bytes = 512;  // without protection information
};

class LogicalUnit {
 public:
  virtual ~LogicalUnit() = default;

  // --- any thread
  // What the CDB decoder needs to know; may change between commands (resize).
  virtual scsi::DeviceTraits traits() const = 0;
  // Rules that hold for all commands of the device: TST, QERR, SWP, D_SENSE, TAS (SPC-5 7.5.10).
  virtual scsi::ControlState control() const = 0;
  // Carries out a command that has passed every check, on the command's reactor. Ends it with exactly one of the
  // command's complete functions, now or later on the same thread, and must not block.
  virtual void execute(Command& command) = 0;
  // LOGICAL UNIT RESET (SAM-5 7.7): saved mode parameters come back, medium removal is allowed again. The commands have
  // ended before; unit attentions and reservations are the engine's.
  virtual void reset() = 0;

  // Whether what the engine carries out goes on to the unit once the engine has done its part without objection.
  virtual bool takes_part_in(scsi::Operation) const { return false; }

  // --- control thread
  // Rows that this kind of device has beyond those that all devices have.
  virtual std::span<const Attribute<Device>> attributes() const = 0;
  virtual bool read_only() const = 0;
  virtual Protection protection() const { return {}; }
  // The device goes, and no command of it runs any more: lets go of what lies behind it, so that others can have it
  // when `done` is called.
  virtual void retire(std::move_only_function<void()> done) { done(); }
  // `bind_alua_state`: the backing store is open only in ALUA states in which commands are carried out (`serves`). A
  // device that follows opens or closes it, where it is not so already.
  virtual bool follows_alua_state() const { return false; }
  virtual void follow_alua_state(Device& device, bool serves, Done done) {
    (void)device, (void)serves;
    done({});
  }
};

}  // namespace uscst::target
