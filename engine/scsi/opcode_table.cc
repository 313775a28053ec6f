#include "engine/scsi/opcode_table.h"

#include <algorithm>

namespace uscst::scsi {
namespace {

using enum Operation;
using enum Direction;

// CDB usage data written as hex; its length is the CDB's.
struct Usage {
  std::array<std::uint8_t, kMaxCdbLength> bytes{};
  std::uint8_t length = 0;

  consteval Usage(const char* text) {  // NOLINT: rows give the text
    for (; *text != '\0'; text += text[2] == ' ' ? 3 : 2) {
      bytes.at(length++) = static_cast<std::uint8_t>(digit(text[0]) << 4 | digit(text[1]));
    }
  }
  static consteval int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    throw "a CDB usage byte is two upper-case hex digits";
  }
};

// Service actions stand in the low bits of byte 1, in 32-byte CDBs in bytes 8 and 9.
constexpr std::optional<std::uint16_t> action_of(const Usage& usage) {
  switch (usage.bytes[0]) {
    case kVariableLengthOpcode: return static_cast<std::uint16_t>(usage.bytes[8] << 8 | usage.bytes[9]);
    case 0x9E:
    case 0xA3:
    case 0xA4: return static_cast<std::uint16_t>(usage.bytes[1] & 0x1F);
    default: return std::nullopt;
  }
}

constexpr OpcodeRow row(std::string_view name, Usage usage, Operation operation, Direction direction, CdbLayout layout,
                        Flags flags, TimeoutClass timeout, DeviceTypes types = {}) {
  return {name,   usage.bytes[0], action_of(usage), usage.length, operation,  direction,
          layout, flags,          timeout,          types,        usage.bytes};
}

constexpr TimeoutClass kShort = TimeoutClass::kShort;
constexpr TimeoutClass kRegular = TimeoutClass::kRegular;
constexpr TimeoutClass kLong = TimeoutClass::kLong;
constexpr DeviceTypes kDiskOnly{true, false};
constexpr DeviceTypes kCdromOnly{false, true};
constexpr DeviceTypes kEvery{true, true, true};

// Layouts: where LBA and length stand.
constexpr CdbLayout kNoData{};
constexpr CdbLayout kBlocks6{LengthRule::kBlocks6, {1, 3}, {4, 1}};
constexpr CdbLayout blocks10(LengthRule rule) { return {rule, {2, 4}, {7, 2}}; }
constexpr CdbLayout blocks12(LengthRule rule) { return {rule, {2, 4}, {6, 4}}; }
constexpr CdbLayout blocks16(LengthRule rule) { return {rule, {2, 8}, {10, 4}}; }
constexpr CdbLayout blocks32(LengthRule rule) { return {rule, {12, 8}, {28, 4}}; }
constexpr CdbLayout list(std::uint8_t offset, std::uint8_t width) { return {LengthRule::kBytes, {}, {offset, width}}; }
constexpr LengthRule kCounted = LengthRule::kBlocks;
constexpr LengthRule kChecked = LengthRule::kByteCheck;
constexpr LengthRule kSame = LengthRule::kOneBlock;
constexpr LengthRule kNoTransfer = LengthRule::kNone;

// Flag sets that several rows share.
constexpr Flags kAnyReservation = Flag::kUnderReservation | Flag::kUnderWriteExclusive | Flag::kUnderExclusiveAccess;
constexpr Flags kAnyPersistent = Flag::kUnderWriteExclusive | Flag::kUnderExclusiveAccess;
constexpr Flags kAnyPath = Flag::kStandby | Flag::kUnavailable;
constexpr Flags kReads = Flag::kUnderWriteExclusive | Flag::kHasRange | Flag::kProtectField;
constexpr Flags kWritesRange = Flag::kWrites | Flag::kHasRange | Flag::kProtectField;
constexpr Flags kReads32 = kReads | Flag::kNeedsDifType2;
constexpr Flags kWrites32 = kWritesRange | Flag::kNeedsDifType2;
constexpr Flags kMode = Flag::kStandby;
constexpr Flags kModeSelectFlags = kMode | Flag::kStrictlySerialized;
constexpr Flags kModeSenseFlags = kMode | Flag::kUnderWriteExclusive;
constexpr Flags kCapacityFlags = kAnyReservation | kAnyPath | Flag::kHeadOfQueue;
constexpr Flags kReserveFlags = kAnyPersistent | Flag::kStandby | Flag::kSerialized | Flag::kByEngine;
constexpr Flags kReleaseFlags = kReserveFlags | Flag::kUnderReservation;
constexpr Flags kPersistFlags = kAnyPersistent | Flag::kStandby | Flag::kSerialized | Flag::kByEngine;
constexpr Flags kSupportedFlags = Flag::kUnderWriteExclusive | Flag::kByEngine;

// clang-format off
constexpr auto kRows = std::to_array<OpcodeRow>({
    row("SYNCHRONIZE CACHE(10)", "35 02 FF FF FF FF 00 FF FF 04", kSynchronizeCache, kNone, blocks10(kNoTransfer), Flag::kHasRange, kRegular),
    row("SYNCHRONIZE CACHE(16)", "91 02 FF FF FF FF FF FF FF FF FF FF FF FF 00 04", kSynchronizeCache, kNone, blocks16(kNoTransfer), Flag::kHasRange, kRegular),
    row("MODE SENSE(6)", "1A 08 FF FF FF 04", kModeSense, kIn, list(4, 1), kModeSenseFlags, kShort, kEvery),
    row("MODE SENSE(10)", "5A 18 FF FF 00 00 00 FF FF 04", kModeSense, kIn, list(7, 2), kModeSenseFlags, kShort, kEvery),
    row("MODE SELECT(6)", "15 11 00 00 FF 04", kModeSelect, kOut, list(4, 1), kModeSelectFlags, kShort, kEvery),
    row("MODE SELECT(10)", "55 11 00 00 00 00 00 FF FF 04", kModeSelect, kOut, list(7, 2), kModeSelectFlags, kShort, kEvery),
    row("LOG SELECT", "4C 03 FF FF 00 00 00 FF FF 04", kLogSelect, kOut, list(7, 2), kModeSelectFlags, kShort, kEvery),
    row("LOG SENSE", "4D 01 FF FF 00 FF FF FF FF 04", kLogSense, kIn, list(7, 2), kAnyReservation | Flag::kStandby, kShort, kEvery),
    row("START STOP UNIT", "1B 01 00 0F F7 04", kStartStopUnit, kNone, kNoData, kAnyReservation | Flag::kConditionalStart, kShort),
    row("READ CAPACITY(10)", "25 00 00 00 00 00 00 00 00 04", kReadCapacity10, kIn, {LengthRule::kFixed8, {}, {}}, kCapacityFlags, kShort),
    row("SEND DIAGNOSTIC", "1D F7 00 FF FF 04", kSendDiagnostic, kOut, list(3, 2), Flag::kStandby, kShort, kEvery),
    row("REPORT TARGET PORT GROUPS", "A3 EA 00 00 00 00 FF FF FF FF 00 04", kReportTargetPortGroups, kIn, list(6, 4), kAnyReservation | kAnyPath | Flag::kByEngine, kShort),
    row("READ(6)", "08 1F FF FF FF 04", kRead, kIn, kBlocks6, Flag::kUnderWriteExclusive | Flag::kHasRange, kRegular),
    row("READ(10)", "28 F8 FF FF FF FF 00 FF FF 04", kRead, kIn, blocks10(kCounted), kReads, kRegular),
    row("READ(12)", "A8 F8 FF FF FF FF FF FF FF FF 00 04", kRead, kIn, blocks12(kCounted), kReads, kRegular),
    row("READ(16)", "88 F8 FF FF FF FF FF FF FF FF FF FF FF FF 00 04", kRead, kIn, blocks16(kCounted), kReads, kRegular),
    row("WRITE(6)", "0A 1F FF FF FF 04", kWrite, kOut, kBlocks6, Flag::kWrites | Flag::kHasRange, kRegular, kDiskOnly),
    row("WRITE(10)", "2A FA FF FF FF FF 00 FF FF 04", kWrite, kOut, blocks10(kCounted), kWritesRange, kRegular),
    row("WRITE(12)", "AA FA FF FF FF FF FF FF FF FF 00 04", kWrite, kOut, blocks12(kCounted), kWritesRange, kRegular),
    row("WRITE(16)", "8A FA FF FF FF FF FF FF FF FF FF FF FF FF 00 04", kWrite, kOut, blocks16(kCounted), kWritesRange, kRegular),
    row("WRITE AND VERIFY(10)", "2E F6 FF FF FF FF 00 FF FF 04", kWriteAndVerify, kOut, blocks10(kCounted), kWritesRange, kRegular),
    row("WRITE AND VERIFY(12)", "AE F6 FF FF FF FF FF FF FF FF 00 04", kWriteAndVerify, kOut, blocks12(kCounted), kWritesRange, kRegular),
    row("WRITE AND VERIFY(16)", "8E F6 FF FF FF FF FF FF FF FF FF FF FF FF 00 04", kWriteAndVerify, kOut, blocks16(kCounted), kWritesRange, kRegular),
    row("VERIFY(10)", "2F F6 FF FF FF FF 00 FF FF 04", kVerify, kOut, blocks10(kChecked), kReads, kRegular),
    row("VERIFY(12)", "AF F6 FF FF FF FF FF FF FF FF 00 04", kVerify, kOut, blocks12(kChecked), kReads, kRegular),
    row("VERIFY(16)", "8F F6 FF FF FF FF FF FF FF FF FF FF FF FF 00 04", kVerify, kOut, blocks16(kChecked), kReads, kRegular),
    row("READ CAPACITY(16)", "9E 10 00 00 00 00 00 00 00 00 FF FF FF FF 00 04", kReadCapacity16, kIn, list(10, 4), kCapacityFlags, kShort, kDiskOnly),
    row("WRITE SAME(10)", "41 E8 FF FF FF FF 00 FF FF 04", kWriteSame, kOut, blocks10(kSame), kWritesRange, kRegular, kDiskOnly),
    row("WRITE SAME(16)", "93 E8 FF FF FF FF FF FF FF FF FF FF FF FF 00 04", kWriteSame, kOut, blocks16(kSame), kWritesRange, kRegular, kDiskOnly),
    row("UNMAP", "42 00 00 00 00 00 00 FF FF 04", kUnmap, kOut, list(7, 2), Flag::kWrites | Flag::kNeedsThin, kRegular, kDiskOnly),
    row("FORMAT UNIT", "04 F0 00 00 00 04", kFormatUnit, kOut, {LengthRule::kTransport, {}, {}}, Flag::kWrites | Flag::kStrictlySerialized, kLong),
    row("EXTENDED COPY", "83 00 00 00 00 00 00 00 00 00 FF FF FF FF 00 04", kExtendedCopy, kOut, list(10, 4), Flag::kWrites | Flag::kByEngine, kRegular, kDiskOnly),
    row("COMPARE AND WRITE", "89 F8 FF FF FF FF FF FF FF FF 00 00 00 FF 00 04", kCompareAndWrite, kOut, {LengthRule::kTwiceBlocks, {2, 8}, {13, 1}}, kWritesRange, kRegular, kDiskOnly),
    row("READ(32)", "7F 04 00 00 00 00 00 18 00 09 F8 00 FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF", kRead, kIn, blocks32(kCounted), kReads32, kRegular, kDiskOnly),
    row("WRITE(32)", "7F 04 00 00 00 00 00 18 00 0B FA 00 FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF", kWrite, kOut, blocks32(kCounted), kWrites32, kRegular, kDiskOnly),
    row("VERIFY(32)", "7F 04 00 00 00 00 00 18 00 0A F6 00 FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF", kVerify, kOut, blocks32(kChecked), kReads32, kRegular, kDiskOnly),
    row("WRITE AND VERIFY(32)", "7F 04 00 00 00 00 00 18 00 0C F6 00 FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF", kWriteAndVerify, kOut, blocks32(kCounted), kWrites32, kRegular, kDiskOnly),
    row("WRITE SAME(32)", "7F 04 00 00 00 00 00 18 00 0D E8 00 FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF", kWriteSame, kOut, blocks32(kSame), kWrites32, kRegular, kDiskOnly),
    row("READ TOC", "43 00 0F 00 00 00 FF FF FF 04", kReadToc, kIn, list(7, 2), Flag::kUnderWriteExclusive, kRegular, kCdromOnly),
    row("INQUIRY", "12 01 FF FF FF 04", kInquiry, kIn, list(3, 2), kAnyReservation | kAnyPath | Flag::kUnitAttentionExempt | Flag::kHeadOfQueue, kShort, kEvery),
    row("TEST UNIT READY", "00 00 00 00 00 04", kTestUnitReady, kNone, kNoData, kAnyReservation | Flag::kHeadOfQueue, kShort, kEvery),
    row("RESERVE(6)", "16 00 00 00 00 04", kReserve, kNone, kNoData, kReserveFlags, kShort, kEvery),
    row("RELEASE(6)", "17 00 00 00 00 04", kRelease, kNone, kNoData, kReleaseFlags, kShort, kEvery),
    row("RESERVE(10)", "56 00 00 00 00 00 00 00 00 04", kReserve, kNone, kNoData, kReserveFlags, kShort, kEvery),
    row("RELEASE(10)", "57 00 00 00 00 00 00 00 00 04", kRelease, kNone, kNoData, kReleaseFlags, kShort, kEvery),
    row("PERSISTENT RESERVE IN", "5E 1F 00 00 00 00 00 FF FF 04", kPersistentReserveIn, kIn, list(7, 2), kPersistFlags, kShort, kDiskOnly),
    row("PERSISTENT RESERVE OUT", "5F 1F FF 00 00 FF FF FF FF 04", kPersistentReserveOut, kOut, list(5, 4), kPersistFlags, kShort, kDiskOnly),
    row("REPORT LUNS", "A0 00 FF 00 00 00 FF FF FF FF 00 04", kReportLuns, kIn, list(6, 4), kAnyReservation | kAnyPath | Flag::kUnitAttentionExempt | Flag::kHeadOfQueue | Flag::kByEngine, kShort, kEvery),
    row("REQUEST SENSE", "03 01 00 00 FF 04", kRequestSense, kIn, list(4, 1), kAnyReservation | kAnyPath | Flag::kUnitAttentionExempt | Flag::kByEngine, kShort, kEvery),
    row("REPORT SUPPORTED OPERATION CODES", "A3 0C 87 FF FF FF FF FF FF FF 00 04", kReportSupportedOpcodes, kIn, list(6, 4), kSupportedFlags, kShort, kEvery),
    row("REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", "A3 0D 80 00 00 00 FF FF FF FF 00 04", kReportSupportedTaskManagement, kIn, list(6, 4), kSupportedFlags, kShort, kEvery),
    row("SET TARGET PORT GROUPS", "A4 0A 00 00 00 00 FF FF FF FF 00 04", kSetTargetPortGroups, kOut, list(6, 4), kAnyPath | Flag::kNeedsExplicitAlua | Flag::kStrictlySerialized | Flag::kByEngine, kShort, kDiskOnly),
    // Not reported.
    row("PREVENT ALLOW MEDIUM REMOVAL", "1E 00 00 00 03 04", kPreventAllowMediumRemoval, kNone, kNoData, kAnyReservation | Flag::kConditionalStart | Flag::kUnlisted, kShort, kEvery),
    row("RECEIVE COPY RESULTS", "84 1F FF 00 00 00 00 00 00 00 FF FF FF FF 00 04", kReceiveCopyResults, kIn, list(10, 4), kAnyPersistent | Flag::kByEngine | Flag::kUnlisted, kShort, kDiskOnly),
    row("READ BLOCK LIMITS", "05 01 00 00 00 04", kRefused, kIn, {LengthRule::kFixed6, {}, {}}, kAnyReservation | Flag::kUnlisted, kShort),
    row("UPDATE BLOCK", "2D 00 FF FF FF FF 00 00 00 04", kRefused, kOut, {LengthRule::kOneBlock, {2, 4}, {}}, Flag::kWrites | Flag::kUnlisted, kShort, kDiskOnly),
});
// clang-format on

// Rows of one opcode, chained in table order; kEnd closes a chain and stands for an opcode without a row.
constexpr std::uint8_t kEnd = 0xFF;
static_assert(kRows.size() < kEnd);

struct Index {
  std::array<std::uint8_t, 256> first;
  std::array<std::uint8_t, kRows.size()> next;
};

consteval Index make_index() {
  Index index{};
  index.first.fill(kEnd);
  index.next.fill(kEnd);
  for (std::size_t i = kRows.size(); i-- > 0;) {
    index.next[i] = index.first[kRows[i].opcode];
    index.first[kRows[i].opcode] = static_cast<std::uint8_t>(i);
  }
  return index;
}
constexpr Index kIndex = make_index();

// Unique: no two rows answer the same CDB. An opcode has either one row, or rows that all name a service action.
consteval bool rows_are_unique() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    for (std::size_t j = i + 1; j < kRows.size(); ++j) {
      if (kRows[i].opcode != kRows[j].opcode) continue;
      if (!kRows[i].service_action || !kRows[j].service_action || kRows[i].service_action == kRows[j].service_action)
        return false;
    }
  }
  return true;
}
static_assert(rows_are_unique());

