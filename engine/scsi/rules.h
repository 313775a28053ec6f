// The rules of the check stage as pure functions of row and state: reservations (SPC-2 5.5, SPC-5 5.14), ALUA
// (SPC-5 5.16), task attributes (SAM-5 8.6), and what passes while a device cannot serve its medium. Any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/scsi/cdb.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

// Task attributes in the code of SRP (and of the SCSI transport protocols); kUntagged is treated as kSimple.
enum class TaskAttribute : std::uint8_t { kSimple = 0, kHeadOfQueue = 1, kOrdered = 2, kAca = 4, kUntagged = 5 };

// The attribute a command is run with: TEST UNIT READY, INQUIRY, READ CAPACITY and REPORT LUNS go to the head of the
// queue when sent SIMPLE; with QUEUE ALGORITHM MODIFIER 0 all but head of queue and ACA are ORDERED.
TaskAttribute effective_attribute(TaskAttribute sent, const DecodedCdb& cdb, std::uint8_t queue_algorithm);

// May it pass while ANOTHER nexus holds an SPC-2 reservation of the unit? (false: RESERVATION CONFLICT)
bool passes_foreign_reservation(const DecodedCdb& cdb);

// RESERVE(10) for a third party is refused (SPC-2 7.21). SCST points at byte 2; the bit is in byte 1.
std::optional<Sense> check_reserve(const DecodedCdb& cdb);

// Persistent reservation types (SPC-5 table 68).
enum class ReservationType : std::uint8_t {
  kWriteExclusive = 1,
  kExclusiveAccess = 3,
  kWriteExclusiveRegistrantsOnly = 5,
  kExclusiveAccessRegistrantsOnly = 6,
  kWriteExclusiveAllRegistrants = 7,
  kExclusiveAccessAllRegistrants = 8,
};
std::optional<ReservationType> reservation_type(std::uint8_t code);

// May it pass a persistent reservation of that type? `holder`: this nexus holds it; `registered`: it is registered.
bool passes_persistent_reservation(const DecodedCdb& cdb, ReservationType type, bool holder, bool registered);

enum class AluaState : std::uint8_t {
  kActiveOptimized = 0x0,
  kActiveNonoptimized = 0x1,
  kStandby = 0x2,
  kUnavailable = 0x3,
  kOffline = 0xE,
  kTransitioning = 0xF,
};

// The sense data of a command that the state of its target port group does not let through.
std::optional<Sense> check_alua(const DecodedCdb& cdb, AluaState state);

// May it pass on a device whose backing store is closed (`active` = 0)? Otherwise 2/3A/00.
bool passes_inactive_device(const DecodedCdb& cdb);

// May it pass while FORMAT UNIT runs? Otherwise 2/04/04.
bool passes_format(const DecodedCdb& cdb);

}  // namespace uscst::scsi
