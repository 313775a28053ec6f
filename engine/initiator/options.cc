#include "engine/initiator/options.h"

#include <fmt/format.h>
#include <netdb.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "engine/local/wire.h"

namespace uscst::initiator {
namespace {

constexpr const char* kDescription = "SRP initiator in user space: is the target reachable, does it answer, how fast?";
constexpr const char* kFooter =
    "Exit codes: 0 done; 2 wrong usage; 3 no connection; 4 login rejected by the target; 5 a SCSI command failed;\n"
    "6 connection lost or no answer in time; 7 verify found wrong data; 8 a local file cannot be read or written.\n"
    "id_ext and ioc_guid are those of the target's login_info attribute. Without them, discover still tells whether "
    "an\n"
    "SRP target answers.";

bool parse_guid(const std::string& text, std::uint64_t& value) {
  std::string_view digits = text;
  if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
  if (digits.empty() || digits.size() > 16) return false;
  const std::string padded = std::string(16 - digits.size(), '0') + std::string(digits);
  auto bytes = base::parse_hex(padded);
  if (!bytes || bytes->size() != 8) return false;
  value = *base::Reader(*bytes).u64();
  return true;
}

CLI::Option* add_guid(CLI::App& app, const std::string& name, std::uint64_t& value, const std::string& text) {
  return app.add_option_function<std::string>(
      name,
      [&value, name](const std::string& given) {
        if (!parse_guid(given, value)) throw CLI::ValidationError(name, "wants at most 16 hexadecimal digits");
      },
      text);
}

void add_common(CLI::App& app, Options& o) {
  app.add_option("--dest", o.destination, "the target's HOST:PORT ([ADDRESS]:PORT for IPv6)");
  auto* id_ext = add_guid(app, "--id-ext", o.id_ext, "target's identifier extension, hexadecimal");
  auto* ioc_guid = add_guid(app, "--ioc-guid", o.ioc_guid, "target's I/O controller GUID, hexadecimal");
  id_ext->needs(ioc_guid);
  ioc_guid->needs(id_ext);
  add_guid(app, "--initiator-ext", o.initiator_ext, "extension of our port identifier, hexadecimal (0)");
  add_guid(app, "--initiator-guid", o.initiator_guid, "GUID of our port identifier, hexadecimal (0, as kernel iWARP)");
  app.add_option("--source", o.source, "local address to connect from");
  app.add_option("--channels", o.channels, "connections of this login")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--lun", o.lun, "logical unit")->check(CLI::Range(0, 16383))->capture_default_str();
  app.add_option("--descriptors", o.descriptors, "describe data by a list of so many parts (1: direct)")
      ->check(CLI::Range(1u, kMaximumPieces));
  app.add_flag("--no-immediate", o.no_immediate, "no immediate data: the target reads all write data");
  app.add_flag("--crc", o.crc, "ask for CRCs on the connection");
  app.add_option("--timeout", o.timeout_s, "seconds to wait for a command")->check(CLI::PositiveNumber);
  app.add_option("--hold", o.hold_s, "stay logged in for so many seconds when done")->check(CLI::NonNegativeNumber);
  app.add_flag("--json", o.json, "print one JSON object");
  app.add_flag("--verbose", o.verbose, "log what the connection does to standard error");
}

void add_range(CLI::App& app, Options& o) {
  app.add_option("--lba", o.lba, "first block")->capture_default_str();
  app.add_option("--blocks", o.blocks, "number of blocks");
  app.add_option("--transfer-size", o.transfer_bytes, "bytes per command")->transform(CLI::AsSizeValue(false));
  app.add_option("--queue-depth", o.queue_depth, "commands in flight per channel")->check(CLI::Range(1, 1024));
  app.add_flag("--fua", o.fua, "force unit access");
}

CLI::App* add_action(CLI::App& app, Options& o, Action action, const char* name, const char* text) {
  CLI::App* sub = app.add_subcommand(name, text);
  sub->callback([&o, action] { o.action = action; });
  sub->fallthrough();
  add_common(*sub, o);
  return sub;
}

void add_data_actions(CLI::App& app, Options& o) {
  auto* read = add_action(app, o, Action::kRead, "read", "read blocks into a file");
  add_range(*read, o);
  read->get_option("--blocks")->required();
  read->add_option("--file", o.file, "where to (created or cut)")->required();
  auto* write = add_action(app, o, Action::kWrite, "write", "write a file's blocks, then SYNCHRONIZE CACHE");
  add_range(*write, o);
  write->add_option("--file", o.file, "what to write; its last block is padded with zeros")->required();
  auto* verify = add_action(app, o, Action::kVerify, "verify", "write a checksummed pattern, read it back, check it");
  add_range(*verify, o);
  verify->add_option("--seed", o.seed, "names the pattern")->capture_default_str();
  auto* write_only = verify->add_flag("--write-only", o.write_only, "only write (and SYNCHRONIZE CACHE)");
  verify->add_flag("--read-only", o.read_only, "only check what an earlier run wrote")->excludes(write_only);
}

void add_bench(CLI::App& app, Options& o) {
  auto* bench =
      add_action(app, o, Action::kBench, "bench", "measure operations, bytes and latency. Writes destroy data");
  bench->add_option("--block-size", o.block_size, "bytes per command")->transform(CLI::AsSizeValue(false));
  bench->add_option("--queue-depth", o.queue_depth, "commands in flight per channel")->check(CLI::Range(1, 1024));
  bench->add_option("--read-percent", o.read_percent, "share of reads")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  auto* sequential = bench->add_flag("--sequential", o.sequential, "one block after the other");
  bench->add_flag("--random", o.random, "anywhere (the default)")->excludes(sequential);
  bench->add_option("--seconds", o.seconds, "how long")->check(CLI::PositiveNumber)->capture_default_str();
  bench->add_option("--size", o.region_bytes, "use only so much of the disk")->transform(CLI::AsSizeValue(false));
}

void add_actions(CLI::App& app, Options& o) {
  app.add_option("--local", o.local,
                 "TARGET[/SESSION] of scst_local on this host: no network, through the daemon's control socket");
  app.add_option("--control", o.control_socket, "the daemon's control socket")->capture_default_str();
  add_action(app, o, Action::kDiscover, "discover", "log in and show what the target says, with all its LUNs");
  add_action(app, o, Action::kLuns, "luns", "list the LUNs");
  auto* inquiry = add_action(app, o, Action::kInquiry, "inquiry", "INQUIRY data of a LUN");
  inquiry->add_option_function<std::string>(
      "--page",
      [&o](const std::string& text) {
        std::uint64_t page = 0;
        if (!parse_guid(text, page) || page > 0xFF) throw CLI::ValidationError("--page", "wants hexadecimal 00 to ff");
        o.page = static_cast<std::uint8_t>(page);
      },
      "a vital product data page, hexadecimal");
  add_action(app, o, Action::kCapacity, "capacity", "size of a LUN");
  add_data_actions(app, o);
  add_bench(app, o);
  auto* hold = add_action(app, o, Action::kHold, "hold", "stay logged in (--hold SECONDS, default: until a signal)");
  hold->add_flag("--commands", o.line_commands,
                 "until standard input ends; its lines are: capacity LUN, read LUN LBA BLOCKS, write LUN LBA BLOCKS "
                 "(a pattern); each is answered by a line, ok or error TEXT")
      ->excludes("--hold");
  add_action(app, o, Action::kReset, "reset", "LOGICAL UNIT RESET");
  auto* raw = add_action(app, o, Action::kRaw, "raw", "send one CDB, show the answer as it is");
  raw->add_option("--cdb", o.cdb_hex, "the CDB, hexadecimal")->required();
  auto* in = raw->add_option("--in", o.data_in_bytes, "bytes of data-in to offer");
  raw->add_option("--out", o.data_out_hex, "data-out, hexadecimal")->excludes(in);
}

// What the options together say wrong, or nothing.
std::string_view contradiction(const Options& o) {
  if (o.local.empty() && o.destination.empty()) return "--dest or --local is required";
  if (!o.local.empty()) {
    if (!o.destination.empty()) return "--dest and --local exclude each other";
    if (o.channels != 1) return "--local has one channel";
    const bool too_long = o.transfer_bytes > local::kMaximumDataBytes || o.block_size > local::kMaximumDataBytes ||
                          o.data_in_bytes > local::kMaximumDataBytes;
    return too_long ? "--local takes 4 MiB per command at most" : "";
  }
  if (!o.ids_given && o.action != Action::kDiscover) return "--id-ext and --ioc-guid are required";
  return "";
}

}  // namespace

std::variant<Options, int> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app{kDescription, "uscst-initiator"};
  app.footer(kFooter);
  app.require_subcommand(1);
  options.queue_depth = 4;
  add_actions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(Exit::kUsage);
  }
  options.ids_given = app.get_subcommands().front()->count("--id-ext") != 0;
  if (const std::string_view wrong = contradiction(options); !wrong.empty()) {
    fmt::print(stderr, "{}\n", wrong);
    return static_cast<int>(Exit::kUsage);
  }
  return options;
}

