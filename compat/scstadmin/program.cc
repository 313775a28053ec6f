#include "compat/scstadmin/program.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "compat/scstadmin/apply.h"
#include "compat/scstadmin/conf_old.h"
#include "compat/scstadmin/list.h"
#include "compat/scstadmin/plan.h"
#include "compat/scstadmin/write.h"

namespace uscst::scstadmin {
namespace {

// What an operation ends with: the exit status, or an error to print as FATAL.
using Exit = base::Result<int>;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

base::Result<std::string> read_file(const std::string& path) {
  const FileHandle file(std::fopen(path.c_str(), "re"));
  if (!file) return base::fail(errno, std::strerror(errno));
  std::string text;
  char piece[65536];
  std::size_t got = 0;
  while (text.size() <= kMaxConfBytes && (got = std::fread(piece, 1, sizeof(piece), file.get())) > 0)
    text.append(piece, got);
  return text;  // what cannot be read (a directory) is an empty configuration
}

class Program {
 public:
  Program(const Options& options, Tree& tree, Console& console, const Flags& flags)
      : options_(options),
        console_(console),
        flags_(flags),
        scst_(tree, console, flags.debug),
        actions_(scst_, console, flags) {}

  Exit run() {
    base::Result<Current> current = collect(scst_, console_, flags_.force);
    if (!current) return std::unexpected(current.error());
    current_ = std::move(*current);
    const Exit status = dispatch();
    if (!status || is_over_) return status;
    actions_.warn(code_text(*status));
    console_.print("\nAll done.\n");
    return status;
  }

 private:
  std::string get(std::string_view name) const { return options_.get(name); }
  bool has(std::string_view name) const { return options_.has(name); }
  LunOwner owner() const { return {get("driver"), get("target"), get("group")}; }
  LunOwner group(std::string_view option) const { return {get("driver"), get("target"), get(option)}; }

  Exit dispatch() {
    if (has("config")) return config();
    if (has("plan")) return plan();
    if (has("check_config")) return check(get("check_config"));
    if (has("write_config")) return write();
    if (has("clear_config")) return clear();
    for (const OptionRow& row : option_rows()) {
      if (row.kind == OptionKind::kChange && has(row.name)) return change(row.name);
    }
    bool any = false;
    Exit status = 0;
    for (const OptionRow& row : option_rows()) {
      if (row.kind != OptionKind::kQuery || !has(row.name)) continue;
      any = true;
      status = query(row.name);
      if (!status) return status;
    }
    if (has("dumpAttrs")) return dump_attributes();
    if (any) return status;
    console_.print("No valid operations specified.\n");
    is_over_ = true;
    return 1;
  }

  base::Result<ConfNode> load(const std::string& path) {
    const base::Result<std::string> text = read_file(path);
    if (!text) return base::fail(1, fmt::format("Unable to open configuration file '{}': {}", path, text.error().text));
    if (!is_old_conf(*text)) return parse_conf(*text);
    console_.print("\nNOTE: Using a deprecated configuration file. I will attempt to convert it for you.\n\n");
    std::set<std::string> creators;
    for (const auto& [driver, targets] : current_.drivers) {
      if (scst_.makes_targets(driver)) creators.insert(driver);
    }
    base::Result<OldConf> old = convert_old_conf(*text, current_, creators);
    if (!old) return std::unexpected(old.error());
    console_.print("{}", old->notes);
    return std::move(old->conf);
  }

  Exit check(const std::string& name) {
    const std::string path = name.empty() ? kDefaultConf : name;
    console_.print("-> Checking configuration file '{}' for errors.\n", path);
    base::Result<ConfNode> conf = load(path);
    if (!conf) return std::unexpected(conf.error());
    conf_ = std::move(*conf);
    if (conf_.children.empty()) {
      console_.print("-> WARNING: Configuration is empty or unreadable, aborting.\n\n");
      is_over_ = true;
      return 0;
    }
    const bool good = check_conf(scst_, console_, current_, conf_);
    if (good) return 0;
    return 1;
  }

