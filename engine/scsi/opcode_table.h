// The opcode table: one row per operation code and service action, from which decoding, the reservation, ALUA and
// ordering rules, REPORT SUPPORTED OPERATION CODES, metric names and docs/reference/opcodes.md all come. Constant data,
// any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "engine/base/bytes.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

// What a LogicalUnit, or the engine itself (kByEngine), carries out. Forms of one command of different CDB length share
// one.
enum class Operation : std::uint8_t {
  kTestUnitReady,
  kRequestSense,
  kInquiry,
  kReportLuns,
  kReadCapacity10,
  kReadCapacity16,
  kRead,
  kWrite,
  kWriteAndVerify,
  kVerify,
  kSynchronizeCache,
  kWriteSame,
  kUnmap,
  kCompareAndWrite,
  kFormatUnit,
  kModeSense,
  kModeSelect,
  kLogSense,
  kLogSelect,
  kStartStopUnit,
  kPreventAllowMediumRemoval,
  kSendDiagnostic,
  kReadToc,
  kReserve,
  kRelease,
  kPersistentReserveIn,
  kPersistentReserveOut,
  kReportTargetPortGroups,
  kSetTargetPortGroups,
  kReportSupportedOpcodes,
  kReportSupportedTaskManagement,
  kExtendedCopy,
  kReceiveCopyResults,
  kRefused,  // known to the decoder only: 5/20/00, but a wrong data direction is told first, as SCST does
  kPassed,   // without a row: for a real device, which knows; direction and length are the initiator's word
};
inline constexpr std::size_t kOperationCount = static_cast<std::size_t>(Operation::kRefused) + 1;

// Which operations a device carries out.
class OperationSet {
 public:
  constexpr OperationSet() = default;
  constexpr OperationSet(std::initializer_list<Operation> operations) {
    for (Operation operation : operations) bits_ |= bit(operation);
  }
  static constexpr OperationSet all() {
    OperationSet set;
    set.bits_ = (std::uint64_t{1} << kOperationCount) - 1;
    return set;
  }
  constexpr bool contains(Operation operation) const { return (bits_ & bit(operation)) != 0; }

 private:
  static constexpr std::uint64_t bit(Operation operation) {
    return std::uint64_t{1} << static_cast<unsigned>(operation);
  }
  std::uint64_t bits_ = 0;
};
static_assert(kOperationCount < 64);

// The one list of what is carried out today. A row whose operation is missing here is answered as an unknown command
// (5/20/00, or 5/24/00 for a service action beside known ones) and not reported.
inline constexpr OperationSet kImplementedOperations{
    Operation::kTestUnitReady,
    Operation::kRequestSense,
    Operation::kInquiry,
    Operation::kReportLuns,
    Operation::kReadCapacity10,
    Operation::kReadCapacity16,
    Operation::kRead,
    Operation::kWrite,
    Operation::kWriteAndVerify,
    Operation::kVerify,
    Operation::kSynchronizeCache,
    Operation::kWriteSame,
    Operation::kUnmap,
    Operation::kCompareAndWrite,
    Operation::kModeSense,
    Operation::kModeSelect,
    Operation::kLogSense,
    Operation::kLogSelect,
    Operation::kStartStopUnit,
    Operation::kPreventAllowMediumRemoval,
    Operation::kSendDiagnostic,
    Operation::kReserve,
    Operation::kRelease,
    Operation::kReportTargetPortGroups,
    Operation::kSetTargetPortGroups,
    Operation::kReportSupportedOpcodes,
    Operation::kReportSupportedTaskManagement,
    Operation::kRefused,
};

// Row flags. Reservations and ALUA: reference in SPC-5 5.14 and 5.16; engine/scsi/rules.h asks them.
enum class Flag : std::uint32_t {
  kUnderReservation = 1u << 0,     // allowed while another nexus holds an SPC-2 reservation
  kUnderWriteExclusive = 1u << 1,  // allowed for strangers under a Write Exclusive persistent reservation
  kUnderExclusiveAccess = 1u << 2,
  kStandby = 1u << 3,  // allowed in ALUA state standby; also on an inactive device
  kUnavailable = 1u << 4,
  kUnitAttentionExempt = 1u << 5,
  kWrites = 1u << 6,       // refused on a read-only LUN and under SWP
  kHasRange = 1u << 7,     // DecodedCdb::lba and blocks name blocks of the medium
  kHeadOfQueue = 1u << 8,  // a SIMPLE one is taken as HEAD OF QUEUE
  kSerialized = 1u << 9,   // waits for the running commands, holds later ones
  kStrictlySerialized = 1u << 10,
  kByEngine = 1u << 11,      // carried out by the engine, not by the LogicalUnit
  kProtectField = 1u << 12,  // RDPROTECT, WRPROTECT or VRPROTECT in the upper bits
  kConditionalStart =
      1u << 13,  // START STOP UNIT and PREVENT ALLOW: the reservation flags hold only for START=1, PREVENT=0
  kNeedsThin = 1u << 14,
  kNeedsDifType2 = 1u << 15,
  kNeedsExplicitAlua = 1u << 16,
  kUnlisted = 1u << 17,  // not in REPORT SUPPORTED OPERATION CODES
};

