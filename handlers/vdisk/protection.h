// T10 protection information (DIF) of a virtual disk, as add_device asks for it and the tree shows it. No command of an
// initiator meets it: a LUN of such a device is refused by every target that does not support it (engine/target).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace uscst::handlers {

struct VdiskConfig;

struct ProtectionConfig {
  enum Mode : std::uint8_t { kTarget = 1, kScst = 2, kDeviceCheck = 4, kDeviceStore = 8 };

  std::uint8_t mode = 0;  // Mode, ored
  std::uint64_t type = 0;
  std::uint64_t static_app_tag = 0;  // the application tag, with type 3 above it the reference tag
  std::string filename;              // of the tags; empty: none
};

// "tgt|scst": words in any case, added to the mode. EINVAL for others.
base::Status parse_protection_mode(std::string_view words, ProtectionConfig& into);
std::string show_protection_mode(const ProtectionConfig& protection);
// The bits of a number that are kept as tags: 16, with type 3 48.
std::uint64_t kept_app_tag(std::uint64_t type, std::uint64_t number);

// What is wrong whatever the backing store: EINVAL.
base::Status check_protection(const VdiskConfig& config, std::string_view device);
// Blocking. What is wrong with the backing device's own protection, and with the file of tags of an active disk, whose
// default name is filled in: EINVAL, or the error of open(2).
base::Status prepare_protection(VdiskConfig& config, std::string_view device, const std::string& state_directory);

}  // namespace uscst::handlers
