#include "engine/scsi/rules.h"

namespace uscst::scsi {
namespace {

// START STOP UNIT is harmless to a reservation's holder only as a plain START, PREVENT ALLOW only as ALLOW.
bool condition_holds(const DecodedCdb& cdb) {
  if (!cdb.has(Flag::kConditionalStart)) return true;
  if (cdb.operation() == Operation::kStartStopUnit) return (cdb.bytes[4] & 0xF1) == 0x01;
  return (cdb.bytes[4] & 0x01) == 0;
}

bool passes(const DecodedCdb& cdb, Flag flag) { return cdb.has(flag) && condition_holds(cdb); }

}  // namespace

TaskAttribute effective_attribute(TaskAttribute sent, const DecodedCdb& cdb, std::uint8_t queue_algorithm) {
  if (sent == TaskAttribute::kUntagged) sent = TaskAttribute::kSimple;
  if (sent == TaskAttribute::kSimple && cdb.has(Flag::kHeadOfQueue)) return TaskAttribute::kHeadOfQueue;
  if (sent == TaskAttribute::kSimple && queue_algorithm == 0) return TaskAttribute::kOrdered;
  return sent;
}

bool passes_foreign_reservation(const DecodedCdb& cdb) { return passes(cdb, Flag::kUnderReservation); }

std::optional<Sense> check_reserve(const DecodedCdb& cdb) {
  if (cdb.row->cdb_length == 10 && (cdb.bytes[1] & 0x10) != 0) return kInvalidFieldInCdb.at_cdb(1, 4);
  return std::nullopt;
}

std::optional<ReservationType> reservation_type(std::uint8_t code) {
  switch (code) {
    case 1:
    case 3:
    case 5:
    case 6:
    case 7:
    case 8: return static_cast<ReservationType>(code);
    default: return std::nullopt;
  }
}

bool passes_persistent_reservation(const DecodedCdb& cdb, ReservationType type, bool holder, bool registered) {
  if (holder) return true;
  switch (type) {
    case ReservationType::kWriteExclusive: return passes(cdb, Flag::kUnderWriteExclusive);
    case ReservationType::kExclusiveAccess: return passes(cdb, Flag::kUnderExclusiveAccess);
    case ReservationType::kWriteExclusiveRegistrantsOnly:
    case ReservationType::kWriteExclusiveAllRegistrants: return registered || passes(cdb, Flag::kUnderWriteExclusive);
    case ReservationType::kExclusiveAccessRegistrantsOnly:
    case ReservationType::kExclusiveAccessAllRegistrants: return registered || passes(cdb, Flag::kUnderExclusiveAccess);
  }
  return false;
}

std::optional<Sense> check_alua(const DecodedCdb& cdb, AluaState state) {
  switch (state) {
    case AluaState::kActiveOptimized:
    case AluaState::kActiveNonoptimized: return std::nullopt;
    case AluaState::kStandby:
      if (cdb.has(Flag::kStandby)) return std::nullopt;
      return kAluaStandby;
    case AluaState::kUnavailable:
    case AluaState::kOffline:
      if (cdb.has(Flag::kUnavailable)) return std::nullopt;
      return kAluaUnavailable;
    case AluaState::kTransitioning:
      if (cdb.has(Flag::kUnavailable) && cdb.operation() != Operation::kSetTargetPortGroups) return std::nullopt;
      return kAluaTransition;
  }
  return std::nullopt;
}

bool passes_inactive_device(const DecodedCdb& cdb) {
  return cdb.has(Flag::kStandby) || cdb.operation() == Operation::kTestUnitReady;
}

bool passes_format(const DecodedCdb& cdb) {
  switch (cdb.operation()) {
    case Operation::kInquiry:
    case Operation::kReportLuns:
    case Operation::kRequestSense: return true;
    // Carried out by the engine, they never reach the handler that formats.
    default: return cdb.has(Flag::kByEngine);
  }
}

}  // namespace uscst::scsi
