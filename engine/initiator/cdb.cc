#include "engine/initiator/cdb.h"

#include <array>

namespace uscst::initiator {
namespace {

constexpr std::uint8_t kFua = 0x08;

template <std::size_t N>
Cdb made_of(const std::array<std::uint8_t, N>& bytes) {
  return {bytes.begin(), bytes.end()};
}

Cdb transfer(std::uint8_t opcode_10, std::uint8_t opcode_16, std::uint64_t lba, std::uint32_t blocks, bool fua) {
  const std::uint8_t flags = fua ? kFua : std::uint8_t{0};
  if (lba <= UINT32_MAX && blocks <= UINT16_MAX) {
    std::array<std::uint8_t, 10> bytes{};
    base::Writer writer(bytes);
    writer.u8(opcode_10);
    writer.u8(flags);
    writer.u32(static_cast<std::uint32_t>(lba));
    writer.u8(0);
    writer.u16(static_cast<std::uint16_t>(blocks));
    return made_of(bytes);
  }
  std::array<std::uint8_t, 16> bytes{};
  base::Writer writer(bytes);
  writer.u8(opcode_16);
  writer.u8(flags);
  writer.u64(lba);
  writer.u32(blocks);
  return made_of(bytes);
}

Cdb inquiry_with(std::uint8_t evpd, std::uint8_t page, std::uint16_t allocation_bytes) {
  std::array<std::uint8_t, 6> bytes{};
  base::Writer writer(bytes);
  writer.u8(0x12);
  writer.u8(evpd);
  writer.u8(page);
  writer.u16(allocation_bytes);
  return made_of(bytes);
}

base::Result<Capacity> capacity(std::optional<std::uint64_t> last_lba, std::optional<std::uint32_t> block_bytes) {
  if (!last_lba || !block_bytes) return base::fail(EPROTO, "the capacity data are too short");
  if (*block_bytes == 0 || *last_lba == UINT64_MAX) return base::fail(EPROTO, "the capacity data make no sense");
  return Capacity{*last_lba + 1, *block_bytes};
}

}  // namespace

Cdb test_unit_ready() { return Cdb(6, std::uint8_t{0}); }
Cdb inquiry(std::uint16_t allocation_bytes) { return inquiry_with(0, 0, allocation_bytes); }
Cdb inquiry_page(std::uint8_t page, std::uint16_t allocation_bytes) { return inquiry_with(1, page, allocation_bytes); }

Cdb report_luns(std::uint32_t allocation_bytes) {
  std::array<std::uint8_t, 12> bytes{0xA0};
  base::Writer(base::MutableBytes(bytes).subspan(6)).u32(allocation_bytes);
  return made_of(bytes);
}

Cdb read_capacity_10() { return made_of(std::array<std::uint8_t, 10>{0x25}); }

Cdb read_capacity_16(std::uint32_t allocation_bytes) {
  std::array<std::uint8_t, 16> bytes{0x9E, 0x10};
  base::Writer(base::MutableBytes(bytes).subspan(10)).u32(allocation_bytes);
  return made_of(bytes);
}

Cdb synchronize_cache() { return made_of(std::array<std::uint8_t, 10>{0x35}); }

Cdb read_blocks(std::uint64_t lba, std::uint32_t blocks, bool fua) { return transfer(0x28, 0x88, lba, blocks, fua); }
Cdb write_blocks(std::uint64_t lba, std::uint32_t blocks, bool fua) { return transfer(0x2A, 0x8A, lba, blocks, fua); }

srp::Lun make_lun(std::uint16_t number) {
  srp::Lun lun{};
  lun[0] = static_cast<std::uint8_t>(number >> 8);
  if (number > 255) lun[0] = static_cast<std::uint8_t>(lun[0] | 0x40);
  lun[1] = static_cast<std::uint8_t>(number & 0xFF);
  return lun;
}

std::optional<std::uint16_t> lun_number(const srp::Lun& lun) {
  if ((lun[0] & 0xC0) == 0xC0) return std::nullopt;
  for (std::size_t i = 2; i < lun.size(); ++i) {
    if (lun[i] != 0) return std::nullopt;
  }
  return static_cast<std::uint16_t>((lun[0] & 0x3F) << 8 | lun[1]);
}

base::Result<Capacity> parse_capacity_10(base::Bytes data) {
  base::Reader reader(data);
  const auto last_lba = reader.u32();
  const auto block_bytes = reader.u32();
  return capacity(last_lba, block_bytes);
}

base::Result<Capacity> parse_capacity_16(base::Bytes data) {
  base::Reader reader(data);
  const auto last_lba = reader.u64();
  const auto block_bytes = reader.u32();
  return capacity(last_lba, block_bytes);
}

base::Result<std::vector<srp::Lun>> parse_luns(base::Bytes data) {
  base::Reader reader(data);
  const auto length_bytes = reader.u32();
  if (!length_bytes || !reader.skip(4)) return base::fail(EPROTO, "the LUN list is too short");
  std::vector<srp::Lun> luns;
  for (std::uint32_t at = 0; at + 8 <= *length_bytes; at += 8) {
    auto lun = reader.read<srp::Lun>();
    if (!lun) break;  // the list was cut by the allocation length
    luns.push_back(*lun);
  }
  return luns;
}

}  // namespace uscst::initiator
