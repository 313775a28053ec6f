#include "engine/scsi/identifiers.h"

#include <fmt/format.h>

#include "engine/base/bytes.h"
#include "engine/base/crc32c.h"

namespace uscst::scsi {

GeneratedIds generate_ids(std::string_view device_name, std::uint32_t setup_id) {
  std::string terminated(device_name);
  terminated.push_back('\0');
  const std::uint64_t id = std::uint64_t{setup_id} << 32 | base::crc32c_update(0, base::as_bytes(terminated));
  return {fmt::format("{:x}-{}", id, device_name).substr(0, kMaxT10DeviceId),
          fmt::format("{:x}", id).substr(0, kMaxSerialNumber), std::string(device_name.substr(0, kMaxProductId))};
}

}  // namespace uscst::scsi
