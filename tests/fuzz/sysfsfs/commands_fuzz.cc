// Every grammar that management writes are read with, on any text.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "engine/base/cpu_mask.h"
#include "sysfsfs/commands.h"
#include "sysfsfs/mountinfo.h"
#include "sysfsfs/names.h"
#include "sysfsfs/trace_level.h"

using namespace uscst::sysfsfs;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_word(std::string_view word) { return !word.empty() && word.find_first_of(" \t\n\v\f\r=") == word.npos; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(size, '\0');
  if (size > 0) std::memcpy(text.data(), data, size);
  if (auto command = parse_device_command(text)) {
    require(is_word(command->name));
    if (command->parameters) {
      for (const auto& [name, value] : *command->parameters) require(is_word(name) && is_word(value));
    }
  }
  if (auto command = parse_lun_command(text)) {
    require(command->lun <= 0x3FFF);
  }
  if (auto command = parse_group_command(text)) require(is_word(command->name));
  if (auto command = parse_initiator_command(text)) {
    require(command->action == InitiatorCommand::Action::kClear || is_word(command->name));
  }
  (void)parse_block_command(text);
  (void)scsi_device_name(text);
  for (unsigned processors : {1U, 2U, 32U, 33U, 96U}) {
    // What is shown is read again as the same.
    if (auto mask = uscst::base::parse_cpu_mask(text, processors))
      require(*uscst::base::parse_cpu_mask(*mask, processors) == *mask);
  }
  unsigned long level = kDefaultTraceLevel;
  (void)store_trace_level(level, text, TraceModule::kRoot);
  (void)show_trace_level(level, TraceModule::kVirtualDisk);
  (void)parse_mountinfo(text);
  std::size_t half = text.size() / 2;
  (void)link_text(text.substr(0, half), text.substr(half));
  require(kernfs_hash(text) >= 2);
  return 0;
}