// Complete: every operation has a row, and every row is reached through the index.
consteval bool rows_are_complete() {
  for (std::size_t operation = 0; operation < kOperationCount; ++operation) {
    if (std::none_of(kRows.begin(), kRows.end(),
                     [&](const OpcodeRow& r) { return static_cast<std::size_t>(r.operation) == operation; }))
      return false;
  }
  std::size_t reached = 0;
  for (std::uint8_t first : kIndex.first) {
    for (std::uint8_t i = first; i != kEnd; i = kIndex.next[i]) ++reached;
  }
  return reached == kRows.size();
}
static_assert(rows_are_complete());

// The CDB length follows from the opcode's group (SPC-5 4.2.5.1), and every field lies inside the CDB.
consteval bool layouts_are_sound() {
  for (const OpcodeRow& r : kRows) {
    constexpr std::array<std::uint8_t, 8> kGroupLength{6, 10, 10, 32, 16, 12, 0, 0};
    if (r.cdb_length != kGroupLength[r.opcode >> 5]) return false;
    if (r.layout.lba.offset + r.layout.lba.width > r.cdb_length) return false;
    if (r.layout.length.offset + r.layout.length.width > r.cdb_length) return false;
    if (r.flags.has(Flag::kHasRange) != (r.layout.lba.width != 0 && r.operation != kRefused)) return false;
    if ((r.usage[r.control_offset()] & 0xFB) != 0) return false;
  }
  return true;
}
static_assert(layouts_are_sound());

