// One command on its way through a SCSI device of this machine. Lives in the command's scratch memory, on its reactor.
#pragma once

#include <array>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/scsi/mode_pages.h"
#include "engine/target/command.h"
#include "handlers/pass_through/unit.h"

namespace uscst::handlers {

class PassedCommand {
 public:
  PassedCommand(PassThroughUnit& unit, target::Command& command) : unit_(unit), command_(command) {}
  // Ends the command, now or later, and with it this object.
  void begin();

 private:
  void ask_device();
  void answered();
  void good();
  void check_condition();
  void tell_others(const scsi::Sense& attention);
  void correct_answer();
  void correct_device_identification();
  void ask_control_page();
  void control_page_came();

  PassThroughUnit& unit_;
  target::Command& command_;
  std::optional<ScsiCall> call_;
  std::array<std::uint8_t, 64> page_{};  // the control mode page, after a MODE SELECT
};

// MODE SENSE (6) for the control mode page alone, at most 255 bytes.
void make_control_page_request(ScsiCall& call, base::MutableBytes into, const PassThroughKind& kind);
// Header lengths of MODE SENSE (6) and (10) answers.
inline constexpr std::size_t kHeader6 = 4, kHeader10 = 8;
// The control mode page out of a MODE SENSE answer (SPC-5 7.5.10); zeroes where it is not there.
scsi::ControlState control_state_of(base::Bytes answer, std::size_t header_length);

}  // namespace uscst::handlers
