// The command line: one table of options, a parser with the manners of Perl's Getopt::Long, and the help text.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compat/scstadmin/actions.h"

namespace uscst::scstadmin {

enum class Argument { kNone, kOptional, kRequired };
// Several queries can be given at once, but only one of the others.
enum class OptionKind { kGeneral, kQuery, kChange, kParameter, kFlag };

struct OptionRow {
  std::string_view name;
  Argument argument;
  OptionKind kind;
  std::string_view meaning;
};

std::span<const OptionRow> option_rows();

struct Options {
  std::map<std::string, std::string, std::less<>> given;  // by full name
  Wanted attributes;                                      // -attributes a=1,b=2

  bool has(std::string_view name) const { return given.find(name) != given.end(); }
  std::string get(std::string_view name) const;
};

struct ParsedOptions {
  Options options;
  std::vector<std::string> errors;  // complete sentences, for standard error
};

// Names may be cut short while they stay unique; one dash or two; a value in the next word or behind `=`. Words that
// belong to no option are ignored.
ParsedOptions parse_options(std::span<const std::string> words);

// What is missing or contradicts itself, as the sentence to print; empty when nothing is.
std::string_view option_problem(const Options& options);

std::string usage_text();

}  // namespace uscst::scstadmin