  Exit config() {
    const Exit checked = check(get("config"));
    if (!checked || is_over_) return checked;
    if (*checked != 0) {
      if (const base::Status stopped = actions_.stop("Configuration has errors, aborting."); !stopped)
        return std::unexpected(stopped.error());
    }
    if (flags_.force && !actions_.confirmed()) return 0;
    if (const base::Status safe = protect_sessions(); !safe) return std::unexpected(safe.error());
    if (const base::Status done = apply_conf(actions_, current_, conf_); !done) return std::unexpected(done.error());
    return 0;
  }

  // Nothing is changed when a session would be hurt, unless that is forced.
  base::Status protect_sessions() {
    const bool forced = flags_.force && !has("safe");
    if (forced || flags_.debug || !has_sessions(scst_.tree(), current_)) return {};
    const Plan plan = make_plan(scst_.tree(), current_, conf_, flags_);
    if (!plan.is_harmful()) return {};
    console_.print("-> This configuration would hurt live sessions:\n{}", harm_text(plan));
    return base::fail(1, flags_.force ? "Live sessions would be hurt, aborting. Nothing was changed."
                                      : "Live sessions would be hurt, aborting. Nothing was changed. Use -force to "
                                        "override.");
  }

  // Ends with 0 when there is nothing to change, with kPlanHasChanges when there is.
  Exit plan() {
    const Exit checked = check(get("plan"));
    if (!checked || is_over_) return checked;
    if (*checked != 0) {
      if (const base::Status stopped = actions_.stop("Configuration has errors, aborting."); !stopped)
        return std::unexpected(stopped.error());
    }
    const Plan plan = make_plan(scst_.tree(), current_, conf_, flags_);
    console_.print("{}", plan_text(plan, flags_.force));
    is_over_ = true;
    if (!plan.error.empty()) return 1;
    return plan.steps.empty() ? 0 : kPlanHasChanges;
  }

  Exit dump_attributes() {
    console_.print("SCST attributes:\n");
    Exit status = show(scst_.scst_attributes());
    for (const auto& [handler, devices] : current_.handlers) {
      for (const std::string& device : devices) {
        if (!status) return status;
        console_.print("Device {} attributes:\n", device);
        status = show(scst_.device_attributes(device, true));
      }
    }
    return status;
  }

  // Tried before anything of the old file is lost.
  Exit write() {
    const std::string path = get("write_config");
    const base::Result<std::string> text = write_conf(scst_, current_, flags_.nonkey);
    if (!text) return std::unexpected(text.error());
    const FileHandle probe(std::fopen(path.c_str(), "ae"));
    if (!probe) {
      console_.print("Failed to save configuration to file '{}': {}\n", path, std::strerror(errno));
      return 1;
    }
    console_.print("Writing current configuration to file '{}'.. ", path);
    if (const base::Status saved = save(path, *text); !saved) return std::unexpected(saved.error());
    return 0;
  }

  static base::Status save(const std::string& path, const std::string& text) {
    const FileHandle file(std::fopen(path.c_str(), "we"));
    const bool good =
        file && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() && std::fflush(file.get()) == 0;
    if (good) return {};
    return base::fail(1, fmt::format("Failed to save configuration to file '{}': {}", path, std::strerror(errno)));
  }

  Exit clear() {
    if (!actions_.confirmed()) return 0;
    if (const base::Status done = clear_configuration(actions_, current_); !done) return std::unexpected(done.error());
    return 0;
  }

  Exit query(std::string_view name);
  Exit query_attributes(std::string_view name);
  Exit change(std::string_view name);
  Exit show(const base::Result<Attributes>& attributes);
  Exit show_with_parameters(const base::Result<Attributes>& attributes, std::string_view heading,
                            const base::Result<std::set<std::string>>& parameters);
  Exit list_driver_attributes(const std::string& driver);
  Exit list_group_attributes(const LunOwner& owner);
  base::Result<int> set_attributes(std::string_view name);
  Exit change_attributes(std::string_view name);
  Exit change_dynamic(std::string_view name);
  Exit operate(std::string_view name);
  base::Status change_object(std::string_view name);
  base::Status change_luns(std::string_view name);
  base::Status change_device_groups(std::string_view name);
  void issue_lip();

