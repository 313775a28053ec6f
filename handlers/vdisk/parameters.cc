#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <limits>

#include "engine/base/numbers.h"
#include "handlers/vdisk/config.h"

namespace uscst::handlers {
namespace {

using base::fail;
using base::Status;

constexpr std::array kFileNames =
    std::to_array<std::string_view>({"active",           "async",        "bind_alua_state", "blocksize",
                                     "cluster_mode",     "dif_filename", "dif_mode",        "dif_static_app_tag",
                                     "dif_type",         "filename",     "numa_node_id",    "nv_cache",
                                     "o_direct",         "read_only",    "removable",       "rotational",
                                     "thin_provisioned", "tst",          "t10_dev_id",      "write_through"});
constexpr std::array kBlockNames = std::to_array<std::string_view>(
    {"active", "bind_alua_state", "blocksize", "cluster_mode", "dif_filename", "dif_mode", "dif_static_app_tag",
     "dif_type", "filename", "numa_node_id", "nv_cache", "read_only", "removable", "rotational", "thin_provisioned",
     "tst", "t10_dev_id", "write_through"});
constexpr std::array kNullNames = std::to_array<std::string_view>(
    {"blocksize", "cluster_mode", "dif_mode", "dif_static_app_tag", "dif_type", "dummy", "numa_node_id", "read_only",
     "removable", "rotational", "size", "size_mb", "tst", "t10_dev_id"});
constexpr std::array kCdromNames = std::to_array<std::string_view>({"tst"});
// vdisk_fileio takes what the parser knows, not only what it names; the file decides over the first three.
constexpr std::array kFileSilentNames = std::to_array<std::string_view>({"size", "size_mb", "dummy", "lb_per_pb_exp"});

// What is gathered beside the configuration, to be judged when all parameters are known.
struct Gathered {
  VdiskConfig config;
  std::string device;  // for texts
};

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::any_of(names, [&](std::string_view known) { return same_name(known, name); });
}

Status set_block_size(Gathered& into, std::uint64_t value) {
  if (value == 0) value = kMinimumBlockSize;
  if (value < kMinimumBlockSize || value > kMaximumBlockSize)
    return fail(EINVAL, fmt::format("{}: blocksize {} is not between {} and {}", into.device, value, kMinimumBlockSize,
                                    kMaximumBlockSize));
  into.config.block_shift = static_cast<std::uint8_t>(std::bit_width(value) - 1);
  return {};
}

Status set_size_mb(Gathered& into, std::uint64_t value) {
  if (value > std::numeric_limits<std::int64_t>::max() >> 20)
    return fail(EINVAL, fmt::format("{}: size_mb {} is too large", into.device, value));
  into.config.size_bytes = value << 20;
  return {};
}

Status set_size(Gathered& into, std::uint64_t value) {
  if (value > std::numeric_limits<std::int64_t>::max())
    return fail(EINVAL, fmt::format("{}: size {} is too large", into.device, value));
  into.config.size_bytes = value;
  return {};
}

Status set_at_most_one(Gathered& into, std::string_view name, std::uint64_t value, std::uint64_t& field) {
  if (value > 1) return fail(EINVAL, fmt::format("{}: {} is 0 or 1, not {}", into.device, name, value));
  field = value;
  return {};
}

Status set_path(Gathered& into, std::string_view name, const std::string& value, std::string& field) {
  if (value[0] != '/') return fail(EINVAL, fmt::format("{}: {} {} is not absolute", into.device, name, value));
  field = value;
  return {};
}

Status set_filename(Gathered& into, const std::string& value) {
  if (!into.config.filename.empty()) return fail(EINVAL, fmt::format("{}: filename is given twice", into.device));
  return set_path(into, "filename", value, into.config.filename);
}

Status set_t10_device_id(Gathered& into, const std::string& value) {
  if (value.size() > kMaximumT10DeviceIdLength)
    return fail(EINVAL, fmt::format("{}: t10_dev_id {} has more than {} characters", into.device, value,
                                    kMaximumT10DeviceIdLength));
  into.config.t10_device_id = value;
  return {};
}

// SCST keeps the lowest 32 bits.
Status set_numa_node(Gathered& into, std::int64_t value) {
  const int node = static_cast<int>(value);
  if (node < -1) return fail(EINVAL, fmt::format("{}: numa_node_id {} is below -1", into.device, value));
  into.config.numa_node_id = node;
  return {};
}

// Flags are one-bit fields in SCST: only the lowest bit of the number counts.
bool* flag(VdiskConfig& config, std::string_view name) {
  static constexpr struct {
    std::string_view name;
    bool VdiskConfig::* field;
  } kFlags[] = {
      {"active", &VdiskConfig::active},
      {"bind_alua_state", &VdiskConfig::bind_alua_state},
      {"nv_cache", &VdiskConfig::nv_cache},
      {"o_direct", &VdiskConfig::o_direct},
      {"read_only", &VdiskConfig::read_only},
      {"removable", &VdiskConfig::removable},
      {"rotational", &VdiskConfig::rotational},
      {"write_through", &VdiskConfig::write_through},
      {"cluster_mode", &VdiskConfig::cluster_mode},
      {"lb_per_pb_exp", &VdiskConfig::physical_block_exponent},
  };
  for (const auto& row : kFlags) {
    if (same_name(row.name, name)) return &(config.*row.field);
  }
  return nullptr;
}

Status set_number(Gathered& into, std::string_view name, std::uint64_t value) {
  VdiskConfig& config = into.config;
  std::uint64_t bit = 0;
  if (bool* field = flag(config, name)) {
    *field = (value & 1) != 0;
  } else if (same_name(name, "async")) {
    config.async = value != 0;
  } else if (same_name(name, "thin_provisioned")) {
    config.thin_provisioned = (value & 1) != 0;
  } else if (same_name(name, "blocksize")) {
    return set_block_size(into, value);
  } else if (same_name(name, "size")) {
    return set_size(into, value);
  } else if (same_name(name, "size_mb")) {
    return set_size_mb(into, value);
  } else if (same_name(name, "dif_type")) {
    config.protection.type = value;
  } else if (same_name(name, "dif_static_app_tag")) {
    config.protection.static_app_tag = value;
  } else if (same_name(name, "dummy")) {
    auto done = set_at_most_one(into, name, value, bit);
    config.dummy = bit != 0;
    return done;
  } else if (same_name(name, "tst")) {
    if (auto done = set_at_most_one(into, name, value, bit); !done) return done;
    config.tst = static_cast<std::uint8_t>(bit);
  }
  return {};
}

Status set_parameter(Gathered& into, std::string_view name, const std::string& value) {
  if (value.empty()) return fail(EINVAL, fmt::format("{}: parameter {} has no value", into.device, name));
  if (same_name(name, "filename")) return set_filename(into, value);
  if (same_name(name, "dif_filename")) return set_path(into, name, value, into.config.protection.filename);
  if (same_name(name, "dif_mode")) return parse_protection_mode(value, into.config.protection);
  if (same_name(name, "t10_dev_id")) return set_t10_device_id(into, value);
  // Signed first, as in SCST: what is above 63 bits is out of range for every parameter.
  auto number = base::parse_signed(value);
  if (!number) return fail(number.error().code, fmt::format("{}: {}: {}", into.device, name, number.error().text));
  if (same_name(name, "numa_node_id")) return set_numa_node(into, *number);
  if (value[0] == '-') return fail(EINVAL, fmt::format("{}: {} is negative", into.device, name));
  return set_number(into, name, static_cast<std::uint64_t>(*number));
}

// A drive without a medium; what it reads comes with `filename`.
void make_cdrom(VdiskConfig& config) {
  config.block_shift = kCdromBlockShift;
  config.read_only = config.removable = true;
  config.active = false;
  config.size_bytes = 0;
}

Status check_together(const Gathered& gathered) {
  const VdiskConfig& config = gathered.config;
  const std::string& device = gathered.device;
  if (config.size_bytes % config.block_size() != 0)
    return fail(EINVAL, fmt::format("{}: size {} is not a multiple of the block size {}", device, config.size_bytes,
                                    config.block_size()));
  const bool on_a_file = config.kind == VdiskKind::kFileio || config.kind == VdiskKind::kBlockio;
  if (on_a_file && config.filename.empty())
    return fail(EINVAL, fmt::format("{}: parameter filename is required", device));
  if (config.kind == VdiskKind::kFileio && config.read_only && (config.write_through || config.nv_cache))
    return fail(EINVAL, fmt::format("{}: read_only goes with neither write_through nor nv_cache", device));
  return check_protection(config, device);
}

}  // namespace

