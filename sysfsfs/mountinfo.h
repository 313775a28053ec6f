// /proc/self/mountinfo as values (proc(5)). Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace uscst::sysfsfs {

struct MountEntry {
  int id = 0, parent = 0;
  int peer_group = 0;  // "shared:N", 0 for none
  std::string mount_point, type, source;
};

std::vector<MountEntry> parse_mountinfo(std::string_view text);
std::vector<MountEntry> read_mountinfo();

// `mounts` reduced to the mount of this id and all below it, deepest first.
std::vector<MountEntry> subtree(const std::vector<MountEntry>& mounts, int id);

}  // namespace uscst::sysfsfs
