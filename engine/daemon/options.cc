#include "engine/daemon/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "engine/base/numbers.h"

namespace uscst::daemon {
namespace {

base::Status set_flag(bool& flag, std::string_view name, std::string_view value) {
  auto on = base::parse_bool(value);
  if (!on) return base::fail(EINVAL, fmt::format("scst option {}={}: Y or N is needed", name, value));
  flag = *on;
  return {};
}

base::Status apply_scst_option(Options& options, std::string_view name, std::string_view value) {
  if (name == "auto_cm_assignment") return set_flag(options.auto_cm_assignment, name, value);
  if (name == "forcibly_close_sessions") return set_flag(options.forcibly_close_sessions, name, value);
  if (name == "async_lun_replace") return set_flag(options.async_lun_replace, name, value);
  auto number = base::parse_unsigned(value);
  if (name == "scst_max_cmd_mem") {
    if (!number || *number == 0)
      return base::fail(EINVAL, fmt::format("scst option {}={}: megabytes are needed", name, value));
    options.maximum_command_memory_mb = *number;
  } else if (name == "scst_threads") {
    if (!number || *number == 0 || *number > 1024) {
      return base::fail(EINVAL, fmt::format("scst option {}={}: a number from 1 to 1024 is needed", name, value));
    }
    options.threads = static_cast<int>(*number);
  } else {
    options.notes.push_back(fmt::format("option '{}' of module scst has no effect here", name));
  }
  return {};
}

base::Status apply_local_option(Options& options, std::string_view name, std::string_view value) {
  auto on = base::parse_bool(value);
  if (name != "add_default_tgt") {
    options.notes.push_back(fmt::format("option '{}' of module scst_local has no effect here", name));
  } else if (!on) {
    return base::fail(EINVAL, fmt::format("scst_local option {}={}: Y or N is needed", name, value));
  } else {
    options.add_default_local_target = *on;
  }
  return {};
}

base::Status apply_vdisk_option(Options& options, std::string_view name, std::string_view value) {
  constexpr std::uint64_t kMostThreads = 1024;
  auto number = base::parse_unsigned(value);
  if (name != "num_threads") {
    options.notes.push_back(fmt::format("option '{}' of module scst_vdisk has no effect here", name));
  } else if (!number || *number == 0 || *number > kMostThreads) {
    return base::fail(
        EINVAL, fmt::format("scst_vdisk option {}={}: a number from 1 to {} is needed", name, value, kMostThreads));
  } else {
    options.vdisk_threads = static_cast<int>(*number);
  }
  return {};
}

// Names separated by commas or blanks, as they are spelled in /sys/module.
std::vector<std::string> parse_modules(std::string_view text) {
  std::vector<std::string> names;
  for (std::size_t start = 0; (start = text.find_first_not_of(", ", start)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(", ", start), text.size());
    std::string name(text.substr(start, end - start));
    std::ranges::replace(name, '-', '_');
    names.push_back(std::move(name));
    start = end;
  }
  return names;
}

base::Result<NamedTarget> parse_target(const std::string& text) {
  std::size_t equals = text.find('=');
  NamedTarget target{text.substr(0, equals), ""};
  if (target.name.empty()) return base::fail(EINVAL, fmt::format("--target {}: NAME[=ADDRESS] is needed", text));
  if (equals == std::string::npos) return target;
  auto address = parse_address_and_port(text.substr(equals + 1), 0);
  if (!address) return std::unexpected(address.error());
  target.address = address->host;
  return target;
}

base::Status choose_scsi_hosts(Options& options, const std::vector<std::string>& hosts) {
  constexpr std::string_view kSimulated = "sim:";
  if (!hosts.empty()) options.machine_scsi_hosts = false;
  for (const std::string& host : hosts) {
    if (host == "sg") {
      options.machine_scsi_hosts = true;
    } else if (host.starts_with(kSimulated)) {
      auto device = handlers::SimDeviceOptions::parse(std::string_view(host).substr(kSimulated.size()));
      if (!device) return base::fail(EINVAL, fmt::format("--scsi-host {}: {}", host, device.error().text));
      options.simulated_devices.push_back(*device);
    } else if (host != "none") {
      return base::fail(EINVAL, fmt::format("--scsi-host {}: sg, none or sim:H:C:I:L is needed", host));
    }
  }
  return {};
}

}  // namespace

base::Result<fabric::Address> parse_address_and_port(std::string_view text, std::uint16_t default_port) {
  std::string_view host = text, port;
  if (text.starts_with('[')) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos) return base::fail(EINVAL, fmt::format("address '{}': ']' is missing", text));
    host = text.substr(1, end - 1);
    if (std::string_view rest = text.substr(end + 1); rest.starts_with(':')) port = rest.substr(1);
  } else if (std::size_t colon = text.find(':'); colon != std::string_view::npos && colon == text.rfind(':')) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  fabric::Address address{std::string(host), default_port};
  if (!port.empty()) {
    auto number = base::parse_unsigned(port, 10);
    if (!number || *number > 65535) return base::fail(EINVAL, fmt::format("address '{}': '{}' is no port", text, port));
    address.port = static_cast<std::uint16_t>(*number);
  }
  if (address.host.empty()) return base::fail(EINVAL, fmt::format("'{}': an address is needed", text));
  return address;
}

