// The identifiers that a virtual device gets from its name when none are configured: the same on every machine and run,
// and the same as SCST's, so that an initiator that moves over from a kernel target keeps its device links. Pure, any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace uscst::scsi {

inline constexpr std::size_t kMaxT10DeviceId = 25;
inline constexpr std::size_t kMaxSerialNumber = 20;
inline constexpr std::size_t kMaxProductId = 16;

struct GeneratedIds {
  std::string t10_device_id;  // "<hex>-<name>"; also the default vendor-specific id
  std::string serial_number;  // "<hex>" (usn)
  std::string product_id;     // the name
};

// <hex> is setup_id << 32 | CRC-32C (seed 0, not inverted) of the name and a NUL, without leading zeros.
GeneratedIds generate_ids(std::string_view device_name, std::uint32_t setup_id);

}  // namespace uscst::scsi
