// The grammar of scst.conf: text in, a tree of words out. Pure functions; nothing here reads files or the SCST tree.
//
// A configuration is a tree of words: `TARGET_DRIVER ib_srpt { TARGET t { enabled 1 } }` becomes
// TARGET_DRIVER -> ib_srpt -> TARGET -> t -> enabled -> 1. Repeated words merge into one, later sections replace
// earlier ones.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace uscst::scstadmin {

inline constexpr std::size_t kMaxConfBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxConfDepth = 64;

struct ConfNode {
  std::map<std::string, ConfNode, std::less<>> children;

  // The child of that name, or null.
  const ConfNode* find(std::string_view name) const;
  ConfNode* find(std::string_view name);
  // The children of the child of that name; empty when there is none.
  const std::map<std::string, ConfNode, std::less<>>& below(std::string_view name) const;
  bool operator==(const ConfNode&) const = default;
};

// One line as the parser sees it: comments cut off (the character before a `#` goes with it), escapes undone.
std::string clean_conf_line(std::string_view line);

// The words of a line; `"a b"` is one word, a quote inside a word is an ordinary character.
std::vector<std::string> split_conf_words(std::string_view line);

// True when a line `[HANDLER x]`, `[GROUP x]` or `[ASSIGNMENT x]` says that the text is in the format of SCST 1.
bool is_old_conf(std::string_view text);

// EFBIG for more than kMaxConfBytes, E2BIG for sections nested deeper than kMaxConfDepth; any other text is a
// configuration.
base::Result<ConfNode> parse_conf(std::string_view text);

// How a value has to be written so that parse_conf() reads it back as one word.
std::string quote_conf_value(std::string_view value);

}  // namespace uscst::scstadmin
