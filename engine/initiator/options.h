// The command line of uscst-initiator as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "engine/base/result.h"
#include "engine/initiator/local_link.h"
#include "engine/initiator/session.h"

namespace uscst::initiator {

// Exit codes; --help lists them.
enum class Exit : int {
  kOk = 0,
  kUsage = 2,
  kNoConnection = 3,  // name not found, refused, timed out
  kRejected = 4,      // the target refused the login
  kScsi = 5,          // a command ended with a status other than GOOD, or with impossible data
  kLost = 6,          // the connection ended, or an answer did not come in time
  kMismatch = 7,      // verify found other data than it expected
  kFile = 8,          // a local file
};

enum class Action { kDiscover, kLuns, kInquiry, kCapacity, kRead, kWrite, kVerify, kBench, kHold, kReset, kRaw };

struct Options {
  Action action = Action::kDiscover;

  // --- where to
  std::string destination;  // HOST:PORT as given
  std::string local;        // TARGET[/SESSION] of scst_local on this host, instead of a destination
  std::string control_socket = "/run/uscstd.sock";
  std::string source;  // local address to connect from; empty: the system's choice
  std::uint64_t id_ext = 0, ioc_guid = 0, initiator_ext = 0, initiator_guid = 0;
  bool ids_given = false;
  unsigned channels = 1;
  unsigned descriptors = 1;
  bool no_immediate = false;
  bool crc = false;
  double timeout_s = 30;
  std::uint16_t lun = 0;

  // --- how to report
  bool json = false;
  bool verbose = false;
  double hold_s = 0;
  bool line_commands = false;  // hold: from standard input

  // --- inquiry, raw
  std::optional<std::uint8_t> page;
  std::string cdb_hex, data_out_hex;
  std::uint32_t data_in_bytes = 0;

  // --- read, write, verify
  std::uint64_t lba = 0;
  std::optional<std::uint64_t> blocks;
  std::string file;
  bool fua = false;
  std::uint64_t transfer_bytes = 256 * 1024;
  unsigned queue_depth = 4;
  std::uint64_t seed = 1;
  bool write_only = false, read_only = false;

  // --- bench
  std::uint64_t block_size = 4096;
  unsigned read_percent = 100;
  bool sequential = false, random = false;  // random is the default
  double seconds = 5;
  std::uint64_t region_bytes = 0;  // 0: the whole disk
};

// The options, or the exit code after a message (or the help text) was printed.
std::variant<Options, int> parse_options(int argc, char** argv);

// What to open with --local.
LocalOptions local_options(const Options& options);

// What to log in with; the destination resolved. EHOSTUNREACH for a name that is not found, EINVAL for no HOST:PORT.
base::Result<LoginOptions> login_options(const Options& options);
base::Result<fabric::Address> resolve(const std::string& host_and_port);

}  // namespace uscst::initiator