std::span<const std::string_view> parameter_names(VdiskKind kind) {
  switch (kind) {
    case VdiskKind::kFileio: return kFileNames;
    case VdiskKind::kBlockio: return kBlockNames;
    case VdiskKind::kNullio: return kNullNames;
    case VdiskKind::kCdrom: return kCdromNames;
  }
  return {};
}

base::Result<VdiskConfig> parse_parameters(VdiskKind kind, const std::string& device_name,
                                           const target::Parameters& parameters) {
  Gathered gathered;
  gathered.device = device_name;
  gathered.config.kind = kind;
  gathered.config.bind_alua_state = kind == VdiskKind::kBlockio;
  if (kind == VdiskKind::kCdrom) make_cdrom(gathered.config);
  for (const auto& [name, value] : parameters) {
    const bool known =
        contains(parameter_names(kind), name) || (kind == VdiskKind::kFileio && contains(kFileSilentNames, name));
    if (!known) return fail(EINVAL, fmt::format("{}: unknown parameter {}", device_name, name));
    if (auto done = set_parameter(gathered, name, value); !done) return std::unexpected(done.error());
  }
  if (auto done = check_together(gathered); !done) return std::unexpected(done.error());
  ProtectionConfig& protection = gathered.config.protection;
  // Type 2 has its tags in the commands.
  protection.static_app_tag = protection.type == 2 ? 0 : kept_app_tag(protection.type, protection.static_app_tag);
  return gathered.config;
}

}  // namespace uscst::handlers