class Flags {
 public:
  constexpr Flags() = default;
  constexpr Flags(Flag flag) : bits_(static_cast<std::uint32_t>(flag)) {}  // NOLINT: a flag is a set of one
  constexpr bool has(Flag flag) const { return (bits_ & static_cast<std::uint32_t>(flag)) != 0; }
  friend constexpr Flags operator|(Flags a, Flags b) {
    a.bits_ |= b.bits_;
    return a;
  }

 private:
  std::uint32_t bits_ = 0;
};
constexpr Flags operator|(Flag a, Flag b) { return Flags(a) | Flags(b); }

enum class Direction : std::uint8_t { kNone, kIn, kOut };  // seen from the initiator: kIn reads

// How the length of the data follows from the CDB.
enum class LengthRule : std::uint8_t {
  kNone,
  kBytes,        // the length field: an allocation length or a parameter list length
  kBlocks,       // blocks x block size
  kBlocks6,      // the same; 0 means 256 blocks
  kTwiceBlocks,  // COMPARE AND WRITE
  kByteCheck,    // VERIFY: blocks with BYTCHK = 01b, otherwise no data
  kOneBlock,     // WRITE SAME (none with NDOB)
  kFixed6,
  kFixed8,
  kTransport,  // the CDB does not tell: what the initiator offers (FORMAT UNIT with FMTDATA)
};

// A big-endian field of the CDB; width 0 where there is none.
struct CdbField {
  std::uint8_t offset = 0;
  std::uint8_t width = 0;
};

struct CdbLayout {
  LengthRule rule = LengthRule::kNone;
  CdbField lba{};
  CdbField length{};  // blocks or bytes, see rule
};

// Recommended command time-out classes: what REPORT SUPPORTED OPERATION CODES tells with RCTD.
enum class TimeoutClass : std::uint16_t { kShort = 10, kRegular = 60, kLong = 3600 };  // seconds

// Of the types that the table knows; a real device may have another.
enum class DeviceType : std::uint8_t { kDisk = 0x00, kTape = 0x01, kCdrom = 0x05, kOptical = 0x07 };

struct DeviceTypes {
  bool disk = true;
  bool cdrom = true;
  bool others = false;  // any other type
  constexpr bool contains(DeviceType type) const {
    if (type == DeviceType::kDisk || type == DeviceType::kOptical) return disk;
    return type == DeviceType::kCdrom ? cdrom : others;
  }
};

inline constexpr std::size_t kMaxCdbLength = 32;
inline constexpr std::uint8_t kVariableLengthOpcode = 0x7F;

struct OpcodeRow {
  std::string_view name;
  std::uint8_t opcode = 0;
  std::optional<std::uint16_t> service_action = std::nullopt;
  std::uint8_t cdb_length = 0;
  Operation operation = Operation::kRefused;
  Direction direction = Direction::kNone;
  CdbLayout layout{};
  Flags flags{};
  TimeoutClass timeout = TimeoutClass::kShort;
  DeviceTypes types{};
  std::array<std::uint8_t, kMaxCdbLength> usage{};  // CDB usage data (SPC-5 6.35.3)

  // The control byte stands last, in 32-byte CDBs second.
  constexpr std::size_t control_offset() const {
    return opcode == kVariableLengthOpcode ? 1 : static_cast<std::size_t>(cdb_length) - 1;
  }
  base::Bytes usage_bytes() const { return base::Bytes(usage).first(cdb_length); }
};

// What decoding needs to know of a device. A snapshot, filled in by the LogicalUnit.
struct DeviceTraits {
  DeviceType type = DeviceType::kDisk;
  std::uint8_t block_shift = 9;  // block size = 1 << block_shift bytes
  std::uint8_t dif_type = 0;     // T10-PI type, 0: none
  bool thin_provisioned = false;
  bool explicit_alua = false;
  bool pass_through = false;  // a real device: it knows commands that the table does not
  OperationSet operations = kImplementedOperations;

  constexpr std::uint32_t block_size() const { return std::uint32_t{1} << block_shift; }
};

// All rows, listed ones first in the order in which SCST reports them.
std::span<const OpcodeRow> opcode_rows();

// The row index (for per-opcode counters): 0 .. opcode_rows().size() - 1.
std::size_t index_of(const OpcodeRow& row);

// The row for a CDB sent to such a device; 5/20/00 for an unknown operation code, 5/24/00 at byte 1 for an unknown
// service action of a known one. An operation missing in traits.operations is unknown.
SenseResult<const OpcodeRow*> find_row(base::Bytes cdb, const DeviceTraits& traits);

// True when REPORT SUPPORTED OPERATION CODES of such a device names the row.
bool is_reported(const OpcodeRow& row, const DeviceTraits& traits);

std::string_view name_of(Operation operation);

}  // namespace uscst::scsi
