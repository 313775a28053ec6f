#include "engine/initiator/sense_text.h"

#include <fmt/format.h>

#include <array>

namespace uscst::initiator {
namespace {

constexpr std::array<std::string_view, 16> kKeys = {
    "NO SENSE",        "RECOVERED ERROR", "NOT READY",   "MEDIUM ERROR",    "HARDWARE ERROR", "ILLEGAL REQUEST",
    "UNIT ATTENTION",  "DATA PROTECT",    "BLANK CHECK", "VENDOR SPECIFIC", "COPY ABORTED",   "ABORTED COMMAND",
    "reserved key Ch", "VOLUME OVERFLOW", "MISCOMPARE",  "COMPLETED",
};

struct Text {
  std::uint8_t asc, ascq;
  std::string_view text;
};

// SPC-5 annex F, what SCST sends.
constexpr auto kTexts = std::to_array<Text>({
    {0x00, 0x00, "no additional sense information"},
    {0x00, 0x16, "operation in progress"},
    {0x03, 0x00, "peripheral device write fault"},
    {0x04, 0x04, "format in progress"},
    {0x04, 0x0A, "asymmetric access state transition"},
    {0x04, 0x0B, "target port in standby state"},
    {0x04, 0x0C, "target port in unavailable state"},
    {0x08, 0x00, "logical unit communication failure"},
    {0x0C, 0x00, "write error"},
    {0x0D, 0x02, "copy target device not reachable"},
    {0x0E, 0x03, "invalid field in command information unit"},
    {0x10, 0x01, "logical block guard check failed"},
    {0x10, 0x02, "logical block application tag check failed"},
    {0x10, 0x03, "logical block reference tag check failed"},
    {0x11, 0x00, "unrecovered read error"},
    {0x1A, 0x00, "parameter list length error"},
    {0x1D, 0x00, "miscompare during verify operation"},
    {0x20, 0x00, "invalid command operation code"},
    {0x21, 0x00, "logical block address out of range"},
    {0x24, 0x00, "invalid field in CDB"},
    {0x25, 0x00, "logical unit not supported"},
    {0x26, 0x00, "invalid field in parameter list"},
    {0x26, 0x02, "parameter value invalid"},
    {0x26, 0x04, "invalid release of persistent reservation"},
    {0x27, 0x00, "write protected"},
    {0x27, 0x07, "space allocation failed write protect"},
    {0x28, 0x00, "medium may have changed"},
    {0x29, 0x00, "power on, reset, or bus device reset occurred"},
    {0x29, 0x01, "power on occurred"},
    {0x29, 0x07, "I_T nexus loss occurred"},
    {0x2A, 0x01, "mode parameters changed"},
    {0x2A, 0x02, "log parameters changed"},
    {0x2A, 0x03, "reservations preempted"},
    {0x2A, 0x04, "reservations released"},
    {0x2A, 0x05, "registrations preempted"},
    {0x2A, 0x06, "asymmetric access state changed"},
    {0x2A, 0x09, "capacity data has changed"},
    {0x2F, 0x00, "commands cleared by another initiator"},
    {0x38, 0x07, "thin provisioning soft threshold reached"},
    {0x39, 0x00, "saving parameters not supported"},
    {0x3A, 0x00, "medium not present"},
    {0x3F, 0x03, "inquiry data has changed"},
    {0x3F, 0x0E, "reported LUNs data has changed"},
    {0x44, 0x00, "internal target failure"},
    {0x49, 0x00, "invalid message error"},
    {0x67, 0x0A, "set target port groups command failed"},
});

std::string_view additional_text(std::uint8_t asc, std::uint8_t ascq) {
  for (const Text& row : kTexts) {
    if (row.asc == asc && row.ascq == ascq) return row.text;
  }
  return "unknown additional sense";
}

}  // namespace

std::optional<SenseCode> parse_sense(base::Bytes sense) {
  if (sense.empty()) return std::nullopt;
  const unsigned format = sense[0] & 0x7F;
  if (format == 0x70 || format == 0x71) {
    if (sense.size() < 14) return std::nullopt;
    return SenseCode{static_cast<std::uint8_t>(sense[2] & 0x0F), sense[12], sense[13]};
  }
  if (format == 0x72 || format == 0x73) {
    if (sense.size() < 8) return std::nullopt;
    return SenseCode{static_cast<std::uint8_t>(sense[1] & 0x0F), sense[2], sense[3]};
  }
  return std::nullopt;
}

std::string describe(const SenseCode& code) {
  return fmt::format("{}, {} ({:X}/{:02X}/{:02X})", kKeys[code.key & 0x0F], additional_text(code.asc, code.ascq),
                     code.key, code.asc, code.ascq);
}

std::string_view status_name(std::uint8_t status) {
  switch (status) {
    case kStatusGood: return "GOOD";
    case kStatusCheckCondition: return "CHECK CONDITION";
    case kStatusBusy: return "BUSY";
    case kStatusReservationConflict: return "RESERVATION CONFLICT";
    case kStatusTaskSetFull: return "TASK SET FULL";
    case kStatusAcaActive: return "ACA ACTIVE";
    case kStatusTaskAborted: return "TASK ABORTED";
    default: return "unknown status";
  }
}

std::string describe(const Outcome& outcome) {
  if (outcome.delivery == Delivery::kDisconnected) return "connection lost";
  if (outcome.delivery == Delivery::kAborted) return "aborted by the target";
  if (outcome.delivery == Delivery::kTimedOut) return "no answer in time, aborted";
  if (outcome.code) return fmt::format("not delivered: {}", srp::describe(*outcome.code));
  if (outcome.status != kStatusCheckCondition) return std::string(status_name(outcome.status));
  auto code = parse_sense({outcome.sense.data(), outcome.sense.size()});
  return code ? fmt::format("CHECK CONDITION: {}", describe(*code)) : std::string("CHECK CONDITION without sense data");
}

bool is_unit_attention(const Outcome& outcome) {
  if (outcome.delivery != Delivery::kAnswered || outcome.status != kStatusCheckCondition) return false;
  auto code = parse_sense({outcome.sense.data(), outcome.sense.size()});
  return code && code->key == 6;
}

}  // namespace uscst::initiator
