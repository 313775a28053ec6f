// The attribute rows of virtual disks (sysfs.md 9.1). Each row stands here once; the table at the end says which kinds
// have it. The order does not matter: the tree sorts by hash.
#include <algorithm>
#include <array>
#include <cctype>
#include <limits>

#include "engine/base/numbers.h"
#include "engine/scsi/identifiers.h"
#include "handlers/vdisk/attribute_functions.h"
#include "handlers/vdisk/handler.h"
#include "handlers/vdisk/medium.h"

namespace uscst::handlers {
namespace {

using base::fail;
using base::Result;
using base::Status;
using target::Device;
using target::KeyRule;
using target::Layout;
using Row = target::Attribute<Device>;

constexpr std::size_t kMaximumVendorId = 8, kMaximumVendorSpecificId = 128, kMaximumProductRevision = 4;
constexpr std::size_t kMaximumDeviceName = 256, kMaximumInquiryText = 160;

// --- what add_device fixes

template <bool VdiskConfig::* Field>
constexpr Row fixed_flag(std::string_view name, std::string_view default_value) {
  return {.name = name,
          .mode = 0444,
          .key = KeyRule::kWhenNotDefault,
          .default_value = default_value,
          .show = [](const Device& device) { return shown(disk_of(device).config().*Field); }};
}

constexpr Row kNvCache = fixed_flag<&VdiskConfig::nv_cache>("nv_cache", "0");
constexpr Row kODirect = fixed_flag<&VdiskConfig::o_direct>("o_direct", "0");
constexpr Row kReadOnly = fixed_flag<&VdiskConfig::read_only>("read_only", "0");
constexpr Row kRemovable = fixed_flag<&VdiskConfig::removable>("removable", "0");
constexpr Row kRotational = fixed_flag<&VdiskConfig::rotational>("rotational", "1");
constexpr Row kDummy = fixed_flag<&VdiskConfig::dummy>("dummy", "0");

constexpr Row kBlockSize{
    .name = "blocksize",
    .mode = 0444,
    .key = KeyRule::kWhenNotDefault,
    .default_value = "512",
    .show = [](const Device& device) { return shown(std::uint64_t{disk_of(device).config().block_size()}); }};
constexpr Row kTst{.name = "tst",
                   .mode = 0444,
                   .key = KeyRule::kWhenNotDefault,
                   .default_value = "1",
                   .show = [](const Device& device) { return shown(std::uint64_t{disk_of(device).config().tst}); }};
constexpr Row kThinProvisioned{
    .name = "thin_provisioned", .mode = 0444, .key = KeyRule::kWhenWritten, .show = [](const Device& device) {
      return shown(disk_of(device).thin_provisioned());
    }};

// What is in force: MODE SELECT may have switched the cache off or on.
constexpr Row kWriteThrough{.name = "write_through",
                            .mode = 0444,
                            .key = KeyRule::kWhenNotDefault,
                            .default_value = "0",
                            .show = [](const Device& device) { return shown(!disk_of(device).write_back()); }};

// --- flags that can be stored to

constexpr Row kAsync{.name = "async",
                     .mode = 0644,
                     .key = KeyRule::kWhenNotDefault,
                     .default_value = "0",
                     .show = [](const Device& device) { return shown(disk_of(device).config().async); },
                     .store = [](Device& device, std::string_view text) -> Status {
                       auto value = parse_zero_or_one(text);
                       if (!value) return std::unexpected(value.error());
                       disk_of(device).config().async = *value;
                       return {};
                     }};

constexpr Row kBindAluaState{
    .name = "bind_alua_state",
    .mode = 0644,
    .key = KeyRule::kWhenNotDefault,
    .show = [](const Device& device) { return shown(disk_of(device).config().bind_alua_state); },
    .store = [](Device& device, std::string_view text) -> Status {
      auto value = parse_nonzero(text);
      if (!value) return std::unexpected(value.error());
      disk_of(device).config().bind_alua_state = *value;
      return {};
    },
    .default_of =
        [](const Device& device) {
          return std::string(disk_of(device).config().kind == VdiskKind::kBlockio ? "1" : "0");
        }};

constexpr Row kExplicitAlua{.name = "expl_alua",
                            .mode = 0644,
                            .key = KeyRule::kWhenNotDefault,
                            .default_value = "0",
                            .show = [](const Device& device) { return shown(disk_of(device).explicit_alua()); },
                            .store = [](Device& device, std::string_view text) -> Status {
                              auto value = parse_nonzero(text);
                              if (!value) return std::unexpected(value.error());
                              disk_of(device).set_explicit_alua(*value);
                              return {};
                            }};

constexpr Row kPhysicalExponent{
    .name = "lb_per_pb_exp",
    .mode = 0644,
    .key = KeyRule::kWhenNotDefault,
    .default_value = "1",
    .show = [](const Device& device) { return shown(disk_of(device).physical_block_exponent_shown()); },
    .store = [](Device& device, std::string_view text) -> Status {
      auto value = parse_zero_or_one(text);
      if (!value) return std::unexpected(value.error());
      disk_of(device).show_physical_block_exponent(*value);
      return {};
    }};

constexpr Row kReadZero{.name = "read_zero",
                        .mode = 0644,
                        .key = KeyRule::kWhenNotDefault,
                        .default_value = "0",
                        .show = [](const Device& device) { return shown(disk_of(device).read_zero.load()); },
                        .store = [](Device& device, std::string_view text) -> Status {
                          auto value = parse_zero_or_one(text);
                          if (!value) return std::unexpected(value.error());
                          disk_of(device).read_zero = *value;
                          return {};
                        }};

constexpr Row kOptimalTransfer{
    .name = "opt_trans_len",
    .mode = 0644,
    .key = KeyRule::kWhenWritten,
    .show = [](const Device& device) { return shown(std::uint64_t{disk_of(device).optimal_transfer_bytes()}); },
    .store = [](Device& device, std::string_view text) -> Status {
      auto value = base::parse_unsigned(text);
      if (!value) return std::unexpected(value.error());
      SbcDisk& disk = disk_of(device);
      if (*value > std::numeric_limits<std::uint32_t>::max() || *value % disk.config().block_size() != 0)
        return fail(EINVAL, fmt::format("{}: opt_trans_len {} is not a multiple of the block size {}", device.name(),
                                        *value, disk.config().block_size()));
      disk.set_optimal_transfer_bytes(static_cast<std::uint32_t>(*value));
      device.written.insert("opt_trans_len");
      return {};
    }};

// --- identity: texts and binary identifiers of INQUIRY. Each change is told to every nexus.

// A row's name as a template argument, for the store function that has to remember it.
template <std::size_t N>
struct Name {
  char text[N];
  constexpr Name(const char (&from)[N]) { std::copy_n(from, N, text); }  // NOLINT: a name is written as a literal
  constexpr std::string_view view() const { return {text, N - 1}; }
};

template <Name kName, std::string DiskIdentity::* Field, std::size_t kMaximum>
Status store_text(Device& device, std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  if (line.size() > kMaximum)
    return fail(EINVAL, fmt::format("{}: {} has at most {} characters, not {}", device.name(), kName.view(), kMaximum,
                                    line.size()));
  disk_of(device).change_identity([&](DiskIdentity& identity) { identity.*Field = line; });
  device.written.insert(kName.view());
  disk_of(device).registry().identity_changed(device);
  return {};
}

template <Name kName, std::string DiskIdentity::* Field, std::size_t kMaximum>
constexpr Row text_row(KeyRule key) {
  return {.name = kName.view(),
          .mode = 0644,
          .key = key,
          .show = [](const Device& device) -> Result<std::string> { return disk_of(device).identity().*Field; },
          .store = store_text<kName, Field, kMaximum>};
}

// `view()` of a template argument lives as long as the program: it has static storage.
constexpr Row kT10VendorId =
    text_row<"t10_vend_id", &DiskIdentity::t10_vendor_id, kMaximumVendorId>(KeyRule::kWhenWritten);
constexpr Row kVendorSpecificId =
    text_row<"vend_specific_id", &DiskIdentity::vendor_specific_id, kMaximumVendorSpecificId>(KeyRule::kWhenWritten);
constexpr Row kProductId = text_row<"prod_id", &DiskIdentity::product_id, scsi::kMaxProductId>(KeyRule::kWhenWritten);
constexpr Row kProductRevision =
    text_row<"prod_rev_lvl", &DiskIdentity::product_revision, kMaximumProductRevision>(KeyRule::kWhenWritten);
constexpr Row kScsiDeviceName =
    text_row<"scsi_device_name", &DiskIdentity::scsi_device_name, kMaximumDeviceName>(KeyRule::kWhenNotDefault);
constexpr Row kT10DeviceId =
    text_row<"t10_dev_id", &DiskIdentity::t10_device_id, scsi::kMaxT10DeviceId>(KeyRule::kWhenWritten);
constexpr Row kSerialNumber =
    text_row<"usn", &DiskIdentity::serial_number, scsi::kMaxSerialNumber>(KeyRule::kWhenWritten);
constexpr Row kInquiryText =
    text_row<"inq_vend_specific", &DiskIdentity::inquiry_text, kMaximumInquiryText>(KeyRule::kWhenNotDefault);

bool is_eui64(std::string_view digits) {
  return digits.empty() || digits.size() == 16 || digits.size() == 24 || digits.size() == 32;
}

// The first digit is the type of the identifier: 2, 3 and 5 have 8 bytes, 6 has 16 (SPC-5 7.7.6.6).
bool is_naa(std::string_view digits) {
  if (digits.empty()) return true;
  if (digits.size() == 16) return digits[0] == '2' || digits[0] == '3' || digits[0] == '5';
  return digits.size() == 32 && digits[0] == '6';
}

template <std::vector<std::uint8_t> DiskIdentity::* Field, bool (*kValid)(std::string_view)>
Status store_hex(Device& device, std::string_view text) {
  std::string_view digits = trim(text);
  if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
  const bool hex = std::ranges::all_of(digits, [](unsigned char c) { return std::isxdigit(c) != 0; });
  auto bytes = hex && kValid(digits) ? base::parse_hex(digits) : std::nullopt;
  if (!bytes) return fail(EINVAL, fmt::format("{}: '{}' is no such identifier", device.name(), digits));
  disk_of(device).change_identity([&](DiskIdentity& identity) { identity.*Field = std::move(*bytes); });
  disk_of(device).registry().identity_changed(device);
  return {};
}

template <std::vector<std::uint8_t> DiskIdentity::* Field>
Result<std::string> show_hex(const Device& device) {
  const std::vector<std::uint8_t> bytes = disk_of(device).identity().*Field;
  return bytes.empty() ? std::string() : "0x" + base::to_hex(bytes);
}

constexpr Row kEui64{.name = "eui64_id",
                     .mode = 0644,
                     .key = KeyRule::kWhenNotDefault,
                     .show = show_hex<&DiskIdentity::eui64_id>,
                     .store = store_hex<&DiskIdentity::eui64_id, is_eui64>};
constexpr Row kNaa{.name = "naa_id",
                   .mode = 0644,
                   .key = KeyRule::kWhenNotDefault,
                   .show = show_hex<&DiskIdentity::naa_id>,
                   .store = store_hex<&DiskIdentity::naa_id, is_naa>};

// --- size and store

Result<std::string> show_size(const Device& device) { return shown(disk_of(device).size_bytes()); }
Result<std::string> show_size_mb(const Device& device) { return shown(disk_of(device).size_bytes() >> 20); }

constexpr Row kFileSize{.name = "size", .mode = 0444, .key = KeyRule::kAlways, .show = show_size};
constexpr Row kBlockDeviceSize{
    .name = "size", .mode = 0644, .key = KeyRule::kAlways, .show = show_size, .store_queued = store_size};
constexpr Row kNullSize{.name = "size",
                        .mode = 0644,
                        .key = KeyRule::kWhenNotDefault,
                        .default_value = "2748779069440",
                        .show = show_size,
                        .store_queued = store_size};
constexpr Row kFileSizeMb{.name = "size_mb", .mode = 0444, .show = show_size_mb};
constexpr Row kSizeMb{.name = "size_mb", .mode = 0644, .show = show_size_mb, .store_queued = store_size_mb};

constexpr Row kResyncSize{.name = "resync_size", .mode = 0200, .store_queued = resync_size};
constexpr Row kSync{.name = "sync", .mode = 0200, .store_waiting = sync_store};
constexpr Row kActive{.name = "active",
                      .mode = 0644,
                      .key = KeyRule::kWhenNotDefault,
                      .default_value = "1",
                      .show = [](const Device& device) { return shown(disk_of(device).config().active); },
                      .store_queued = store_active};
constexpr Row kFilename{
    .name = "filename",
    .mode = 0644,
    .key = KeyRule::kWhenNotDefault,
    .layout = Layout::kFileName,
    .show = [](const Device& device) -> Result<std::string> { return disk_of(device).config().filename; },
    .store_queued = store_filename};

// --- protection information

bool has_protection(const Device& device) { return disk_of(device).config().protection.type != 0; }

constexpr Row kDifMode{.name = "dif_mode",
                       .mode = 0444,
                       .key = KeyRule::kAlways,
                       .show = [](const Device& device) -> Result<std::string> {
                         return show_protection_mode(disk_of(device).config().protection);
                       },
                       .present = has_protection};
constexpr Row kDifType{.name = "dif_type",
                       .mode = 0444,
                       .key = KeyRule::kAlways,
                       .show = [](const Device& device) { return shown(disk_of(device).config().protection.type); },
                       .present = has_protection};
constexpr Row kDifStaticAppTag{.name = "dif_static_app_tag",
                               .mode = 0644,
                               .key = KeyRule::kWhenNotDefault,
                               .default_value = "0x0",
                               .show = [](const Device& device) -> Result<std::string> {
                                 return fmt::format("{:#x}", disk_of(device).config().protection.static_app_tag);
                               },
                               .store = [](Device& device, std::string_view text) -> Status {
                                 auto number = base::parse_unsigned(text);
                                 if (!number) return std::unexpected(number.error());
                                 ProtectionConfig& protection = disk_of(device).config().protection;
                                 protection.static_app_tag = kept_app_tag(protection.type, *number);
                                 return {};
                               },
                               .present = has_protection};
constexpr Row kDifFilename{
    .name = "dif_filename",
    .mode = 0444,
    .key = KeyRule::kAlways,
    .show = [](const Device& device) -> Result<std::string> { return disk_of(device).config().protection.filename; },
    .present = [](const Device& device) { return !disk_of(device).config().protection.filename.empty(); }};

// --- other

constexpr Row kClusterMode{
    .name = "cluster_mode",
    .mode = 0644,
    .key = KeyRule::kWhenNotDefault,
    .default_value = "0",
    .show = [](const Device&) { return shown(false); },
    .store_queued =
        [](Device& device, std::string text, target::Done done) {
          auto value = parse_zero_or_one(text);
          if (!value) return done(std::unexpected(value.error()));
          if (*value) return done(fail(EOPNOTSUPP, fmt::format("{}: there is no lock manager", device.name())));
          done({});
        }};

constexpr Row kThinThreshold{.name = "gen_tp_soft_threshold_reached_UA",
                             .mode = 0200,
                             .store = [](Device& device, std::string_view) -> Status {
                               device.raise_for_all(scsi::kUaThinThresholdReached);
                               return {};
                             },
                             .present = [](const Device& device) { return disk_of(device).thin_provisioned(); }};

constexpr Row kMedium{
    .name = "filename",
    .mode = 0644,
    .key = KeyRule::kWhenNotDefault,
    .layout = Layout::kFileName,
    .show = [](const Device& device) -> Result<std::string> { return disk_of(device).config().filename; },
    .store_queued = change_medium};

// --- which kinds have which

constexpr unsigned bit(VdiskKind kind) { return 1U << static_cast<unsigned>(kind); }
constexpr unsigned kFile = bit(VdiskKind::kFileio), kBlock = bit(VdiskKind::kBlockio), kNull = bit(VdiskKind::kNullio);
constexpr unsigned kCdrom = bit(VdiskKind::kCdrom);
constexpr unsigned kStored = kFile | kBlock, kDisk = kStored | kNull, kAll = kDisk | kCdrom;

struct RowOf {
  unsigned kinds;
  Row row;
};
constexpr std::array kRows{RowOf{kStored, kActive},
                           RowOf{kFile, kAsync},
                           RowOf{kStored, kBindAluaState},
                           RowOf{kDisk, kBlockSize},
                           RowOf{kDisk, kClusterMode},
                           RowOf{kDisk, kDifFilename},
                           RowOf{kDisk, kDifMode},
                           RowOf{kDisk, kDifStaticAppTag},
                           RowOf{kDisk, kDifType},
                           RowOf{kNull, kDummy},
                           RowOf{kAll, kEui64},
                           RowOf{kCdrom, kMedium},
                           RowOf{kStored, kExplicitAlua},
                           RowOf{kStored, kFilename},
                           RowOf{kAll, kInquiryText},
                           RowOf{kStored, kPhysicalExponent},
                           RowOf{kAll, kNaa},
                           RowOf{kStored, kNvCache},
                           RowOf{kFile, kODirect},
                           RowOf{kDisk, kOptimalTransfer},
                           RowOf{kAll, kProductId},
                           RowOf{kAll, kProductRevision},
                           RowOf{kDisk, kReadOnly},
                           RowOf{kNull, kReadZero},
                           RowOf{kDisk, kRemovable},
                           RowOf{kStored, kResyncSize},
                           RowOf{kDisk, kRotational},
                           RowOf{kAll, kScsiDeviceName},
                           RowOf{kNull, kNullSize},
                           RowOf{kBlock, kBlockDeviceSize},
                           RowOf{kBlock | kNull, kSizeMb},
                           RowOf{kFile | kCdrom, kFileSize},
                           RowOf{kFile | kCdrom, kFileSizeMb},
                           RowOf{kStored, kSync},
                           RowOf{kAll, kT10DeviceId},
                           RowOf{kAll, kT10VendorId},
                           RowOf{kStored, kThinProvisioned},
                           RowOf{kStored, kThinThreshold},
                           RowOf{kAll, kTst},
                           RowOf{kAll, kSerialNumber},
                           RowOf{kAll, kVendorSpecificId},
                           RowOf{kStored, kWriteThrough}};

template <VdiskKind kKind>
constexpr auto kRowsOf = [] {
  constexpr auto kHas = [](const RowOf& one) { return (one.kinds & bit(kKind)) != 0; };
  std::array<Row, std::ranges::count_if(kRows, kHas)> rows{};
  auto next = rows.begin();
  for (const RowOf& one : kRows)
    if (kHas(one)) *next++ = one.row;
  return rows;
}();

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

Result<bool> parse_zero_or_one(std::string_view text) {
  auto number = base::parse_unsigned(text);
  if (!number) return std::unexpected(number.error());
  if (*number > 1) return fail(EINVAL, fmt::format("{} is neither 0 nor 1", *number));
  return *number == 1;
}

Result<bool> parse_nonzero(std::string_view text) {
  auto number = base::parse_unsigned(text);
  if (!number) return std::unexpected(number.error());
  return *number != 0;
}

std::span<const target::Attribute<target::Device>> vdisk_attributes(VdiskKind kind) {
  switch (kind) {
    case VdiskKind::kFileio: return kRowsOf<VdiskKind::kFileio>;
    case VdiskKind::kBlockio: return kRowsOf<VdiskKind::kBlockio>;
    case VdiskKind::kNullio: return kRowsOf<VdiskKind::kNullio>;
    case VdiskKind::kCdrom: return kRowsOf<VdiskKind::kCdrom>;
  }
  return {};
}

}  // namespace uscst::handlers
