#include "sysfsfs/names.h"

#include <algorithm>
#include <charconv>

namespace uscst::sysfsfs {

std::uint32_t kernfs_hash(std::string_view name) {
  // The kernel's end_name_hash() folds with the golden ratio and keeps the upper half; characters are signed there.
  constexpr std::uint64_t kGoldenRatio = 0x61C8864680B583EB;
  std::uint64_t hash = 0;
  for (char c : name) {
    auto value = static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<signed char>(c)));
    auto high = static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<signed char>(c) >> 4));
    hash = (hash + (value << 4) + high) * 11;
  }
  auto folded = static_cast<std::uint32_t>((hash * kGoldenRatio) >> 32) & 0x7FFFFFFF;
  return folded < 2 ? folded + 2 : folded;
}

std::string shown_name(std::string_view object_name) {
  std::string name(object_name);
  std::replace(name.begin(), name.end(), '/', '!');
  return name;
}

std::string link_text(std::string_view from, std::string_view to) {
  // Leading components in common, each with the slash that ends it.
  std::size_t common = 0;
  for (std::size_t i = 0;; ++i) {
    bool from_ends = i == from.size() || from[i] == '/';
    bool to_ends = i == to.size() || to[i] == '/';
    if (from_ends && to_ends) common = i + 1;
    if (i >= from.size() || i >= to.size() || from[i] != to[i]) break;
  }
  std::string text;
  if (common <= from.size()) {
    std::string_view left = from.substr(common);
    auto levels = left.empty() ? 0 : 1 + std::count(left.begin(), left.end(), '/');
    for (auto i = levels; i > 0; --i) text += "../";
  }
  text += common <= to.size() ? to.substr(common) : std::string_view{};
  return text;
}

bool parse_decimal_name(std::string_view name, std::uint64_t limit, std::uint64_t& value) {
  if (name.empty() || (name.size() > 1 && name.front() == '0')) return false;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  return error == std::errc{} && end == name.data() + name.size() && value <= limit;
}

}  // namespace uscst::sysfsfs
