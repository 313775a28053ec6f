// Big-endian fields of wire structures. Alignment 1, so that plain aggregates of them have the layout of the wire.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace uscst::base {

// An unsigned integer stored most significant byte first.
template <std::unsigned_integral T>
struct be {
  std::array<std::uint8_t, sizeof(T)> bytes{};

  constexpr be() = default;
  constexpr be(T value) { *this = value; }  // NOLINT: a field is assigned from its value

  constexpr be& operator=(T value) {
    for (std::size_t i = sizeof(T); i-- > 0;) {
      bytes[i] = static_cast<std::uint8_t>(value & 0xFF);
      if constexpr (sizeof(T) > 1) value = static_cast<T>(value >> 8);
    }
    return *this;
  }
  constexpr T value() const {
    T v = 0;
    for (std::uint8_t b : bytes) {
      if constexpr (sizeof(T) > 1) v = static_cast<T>(v << 8);
      v = static_cast<T>(v | b);
    }
    return v;
  }
  constexpr operator T() const { return value(); }  // NOLINT: a field reads as its value
  friend constexpr bool operator==(const be&, const be&) = default;
};

using be16 = be<std::uint16_t>;
using be32 = be<std::uint32_t>;
using be64 = be<std::uint64_t>;
static_assert(sizeof(be64) == 8 && alignof(be64) == 1);

}  // namespace uscst::base
