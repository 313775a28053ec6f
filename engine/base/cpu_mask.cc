#include "engine/base/cpu_mask.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <ranges>
#include <vector>

namespace uscst::base {
namespace {

constexpr unsigned kWordBits = 32;

bool ends_word(char c) { return c == ',' || c == ' ' || (c >= '\t' && c <= '\r'); }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::uint32_t> parse_word(std::string_view digits) {
  std::uint64_t word = 0;
  for (char c : digits) {
    int value = hex_value(c);
    if (value < 0) return fail(EINVAL, fmt::format("'{}' is no hexadecimal mask", digits));
    word = word << 4 | static_cast<unsigned>(value);
    if (word > 0xFFFFFFFF) return fail(EOVERFLOW, fmt::format("'{}' has more than 32 bits", digits));
  }
  return static_cast<std::uint32_t>(word);
}

// Lowest word first.
std::string format(const std::vector<std::uint32_t>& words, unsigned processors) {
  std::string text;
  for (std::size_t i = words.size(); i-- > 0;) {
    bool first = text.empty();
    unsigned bits = first && processors % kWordBits ? processors % kWordBits : kWordBits;
    text += fmt::format("{}{:0{}x}", first ? "" : ",", words[i], (bits + 3) / 4);
  }
  return text;
}

}  // namespace

unsigned possible_processors() { return static_cast<unsigned>(std::max(1L, sysconf(_SC_NPROCESSORS_CONF))); }

std::string full_cpu_mask(unsigned processors) {
  std::vector<std::uint32_t> words((processors + kWordBits - 1) / kWordBits, 0xFFFFFFFF);
  if (processors % kWordBits) words.back() = (1U << processors % kWordBits) - 1;
  return format(words, processors);
}

Result<std::string> parse_cpu_mask(std::string_view text, unsigned processors) {
  std::vector<std::uint32_t> words((processors + kWordBits - 1) / kWordBits, 0);
  std::string_view left = text.substr(0, text.find('\n'));
  for (std::size_t i = 0;; ++i) {  // from the lowest word, which is the last
    while (!left.empty() && ends_word(left.back())) left.remove_suffix(1);
    if (left.empty()) break;
    if (i == words.size()) return fail(EOVERFLOW, fmt::format("there are {} processors", processors));
    auto start = std::find_if(left.rbegin(), left.rend(), ends_word);
    auto length = static_cast<std::size_t>(start - left.rbegin());
    auto word = parse_word(left.substr(left.size() - length));
    if (!word) return std::unexpected(word.error());
    words[i] = *word;
    left.remove_suffix(length);
  }
  if (processors % kWordBits && words.back() >> processors % kWordBits) {
    return fail(EOVERFLOW, fmt::format("there are {} processors", processors));
  }
  return format(words, processors);
}

bool in_cpu_mask(std::string_view mask, unsigned processor) {
  unsigned digit = processor / 4;  // from the end, commas aside
  for (char c : std::views::reverse(mask)) {
    if (c == ',') continue;
    if (digit-- == 0) return (hex_value(c) >> processor % 4 & 1) != 0;
  }
  return false;
}

}  // namespace uscst::base
