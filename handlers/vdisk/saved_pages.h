// Saved mode pages on disk, in SCST's file format (scsi.md 6.3): DIRECTORY/DEVICE, with a backup DIRECTORY/DEVICE1
// while it is being written. All functions block: they run on the blocking pool.
#pragma once

#include <string>

#include "engine/scsi/mode_pages.h"

namespace uscst::handlers {

// The saved values; `defaults` where there are none, and for every value the file does not name.
scsi::ModePages load_mode_pages(const std::string& directory, const std::string& device,
                                const scsi::ModePages& defaults);

// Writes the values that differ from `defaults`, or removes the files when none does. 0 or a negative errno.
int save_mode_pages(const std::string& directory, const std::string& device, const scsi::ModePages& pages,
                    const scsi::ModePages& defaults);

// The part of the file behind the signature, and its reverse; reading stops at the first line that is out of range.
std::string format_mode_pages(const scsi::ModePages& pages, const scsi::ModePages& defaults);
scsi::ModePages parse_mode_pages(std::string_view text, const scsi::ModePages& defaults);

}  // namespace uscst::handlers
