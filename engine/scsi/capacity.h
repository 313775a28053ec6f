// READ CAPACITY(10) and (16) (SBC-4 5.20, 5.21). Pure, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/scsi/cdb.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

struct Capacity {
  std::uint64_t block_count = 0;
  std::uint8_t physical_block_exponent = 0;  // log2(physical block / logical block); 0 where lb_per_pb_exp is off
  bool reads_zero_after_unmap = false;
};

SenseResult<std::vector<std::uint8_t>> read_capacity_10(const DecodedCdb& cdb, const DeviceTraits& traits,
                                                        const Capacity& capacity);
// Cut to the allocation length; SCST's limit of 128 bytes on it is not kept.
SenseResult<std::vector<std::uint8_t>> read_capacity_16(const DecodedCdb& cdb, const DeviceTraits& traits,
                                                        const Capacity& capacity);

}  // namespace uscst::scsi
