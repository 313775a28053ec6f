#include "engine/scsi/unmap.h"

#include "engine/base/byte_order.h"

namespace uscst::scsi {
namespace {

struct Header {
  base::be16 data_length;
  base::be16 descriptors_length;
  base::be32 reserved;
};
static_assert(sizeof(Header) == 8);

struct Descriptor {
  base::be64 lba;
  base::be32 blocks;
  base::be32 reserved;
};
static_assert(sizeof(Descriptor) == 16);

}  // namespace

SenseResult<std::vector<BlockRange>> parse_unmap(const DecodedCdb& cdb, base::Bytes list, std::uint64_t block_count,
                                                 std::uint64_t max_unmap_blocks) {
  if ((cdb.bytes[1] & 0x01) != 0) return bad_cdb(1, 0);  // ANCHOR
  std::vector<BlockRange> ranges;
  if (list.empty()) return ranges;
  base::Reader reader(list);
  auto header = reader.read<Header>();
  if (!header) return refuse(kParameterListLengthError);
  const std::size_t length = header->descriptors_length;
  if (length > reader.left() || length % sizeof(Descriptor) != 0) return bad_parameter(2);
  std::uint64_t total = 0;
  bool in_range = true;
  for (std::size_t i = 0; i < length / sizeof(Descriptor); ++i) {
    auto descriptor = reader.read<Descriptor>();
    if (!descriptor) return bad_parameter(2);
    const BlockRange range{descriptor->lba, descriptor->blocks};
    if (range.blocks == 0) continue;
    total += range.blocks;
    if (range.lba > block_count || range.blocks > block_count - range.lba) in_range = false;
    ranges.push_back(range);
  }
  if (total > max_unmap_blocks) return bad_parameter(0);
  if (!in_range) return refuse(kLbaOutOfRange);
  return ranges;
}

}  // namespace uscst::scsi