base::Result<fabric::Address> resolve(const std::string& host_and_port) {
  const std::size_t colon = host_and_port.rfind(':');
  if (colon == std::string::npos || colon == 0)
    return base::fail(EINVAL, fmt::format("{}: no HOST:PORT", host_and_port));
  std::string host = host_and_port.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), host_and_port.c_str() + colon + 1, &hints, &found);
  if (error != 0) return base::fail(EHOSTUNREACH, fmt::format("{}: {}", host_and_port, gai_strerror(error)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> guard(found, freeaddrinfo);
  char host_text[NI_MAXHOST], port_text[NI_MAXSERV];
  if (getnameinfo(found->ai_addr, found->ai_addrlen, host_text, sizeof host_text, port_text, sizeof port_text,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return base::fail(EHOSTUNREACH, fmt::format("{}: no usable address", host_and_port));
  }
  return fabric::Address{host_text, static_cast<std::uint16_t>(std::stoul(port_text))};
}

LocalOptions local_options(const Options& options) {
  const std::size_t slash = options.local.find('/');
  const std::string session = slash == std::string::npos ? "" : options.local.substr(slash + 1);
  return {
      .socket = options.control_socket,
      .target = options.local.substr(0, slash),
      .session = session,
      .command_timeout = std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(options.timeout_s))};
}

base::Result<LoginOptions> login_options(const Options& options) {
  auto address = resolve(options.destination);
  if (!address) return std::unexpected(address.error());
  LoginOptions login;
  login.channels = options.channels;
  login.channel.to = *address;
  login.channel.initiator = srp::make_port_id(options.initiator_ext, options.initiator_guid);
  login.channel.target = srp::make_port_id(options.id_ext, options.ioc_guid);
  login.channel.immediate = !options.no_immediate;
  login.channel.pieces = options.descriptors;
  login.channel.command_timeout =
      std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(options.timeout_s));
  return login;
}

}  // namespace uscst::initiator
