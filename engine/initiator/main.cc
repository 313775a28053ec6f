// uscst-initiator: an SRP initiator in user space, over our own iWARP. Is the target reachable, does it answer, how
// fast?
//
// Exit codes: 0 done; 2 wrong usage; 3 no connection; 4 login rejected by the target; 5 a SCSI command failed (status
// or impossible data); 6 connection lost or no answer in time; 7 verify found wrong data; 8 a local file cannot be read
// or written.
#include <fmt/format.h>

#include <cmath>
#include <csignal>
#include <ctime>

#include "engine/fabric/iwarp/fabric.h"
#include "engine/initiator/commands.h"

namespace uscst::initiator {
namespace {

Exit exit_of_login(int code) {
  switch (code) {
    case EACCES: return Exit::kRejected;
    case EINVAL: return Exit::kUsage;
    case EPROTO: return Exit::kLost;
    default: return Exit::kNoConnection;
  }
}

Exit exit_of_command(int code) {
  switch (code) {
    case EINVAL: return Exit::kUsage;
    case ECONNRESET:
    case ETIMEDOUT: return Exit::kLost;
    case EILSEQ: return Exit::kMismatch;
    case kFileError: return Exit::kFile;
    default: return Exit::kScsi;
  }
}

int fail_with(Report& report, const base::Error& error, Exit exit) {
  report.object()["error"] = error.text;
  report.object()["exit_code"] = static_cast<int>(exit);
  report.print();
  fmt::print(stderr, "uscst-initiator: {}\n", error.text);
  return static_cast<int>(exit);
}

base::Status perform(Context& context) {
  switch (context.options.action) {
    case Action::kDiscover: return discover(context);
    case Action::kLuns: return luns(context);
    case Action::kInquiry: return inquire(context);
    case Action::kCapacity: return capacity(context);
    case Action::kRead: return read_to_file(context);
    case Action::kWrite: return write_from_file(context);
    case Action::kVerify: return verify(context);
    case Action::kBench: return bench(context);
    case Action::kHold: return context.options.line_commands ? take_commands(context) : base::Status();
    case Action::kReset: return reset(context);
    case Action::kRaw: return raw(context);
  }
  return base::fail(EINVAL, "no such action");
}

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

bool holds(const Options& options) {
  return options.hold_s > 0 || (options.action == Action::kHold && !options.line_commands);
}

// Until the time is over or a signal says so; the logout follows. The line tells scripts that they may look now.
void hold(const Options& options) {
  const sigset_t signals = ending_signals();
  fmt::print(stderr, "holding the session\n");
  if (options.hold_s <= 0) {
    sigwaitinfo(&signals, nullptr);
    return;
  }
  const double whole = std::floor(options.hold_s);
  const timespec time{static_cast<time_t>(whole), static_cast<long>((options.hold_s - whole) * 1e9)};
  sigtimedwait(&signals, nullptr, &time);
}

int run_session(const Options& options, base::Result<std::unique_ptr<BlockingSession>> session, Report& report) {
  if (!session) {
    const std::string& where = options.local.empty() ? options.destination : options.local;
    const base::Error error{session.error().code, fmt::format("{}: {}", where, session.error().text)};
    return fail_with(report, error, exit_of_login(error.code));
  }
  Context context{options, **session, report};
  if (auto status = perform(context); !status) {
    return fail_with(report, status.error(), exit_of_command(status.error().code));
  }
  report.print();
  if (holds(options)) hold(options);
  return static_cast<int>(Exit::kOk);
}

int run_srp(const Options& options, Host& host, base::Log& log, Report& report) {
  auto login = login_options(options);
  if (!login) return fail_with(report, login.error(), exit_of_login(login.error().code));
  fabric::iwarp::Config config;
  config.source = options.source;
  config.require_crc = options.crc;
  fabric::iwarp::IwarpFabric fabric(host.reactor(), config, log);
  const int exit = run_session(options, BlockingSession::login(host, fabric, *login), report);
  host.stop();
  return exit;
}

int run(const Options& options) {
  Report report(options.json);
  base::Log log(base::Log::standard_error(), options.verbose ? base::LogLevel::kDebug : base::LogLevel::kError);
  if (holds(options)) {
    const sigset_t signals = ending_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  }
  auto host = Host::start(log);
  if (!host) return fail_with(report, host.error(), Exit::kNoConnection);
  if (options.local.empty()) return run_srp(options, **host, log, report);
  return run_session(options, BlockingSession::open_local(**host, local_options(options)), report);
}

}  // namespace
}  // namespace uscst::initiator

int main(int argc, char** argv) {
  using namespace uscst::initiator;
  auto parsed = parse_options(argc, argv);
  if (auto* code = std::get_if<int>(&parsed)) return *code;
  return run(std::get<Options>(parsed));
}
