#include "compat/scstadmin/options.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "compat/scstadmin/write.h"

namespace uscst::scstadmin {
namespace {

using A = Argument;
using K = OptionKind;

constexpr auto kRows = std::to_array<OptionRow>({
    {"config", A::kOptional, K::kGeneral, "apply a configuration file (default /etc/scst.conf)"},
    {"check_config", A::kOptional, K::kChange, "look for mistakes in a configuration file"},
    {"plan", A::kOptional, K::kChange, "say what -config would change, and which sessions it touches"},
    {"write_config", A::kRequired, K::kChange, "write what runs into a configuration file"},
    {"clear_config", A::kNone, K::kChange, "remove all devices, LUNs, groups and virtual targets (needs -force)"},
    {"list_handler", A::kOptional, K::kQuery, "handlers, or the devices of one"},
    {"list_device", A::kOptional, K::kQuery, "devices, or the attributes of one"},
    {"list_dgrp", A::kOptional, K::kQuery, "device groups, or what is in one"},
    {"list_tgrp", A::kOptional, K::kQuery, "target groups of -dev_group, or the targets of one"},
    {"list_driver", A::kOptional, K::kQuery, "target drivers, or the targets of one"},
    {"list_target", A::kOptional, K::kQuery, "targets, or the LUNs of one (with -driver)"},
    {"list_group", A::kOptional, K::kQuery, "LUNs and initiators of groups [-driver, -target]"},
    {"list_sessions", A::kNone, K::kQuery, "sessions of all targets"},
    {"list_scst_attr", A::kNone, K::kQuery, "attributes of SCST itself"},
    {"list_hnd_attr", A::kRequired, K::kQuery, "attributes of a handler"},
    {"list_dev_attr", A::kRequired, K::kQuery, "attributes of a device"},
    {"list_drv_attr", A::kRequired, K::kQuery, "attributes of a target driver"},
    {"list_tgt_attr", A::kRequired, K::kQuery, "attributes of a target (-driver)"},
    {"list_grp_attr", A::kRequired, K::kQuery, "attributes of a group (-driver -target)"},
    {"list_lun_attr", A::kRequired, K::kQuery, "attributes of a LUN (-driver -target [-group])"},
    {"list_init_attr", A::kRequired, K::kQuery, "attributes of an initiator (-driver -target -group)"},
    {"list_dgrp_attr", A::kRequired, K::kQuery, "attributes of a device group"},
    {"list_tgrp_attr", A::kRequired, K::kQuery, "attributes of a target group (-dev_group)"},
    {"list_ttgt_attr", A::kRequired, K::kQuery, "attributes of a target in a target group (-dev_group -tgt_group)"},
    {"set_scst_attr", A::kNone, K::kChange, "set attributes of SCST itself (-attributes)"},
    {"set_hnd_attr", A::kRequired, K::kChange, "set attributes of a handler (-attributes)"},
    {"set_dev_attr", A::kRequired, K::kChange, "set attributes of a device (-attributes)"},
    {"set_drv_attr", A::kRequired, K::kChange, "set attributes of a target driver (-attributes)"},
    {"set_tgt_attr", A::kRequired, K::kChange, "set attributes of a target (-driver -attributes)"},
    {"set_grp_attr", A::kRequired, K::kChange, "set attributes of a group (-driver -target -attributes)"},
    {"set_lun_attr", A::kRequired, K::kChange, "set attributes of a LUN (-driver -target [-group] -attributes)"},
    {"set_init_attr", A::kRequired, K::kChange, "set attributes of an initiator (-driver -target -group -attributes)"},
    {"set_dgrp_attr", A::kRequired, K::kChange, "set attributes of a device group (-attributes)"},
    {"set_tgrp_attr", A::kRequired, K::kChange, "set attributes of a target group (-dev_group -attributes)"},
    {"set_ttgt_attr", A::kRequired, K::kChange,
     "set attributes of a target in a target group (-dev_group -tgt_group -attributes)"},
    {"add_drv_attr", A::kRequired, K::kChange, "add dynamic attributes to a target driver (-attributes)"},
    {"add_tgt_attr", A::kRequired, K::kChange, "add dynamic attributes to a target (-driver -attributes)"},
    {"rem_drv_attr", A::kRequired, K::kChange, "remove dynamic attributes of a target driver (-attributes)"},
    {"rem_tgt_attr", A::kRequired, K::kChange, "remove dynamic attributes of a target (-driver -attributes)"},
    {"open_dev", A::kRequired, K::kChange, "make a device (-handler [-attributes])"},
    {"close_dev", A::kRequired, K::kChange, "remove a device (-handler)"},
    {"resync_dev", A::kRequired, K::kChange, "read the size of a device's backing store again"},
    {"add_dgrp", A::kRequired, K::kChange, "make a device group"},
    {"rem_dgrp", A::kRequired, K::kChange, "remove a device group"},
    {"add_dgrp_dev", A::kRequired, K::kChange, "put a device into -dev_group"},
    {"rem_dgrp_dev", A::kRequired, K::kChange, "take a device out of -dev_group"},
    {"add_tgrp", A::kRequired, K::kChange, "make a target group in -dev_group"},
    {"rem_tgrp", A::kRequired, K::kChange, "remove a target group of -dev_group"},
    {"add_tgrp_tgt", A::kRequired, K::kChange, "put a target into -tgt_group of -dev_group"},
    {"rem_tgrp_tgt", A::kRequired, K::kChange, "take a target out of -tgt_group of -dev_group"},
    {"add_target", A::kRequired, K::kChange, "make a target (-driver [-attributes])"},
    {"rem_target", A::kRequired, K::kChange, "remove a target (-driver)"},
    {"add_group", A::kRequired, K::kChange, "make an initiator group (-driver -target)"},
    {"rem_group", A::kRequired, K::kChange, "remove an initiator group (-driver -target)"},
    {"add_init", A::kRequired, K::kChange, "put an initiator into a group (-driver -target -group)"},
    {"rem_init", A::kRequired, K::kChange, "take an initiator out of a group (-driver -target -group)"},
    {"move_init", A::kRequired, K::kChange, "move an initiator to another group (-driver -target -group -to)"},
    {"clear_inits", A::kNone, K::kChange, "take all initiators out of a group (-driver -target -group)"},
    {"add_lun", A::kRequired, K::kChange, "make a LUN (-driver -target [-group] -device [-attributes])"},
    {"rem_lun", A::kRequired, K::kChange, "remove a LUN (-driver -target [-group])"},
    {"replace_lun", A::kRequired, K::kChange,
     "give a LUN another device (-driver -target [-group] -device [-attributes])"},
    {"clear_luns", A::kNone, K::kChange, "remove all LUNs (-driver -target [-group])"},
    {"enable_target", A::kRequired, K::kChange, "let initiators log in to a target (-driver)"},
    {"disable_target", A::kRequired, K::kChange, "close a target's sessions and refuse logins (-driver)"},
    {"issue_lip", A::kOptional, K::kChange, "Fibre Channel only: announce changes on the loop [-driver]"},
    {"handler", A::kRequired, K::kParameter, ""},
    {"attributes", A::kRequired, K::kParameter, "NAME=VALUE,..."},
    {"driver", A::kRequired, K::kParameter, ""},
    {"target", A::kRequired, K::kParameter, ""},
    {"group", A::kRequired, K::kParameter, ""},
    {"to", A::kRequired, K::kParameter, ""},
    {"device", A::kRequired, K::kParameter, ""},
    {"dev_group", A::kRequired, K::kParameter, ""},
    {"tgt_group", A::kRequired, K::kParameter, ""},
    {"lip", A::kNone, K::kFlag, "accepted for Fibre Channel scripts, without effect"},
    {"no_lip", A::kNone, K::kFlag, "the same"},
    {"nonkey", A::kNone, K::kFlag, "list or write attributes that have their default, too"},
    {"force", A::kNone, K::kFlag, "remove what is not in the configuration, even when it is in use"},
    {"safe", A::kNone, K::kFlag, "stop before a session is hurt, even with -force"},
    {"noprompt", A::kNone, K::kFlag, "do not ask before something is removed"},
    {"cont_on_err", A::kNone, K::kFlag, "go on after an error"},
    {"debug", A::kNone, K::kFlag, "say what would be written to the tree, without doing it"},
    {"dumpAttrs", A::kNone, K::kFlag, "list the attributes of SCST and of all devices"},
    {"sysfs", A::kRequired, K::kFlag, "where the tree is (default: $SCST_SYSFS or /sys/kernel/scst_tgt)"},
    {"h", A::kNone, K::kFlag, "this text"},
    {"help", A::kNone, K::kFlag, "this text"},
});

struct Need {
  std::string_view option;
  std::array<std::string_view, 4> needed;
  std::string_view text;
};

constexpr auto kNeeds = std::to_array<Need>({
    {"clear_config", {"force"}, "Please specify -force with -clear_config."},
    {"list_tgrp", {"dev_group"}, "Please specify -dev_group with -list_tgrp."},
    {"list_tgt_attr", {"driver"}, "Please specify -driver with -list_tgt_attr."},
    {"list_grp_attr", {"driver", "target"}, "Please specify -driver, -target and group with -list_grp_attr."},
    {"list_lun_attr", {"driver", "target"}, "Please specify -driver and -target with -list_lun_attr."},
    {"list_init_attr",
     {"driver", "target", "group"},
     "Please specify -driver, -target and -group with -list_init_attr."},
    {"list_tgrp_attr", {"dev_group"}, "Please specify -dev_group with -list_tgrp_attr."},
    {"list_ttgt_attr", {"dev_group", "tgt_group"}, "Please specify -dev_group and -tgt_group with -list_ttgt_attr."},
    {"set_scst_attr", {"attributes"}, "Please specify -attributes with -set_scst_attr."},
    {"set_hnd_attr", {"attributes"}, "Please specify -attributes with -set_hnd_attr."},
    {"set_dev_attr", {"attributes"}, "Please specify -attributes with -set_dev_attr."},
    {"set_dgrp_attr", {"attributes"}, "Please specify -attributes with -set_dgrp_attr."},
    {"set_tgrp_attr", {"dev_group", "attributes"}, "Please specify -dev_group and -attributes with -set_tgrp_attr."},
    {"set_ttgt_attr",
     {"dev_group", "tgt_group", "attributes"},
     "Please specify -dev_group -tgt_group and -attributes with -set_ttgt_attr."},
    {"set_drv_attr", {"attributes"}, "Please specify -attributes with -set_drv_attr."},
    {"set_tgt_attr", {"driver", "attributes"}, "Please specify -driver and -attributes with -set_tgt_attr."},
    {"set_grp_attr",
     {"driver", "target", "attributes"},
     "Please specify -driver -target and -attributes with -set_grp_attr."},
    {"set_lun_attr",
     {"driver", "target", "attributes"},
     "Please specify -driver -target -group and -attributes with -set_lun_attr."},
    {"set_init_attr",
     {"driver", "target", "group", "attributes"},
     "Please specify -driver -target -group and -attributes with -set_init_attr."},
    {"add_drv_attr", {"attributes"}, "Please specify -attributes with -add_drv_attr."},
    {"add_tgt_attr", {"driver", "attributes"}, "Please specify -driver and -attributes with -add_tgt_attr."},
    {"rem_drv_attr", {"attributes"}, "Please specify -attributes with -rem_drv_attr."},
    {"rem_tgt_attr", {"driver", "attributes"}, "Please specify -driver and -attributes with -rem_tgt_attr."},
    {"open_dev", {"handler"}, "Please specify -handler with -open_dev/-close_dev."},
    {"close_dev", {"handler"}, "Please specify -handler with -open_dev/-close_dev."},
    {"add_target", {"driver"}, "Please specify -driver with -add_target."},
    {"rem_target", {"driver"}, "Please specify -driver with -rem_target."},
    {"add_group", {"driver", "target"}, "Please specify -driver and -target with -add_group/-rem_group."},
    {"rem_group", {"driver", "target"}, "Please specify -driver and -target with -add_group/-rem_group."},
    {"add_init",
     {"driver", "target", "group"},
     "Please specify -driver -target and -group with -add_init/-rem_init/-clear_inits."},
    {"rem_init",
     {"driver", "target", "group"},
     "Please specify -driver -target and -group with -add_init/-rem_init/-clear_inits."},
    {"clear_inits",
     {"driver", "target", "group"},
     "Please specify -driver -target and -group with -add_init/-rem_init/-clear_inits."},
    {"move_init",
     {"driver", "target", "group", "to"},
     "Please specify -driver -target -group and -to with -move_init."},
    {"add_lun",
     {"driver", "target", "device"},
     "Please specify -driver -target and -device with -add_lun/-replace_lun."},
    {"replace_lun",
     {"driver", "target", "device"},
     "Please specify -driver -target and -device with -add_lun/-replace_lun."},
    {"rem_lun", {"driver", "target"}, "Please specify -driver and -target with -rem_lun/-clear_luns."},
    {"clear_luns", {"driver", "target"}, "Please specify -driver and -target with -rem_lun/-clear_luns."},
    {"add_dgrp_dev", {"dev_group"}, "Please specify -dev_group with -add_dgrp_dev/-rem_dgrp_dev."},
    {"rem_dgrp_dev", {"dev_group"}, "Please specify -dev_group with -add_dgrp_dev/-rem_dgrp_dev."},
    {"add_tgrp", {"dev_group"}, "Please specify -dev_group with -add_tgrp/-rem_tgrp."},
    {"rem_tgrp", {"dev_group"}, "Please specify -dev_group with -add_tgrp/-rem_tgrp."},
    {"add_tgrp_tgt",
     {"dev_group", "tgt_group"},
     "Please specify -dev_group and -tgt_group with -add_tgrp_tgt/-rem_tgrp_tgt."},
    {"rem_tgrp_tgt",
     {"dev_group", "tgt_group"},
     "Please specify -dev_group and -tgt_group with -add_tgrp_tgt/-rem_tgrp_tgt."},
});

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// SCST's does not count these as operations: given with another one, the one that it looks for first is done.
bool is_counted(const OptionRow& row) {
  return row.kind == OptionKind::kChange && row.name != "resync_dev" && row.name != "move_init";
}

std::vector<const OptionRow*> rows_named(std::string_view name) {
  const std::string lower = lower_case(name);
  std::vector<const OptionRow*> matches;
  for (const OptionRow& row : kRows) {
    const std::string row_name = lower_case(row.name);
    if (row_name == lower) return {&row};
    if (row_name.starts_with(lower)) matches.push_back(&row);
  }
  return matches;
}

Wanted parse_attribute_list(std::string_view text) {
  Wanted wanted;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t equals = item.find('=');
    if (!item.empty()) {
      const std::string value = equals == std::string_view::npos ? "1" : std::string(item.substr(equals + 1));
      wanted[std::string(item.substr(0, equals))] = {value};
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return wanted;
}

}  // namespace

std::span<const OptionRow> option_rows() { return kRows; }

std::string Options::get(std::string_view name) const {
  const auto it = given.find(name);
  return it == given.end() ? std::string() : it->second;
}

ParsedOptions parse_options(std::span<const std::string> words) {
  ParsedOptions out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word == "--") break;
    if (word.size() < 2 || word[0] != '-') continue;
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const std::vector<const OptionRow*> rows = rows_named(name);
    if (rows.size() != 1) {
      out.errors.push_back(rows.empty() ? fmt::format("Unknown option: {}", name)
                                        : fmt::format("Option {} is ambiguous", name));
      continue;
    }
    const OptionRow& row = *rows.front();
    std::string& value = out.options.given[std::string(row.name)];
    if (row.argument == Argument::kNone) {
      if (equals != std::string_view::npos)
        out.errors.push_back(fmt::format("Option {} does not take an argument", row.name));
    } else if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size() && (row.argument == Argument::kRequired || !words[i + 1].starts_with('-'))) {
      value = words[++i];
    } else if (row.argument == Argument::kRequired) {
      out.errors.push_back(fmt::format("Option {} requires an argument", row.name));
    }
  }
  out.options.attributes = parse_attribute_list(out.options.get("attributes"));
  return out;
}

