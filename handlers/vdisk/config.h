// What a virtual disk is made of: the parameters of add_device, in the form that everything else works with. A value.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/target/handler.h"
#include "handlers/vdisk/protection.h"

namespace uscst::handlers {

enum class VdiskKind : std::uint8_t { kFileio, kBlockio, kNullio, kCdrom };

inline constexpr std::uint64_t kDefaultNullSizeBytes = 2748779069440;  // 2.5 TiB
inline constexpr std::uint8_t kCdromBlockShift = 11;
inline constexpr std::uint32_t kMinimumBlockSize = 512;
inline constexpr std::uint32_t kMaximumBlockSize = 1u << 20;
inline constexpr std::uint32_t kMaximumDeviceBlockSize = 4096;  // of vdisk_blockio
inline constexpr std::size_t kMaximumT10DeviceIdLength = 25;

struct VdiskConfig {
  VdiskKind kind = VdiskKind::kFileio;
  std::string filename;
  std::uint8_t block_shift = 9;
  std::uint64_t size_bytes = kDefaultNullSizeBytes;  // of vdisk_nullio
  bool active = true;
  bool async = false;
  bool bind_alua_state = false;
  bool dummy = false;
  bool nv_cache = false;
  bool o_direct = false;
  bool read_only = false;
  bool removable = false;
  bool rotational = true;
  bool write_through = false;
  std::optional<bool> thin_provisioned;  // empty: as the backing store can
  std::uint8_t tst = 1;
  std::string t10_device_id;  // empty: generated
  std::optional<int> numa_node_id;
  bool physical_block_exponent = true;  // lb_per_pb_exp
  bool cluster_mode = false;            // asked for; there is no lock manager
  ProtectionConfig protection;

  std::uint32_t block_size() const { return std::uint32_t{1} << block_shift; }
};

// The names that add_device of a kind takes, in the order of the usage text.
std::span<const std::string_view> parameter_names(VdiskKind kind);

// Checks and reads the parameters (sysfs.md 9.2). EINVAL or ERANGE, with a text for the log, for what SCST refuses
// before it looks at any file. What it refuses later is left to VdiskHandler.
base::Result<VdiskConfig> parse_parameters(VdiskKind kind, const std::string& device_name,
                                           const target::Parameters& parameters);

}  // namespace uscst::handlers
