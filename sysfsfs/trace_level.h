// The `trace_level` files: a word of flags shown by name. Pure functions; the flags themselves choose nothing here, the
// log has its own threshold.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace uscst::sysfsfs {

inline constexpr unsigned long kDefaultTraceLevel = 0x2508;  // out_of_mem, mgmt, pid, special
// Which flags a module has beside the common ones.
enum class TraceModule { kRoot, kVirtualDisk, kPassThrough, kTargetDriver };

// Flags by name, and the usage text.
std::string show_trace_level(unsigned long level, TraceModule module);
// all | none | null | default | value N | add TOKEN | del TOKEN; EINVAL.
base::Status store_trace_level(unsigned long& level, std::string_view text, TraceModule module);

}  // namespace uscst::sysfsfs
