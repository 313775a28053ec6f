#include "compat/scstadmin/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "compat/scstadmin/conf.h"

namespace uscst::scstadmin {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t start = text.find_first_not_of(kBlanks);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
}

std::vector<std::string> split_names(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view name = trimmed(list.substr(0, comma));
    if (!name.empty()) names.emplace_back(name);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return names;
}

struct Content {
  std::string first;
  bool is_key = false;
  std::string rest;
};

Content split_content(std::string_view text) {
  const auto take_line = [&text] {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
  };
  Content content;
  content.first = take_line();
  content.is_key = take_line().find("[key]") != std::string_view::npos;
  content.rest = text;
  return content;
}

bool is_skipped(ObjectKind kind, std::string_view name) {
  if (name == "mgmt") return true;
  if (name == "uevent") {
    return kind == ObjectKind::kHandler || kind == ObjectKind::kDevice || kind == ObjectKind::kTarget ||
           kind == ObjectKind::kAlua;
  }
  return name == "module" && kind == ObjectKind::kHandler;
}

// Handlers and device_groups show the objects below them among their attributes, with no value.
bool shows_directories(ObjectKind kind) { return kind == ObjectKind::kHandler || kind == ObjectKind::kAlua; }

bool has_link_value(ObjectKind kind, std::string_view name) {
  switch (kind) {
    case ObjectKind::kDevice: return name == "handler" || name == "scsi_device";
    case ObjectKind::kTarget: return name == "host";
    case ObjectKind::kLun: return name == "device";
    default: return false;
  }
}

// Settable whatever the mode says.
bool always_settable(ObjectKind kind, std::string_view name) {
  switch (kind) {
    case ObjectKind::kDevice:
      return name == "cpu_mask" || name == "filename" || name == "threads_num" || name == "threads_pool_type";
    case ObjectKind::kTarget: return name == "enabled" || name == "cpu_mask";
    case ObjectKind::kGroup: return name == "cpu_mask";
    default: return false;
  }
}

bool has_flags(ObjectKind kind, std::string_view name) {
  return name == "trace_level" &&
         (kind == ObjectKind::kRoot || kind == ObjectKind::kHandler || kind == ObjectKind::kDriver);
}

std::vector<std::string> flag_names(std::string_view usage) {
  const std::size_t open = usage.find('[');
  const std::size_t close = usage.rfind(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  return split_names(usage.substr(open + 1, close - open - 1));
}

// "IncomingUser1" with a key is value 1 of the list "IncomingUser".
std::pair<std::string, unsigned long> split_number(const std::string& name) {
  const std::size_t digits = name.find_first_of("0123456789");
  if (digits == std::string::npos || digits == 0) return {name, 0};
  unsigned long number = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + digits, end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return {name, 0};
  return {name.substr(0, digits), number};
}

void add_type(Attributes& out, const Content& content, bool is_static) {
  const std::size_t dash = content.first.find(" - ");
  Attribute& type = out["type"];
  type.value = content.first.substr(0, dash);
  type.is_static = is_static;
  Attribute& text = out["type_string"];
  text.value = dash == std::string::npos ? std::string() : content.first.substr(dash + 3);
  text.is_static = true;
}

void add_file(Attributes& out, ObjectKind kind, const std::string& name, const NodeInfo& info, std::string_view text) {
  const Content content = split_content(text);
  const bool is_static = (info.mode & kOwnerWrite) == 0 && !always_settable(kind, name);
  if (name == "type" && (kind == ObjectKind::kDevice || kind == ObjectKind::kHandler))
    return add_type(out, content, is_static);
  if (has_flags(kind, name)) {
    Attribute& flags = out[name];
    flags = {.is_static = is_static, .value = content.first, .is_set = true, .choices = flag_names(content.rest)};
    return;
  }
  if (!content.is_key || kind == ObjectKind::kSession) {
    Attribute& plain = out[name];
    plain.value = content.first;
    plain.is_static = is_static;
    return;
  }
  const auto [base, number] = split_number(name);
  Attribute& list = out[base];
  list.keys[number] = content.first;
  list.is_static = is_static;
}

// Where a device is a LUN is no text. A device that only the copy manager uses shows `exported` without a value.
void add_exports(Attributes& out, const Tree& tree, const std::string& path) {
  Attribute& exported = out["exported"];
  for (const std::string& name : tree.list(path).value_or(std::vector<std::string>())) {
    if (tree.link(join_path({path, name})).value_or("").find("targets/copy_manager/") == std::string::npos) {
      exported = {.is_static = true, .is_hidden = true};
      return;
    }
  }
}

void add_directory(Attributes& out, const Tree& tree, ObjectKind kind, const std::string& path,
                   const std::string& name) {
  if (shows_directories(kind)) out[name].value = "";
  if (kind == ObjectKind::kDevice && name == "exported") add_exports(out, tree, path);
}

base::Status add_entry(Attributes& out, const Tree& tree, ObjectKind kind, const std::string& path,
                       const Entry& entry) {
  const std::string& name = entry.name;
  const std::string full = join_path({path, name});
  if (has_link_value(kind, name)) {
    out[name] = {.is_static = true, .value = last_part(tree.link(full).value_or(""))};
    return {};
  }
  EntryType type = entry.type;
  if (type == EntryType::kLink && kind == ObjectKind::kHandler) type = EntryType::kDirectory;  // its devices
  if (type == EntryType::kLink) {
    const std::optional<NodeInfo> info = tree.stat(full);
    if (!info) return {};  // a link to nothing
    type = info->is_directory ? EntryType::kDirectory : EntryType::kFile;
  }
  if (type == EntryType::kDirectory) {
    add_directory(out, tree, kind, full, name);
    return {};
  }
  const base::Result<FileContent> file = tree.inspect(full);
  if (!file) {
    if (!tree.stat(full)) return {};  // gone meanwhile
    return base::fail(file.error().code, fmt::format("Unable to read attribute '{}': {}", name, file.error().text));
  }
  if ((file->info.mode & kOwnerRead) == 0) {
    out[name] = {};
  } else {
    add_file(out, kind, name, file->info, file->text);
  }
  return {};
}

// scst_local makes its sessions itself: their names are what has to be restored.
void add_session_names(Attributes& out, const Tree& tree, const std::string& path) {
  const base::Result<std::vector<std::string>> sessions = tree.list(join_path({path, "sessions"}));
  if (!sessions) return;
  for (const std::string& name : *sessions) {
    std::map<unsigned long, std::string>& keys = out["session_name"].keys;
    keys[keys.size()] = name;
  }
}

bool is_written(const std::string& name, const Attribute& attribute, const std::set<std::string>& create) {
  return !attribute.is_set && (!attribute.is_static || create.contains(name));
}

}  // namespace

