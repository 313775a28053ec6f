#include "compat/scstadmin/conf_old.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace uscst::scstadmin {
namespace {

// Section ("HANDLER"), argument ("vdisk"), key ("DEVICE"), values in the order of the file.
using OldSections = std::map<std::string, std::map<std::string, std::map<std::string, std::vector<std::string>>>>;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t start = text.find_first_not_of(kBlanks);
  return start == std::string_view::npos ? std::string_view()
                                         : text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
}

std::pair<std::string, std::string> first_word(std::string_view text) {
  const std::size_t blank = text.find_first_of(" \t");
  if (blank == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, blank)), std::string(trimmed(text.substr(blank)))};
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

OldSections read_sections(std::string_view text) {
  OldSections sections;
  std::string section, argument;
  for (const std::string& raw : split(text, '\n')) {
    const std::string_view line = trimmed(std::string_view(raw).substr(0, raw.find('#')));
    if (line.starts_with('[') && line.ends_with(']')) {
      std::tie(section, argument) = first_word(line.substr(1, line.size() - 2));
      sections[section][argument];
    } else if (!line.empty() && !argument.empty()) {
      const auto [key, value] = first_word(line);
      sections[section][argument][key].push_back(value);
    }
  }
  return sections;
}

std::string handler_name(const std::string& handler, const std::vector<std::string>& options) {
  if (handler != "vdisk") return handler;
  const auto has = [&](std::string_view a, std::string_view b) {
    return std::any_of(options.begin(), options.end(), [&](const std::string& o) { return o == a || o == b; });
  };
  if (has("NULLIO", "NIO")) return "vdisk_nullio";
  return has("BLOCKIO", "BIO") ? "vdisk_blockio" : "vdisk_fileio";
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kOptions = {{{"WRITE_THROUGH", "write_through"},
                                                                                    {"WT", "write_through"},
                                                                                    {"READ_ONLY", "read_only"},
                                                                                    {"RO", "read_only"},
                                                                                    {"NV_CACHE", "nv_cache"},
                                                                                    {"NV", "nv_cache"},
                                                                                    {"REMOVABLE", "removable"},
                                                                                    {"RM", "removable"}}};

class Converter {
 public:
  Converter(OldSections old, const Current& current, const std::set<std::string>& creators)
      : old_(std::move(old)), current_(current), creators_(creators) {}

  base::Result<OldConf> run() {
    for (const auto& [handler, keys] : old_["HANDLER"]) convert_devices(handler, keys);
    for (const auto& [group, keys] : old_["ASSIGNMENT"]) {
      if (group.starts_with("Default")) convert_default_group(group, keys);
    }
    const base::Result<bool> any_enabled = enable_targets();
    if (!any_enabled) return std::unexpected(any_enabled.error());
    if (!*any_enabled) add_groups_everywhere();
    enable_everything();
    return std::move(out_);
  }

 private:
  using Keys = std::map<std::string, std::vector<std::string>>;

  static const std::vector<std::string>& values(const Keys& keys, const std::string& name) {
    static const std::vector<std::string> kNone;
    const auto it = keys.find(name);
    return it == keys.end() ? kNone : it->second;
  }

  ConfNode& target(const std::string& driver, const std::string& name) {
    return out_.conf.children["TARGET_DRIVER"].children[driver].children["TARGET"].children[name];
  }

  // DEVICE name,path,options,blocksize,t10id
  void convert_devices(const std::string& handler, const Keys& keys) {
    for (const std::string& line : values(keys, "DEVICE")) {
      std::vector<std::string> fields = split(line, ',');
      fields.resize(5);
      const std::vector<std::string> options = split(fields[2], '|');
      ConfNode& device =
          out_.conf.children["HANDLER"].children[handler_name(handler, options)].children["DEVICE"].children[fields[0]];
      for (const auto& [word, attribute] : kOptions) {
        if (std::find(options.begin(), options.end(), word) != options.end())
          device.children[std::string(attribute)].children["1"];
      }
      if (!fields[1].empty()) device.children["filename"].children[fields[1]];
      if (!fields[3].empty()) device.children["blocksize"].children[fields[3]];
      if (!fields[4].empty()) device.children["t10_dev_id"].children[fields[4]];
    }
  }

  // DEVICE name,lun
  static void add_luns(ConfNode& owner, const Keys& keys) {
    for (const std::string& line : values(keys, "DEVICE")) {
      std::vector<std::string> fields = split(line, ',');
      fields.resize(2);
      owner.children["LUN"].children[fields[1]].children[fields[0]];
    }
  }

  void convert_default_group(const std::string& group, const Keys& keys) {
    const bool everywhere = group == "Default";
    const std::string wanted = group.starts_with("Default_") ? group.substr(8) : group;
    bool found = everywhere;
    for (const auto& [driver, targets] : current_.drivers) {
      for (const auto& [name, content] : targets) {
        if (!everywhere && name != wanted) continue;
        add_luns(target(driver, name), keys);
        found = true;
      }
    }
    if (found) return;
    out_.notes += fmt::format(
        "NOTE: Unable to find target {}. I will add this target to all drivers capable of creating targets.\n", group);
    for (const std::string& driver : creators_) {
      add_luns(target(driver, wanted), keys);
      added_.emplace_back(driver, wanted);
    }
  }

  // HOST names as 0x and 16 digits are shown with colons by the drivers.
  static std::string target_name(std::string name) {
    if (name.starts_with("0x")) {
      std::string with_colons;
      for (std::size_t i = 2; i < std::min<std::size_t>(name.size(), 18); i += 2) {
        if (!with_colons.empty()) with_colons += ':';
        with_colons += name.substr(i, 2);
      }
      name = with_colons;
    }
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name;
  }

  base::Result<bool> enable_targets() {
    const std::vector<std::string> hosts = values(old_["TARGETS"]["enable"], "HOST");
    for (const std::string& host : hosts) {
      const std::string wanted = target_name(host);
      bool found = false;
      for (const auto& [driver, targets] : current_.drivers) {
        for (const auto& [name, content] : targets) {
          if (target_name(name) != wanted) continue;
          target(driver, name).children["enabled"].children["1"];
          add_groups(driver, name);
          found = true;
        }
      }
      if (!found) {
        return base::fail(ENODEV, fmt::format("Unable to determine target driver information for target '{}'. Please "
                                              "ensure this target driver is loaded.",
                                              host));
      }
    }
    return !hosts.empty();
  }

  void add_groups_everywhere() {
    out_.notes +=
        "NOTE: No targets set to 'enable' within your configuration file. Please be sure to save write your "
        "configuration with "
        "-write_config and review it carefully.\n\n";
    for (const auto& [driver, targets] : current_.drivers) {
      for (const auto& [name, content] : targets) add_groups(driver, name);
    }
    for (const auto& [driver, name] : added_) add_groups(driver, name);
  }

  void add_groups(const std::string& driver, const std::string& name) {
    for (const auto& [group, keys] : old_["GROUP"]) {
      for (const std::string& user : values(keys, "USER")) {
        target(driver, name).children["GROUP"].children[group].children["INITIATOR"].children[user];
      }
    }
    for (const auto& [group, keys] : old_["ASSIGNMENT"]) {
      if (!group.starts_with("Default")) add_luns(target(driver, name).children["GROUP"].children[group], keys);
    }
  }

  // SCST 1 had its targets enabled, except those of Fibre Channel adapters.
  void enable_everything() {
    ConfNode* drivers = out_.conf.find("TARGET_DRIVER");
    if (drivers == nullptr) return;
    for (auto& [driver, section] : drivers->children) {
      if (driver.starts_with("qla")) continue;
      for (auto& [name, content] : section.children["TARGET"].children) content.children["enabled"].children["1"];
    }
  }

  OldSections old_;
  const Current& current_;
  const std::set<std::string>& creators_;
  std::vector<std::pair<std::string, std::string>> added_;
  OldConf out_;
};

}  // namespace

base::Result<OldConf> convert_old_conf(std::string_view text, const Current& current,
                                       const std::set<std::string>& creators) {
  if (text.size() > kMaxConfBytes) return base::fail(EFBIG, fmt::format("more than {} bytes", kMaxConfBytes));
  return Converter(read_sections(text), current, creators).run();
}

}  // namespace uscst::scstadmin
