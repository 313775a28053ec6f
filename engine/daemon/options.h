// What uscstd is told on its command line and in modprobe.d. A value, made once by main().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/fabric/fabric.h"
#include "engine/srp/parameters.h"
#include "handlers/scsi_host/sim_host.h"

namespace uscst::daemon {

struct NamedTarget {
  std::string name;
  std::string address;  // empty: all connections that no other target takes
};

struct Options {
  std::string sysfs_directory = "/sys/kernel/scst_tgt";
  std::string state_directory = "/var/lib/scst";
  std::string fabric = "auto";
  std::vector<fabric::Address> listen;  // empty: rdma_cm_port on all addresses
  std::vector<NamedTarget> targets;     // empty: one for each network interface
  std::string pid_file = "/run/uscstd.pid";
  std::string stpg_program;           // empty: SET TARGET PORT GROUPS fails
  std::string control_socket;         // beside the pid file, with .sock for its suffix, unless given
  bool needs_control_socket = false;  // it was given
  int ready_fd = -1;
  bool foreground = false, debug = false;
  bool private_mount = false;  // mounts that only this process and those it starts see; no privileges needed
  bool show_parameters = false, show_version = false;
  unsigned reactors = 0;  // 0: one for each processor that may be used
  bool require_crc = false;
  bool machine_scsi_hosts = true;                             // --scsi-host sg; false once any other is named
  std::vector<handlers::SimDeviceOptions> simulated_devices;  // --scsi-host sim:...
  std::string io = "auto";                                    // auto, io_uring, epoll
  srp::Parameters srpt;
  std::optional<std::uint64_t> maximum_command_memory_mb;  // scst_max_cmd_mem
  std::optional<int> threads;                              // scst_threads
  bool auto_cm_assignment = true, forcibly_close_sessions = false, async_lun_replace = false;
  // add_default_tgt of scst_local. Not given: where scst_local is asked for by name.
  std::optional<bool> add_default_local_target;
  int vdisk_threads = 8;                            // num_threads of scst_vdisk
  std::optional<std::vector<std::string>> modules;  // loaded from the start; not given: all
  std::vector<std::string> notes;                   // what was read and has no effect; for the log
};

// EINVAL with a sentence for the user. `modprobe_directory`: files whose "options MODULE name=value" lines are read
// first; the command line goes over them.
base::Result<Options> parse_options(int argc, char** argv, const std::string& modprobe_directory = "/etc/modprobe.d");

// One "MODULE name=value ..." line as modprobe.d and --module-option have it. Unknown modules are not ours.
base::Status apply_module_options(Options& options, std::string_view line);

// "options MODULE ..." lines of all *.conf files, in the order of their names (modprobe.d(5)).
std::vector<std::string> read_modprobe_directory(const std::string& directory);

// "ADDRESS:PORT", "[IPV6]:PORT", or an address alone with `default_port`.
base::Result<fabric::Address> parse_address_and_port(std::string_view text, std::uint16_t default_port);

}  // namespace uscst::daemon
