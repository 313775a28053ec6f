#include "sysfsfs/mountinfo.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace uscst::sysfsfs {
namespace {

// Blanks and backslashes are written as three octal digits.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    bool escaped = text[i] == '\\' && i + 3 < text.size() &&
                   std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8).ptr == text.data() + i + 4;
    plain += escaped ? static_cast<char>(value) : text[i];
    if (escaped) i += 3;
  }
  return plain;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    std::size_t length = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, length));
    line.remove_prefix(std::min(line.size(), length + 1));
  }
  return words;
}

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "36 35 98:0 /root /mount/point options [shared:N ...] - type source super-options"
bool parse_line(std::string_view line, MountEntry& entry) {
  auto words = split(line);
  auto separator = std::find(words.begin(), words.end(), "-");
  if (words.size() < 6 || words.end() - separator < 3) return false;
  entry.id = number(words[0]);
  entry.parent = number(words[1]);
  entry.mount_point = unescape(words[4]);
  entry.type = unescape(separator[1]);
  entry.source = unescape(separator[2]);
  for (auto word = words.begin() + 6; word < separator; ++word) {
    if (word->starts_with("shared:")) entry.peer_group = number(word->substr(7));
  }
  return true;
}

}  // namespace

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> entries;
  while (!text.empty()) {
    std::size_t length = std::min(text.find('\n'), text.size());
    MountEntry entry;
    if (parse_line(text.substr(0, length), entry)) entries.push_back(std::move(entry));
    text.remove_prefix(std::min(text.size(), length + 1));
  }
  return entries;
}

std::vector<MountEntry> read_mountinfo() {
  std::ifstream file("/proc/self/mountinfo");
  return parse_mountinfo(std::string(std::istreambuf_iterator<char>(file), {}));
}

std::vector<MountEntry> subtree(const std::vector<MountEntry>& mounts, int id) {
  std::vector<MountEntry> found;
  for (const MountEntry& mount : mounts) {
    if (mount.id == id) found.push_back(mount);
  }
  for (std::size_t i = 0; i < found.size(); ++i) {  // grows while it is walked: level by level
    for (const MountEntry& mount : mounts) {
      if (mount.parent == found[i].id && mount.id != found[i].id) found.push_back(mount);
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace uscst::sysfsfs
