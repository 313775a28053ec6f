#include "engine/target/access_group.h"

#include <algorithm>
#include <cctype>

namespace uscst::target {
namespace {

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

// Greedy with one point to come back to: the last '*'. Linear for patterns of one star, quadratic at worst.
bool matches_plainly(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || same_letter(pattern[p], name[n]))) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool name_matches(std::string_view pattern, std::string_view name) {
  std::size_t invert = pattern.find('!');
  if (invert == std::string_view::npos) return matches_plainly(pattern, name);
  std::string_view head = pattern.substr(0, invert), tail = pattern.substr(invert + 1);
  // What stands before the '!' takes a part of the name; what is left must not match the rest.
  for (std::size_t cut = 0; cut <= name.size(); ++cut) {
    if (matches_plainly(head, name.substr(0, cut)) && !matches_plainly(tail, name.substr(cut))) return true;
  }
  return false;
}

bool AccessGroup::selects(std::string_view initiator_name) const {
  return std::any_of(initiators.begin(), initiators.end(),
                     [&](const std::string& pattern) { return name_matches(pattern, initiator_name); });
}

}  // namespace uscst::target