// One row a group of operation codes: its CDB length is all that is known. Vendor's groups get all that SRP carries.
constexpr OpcodeRow passed_row(std::uint8_t length, Flags flags) {
  OpcodeRow row{};
  row.name = "(passed)";
  row.cdb_length = length;
  row.operation = kPassed;
  row.layout.rule = LengthRule::kTransport;
  row.flags = flags | Flag::kUnlisted;
  row.timeout = kRegular;
  return row;
}
constexpr std::array<OpcodeRow, 8> passed_rows(Flags flags) {
  return {passed_row(6, flags),  passed_row(10, flags), passed_row(10, flags), passed_row(16, flags),
          passed_row(16, flags), passed_row(12, flags), passed_row(16, flags), passed_row(16, flags)};
}
constexpr auto kPassedRows = passed_rows({}), kPassedWritingRows = passed_rows(Flag::kWrites);

// Commands without a row that change the medium: of tapes (SSC-5), SEND of processors, of disks (SBC-4).
bool changes_medium(std::uint8_t opcode, DeviceType type) {
  constexpr std::array<std::uint8_t, 7> kOfTapes{0x04, 0x0A, 0x10, 0x19, 0x80, 0x8A, 0x93};
  constexpr std::array<std::uint8_t, 9> kOfDisks{0x07, 0x2D, 0x3F, 0x48, 0x50, 0x51, 0x81, 0x9C, 0x9F};
  auto is_in = [opcode](const auto& opcodes) {
    return std::find(opcodes.begin(), opcodes.end(), opcode) != opcodes.end();
  };
  const bool disk = type == DeviceType::kDisk || type == DeviceType::kOptical;
  return disk ? is_in(kOfDisks) : type != DeviceType::kCdrom && is_in(kOfTapes);
}