  const Options& options_;
  Console& console_;
  Flags flags_;
  Scst scst_;
  Actions actions_;
  Current current_;
  ConfNode conf_;
  bool is_over_ = false;  // stop without "All done."
};

Exit Program::show(const base::Result<Attributes>& attributes) {
  if (!attributes) {
    actions_.warn(attributes.error().text);
    return 1;
  }
  list_attributes(console_, *attributes, flags_.nonkey);
  return 0;
}

// The exit status is 1 also when there is nothing that could be given: scripts know it so.
Exit Program::show_with_parameters(const base::Result<Attributes>& attributes, std::string_view heading,
                                   const base::Result<std::set<std::string>>& parameters) {
  const Exit shown = show(attributes);
  if (!shown || *shown != 0) return shown;
  if (!parameters) {
    actions_.warn(parameters.error().text);
    return 1;
  }
  return list_parameters(console_, heading, *parameters) ? 0 : 1;
}

Exit Program::list_driver_attributes(const std::string& driver) {
  const Exit shown = show(scst_.driver_attributes(driver));
  if (!shown || *shown != 0 || !scst_.makes_targets(driver)) return shown;
  list_parameters(console_, "Dynamic attributes available", scst_.dynamic_driver_attributes(driver));
  return list_parameters(console_, "Target CREATE attributes available:",
                         scst_.target_parameters(driver).value_or(std::set<std::string>()))
             ? 0
             : 1;
}

Exit Program::list_group_attributes(const LunOwner& owner) {
  const Exit shown = show_with_parameters(scst_.group_attributes(owner), "LUN CREATE attributes available",
                                          scst_.lun_parameters(owner));
  if (!shown || *shown != 0) return shown;
  return list_parameters(console_, "Initiator CREATE attributes available",
                         scst_.initiator_parameters(owner).value_or(std::set<std::string>()))
             ? 0
             : 1;
}

Exit Program::query(std::string_view name) {
  const std::string object = get(name);
  if (name == "list_handler") {
    object.empty() ? list_all_handlers(scst_, console_) : list_devices(scst_, console_, object);
  } else if (name == "list_device") {
    if (!object.empty()) return show(scst_.device_attributes(object, true));
    list_devices(scst_, console_, "");
  } else if (name == "list_dgrp") {
    object.empty() ? list_all_device_groups(scst_, console_) : list_device_group(scst_, console_, object);
  } else if (name == "list_tgrp") {
    object.empty() ? list_target_groups_of(scst_, console_, get("dev_group"))
                   : list_target_group(scst_, console_, get("dev_group"), object);
  } else if (name == "list_driver") {
    object.empty() ? list_all_drivers(scst_, console_) : list_driver_targets(scst_, console_, object);
  } else if (name == "list_target") {
    if (!object.empty() && has("driver")) return list_lun_owners(scst_, console_, {get("driver"), object});
    list_driver_targets(scst_, console_, get("driver"));
  } else if (name == "list_group") {
    return list_lun_owners(scst_, console_, group(name));
  } else if (name == "list_sessions") {
    list_sessions(scst_, console_);
  } else {
    return query_attributes(name);
  }
  return 0;
}

Exit Program::query_attributes(std::string_view name) {
  const std::string object = get(name);
  if (name == "list_scst_attr") return show(scst_.scst_attributes());
  if (name == "list_dev_attr") return show(scst_.device_attributes(object, true));
  if (name == "list_drv_attr") return list_driver_attributes(object);
  if (name == "list_lun_attr") return show(scst_.lun_attributes(owner(), object));
  if (name == "list_init_attr") return show(scst_.initiator_attributes(owner(), object));
  if (name == "list_grp_attr") return list_group_attributes(group(name));
  if (name == "list_tgrp_attr") return show(scst_.target_group_attributes(get("dev_group"), object));
  if (name == "list_ttgt_attr") return show(scst_.member_attributes(get("dev_group"), get("tgt_group"), object));
  if (name == "list_hnd_attr") {
    return show_with_parameters(scst_.handler_attributes(object, true), "Device CREATE attributes available",
                                scst_.device_parameters(object));
  }
  if (name == "list_tgt_attr") {
    const LunOwner target{get("driver"), object};
    return show_with_parameters(scst_.target_attributes(target.driver, target.target),
                                "LUN CREATE attributes available", scst_.lun_parameters(target));
  }
  const base::Result<Attributes> attributes = scst_.device_group_attributes(object);
  if (!attributes || !attributes->empty()) return show(attributes);
  console_.print("No such device group '{}' found or device group as no attributes.\n", object);
  return 0;
}

base::Result<int> Program::set_attributes(std::string_view name) {
  const std::string object = get(name);
  const Wanted& wanted = options_.attributes;
  if (name == "set_scst_attr") return actions_.set_scst_attributes(wanted, true);
  if (name == "set_hnd_attr") return actions_.set_handler_attributes(object, wanted, true);
  if (name == "set_dev_attr") return actions_.set_device_attributes(object, wanted, true);
  if (name == "set_drv_attr") return actions_.set_driver_attributes(object, wanted, false);
  if (name == "set_tgt_attr") return actions_.set_target_attributes(get("driver"), object, wanted, false);
  if (name == "set_grp_attr") return actions_.set_group_attributes(group(name), wanted, true);
  if (name == "set_lun_attr") return actions_.set_lun_attributes(owner(), object, wanted, true);
  if (name == "set_dgrp_attr") return actions_.set_device_group_attributes(object, wanted, true);
  if (name == "set_tgrp_attr") return actions_.set_target_group_attributes(get("dev_group"), object, wanted, true);
  if (name == "set_ttgt_attr")
    return actions_.set_member_attributes(get("dev_group"), get("tgt_group"), object, wanted, true);
  console_.print("Initiators do not (yet) have attributes.\n");
  return 0;
}

Exit Program::change_attributes(std::string_view name) {
  if (!actions_.confirmed()) return 0;
  console_.print("\n-> Making requested changes.\n");
  const base::Result<int> changes = set_attributes(name);
  if (!changes) return changes;
  console_.print("\t-> Done, {} change(s) made.\n", *changes);
  return 0;
}

Exit Program::change_dynamic(std::string_view name) {
  const bool add = name.starts_with("add_");
  const std::string object = get(name);
  if (!add && !actions_.confirmed()) return 0;
  console_.print("\n-> Making requested changes.\n");
  for (const auto& [attribute, value] : as_parameters(options_.attributes)) {
    const base::Status done =
        name.ends_with("drv_attr")
            ? actions_.change_dynamic_driver_attribute(add, object, attribute, value)
            : actions_.change_dynamic_target_attribute(add, get("driver"), object, attribute, value);
    if (!done) return std::unexpected(done.error());
  }
  console_.print("\t-> Done.\n");
  return 0;
}

Exit Program::change(std::string_view name) {
  if (name.starts_with("set_")) return change_attributes(name);
  if (name.ends_with("drv_attr") || name.ends_with("tgt_attr")) return change_dynamic(name);
  return operate(name);
}

Exit Program::operate(std::string_view name) {
  // What takes something away from initiators asks first. (Device groups do not: so it has always been.)
  static const std::set<std::string_view> kAsks = {"close_dev",  "rem_target",    "rem_group", "rem_init",
                                                   "move_init",  "clear_inits",   "rem_lun",   "replace_lun",
                                                   "clear_luns", "disable_target"};
  if (kAsks.contains(name) && !actions_.confirmed()) return 0;
  console_.print("\n-> Making requested changes.\n");
  int status = 0;
  if (name == "add_target" || name == "rem_target") {
    const Code code = name == "add_target" ? actions_.add_target(get("driver"), get(name), options_.attributes)
                                           : actions_.remove_target(get("driver"), get(name));
    status = static_cast<int>(code);
  } else if (name == "resync_dev") {
    const base::Result<int> changes = actions_.set_device_attributes(get(name), {{"resync_size", {"1"}}}, false);
    if (!changes) return changes;
    status = *changes;  // so it has always been: 1 means that it was done
  } else {
    const base::Status done = change_object(name);
    if (!done) return std::unexpected(done.error());
  }
  console_.print("\t-> Done.\n");
  return status;
}

base::Status Program::change_object(std::string_view name) {
  const std::string object = get(name);
  if (name == "open_dev") return actions_.open_device(get("handler"), object, options_.attributes);
  if (name == "close_dev") return actions_.close_device(get("handler"), object, flags_.force);
  if (name == "add_group") return actions_.add_group(group(name));
  if (name == "rem_group") return actions_.remove_group(group(name), flags_.force);
  if (name == "add_init") return actions_.add_initiator(current_, owner(), object);
  if (name == "rem_init") return actions_.remove_initiator(owner(), object);
  if (name == "move_init") return actions_.move_initiator(owner(), object, get("to"));
  if (name == "clear_inits") return actions_.clear_initiators(owner());
  if (name == "enable_target" || name == "disable_target") {
    const Wanted wanted{{"enabled", {name == "enable_target" ? "1" : "0"}}};
    const base::Result<int> done = actions_.set_target_attributes(get("driver"), object, wanted, false);
    return done ? base::Status() : base::Status(std::unexpected(done.error()));
  }
  if (name == "issue_lip") {
    issue_lip();
    return {};
  }
  if (name.ends_with("lun") || name.ends_with("luns")) return change_luns(name);
  return change_device_groups(name);
}

base::Status Program::change_luns(std::string_view name) {
  const std::string lun = get(name);
  if (name == "add_lun") return actions_.add_lun(owner(), get("device"), lun, options_.attributes);
  if (name == "rem_lun") return actions_.remove_lun(owner(), lun);
  if (name == "replace_lun") return actions_.replace_lun(owner(), get("device"), lun, options_.attributes);
  return actions_.clear_luns(owner());
}

base::Status Program::change_device_groups(std::string_view name) {
  const std::string object = get(name);
  const std::string device_group = get("dev_group");
  if (name == "add_dgrp") return actions_.add_device_group(object);
  if (name == "rem_dgrp") return actions_.remove_device_group(object, flags_.force);
  if (name == "add_dgrp_dev") return actions_.add_group_device(device_group, object);
  if (name == "rem_dgrp_dev") return actions_.remove_group_device(device_group, object, flags_.force);
  if (name == "add_tgrp") return actions_.add_target_group(device_group, object);
  if (name == "rem_tgrp") return actions_.remove_target_group(device_group, object, flags_.force);
  if (name == "add_tgrp_tgt") return actions_.add_member(device_group, get("tgt_group"), object);
  return actions_.remove_member(device_group, get("tgt_group"), object);
}

// Loops exist on Fibre Channel only; the targets of no driver here have a `host`.
void Program::issue_lip() {
  if (has("no_lip")) return;
  const bool is_one = !get("issue_lip").empty() && has("driver");
  for (const auto& [driver, targets] : current_.drivers) {
    for (const auto& [target, content] : targets) {
      if (is_one && (driver != get("driver") || target != get("issue_lip"))) continue;
      console_.print("\t-> Driver/target '{}/{}' has no 'host' attribute, ignoring.\n", driver, target);
    }
  }
}

// The oldest tree scstadmin works with is that of SCST 2.0.0.
base::Status check_version(const Tree& tree) {
  const base::Result<std::string> version = tree.read("version");
  if (!version) return base::fail(2, "Failed to obtain SCST version information. Are the SCST modules loaded?\n");
  const std::size_t digit = version->find_first_of("0123456789");
  const int major = digit == std::string::npos ? 0 : std::atoi(version->c_str() + digit);
  if (major < 2) return base::fail(2, fmt::format("Failed to parse SCST version from '{}'\n", *version));
  return {};
}

}  // namespace

int run_options(const Options& options, Tree& tree, Console& console) {
  if (options.has("h") || options.has("help")) {
    console.print("{}", usage_text());
    return 0;
  }
  if (const std::string_view problem = option_problem(options); !problem.empty()) {
    console.print("{}\n", problem);
    return 1;
  }
  if (const base::Status version = check_version(tree); !version) {
    console.complain("{}", version.error().text);
    return options.has("plan") ? 1 : version.error().code;  // 2 of -plan means changes
  }
  const Flags flags{options.has("force"), options.has("noprompt"), options.has("cont_on_err"), options.has("nonkey"),
                    options.has("debug")};
  const Exit status = Program(options, tree, console, flags).run();
  if (status) return *status;
  if (!status.error().text.empty())
    console.print("\n\nFATAL: Received the following error:\n\n\t{}\n\n", status.error().text);
  return 1;
}

}  // namespace uscst::scstadmin
