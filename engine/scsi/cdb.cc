#include "engine/scsi/cdb.h"

#include <algorithm>

namespace uscst::scsi {
namespace {

constexpr std::uint8_t kNaca = 0x04;
constexpr std::uint8_t kLink = 0x01;
constexpr std::uint8_t kImmed = 0x02;  // byte 1 of SYNCHRONIZE CACHE and FORMAT UNIT
constexpr std::uint8_t kFua = 0x08;    // READ, WRITE
constexpr std::uint8_t kDpo = 0x10;
constexpr std::uint8_t kByteCheckMask = 0x06;
constexpr std::uint8_t kNdob = 0x01;         // WRITE SAME
constexpr std::uint8_t kDataFormats = 0x06;  // PBDATA, LBDATA of earlier standards
constexpr std::uint8_t kUnmapBit = 0x08;
constexpr std::uint8_t kAnchor = 0x10;
constexpr std::uint8_t kAdditionalLength32 = 0x18;

// The byte that holds the protection field, FUA, BYTCHK and the like: 1, in 32-byte CDBs 10.
constexpr std::uint8_t options_offset(const OpcodeRow& row) { return row.opcode == kVariableLengthOpcode ? 10 : 1; }

std::uint64_t field_value(const DecodedCdb& cdb, CdbField field) {
  std::uint64_t value = 0;
  for (std::uint8_t i = 0; i < field.width; ++i) value = value << 8 | cdb.bytes[std::size_t{field.offset} + i];
  return value;
}

// The first field of the CDB that is wrong whatever the device's state is.
std::optional<Sense> check_format(const DecodedCdb& cdb, const DeviceTraits& traits) {
  const OpcodeRow& row = *cdb.row;
  const std::uint8_t options = options_offset(row);
  if (row.operation == Operation::kPassed) return std::nullopt;
  if ((cdb.bytes[row.control_offset()] & kLink) != 0) {
    return kInvalidFieldInCdb.at_cdb(static_cast<std::uint16_t>(row.control_offset()), 0);
  }
  if (row.opcode == kVariableLengthOpcode && cdb.bytes[7] != kAdditionalLength32) return kInvalidFieldInCdb.at_cdb(7);
  if (row.flags.has(Flag::kProtectField) && cdb.protect != 0) {
    if (traits.dif_type == 0) return kInvalidFieldInCdb.at_cdb(options, 5);
    if (traits.dif_type == 2 && row.opcode != kVariableLengthOpcode) return kInvalidOpcode;
    if (cdb.protect > 5) return kInvalidFieldInCdb.at_cdb(options, 5);
  }
  bool verifies = row.operation == Operation::kVerify || row.operation == Operation::kWriteAndVerify;
  if (verifies && (cdb.bytes[options] & 0x04) != 0) return kInvalidFieldInCdb.at_cdb(options, 2);
  return std::nullopt;
}

void decode_options(DecodedCdb& cdb) {
  const std::uint8_t options = cdb.bytes[options_offset(*cdb.row)];
  if (cdb.has(Flag::kProtectField)) cdb.protect = static_cast<std::uint8_t>(options >> 5);
  switch (cdb.operation()) {
    case Operation::kRead:
    case Operation::kWrite:
      if (cdb.row->cdb_length == 6) break;
      cdb.fua = (options & kFua) != 0;
      cdb.dpo = (options & kDpo) != 0;
      break;
    case Operation::kCompareAndWrite:
      cdb.fua = (options & kFua) != 0;
      cdb.dpo = (options & kDpo) != 0;
      break;
    case Operation::kVerify:
    case Operation::kWriteAndVerify:
      cdb.dpo = (options & kDpo) != 0;
      cdb.byte_check = (options & kByteCheckMask) == 0x02;
      break;
    case Operation::kWriteSame:
      cdb.unmap = (options & kUnmapBit) != 0;
      // WRITE SAME(10) has no NDOB: the bit is obsolete there.
      cdb.ndob = cdb.row->cdb_length > 10 && (options & kNdob) != 0;
      break;
    case Operation::kSynchronizeCache:
    case Operation::kFormatUnit: cdb.immed = (options & kImmed) != 0; break;
    case Operation::kStartStopUnit: cdb.immed = (options & 0x01) != 0; break;
    default: break;
  }
}

void decode_tags(DecodedCdb& cdb) {
  if (cdb.opcode() != kVariableLengthOpcode) return;
  cdb.reference_tag = static_cast<std::uint32_t>(field_value(cdb, {20, 4}));
  cdb.application_tag = static_cast<std::uint16_t>(field_value(cdb, {24, 2}));
  cdb.application_tag_mask = static_cast<std::uint16_t>(field_value(cdb, {26, 2}));
}

void decode_length(DecodedCdb& cdb, const DeviceTraits& traits) {
  const CdbLayout& layout = cdb.row->layout;
  cdb.direction = cdb.row->direction;
  const std::uint64_t length = field_value(cdb, layout.length);
  switch (layout.rule) {
    case LengthRule::kNone: cdb.blocks = length; break;
    case LengthRule::kBytes: cdb.data_length_bytes = length; break;
    case LengthRule::kBlocks6: cdb.blocks = length == 0 ? 256 : length; break;
    case LengthRule::kBlocks:
    case LengthRule::kTwiceBlocks:
    case LengthRule::kByteCheck:
    case LengthRule::kOneBlock: cdb.blocks = length; break;
    case LengthRule::kFixed6: cdb.data_length_bytes = 6; break;
    case LengthRule::kFixed8: cdb.data_length_bytes = 8; break;
    case LengthRule::kTransport:
      cdb.length_from_transport = cdb.operation() == Operation::kPassed || (cdb.bytes[1] & 0x10) != 0;
      break;
  }
  switch (layout.rule) {
    case LengthRule::kBlocks:
    case LengthRule::kBlocks6: cdb.data_length_bytes = cdb.blocks << traits.block_shift; break;
    case LengthRule::kTwiceBlocks: cdb.data_length_bytes = cdb.blocks << traits.block_shift << 1; break;
    case LengthRule::kByteCheck: cdb.data_length_bytes = cdb.byte_check ? cdb.blocks << traits.block_shift : 0; break;
    case LengthRule::kOneBlock: cdb.data_length_bytes = cdb.ndob ? 0 : traits.block_size(); break;
    default: break;
  }
  bool moves_nothing = (layout.rule == LengthRule::kByteCheck && !cdb.byte_check) || cdb.ndob ||
                       (layout.rule == LengthRule::kTransport && !cdb.length_from_transport);
  if (moves_nothing) cdb.direction = Direction::kNone;
}

}  // namespace

SenseResult<DecodedCdb> decode_cdb(base::Bytes bytes, const DeviceTraits& traits) {
  auto row = find_row(bytes, traits);
  if (!row) return refuse(row.error());
  if (bytes.size() < (*row)->cdb_length) return refuse(kInvalidOpcode);
  DecodedCdb cdb;
  cdb.row = *row;
  std::copy_n(bytes.begin(), cdb.row->cdb_length, cdb.bytes.begin());
  cdb.naca = (cdb.bytes[cdb.row->control_offset()] & kNaca) != 0;
  cdb.lba = field_value(cdb, cdb.row->layout.lba);
  if (cdb.row->layout.rule == LengthRule::kBlocks6) cdb.lba &= 0x1FFFFF;  // the upper bits of byte 1 are reserved
  decode_options(cdb);
  decode_tags(cdb);
  decode_length(cdb, traits);
  if (auto sense = check_format(cdb, traits)) return refuse(*sense);
  return cdb;
}

std::optional<Sense> check_direction(const DecodedCdb& cdb, Direction offered) {
  if (offered == cdb.direction) return std::nullopt;
  if (offered == Direction::kNone && cdb.data_length_bytes == 0 && !cdb.length_from_transport) return std::nullopt;
  // Some initiators send TEST UNIT READY as a read of nothing.
  if (cdb.operation() == Operation::kTestUnitReady && offered == Direction::kIn) return std::nullopt;
  return kInvalidMessage;
}

std::optional<Sense> check_range(const DecodedCdb& cdb, std::uint64_t block_count) {
  if (!cdb.has(Flag::kHasRange)) return std::nullopt;
  if (cdb.lba > block_count || cdb.blocks > block_count - cdb.lba) return kLbaOutOfRange;
  return std::nullopt;
}

std::optional<Sense> check_write_same(const DecodedCdb& cdb, const DeviceTraits& traits, std::uint64_t max_blocks) {
  const std::uint8_t options = options_offset(*cdb.row);
  if ((cdb.bytes[options] & kAnchor) != 0) return kInvalidFieldInCdb.at_cdb(options, 4);
  if (cdb.ndob && !cdb.unmap) return kInvalidFieldInCdb.at_cdb(options, 0);
  if (cdb.blocks == 0 || cdb.blocks > max_blocks) return kInvalidFieldInCdb.at_cdb(cdb.row->layout.length.offset);
  if (cdb.unmap) return traits.thin_provisioned ? std::nullopt : std::optional(kInvalidOpcode);
  if ((cdb.bytes[options] & kDataFormats) != 0) return kInvalidFieldInCdb.at_cdb(options, 1);
  return std::nullopt;
}

}  // namespace uscst::scsi