const OpcodeRow* row_for_passing(std::uint8_t opcode, DeviceType type) {
  return &(changes_medium(opcode, type) ? kPassedWritingRows : kPassedRows)[opcode >> 5];
}

bool is_available(const OpcodeRow& row, const DeviceTraits& traits) {
  if (row.operation == kRefused && traits.pass_through) return false;
  return row.types.contains(traits.type) && traits.operations.contains(row.operation) &&
         (!row.flags.has(Flag::kNeedsDifType2) || traits.dif_type == 2);
}

// The service action a CDB asks for; nothing for a CDB cut short.
std::optional<std::uint16_t> requested_action(base::Bytes cdb) {
  if (cdb[0] != kVariableLengthOpcode) {
    if (cdb.size() < 2) return std::nullopt;
    return static_cast<std::uint16_t>(cdb[1] & 0x1F);
  }
  if (cdb.size() < 10) return std::nullopt;
  return static_cast<std::uint16_t>(cdb[8] << 8 | cdb[9]);
}

}  // namespace

std::span<const OpcodeRow> opcode_rows() { return kRows; }

std::size_t index_of(const OpcodeRow& row) { return static_cast<std::size_t>(&row - kRows.data()); }

SenseResult<const OpcodeRow*> find_row(base::Bytes cdb, const DeviceTraits& traits) {
  if (cdb.empty()) return refuse(kInvalidOpcode);
  bool opcode_known = false;
  for (std::uint8_t i = kIndex.first[cdb[0]]; i != kEnd; i = kIndex.next[i]) {
    const OpcodeRow& row = kRows[i];
    if (!is_available(row, traits)) continue;
    opcode_known = true;
    if (row.service_action && row.service_action != requested_action(cdb)) continue;
    if (row.flags.has(Flag::kNeedsThin) && !traits.thin_provisioned) return refuse(kInvalidOpcode);
    if (row.flags.has(Flag::kNeedsExplicitAlua) && !traits.explicit_alua) return bad_cdb(1, 0);
    return &row;
  }
  if (traits.pass_through) return row_for_passing(cdb[0], traits.type);
  // SCST answers 4/44/00 to an unknown MAINTENANCE action, which initiators retry; the standard's answer stops them.
  if (opcode_known && cdb[0] != kVariableLengthOpcode) return bad_cdb(1, 0);
  return refuse(kInvalidOpcode);
}

