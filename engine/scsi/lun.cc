#include "engine/scsi/lun.h"

#include <algorithm>

#include "engine/scsi/data_in.h"

namespace uscst::scsi {
namespace {

constexpr std::uint16_t kBuckets = 32;

}  // namespace

std::optional<std::uint16_t> decode_lun(const LunBytes& lun) {
  if (std::any_of(lun.begin() + 2, lun.end(), [](std::uint8_t b) { return b != 0; })) return std::nullopt;
  if ((lun[0] >> 6) == 3) return std::nullopt;
  return static_cast<std::uint16_t>((lun[0] & 0x3F) << 8 | lun[1]);
}

LunBytes encode_lun(std::uint16_t lun, LunAddressing method) {
  LunBytes bytes{};
  if (lun == 0) return bytes;
  bytes[0] = static_cast<std::uint8_t>(static_cast<unsigned>(method) << 6 | ((lun >> 8) & 0x3Fu));
  bytes[1] = static_cast<std::uint8_t>(lun & 0xFF);
  return bytes;
}

std::vector<std::uint16_t> report_order(std::span<const std::uint16_t> luns) {
  std::array<std::vector<std::uint16_t>, kBuckets> buckets;
  for (std::uint16_t lun : luns) buckets[lun % kBuckets].push_back(lun);
  std::vector<std::uint16_t> ordered;
  ordered.reserve(luns.size());
  for (const auto& bucket : buckets) ordered.insert(ordered.end(), bucket.begin(), bucket.end());
  return ordered;
}

SenseResult<std::vector<std::uint8_t>> report_luns(const DecodedCdb& cdb, std::span<const std::uint16_t> luns,
                                                   LunAddressing method, bool mapped) {
  if (cdb.data_length_bytes == 0) return std::vector<std::uint8_t>();  // GOOD, whatever else is asked
  const std::uint8_t select_report = cdb.bytes[2];
  if (select_report != 0 && select_report != 2) return bad_cdb(2);
  if (cdb.data_length_bytes < (mapped ? 16u : 8u)) return bad_cdb(6);
  DataIn data;
  data.u32(static_cast<std::uint32_t>(luns.size() * sizeof(LunBytes)));
  data.zeros(4);
  for (std::uint16_t lun : report_order(luns)) data.bytes(encode_lun(lun, method));
  return std::move(data).cut(cdb.data_length_bytes);
}

}  // namespace uscst::scsi
