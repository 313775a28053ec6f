// The pattern that `verify` writes: every block says which block it is, whose run it belongs to, and carries a
// checksum. Layout: LBA be64, seed be64, generated filling, crc32c be32 over what stands before it. Any thread.
#pragma once

#include <cstdint>

#include "engine/base/bytes.h"
#include "engine/base/result.h"

namespace uscst::initiator {

inline constexpr std::uint32_t kMinimumPatternBytes = 32;

// `data` is a whole number of blocks, the first one at `lba`.
void fill_pattern(base::MutableBytes data, std::uint32_t block_bytes, std::uint64_t lba, std::uint64_t seed);
// EILSEQ for the first block that is not as written, with a text that tells damaged, misplaced, never written and
// overwritten (other seed) blocks apart.
base::Status check_pattern(base::Bytes data, std::uint32_t block_bytes, std::uint64_t lba, std::uint64_t seed);

}  // namespace uscst::initiator
