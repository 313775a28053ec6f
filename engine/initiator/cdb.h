// CDBs that a diagnostic initiator sends (SPC-5, SBC-4), LUNs and answers. Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/result.h"
#include "engine/initiator/task.h"

namespace uscst::initiator {

Cdb test_unit_ready();
Cdb inquiry(std::uint16_t allocation_bytes);
Cdb inquiry_page(std::uint8_t page, std::uint16_t allocation_bytes);
Cdb report_luns(std::uint32_t allocation_bytes);
Cdb read_capacity_10();
Cdb read_capacity_16(std::uint32_t allocation_bytes);
Cdb synchronize_cache();
// The 10-byte form where it can say it, else the 16-byte form. `fua` is FORCE UNIT ACCESS.
Cdb read_blocks(std::uint64_t lba, std::uint32_t blocks, bool fua = false);
Cdb write_blocks(std::uint64_t lba, std::uint32_t blocks, bool fua = false);

// SAM-5 4.7: peripheral addressing below 256, flat space addressing up to 16383. ib_srp writes the number's 16 bits
// straight into the first level, which for these numbers the target decodes to the same.
srp::Lun make_lun(std::uint16_t number);
// The number in the first level, whichever of the three single-level forms it has.
std::optional<std::uint16_t> lun_number(const srp::Lun& lun);

struct Capacity {
  std::uint64_t blocks = 0;
  std::uint32_t block_bytes = 0;
};
// EPROTO when the data are too short or make no sense.
base::Result<Capacity> parse_capacity_10(base::Bytes data);
base::Result<Capacity> parse_capacity_16(base::Bytes data);
base::Result<std::vector<srp::Lun>> parse_luns(base::Bytes data);

}  // namespace uscst::initiator
