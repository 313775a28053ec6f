// CRC-32C (Castagnoli): reflected polynomial 0x82F63B78. Uses the processor's instruction where there is one.
#pragma once

#include <cstdint>

#include "engine/base/bytes.h"

namespace uscst::base {

// The bare register, without initial or final inversion: crc32c_update(0, x) is the Linux kernel's crc32c(0, x).
// Chains: update(update(s, a), b) == update(s, a + b).
std::uint32_t crc32c_update(std::uint32_t state, Bytes bytes);

// The CRC of MPA (RFC 5044 4.4) and iSCSI: all ones before, complement after. "123456789" gives 0xE3069283.
inline std::uint32_t crc32c(Bytes bytes) { return ~crc32c_update(~std::uint32_t{0}, bytes); }

namespace detail {
std::uint32_t crc32c_portable(std::uint32_t state, Bytes bytes);
}

}  // namespace uscst::base
