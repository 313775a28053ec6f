// The parameter list of UNMAP (SBC-4 5.35). Pure, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/scsi/cdb.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

struct BlockRange {
  std::uint64_t lba = 0;
  std::uint64_t blocks = 0;
  friend bool operator==(const BlockRange&, const BlockRange&) = default;
};

// The ranges to unmap, none of them empty or outside `block_count`; all are checked before any is unmapped. More than
// `max_unmap_blocks` together (VPD page B0) is refused.
SenseResult<std::vector<BlockRange>> parse_unmap(const DecodedCdb& cdb, base::Bytes list, std::uint64_t block_count,
                                                 std::uint64_t max_unmap_blocks);

}  // namespace uscst::scsi
