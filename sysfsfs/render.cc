#include "sysfsfs/render.h"

namespace uscst::sysfsfs {

bool shows_key(target::KeyRule rule, std::string_view value, std::string_view default_value, bool written) {
  switch (rule) {
    case target::KeyRule::kNever: return false;
    case target::KeyRule::kAlways: return true;
    case target::KeyRule::kWhenNotDefault: return value != default_value;
    case target::KeyRule::kWhenWritten: return written;
  }
  return false;
}

std::string render(std::string_view value, target::Layout layout, bool key) {
  if (layout == target::Layout::kRaw) return std::string(value);
  if (layout == target::Layout::kLineOrNothing && value.empty()) return {};
  bool is_file_name = layout == target::Layout::kFileName;
  std::string text(is_file_name && value.empty() ? "none" : value);
  text += '\n';
  if (key && !(is_file_name && value.empty())) text += "[key]\n";
  if (is_file_name) text += '\n';
  return text;
}

}  // namespace uscst::sysfsfs
