// The attributes of one object of the tree: reading them (value, `[key]`, writable or not) and writing them into a
// configuration.
//
// Plain data made by read_attributes(); no state, one thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compat/scstadmin/tree.h"

namespace uscst::scstadmin {

enum class ObjectKind {
  kRoot,
  kHandler,
  kDevice,
  kDriver,
  kTarget,
  kGroup,
  kLun,
  kInitiator,
  kSession,
  kAlua,
  kDeviceGroup,
  kTargetGroup,
  kMember
};

struct Attribute {
  bool is_static = false;                 // cannot be set by writing to the file
  std::optional<std::string> value = {};  // first line; nothing for write-only attributes and for those with keys
  std::map<unsigned long, std::string> keys = {};  // values marked `[key]`, by the number that ended the file's name
  bool is_set = false;                             // a set of flags (trace_level)
  std::vector<std::string> choices = {};           // the flags there are
  bool is_hidden = false;                          // has no value that could be shown (exported)

  bool has_keys() const { return !keys.empty(); }
};

using Attributes = std::map<std::string, Attribute>;

// The name that stands for all attributes: of an object that does not exist yet.
inline constexpr const char* kAnyAttribute = "";

// Errno of listing the directory or of reading a file in it. `for_show`: also what can only be shown.
base::Result<Attributes> read_attributes(const Tree& tree, ObjectKind kind, const std::string& path,
                                         bool for_show = true);

// The names behind `The following parameters available:` (or another prefix) in the text of a mgmt file.
std::set<std::string> listed_names(std::string_view mgmt_text, std::string_view prefix);

inline constexpr std::string_view kParametersPrefix = "The following parameters available:";
inline constexpr std::string_view kDriverAttributesPrefix = "The following target driver attributes available:";
inline constexpr std::string_view kTargetAttributesPrefix = "The following target attributes available:";

// Lines `INDENT name value\n`. Static attributes only when they are among `create`, since nothing else could restore
// them.
std::string key_lines(std::string_view indent, const Attributes& attributes, const std::set<std::string>& create = {});
std::string nonkey_lines(std::string_view indent, const Attributes& attributes,
                         const std::set<std::string>& create = {});

// What can be set, each with the values it has now.
std::map<std::string, std::set<std::string>> settable_values(const Attributes& attributes);

}  // namespace uscst::scstadmin