base::Status apply_module_options(Options& options, std::string_view line) {
  auto next_word = [&line]() {
    std::size_t start = std::min(line.find_first_not_of(" \t"), line.size());
    std::size_t end = std::min(line.find_first_of(" \t", start), line.size());
    std::string_view word = line.substr(start, end - start);
    line.remove_prefix(end);
    return word;
  };
  std::string module(next_word());
  std::replace(module.begin(), module.end(), '-', '_');  // modprobe takes both
  for (std::string_view word = next_word(); !word.empty(); word = next_word()) {
    std::size_t equals = word.find('=');
    std::string_view name = word.substr(0, equals);
    std::string_view value = equals == std::string_view::npos ? "1" : word.substr(equals + 1);
    base::Status status;
    if (module == "ib_srpt") status = options.srpt.set(name, value);
    if (module == "scst") status = apply_scst_option(options, name, value);
    if (module == "scst_local") status = apply_local_option(options, name, value);
    if (module == "scst_vdisk") status = apply_vdisk_option(options, name, value);
    if (!status) return status;
  }
  return {};
}

base::Result<Options> parse_options(int argc, char** argv, const std::string& modprobe_directory) {
  Options options;
  for (const std::string& line : read_modprobe_directory(modprobe_directory)) {
    if (auto status = apply_module_options(options, line); !status) return std::unexpected(status.error());
  }
  std::vector<std::string> listen, targets, module_options, scsi_hosts;
  CLI::App app{"uscstd: a SCSI target in user space that is, from the outside, SCST", "uscstd"};
  app.add_option("--sysfs", options.sysfs_directory, "directory where the tree appears")->capture_default_str();
  app.add_option("--state", options.state_directory, "directory of pr/, vdev_mode_pages/ and generated names")
      ->capture_default_str();
  app.add_option("--fabric", options.fabric, "what carries SRP: iwarp, verbs or auto")
      ->check(CLI::IsMember({"iwarp", "verbs", "auto"}));
  app.add_option("--listen", listen,
                 "ADDRESS[:PORT] to listen on (repeatable; default: rdma_cm_port on all addresses)");
  app.add_option("--target", targets, "NAME[=ADDRESS] of a target to carry over from an scst.conf (repeatable)");
  app.add_option("--scsi-host", scsi_hosts,
                 "where SCSI devices for pass-through come from: sg (this machine), none, or a simulated device "
                 "sim:H:C:I:L[,type=N][,size=BYTES] (repeatable; default: sg)");
  app.add_option("--module-option", module_options, "'MODULE NAME=VALUE ...' as in modprobe.d (repeatable)");
  std::optional<std::string> modules;
  app.add_option("--modules", modules, "modules loaded from the start, separated by commas (default: all)");
  app.add_option("--pid-file", options.pid_file, "file with the process id; locked while the service runs")
      ->capture_default_str();
  app.add_option("--stpg-program", options.stpg_program,
                 "program that carries SET TARGET PORT GROUPS (explicit ALUA) out, called as stpgd's");
  app.add_option("--control", options.control_socket,
                 "socket for uscst-initiator --local (default: beside the pid file, with .sock for its suffix)");
  app.add_option("--ready-fd", options.ready_fd, "descriptor that gets a line once the tree answers");
  app.add_option("--reactors", options.reactors, "threads that carry channels (default: one a processor)");
  app.add_option("--io", options.io, "auto, io_uring or epoll")->check(CLI::IsMember({"auto", "io_uring", "epoll"}));
  app.add_flag("--crc", options.require_crc, "ask for CRCs on iWARP connections even where the initiator does not");
  app.add_flag("--foreground", options.foreground, "stay in the foreground, log to standard error");
  app.add_flag("--private-mount", options.private_mount,
               "mount the tree in a namespace of our own (see it with nsenter -t PID -U -m); needs no privileges");
  app.add_flag("--debug", options.debug, "log debug lines too");
  app.add_flag("--show-parameters", options.show_parameters, "print the options of ib_srpt in force and end");
  app.add_flag("--version", options.show_version, "print the version and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return base::fail(0, app.help());
  } catch (const CLI::ParseError& error) {
    return base::fail(EINVAL, error.what());
  }
  if (modules) options.modules = parse_modules(*modules);
  for (const std::string& line : module_options) {
    if (auto status = apply_module_options(options, line); !status) return std::unexpected(status.error());
  }
  for (const std::string& text : listen) {
    auto address = parse_address_and_port(text, options.srpt.rdma_cm_port);
    if (!address) return std::unexpected(address.error());
    if (address->port == 0)
      return base::fail(EINVAL, fmt::format("--listen {}: a port is needed, here or as rdma_cm_port", text));
    options.listen.push_back(*address);
  }
  for (const std::string& text : targets) {
    auto target = parse_target(text);
    if (!target) return std::unexpected(target.error());
    options.targets.push_back(*target);
  }
  if (auto status = choose_scsi_hosts(options, scsi_hosts); !status) return std::unexpected(status.error());
  // The service leaves the directory that it was started from.
  options.needs_control_socket = !options.control_socket.empty();
  if (!options.needs_control_socket) {
    options.control_socket = std::filesystem::path(options.pid_file).replace_extension(".sock");
  }
  for (std::string* path :
       {&options.sysfs_directory, &options.state_directory, &options.pid_file, &options.control_socket}) {
    *path = std::filesystem::absolute(*path).lexically_normal();
  }
  if (!options.stpg_program.empty()) options.stpg_program = std::filesystem::absolute(options.stpg_program);
  return options;
}

}  // namespace uscst::daemon