bool is_reported(const OpcodeRow& row, const DeviceTraits& traits) {
  return is_available(row, traits) &&
         (!row.flags.has(Flag::kUnlisted) ||
          (row.operation == kPreventAllowMediumRemoval && traits.type == DeviceType::kCdrom)) &&
         (!row.flags.has(Flag::kNeedsExplicitAlua) || traits.explicit_alua);
}

std::string_view name_of(Operation operation) {
  switch (operation) {
    case kTestUnitReady: return "test_unit_ready";
    case kRequestSense: return "request_sense";
    case kInquiry: return "inquiry";
    case kReportLuns: return "report_luns";
    case kReadCapacity10: return "read_capacity_10";
    case kReadCapacity16: return "read_capacity_16";
    case kRead: return "read";
    case kWrite: return "write";
    case kWriteAndVerify: return "write_and_verify";
    case kVerify: return "verify";
    case kSynchronizeCache: return "synchronize_cache";
    case kWriteSame: return "write_same";
    case kUnmap: return "unmap";
    case kCompareAndWrite: return "compare_and_write";
    case kFormatUnit: return "format_unit";
    case kModeSense: return "mode_sense";
    case kModeSelect: return "mode_select";
    case kLogSense: return "log_sense";
    case kLogSelect: return "log_select";
    case kStartStopUnit: return "start_stop_unit";
    case kPreventAllowMediumRemoval: return "prevent_allow_medium_removal";
    case kSendDiagnostic: return "send_diagnostic";
    case kReadToc: return "read_toc";
    case kReserve: return "reserve";
    case kRelease: return "release";
    case kPersistentReserveIn: return "persistent_reserve_in";
    case kPersistentReserveOut: return "persistent_reserve_out";
    case kReportTargetPortGroups: return "report_target_port_groups";
    case kSetTargetPortGroups: return "set_target_port_groups";
    case kReportSupportedOpcodes: return "report_supported_operation_codes";
    case kReportSupportedTaskManagement: return "report_supported_task_management_functions";
    case kExtendedCopy: return "extended_copy";
    case kReceiveCopyResults: return "receive_copy_results";
    case kRefused: return "refused";
    case kPassed: return "passed";
  }
  return {};
}

}  // namespace uscst::scsi
