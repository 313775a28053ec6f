// Decoding of command descriptor blocks (SPC-5 4.2, SBC-4 5). Pure: bytes and a device's traits in, a value or sense
// data out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/scsi/opcode_table.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

// A CDB understood. Owned by the command; row lives for ever.
struct DecodedCdb {
  const OpcodeRow* row = nullptr;
  std::array<std::uint8_t, kMaxCdbLength> bytes{};  // the CDB itself, zeroes behind cdb_length
  std::uint64_t lba = 0;
  std::uint64_t blocks = 0;             // of the medium; SYNCHRONIZE CACHE: 0 means up to the end
  std::uint64_t data_length_bytes = 0;  // what the CDB says is to be moved; unlimited by what the initiator offers
  Direction direction = Direction::kNone;
  bool length_from_transport = false;  // FORMAT UNIT: data_length_bytes is not known from the CDB
  std::uint8_t protect = 0;            // RDPROTECT, WRPROTECT, VRPROTECT
  bool naca = false;
  bool fua = false;
  bool dpo = false;
  bool immed = false;
  bool byte_check = false;  // BYTCHK = 01b: compare with the data sent
  bool unmap = false;       // WRITE SAME
  bool ndob = false;        // WRITE SAME: no data-out buffer
  // Expected tags of 32-byte CDBs (protection type 2).
  std::uint32_t reference_tag = 0;
  std::uint16_t application_tag = 0;
  std::uint16_t application_tag_mask = 0;

  Operation operation() const { return row->operation; }
  bool has(Flag flag) const { return row->flags.has(flag); }
  std::uint8_t opcode() const { return bytes[0]; }
  base::Bytes cdb() const { return base::Bytes(bytes).first(row->cdb_length); }
};

// Decodes one CDB; `bytes` may be longer than the CDB (SRP always carries 16) and is refused with 5/20/00 if shorter.
// Also checked here: linked bit, protection field, BYTCHK. Not here: direction (check_direction), LBA range
// (check_range).
SenseResult<DecodedCdb> decode_cdb(base::Bytes bytes, const DeviceTraits& traits);

// 5/49/00 when the initiator's transfer direction is not the command's. A shorter or longer offer is no error:
// residual.
std::optional<Sense> check_direction(const DecodedCdb& cdb, Direction offered);

// 5/21/00 when the range of a kHasRange command ends behind the medium (SBC-4 5.x); commands without a range always
// pass.
std::optional<Sense> check_range(const DecodedCdb& cdb, std::uint64_t block_count);

// WRITE SAME's own rules (SBC-4 5.51, 5.52): ANCHOR, NDOB without UNMAP, length 0 (WSNZ), more than `max_blocks`,
// PBDATA and LBDATA, UNMAP on a device that is not thin.
std::optional<Sense> check_write_same(const DecodedCdb& cdb, const DeviceTraits& traits, std::uint64_t max_blocks);

}  // namespace uscst::scsi
