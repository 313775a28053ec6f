#include "compat/scstadmin/conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace uscst::scstadmin {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

std::string_view without_comment(std::string_view line) {
  if (line.starts_with('#')) return {};
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '#' && line[i - 1] != '\\') return line.substr(0, i - 1);
  }
  return line;
}

std::string without_escapes(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) ++i;
    out += line[i];
  }
  return out;
}

// `[WORD anything]`: the word is what stands before the last blank that a `]` follows.
bool names_old_section(std::string_view line) {
  const std::size_t close = line.rfind(']');
  if (close == std::string_view::npos) return false;
  const std::size_t open = line.find('[');
  if (open == std::string_view::npos || open > close) return false;
  std::string_view inside = line.substr(open + 1, close - open - 1);
  while (!inside.empty() && !is_blank(inside.back())) inside.remove_suffix(1);
  if (inside.empty()) return false;
  inside.remove_suffix(1);
  return inside == "HANDLER" || inside == "GROUP" || inside == "ASSIGNMENT";
}

template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    visit(text.substr(0, end), end != std::string_view::npos);
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

// Where the quoted word that starts at `line[start]` ends (its closing quote), or npos when it is not closed.
std::size_t closing_quote(std::string_view line, std::size_t start) {
  for (std::size_t i = start + 1; i < line.size(); ++i) {
    if (line[i] == '"') return i;
    if (line[i] == '\\') ++i;
  }
  return std::string_view::npos;
}

// Puts one line, with the content of the braces behind it, below `parent`. Words after the third do not count.
void add_line(ConfNode& parent, std::string_view line, ConfNode child) {
  const std::vector<std::string> words = split_conf_words(line);
  if (words.empty()) return;
  ConfNode* node = &parent;
  for (std::size_t i = 0; i < std::min<std::size_t>(words.size(), 3); ++i) node = &node->children[words[i]];
  *node = std::move(child);
}

// Reads the cleaned text character by character. Sections are kept on a stack of our own: input must not choose our
// stack depth.
class Parser {
 public:
  base::Result<ConfNode> run(std::string_view text) {
    for (char c : text) {
      if (c == '{') {
        if (open_.size() >= kMaxConfDepth) return base::fail(E2BIG, "sections are nested too deep");
        open_.push_back({std::exchange(line_, {}), {}});
      } else if (c == '}') {
        // Text in front of a closing brace on its line is lost; a brace too many ends the configuration.
        line_.clear();
        if (open_.size() == 1) break;
        close();
      } else if (c == '\n') {
        add_line(open_.back().content, std::exchange(line_, {}), {});
      } else {
        line_ += c;
      }
    }
    while (open_.size() > 1) close();
    return std::move(open_.front().content);
  }

 private:
  struct Section {
    std::string name;
    ConfNode content;
  };

  void close() {
    Section section = std::move(open_.back());
    open_.pop_back();
    add_line(open_.back().content, section.name, std::move(section.content));
  }

  std::vector<Section> open_{Section{}};
  std::string line_;
};

}  // namespace

const ConfNode* ConfNode::find(std::string_view name) const {
  const auto it = children.find(name);
  return it == children.end() ? nullptr : &it->second;
}

ConfNode* ConfNode::find(std::string_view name) {
  const auto it = children.find(name);
  return it == children.end() ? nullptr : &it->second;
}

const std::map<std::string, ConfNode, std::less<>>& ConfNode::below(std::string_view name) const {
  static const std::map<std::string, ConfNode, std::less<>> kNone;
  const ConfNode* child = find(name);
  return child == nullptr ? kNone : child->children;
}

std::string clean_conf_line(std::string_view line) { return without_escapes(without_comment(line)); }

std::vector<std::string> split_conf_words(std::string_view line) {
  std::vector<std::string> words;
  std::size_t i = 0;
  while (i < line.size()) {
    if (is_blank(line[i])) {
      ++i;
      continue;
    }
    const std::size_t quote = line[i] == '"' ? closing_quote(line, i) : std::string_view::npos;
    if (quote != std::string_view::npos) {
      words.emplace_back(line.substr(i + 1, quote - i - 1));
      i = quote + 1;
      continue;
    }
    const std::size_t start = i;
    while (i < line.size() && !is_blank(line[i])) ++i;
    words.emplace_back(line.substr(start, i - start));
  }
  return words;
}

bool is_old_conf(std::string_view text) {
  bool found = false;
  for_each_line(text, [&](std::string_view line, bool) { found = found || names_old_section(without_comment(line)); });
  return found;
}

base::Result<ConfNode> parse_conf(std::string_view text) {
  if (text.size() > kMaxConfBytes) return base::fail(EFBIG, fmt::format("more than {} bytes", kMaxConfBytes));
  std::string cleaned;
  cleaned.reserve(text.size());
  for_each_line(text, [&](std::string_view line, bool ended) {
    cleaned += clean_conf_line(line);
    if (ended) cleaned += '\n';
  });
  return Parser().run(cleaned);
}

std::string quote_conf_value(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == '\\' || c == '#') out += '\\';
    out += c;
  }
  return out.find(' ') == std::string::npos ? out : fmt::format("\"{}\"", out);
}

}  // namespace uscst::scstadmin
