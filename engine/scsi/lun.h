// Logical unit numbers on the wire (SAM-5 4.7) and REPORT LUNS (SPC-5 6.33). Pure functions, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/scsi/cdb.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

inline constexpr std::uint16_t kMaxLun = 0x3FFF;

// How a group's LUNs are shown to its initiators: the upper two bits of byte 0. LUN 0 is eight zero bytes in each.
enum class LunAddressing : std::uint8_t { kPeripheral = 0, kFlat = 1, kLun = 2 };

using LunBytes = std::array<std::uint8_t, 8>;

// The number of a single-level LUN in any of the three methods; nothing for extended (well known) and deeper ones,
// which name no logical unit here. A peripheral bus number reads as the high bits, as in SCST.
std::optional<std::uint16_t> decode_lun(const LunBytes& lun);
LunBytes encode_lun(std::uint16_t lun, LunAddressing method);

// SCST's order: by number modulo 32, within that in order of mapping. `luns` in order of mapping.
std::vector<std::uint16_t> report_order(std::span<const std::uint16_t> luns);

// The answer to REPORT LUNS, cut to the allocation length. SELECT REPORT 0 and 2 only. Length 0 is GOOD. `mapped`: sent
// to an existing LUN, where an allocation length below 16 is refused; an unmapped one takes 8.
SenseResult<std::vector<std::uint8_t>> report_luns(const DecodedCdb& cdb, std::span<const std::uint16_t> luns,
                                                   LunAddressing method, bool mapped);

}  // namespace uscst::scsi
