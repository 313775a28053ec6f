#include "engine/base/crc32c.h"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
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
// x^n modulo the polynomial, bits reversed as the instruction has them.
constexpr std::uint32_t x_to_the(unsigned n) {
  std::uint32_t value = 0x80000000U;
  for (; n > 0; --n) value = value >> 1 ^ (value & 1 ? 0x82F63B78U : 0);
  return value;
}

__attribute__((target("sse4.2"))) inline std::uint64_t word_at(const std::uint8_t* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// What `crc` becomes when `bytes` zero bytes follow: a product whose 33 bits too many the instruction takes off.
__attribute__((target("sse4.2,pclmul"))) inline std::uint64_t moved(std::uint64_t crc, std::uint32_t factor) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(crc)),
                                               _mm_cvtsi64_si128(static_cast<long long>(factor)), 0);
  return _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product)));
}

// The instruction takes three cycles, but three of them can be under way: three parts at a time, put together after.
template <std::size_t kPartBytes>
__attribute__((target("sse4.2,pclmul"))) std::uint64_t crc32c_three(std::uint64_t crc, Bytes& bytes) {
  static_assert(kPartBytes % 8 == 0);
  constexpr std::uint32_t kOver1 = x_to_the(8 * kPartBytes - 33), kOver2 = x_to_the(16 * kPartBytes - 33);
  while (bytes.size() >= 3 * kPartBytes) {
    const std::uint8_t* at = bytes.data();
    std::uint64_t second = 0, third = 0;
    for (std::size_t i = 0; i < kPartBytes; i += 8) {
      crc = _mm_crc32_u64(crc, word_at(at + i));
      second = _mm_crc32_u64(second, word_at(at + kPartBytes + i));
      third = _mm_crc32_u64(third, word_at(at + 2 * kPartBytes + i));
    }
    crc = moved(crc, kOver2) ^ moved(second, kOver1) ^ third;
    bytes = bytes.subspan(3 * kPartBytes);
  }
  return crc;
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t crc32c_pclmul(std::uint32_t state, Bytes bytes) {
  std::uint64_t crc = state;
  crc = crc32c_three<1360>(crc, bytes);  // 4080: the data of a page
  crc = crc32c_three<152>(crc, bytes);   // 456: a third of an Ethernet frame
  while (bytes.size() >= 8) {
    crc = _mm_crc32_u64(crc, word_at(bytes.data()));
    bytes = bytes.subspan(8);
  }
  auto crc32 = static_cast<std::uint32_t>(crc);
  for (std::uint8_t b : bytes) crc32 = _mm_crc32_u8(crc32, b);
  return crc32;
}

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
const bool kHasPclmul = kHasSse42 && __builtin_cpu_supports("pclmul") != 0;
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
  if (kHasPclmul) return crc32c_pclmul(state, bytes);
  if (kHasSse42) return crc32c_sse42(state, bytes);
#endif
  return detail::crc32c_portable(state, bytes);
}

}  // namespace uscst::base
