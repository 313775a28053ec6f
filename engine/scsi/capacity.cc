#include "engine/scsi/capacity.h"

#include <algorithm>

#include "engine/scsi/data_in.h"

namespace uscst::scsi {
namespace {

constexpr std::uint64_t kTooMany = 0xFFFFFFFF;

// An LBA is only allowed with PMI (SBC-2), which tells nothing more here.
bool lba_without_pmi(base::Bytes lba, std::uint8_t pmi) {
  return (pmi & 0x01) == 0 && std::any_of(lba.begin(), lba.end(), [](std::uint8_t b) { return b != 0; });
}

std::uint64_t last_lba(const Capacity& capacity) { return capacity.block_count == 0 ? 0 : capacity.block_count - 1; }

}  // namespace

SenseResult<std::vector<std::uint8_t>> read_capacity_10(const DecodedCdb& cdb, const DeviceTraits& traits,
                                                        const Capacity& capacity) {
  if (lba_without_pmi(cdb.cdb().subspan(2, 4), cdb.bytes[8])) return bad_cdb(2);
  DataIn data;
  data.u32(static_cast<std::uint32_t>(std::min(last_lba(capacity), kTooMany)));
  data.u32(traits.block_size());
  return std::move(data).take();
}

SenseResult<std::vector<std::uint8_t>> read_capacity_16(const DecodedCdb& cdb, const DeviceTraits& traits,
                                                        const Capacity& capacity) {
  if (lba_without_pmi(cdb.cdb().subspan(2, 8), cdb.bytes[14])) return bad_cdb(2);
  DataIn data;
  data.u64(last_lba(capacity));
  data.u32(traits.block_size());
  data.u8(traits.dif_type == 0 ? 0u : (traits.dif_type - 1u) << 1 | 0x01u);
  data.u8(capacity.physical_block_exponent);
  data.u8(traits.thin_provisioned ? (capacity.reads_zero_after_unmap ? 0xC0 : 0x80) : 0);
  data.zeros_to(32);
  return std::move(data).cut(cdb.data_length_bytes);
}

}  // namespace uscst::scsi
