#include "engine/base/crc32c.h"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace uscst::base {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::uint32_t state, Bytes bytes) {
  std::uint64_t crc = state;
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    crc = _mm_crc32_u64(crc, word);
    bytes = bytes.subspan(8);
  }
  auto crc32 = static_cast<std::uint32_t>(crc);
  for (std::uint8_t b : bytes) crc32 = _mm_crc32_u8(crc32, b);
  return crc32;
}
const bool kHasSse42 = __builtin_cpu_supports("sse4.2") != 0;
#endif

}  // namespace

namespace detail {
std::uint32_t crc32c_portable(std::uint32_t state, Bytes bytes) {
  for (std::uint8_t b : bytes) state = state >> 8 ^ kTable[(state ^ b) & 0xFF];
  return state;
}
}  // namespace detail

std::uint32_t crc32c_update(std::uint32_t state, Bytes bytes) {
#if defined(__x86_64__)
  if (kHasSse42) return crc32c_sse42(state, bytes);
#endif
  return detail::crc32c_portable(state, bytes);
}

}  // namespace uscst::base
