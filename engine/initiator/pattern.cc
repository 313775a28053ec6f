#include "engine/initiator/pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/crc32c.h"

namespace uscst::initiator {
namespace {

constexpr std::size_t kHeadBytes = 16, kTailBytes = 4;

// splitmix64: cheap, and every 64-bit state gives another sequence.
std::uint64_t mix(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

void fill_block(base::MutableBytes block, std::uint64_t lba, std::uint64_t seed) {
  base::Writer writer(block);
  writer.u64(lba);
  writer.u64(seed);
  std::uint64_t state = lba ^ (seed << 32) ^ seed;
  while (block.size() - writer.position() >= 8 + kTailBytes) writer.u64(mix(state));
  writer.zeros(block.size() - kTailBytes - writer.position());
  writer.u32(base::crc32c(block.first(block.size() - kTailBytes)));
}

base::Status check_block(base::Bytes block, std::uint64_t lba, std::uint64_t seed) {
  base::Reader reader(block);
  const std::uint64_t found_lba = reader.u64().value_or(0), found_seed = reader.u64().value_or(0);
  const std::uint32_t found_crc = base::Reader(block.last(kTailBytes)).u32().value_or(0);
  if (std::ranges::all_of(block, [](std::uint8_t b) { return b == 0; })) {
    return base::fail(EILSEQ, fmt::format("block {}: all zero, never written or lost", lba));
  }
  if (found_crc != base::crc32c(block.first(block.size() - kTailBytes))) {
    return base::fail(
        EILSEQ, fmt::format("block {}: checksum {:#010x} does not fit the data (block says: LBA {}, seed {})", lba,
                            found_crc, found_lba, found_seed));
  }
  if (found_lba != lba) return base::fail(EILSEQ, fmt::format("block {}: holds block {}", lba, found_lba));
  if (found_seed != seed) {
    return base::fail(EILSEQ, fmt::format("block {}: written with seed {}, not {}", lba, found_seed, seed));
  }
  return {};
}

}  // namespace

void fill_pattern(base::MutableBytes data, std::uint32_t block_bytes, std::uint64_t lba, std::uint64_t seed) {
  for (std::size_t at = 0; at + block_bytes <= data.size(); at += block_bytes) {
    fill_block(data.subspan(at, block_bytes), lba++, seed);
  }
}

base::Status check_pattern(base::Bytes data, std::uint32_t block_bytes, std::uint64_t lba, std::uint64_t seed) {
  for (std::size_t at = 0; at + block_bytes <= data.size(); at += block_bytes) {
    if (auto status = check_block(data.subspan(at, block_bytes), lba++, seed); !status) return status;
  }
  return {};
}

}  // namespace uscst::initiator