std::string_view option_problem(const Options& options) {
  int queries = 0, changes = 0;
  for (const OptionRow& row : kRows) {
    if (!options.has(row.name)) continue;
    if (row.kind == OptionKind::kQuery) queries = 1;
    if (is_counted(row)) ++changes;
  }
  if (queries + changes > 1) return "Please specify only one non-query operation at a time.";
  for (const Need& need : kNeeds) {
    if (!options.has(need.option)) continue;
    for (std::string_view name : need.needed) {
      if (!name.empty() && !options.has(name)) return need.text;
    }
  }
  return {};
}

std::string usage_text() {
  std::string text = fmt::format("{}\n\nUsage: scstadmin OPERATION [PARAMETERS] [FLAGS]\n", kConfigurator);
  const auto section = [&](std::string_view heading, OptionKind kind) {
    text += fmt::format("\n{}\n", heading);
    for (const OptionRow& row : kRows) {
      if (row.kind != kind) continue;
      const std::string_view argument = row.argument == Argument::kNone       ? ""
                                        : row.argument == Argument::kOptional ? " [NAME]"
                                                                              : " NAME";
      text += fmt::format("  -{:<24}{}\n", fmt::format("{}{}", row.name, argument), row.meaning);
    }
  };
  section("Configuration", OptionKind::kGeneral);
  section("Changes", OptionKind::kChange);
  section("Queries", OptionKind::kQuery);
  section("Parameters", OptionKind::kParameter);
  section("Flags", OptionKind::kFlag);
  return text + "\n";
}

}  // namespace uscst::scstadmin
