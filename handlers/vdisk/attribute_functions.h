// What the rows of attributes.cc are made of: reading and showing values, and the writes that do more than set one.
// Control thread.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "handlers/vdisk/sbc_disk.h"

namespace uscst::handlers {

inline SbcDisk& disk_of(target::Device& device) { return static_cast<SbcDisk&>(device.unit()); }
inline const SbcDisk& disk_of(const target::Device& device) { return static_cast<const SbcDisk&>(device.unit()); }

inline base::Result<std::string> shown(bool value) { return std::string(value ? "1" : "0"); }
inline base::Result<std::string> shown(std::uint64_t value) { return fmt::format("{}", value); }

std::string_view trim(std::string_view text);
base::Result<bool> parse_zero_or_one(std::string_view text);
base::Result<bool> parse_nonzero(std::string_view text);

// --- size and store; the errors are those of sysfs.md 9.1
void store_size(target::Device& device, std::string text, target::Done done);     // bytes
void store_size_mb(target::Device& device, std::string text, target::Done done);  // MiB
void resync_size(target::Device& device, std::string text, target::Done done);
void store_active(target::Device& device, std::string text, target::Done done);
void store_filename(target::Device& device, std::string text, target::Done done);
// Ends when everything written before is on the medium, or with the error of the flush, which is also remembered as the
// disk's flush failure. Does not hold the queue of management writes.
void sync_store(target::Device& device, std::string text, target::Done done);

}  // namespace uscst::handlers
