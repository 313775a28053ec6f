#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/daemon/options.h"

namespace uscst::daemon {
namespace {

// A logical line: one that ends in a backslash goes on in the next (modprobe.d(5)).
bool read_logical_line(std::istream& in, std::string& line) {
  line.clear();
  for (std::string part; std::getline(in, part);) {
    if (!part.ends_with('\\')) {
      line += part;
      return true;
    }
    part.pop_back();
    line += part;
  }
  return !line.empty();
}

}  // namespace

std::vector<std::string> read_modprobe_directory(const std::string& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code ignored;  // no directory, no options
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".conf") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> lines;
  constexpr std::string_view kOptions = "options";
  for (const auto& file : files) {
    std::ifstream in(file);
    for (std::string line; read_logical_line(in, line);) {
      std::size_t start = std::min(line.find_first_not_of(" \t"), line.size());
      if (line.compare(start, kOptions.size(), kOptions) != 0) continue;
      std::string rest = line.substr(start + kOptions.size());
      if (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) lines.push_back(rest);
    }
  }
  return lines;
}

}  // namespace uscst::daemon
