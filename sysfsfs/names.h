// Names, their order and the texts of links, as sysfs makes them. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace uscst::sysfsfs {

// kernfs's hash of a name: readdir lists in ascending order of it.
std::uint32_t kernfs_hash(std::string_view name);

// The name of an object's directory: sysfs shows '/' as '!'.
std::string shown_name(std::string_view object_name);

// The text of a link in the directory `from` that leads to `to`; both are paths below the top, without a slash at
// either end. As many ".." as needed to reach what they have in common.
std::string link_text(std::string_view from, std::string_view to);

// A decimal number without sign and leading zeros, as LUN directories are named. `limit`: the largest.
bool parse_decimal_name(std::string_view name, std::uint64_t limit, std::uint64_t& value);

}  // namespace uscst::sysfsfs
