#include "handlers/vdisk/protection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>

#include "handlers/vdisk/config.h"

namespace uscst::handlers {
namespace {

using base::fail;
using base::Status;

constexpr std::uint64_t kMaximumType = 3, kTypeWithReferenceTag = 3;

struct ModeWord {
  std::string_view word;
  std::uint8_t mode;
};
constexpr std::array kWords{ModeWord{"tgt", ProtectionConfig::kTarget}, ModeWord{"scst", ProtectionConfig::kScst},
                            ModeWord{"dev_check", ProtectionConfig::kDeviceCheck},
                            ModeWord{"dev_store", ProtectionConfig::kDeviceStore}};

std::optional<std::uint8_t> mode_of(std::string_view word) {
  for (const ModeWord& known : kWords) {
    if (known.word.size() == word.size() && strncasecmp(known.word.data(), word.data(), word.size()) == 0)
      return known.mode;
  }
  return std::nullopt;
}

// The integrity profile of a block device, such as "T10-DIF-TYPE1-CRC"; nothing where it has none.
std::optional<std::string> integrity_profile(dev_t device) {
  // A partition's profile is that of the disk above it.
  for (const char* where : {"integrity", "../integrity"}) {
    std::ifstream file(fmt::format("/sys/dev/block/{}:{}/{}/format", major(device), minor(device), where));
    std::string profile;
    if (std::getline(file, profile))
      return profile == "none" || profile == "nop" ? std::nullopt : std::optional(profile);
  }
  return std::nullopt;
}

Status check_profile(const VdiskConfig& config, std::string_view device, const std::string& profile) {
  const bool type_1 = profile.starts_with("T10-DIF-TYPE1-"), type_3 = profile.starts_with("T10-DIF-TYPE3-");
  const std::uint64_t type = type_1 ? 1 : type_3 ? 3 : 0;
  if (type != config.protection.type)
    return fail(EINVAL, fmt::format("{}: dif_type {}, but {} has the integrity profile {}", device,
                                    config.protection.type, config.filename, profile));
  if ((config.protection.mode & ProtectionConfig::kDeviceStore) == 0)
    return fail(EINVAL, fmt::format("{}: dif_mode dev_check is not possible without dev_store", device));
  return {};
}

// 0 or the errno of open(2); EINVAL for what is neither regular file nor block device.
int try_open(const std::string& path, bool read_only) {
  const int fd = open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno == EISDIR ? EINVAL : errno;
  struct stat status{};
  const bool usable = fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
  close(fd);
  return usable ? 0 : EINVAL;
}

}  // namespace

// Blanks before a word do not count, nor does a bar behind the last one.
Status parse_protection_mode(std::string_view words, ProtectionConfig& into) {
  while (true) {
    while (!words.empty() && std::isspace(static_cast<unsigned char>(words[0])) != 0) words.remove_prefix(1);
    if (words.empty()) return {};
    const std::string_view word = words.substr(0, words.find('|'));
    auto mode = mode_of(word);
    if (!mode) return fail(EINVAL, fmt::format("'{}' is no DIF mode: tgt, scst, dev_check, dev_store", word));
    into.mode |= *mode;
    if (word.size() == words.size()) return {};
    words.remove_prefix(word.size() + 1);
  }
}

std::string show_protection_mode(const ProtectionConfig& protection) {
  std::string text;
  for (const ModeWord& known : kWords) {
    if ((protection.mode & known.mode) == 0) continue;
    if (!text.empty()) text += '|';
    text += known.word;
  }
  return text.empty() ? "None" : text;
}

std::uint64_t kept_app_tag(std::uint64_t type, std::uint64_t number) {
  return number & (type == kTypeWithReferenceTag ? 0xFFFF'FFFF'FFFFu : 0xFFFFu);
}

Status check_protection(const VdiskConfig& config, std::string_view device) {
  const ProtectionConfig& protection = config.protection;
  if (protection.type > kMaximumType)
    return fail(EINVAL, fmt::format("{}: dif_type is 0 to {}, not {}", device, kMaximumType, protection.type));
  if (protection.type == 0 && (protection.mode != 0 || !protection.filename.empty()))
    return fail(EINVAL, fmt::format("{}: dif_mode and dif_filename need dif_type 1, 2 or 3", device));
  if (protection.type != 0 && protection.mode == 0)
    return fail(EINVAL, fmt::format("{}: dif_type needs dif_mode", device));
  if ((protection.mode & ProtectionConfig::kDeviceCheck) != 0 && config.kind != VdiskKind::kBlockio)
    return fail(EINVAL, fmt::format("{}: dif_mode dev_check is for vdisk_blockio", device));
  return {};
}

Status prepare_protection(VdiskConfig& config, std::string_view device, const std::string& state_directory) {
  ProtectionConfig& protection = config.protection;
  const bool by_device = (protection.mode & (ProtectionConfig::kDeviceCheck | ProtectionConfig::kDeviceStore)) != 0;
  bool device_stores = false;
  if (by_device && config.kind == VdiskKind::kBlockio) {
    struct stat status{};
    if (stat(config.filename.c_str(), &status) != 0)
      return fail(errno, fmt::format("cannot open {}: {}", config.filename, std::generic_category().message(errno)));
    if (auto profile = S_ISBLK(status.st_mode) ? integrity_profile(status.st_rdev) : std::nullopt) {
      if (auto right = check_profile(config, device, *profile); !right) return right;
      device_stores = true;
    }
  }
  if ((protection.mode & ProtectionConfig::kDeviceStore) != 0 && protection.filename.empty() && !device_stores)
    protection.filename = fmt::format("{}/dif_tags/{}.dif", state_directory, device);
  if (!config.active || protection.filename.empty()) return {};
  if (int error = try_open(protection.filename, config.read_only); error != 0)
    return fail(error, fmt::format("{}: cannot open {}: {}", device, protection.filename,
                                   std::generic_category().message(error)));
  return {};
}

}  // namespace uscst::handlers