base::Result<Attributes> read_attributes(const Tree& tree, ObjectKind kind, const std::string& path, bool for_show) {
  const base::Result<std::vector<Entry>> entries = tree.entries(path);
  if (!entries) return std::unexpected(entries.error());
  Attributes out;
  for (const Entry& entry : *entries) {
    const bool is_file = entry.type == EntryType::kFile;
    if (is_skipped(kind, entry.name) || (!for_show && !is_file && kind != ObjectKind::kLun)) continue;
    const base::Status added = add_entry(out, tree, kind, path, entry);
    if (!added) return std::unexpected(added.error());
  }
  if (kind == ObjectKind::kTarget && path.starts_with("targets/scst_local/")) add_session_names(out, tree, path);
  return out;
}

std::set<std::string> listed_names(std::string_view mgmt_text, std::string_view prefix) {
  std::set<std::string> names;
  while (!mgmt_text.empty()) {
    const std::size_t end = mgmt_text.find('\n');
    std::string_view line = mgmt_text.substr(0, end);
    if (line.starts_with(prefix)) {
      line.remove_prefix(prefix.size());
      if (line.ends_with('.')) line.remove_suffix(1);
      names.clear();
      for (std::string& name : split_names(line)) names.insert(std::move(name));
    }
    if (end == std::string_view::npos) break;
    mgmt_text.remove_prefix(end + 1);
  }
  return names;
}

std::string key_lines(std::string_view indent, const Attributes& attributes, const std::set<std::string>& create) {
  std::string out;
  for (const auto& [name, attribute] : attributes) {
    if (!is_written(name, attribute, create)) continue;
    std::vector<std::string> values;
    for (const auto& [number, value] : attribute.keys) values.push_back(value);
    std::sort(values.begin(), values.end());
    if (values.empty() && (name == "enabled" || name == "hw_target")) values.push_back(attribute.value.value_or(""));
    for (const std::string& value : values) out += fmt::format("{}{} {}\n", indent, name, quote_conf_value(value));
  }
  return out;
}

std::string nonkey_lines(std::string_view indent, const Attributes& attributes, const std::set<std::string>& create) {
  std::string out;
  for (const auto& [name, attribute] : attributes) {
    if (!is_written(name, attribute, create) || attribute.has_keys() || !attribute.value) continue;
    if (name == "dif_checks_failed" || name == "enabled" || name == "hw_target") continue;
    out += fmt::format("{}{} {}\n", indent, name, quote_conf_value(*attribute.value));
  }
  return out;
}

std::map<std::string, std::set<std::string>> settable_values(const Attributes& attributes) {
  std::map<std::string, std::set<std::string>> out;
  for (const auto& [name, attribute] : attributes) {
    if (attribute.is_static) continue;
    std::set<std::string>& values = out[name];
    for (const auto& [number, value] : attribute.keys) values.insert(value);
    if (values.empty()) values.insert(attribute.value.value_or(""));
  }
  return out;
}

}  // namespace uscst::scstadmin
