#include "sysfsfs/trace_level.h"

#include <fmt/format.h>

#include <span>

#include "engine/base/numbers.h"
#include "sysfsfs/commands.h"

namespace uscst::sysfsfs {
namespace {

struct Flag {
  std::string_view name;
  unsigned long bit;
};

constexpr Flag kCommonFlags[] = {  // in the order shown
    {"out_of_mem", 0x100}, {"minor", 0x200}, {"sg", 0x80},    {"mem", 0x40},       {"buff", 0x20},
    {"entryexit", 0x10},   {"pid", 8},       {"line", 4},     {"function", 2},     {"debug", 1},
    {"special", 0x2000},   {"scsi", 0x1000}, {"mgmt", 0x400}, {"mgmt_dbg", 0x800}, {"flow_control", 0x4000},
    {"pr", 0x8000}};
constexpr Flag kRootFlags[] = {{"retry", 0x80000000},
                               {"scsi_serializing", 0x40000000},
                               {"data_send", 0x20000000},
                               {"data_received", 0x01000000},
                               {"block", 0x00010000}};
constexpr Flag kVirtualDiskFlags[] = {{"order", 0x80000000}};

std::span<const Flag> local_flags(TraceModule module) {
  switch (module) {
    case TraceModule::kRoot: return kRootFlags;
    case TraceModule::kVirtualDisk: return kVirtualDiskFlags;
    case TraceModule::kPassThrough:
    case TraceModule::kTargetDriver: break;
  }
  return {};
}

base::Result<unsigned long> flag_of(std::string_view token, TraceModule module) {
  for (std::span<const Flag> flags : {local_flags(module), std::span<const Flag>(kCommonFlags)}) {
    for (const Flag& flag : flags) {
      if (equal_without_case(flag.name, token)) return flag.bit;
    }
  }
  return base::fail(EINVAL, fmt::format("unknown token '{}'", token));
}

}  // namespace

std::string show_trace_level(unsigned long level, TraceModule module) {
  std::string text;
  for (std::span<const Flag> flags : {std::span<const Flag>(kCommonFlags), local_flags(module)}) {
    for (const Flag& flag : flags) {
      if (!(level & flag.bit)) continue;
      if (!text.empty()) text += " | ";
      text += flag.name;
    }
  }
  text +=
      "\n\n\nUsage:\n"
      "\techo \"all|none|default\" >trace_level\n"
      "\techo \"value DEC|0xHEX|0OCT\" >trace_level\n"
      "\techo \"add|del TOKEN\" >trace_level\n"
      "\nwhere TOKEN is one of [function, line, pid, out_of_mem, special, scsi, mgmt, minor, scsi_serializing, retry, "
      "pr";
  text += module == TraceModule::kVirtualDisk ? ", order]\n" : "]\n";
  return text;
}

base::Status store_trace_level(unsigned long& level, std::string_view text, TraceModule module) {
  Lexer lexer(text);
  std::string_view action = lexer.word();
  auto is = [&](std::string_view word) { return equal_without_case(action, word); };
  if (is("all")) {
    level = 0xFFFFFFFF;
  } else if (is("none") || is("null")) {
    level = 0;
  } else if (is("default")) {
    level = kDefaultTraceLevel;
  } else if (is("value")) {
    auto value = base::parse_unsigned(lexer.word());
    if (!value) return base::fail(EINVAL, value.error().text);
    level = *value;
  } else if (is("add") || is("del")) {
    auto bit = flag_of(lexer.word(), module);
    if (!bit) return std::unexpected(bit.error());
    level = is("add") ? level | *bit : level & ~*bit;
  } else {
    return base::fail(EINVAL, fmt::format("unknown action '{}'", action));
  }
  return {};
}

}  // namespace uscst::sysfsfs
