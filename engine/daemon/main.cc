// uscstd: reads its options, builds the service, mounts the tree, waits for a signal, takes everything down again.
//
// Exit status: 0 ended as asked; 1 could not start, with a line that says why; 2 wrong command line.
#include <fmt/format.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "engine/daemon/options.h"
#include "engine/daemon/service.h"
#include "engine/daemon/startup.h"
#include "sysfsfs/mount.h"

namespace uscst::daemon {
namespace {

constexpr const char* kVersion = "uscstd " USCST_VERSION;
constexpr rlim_t kDescriptors = 65536;  // channels, backing files

// In the background the log goes to syslog; until the service is ready to the terminal as well.
base::Log::Sink background_sink() {
  openlog("uscstd", LOG_PID, LOG_DAEMON);
  return [terminal = base::Log::standard_error()](base::LogLevel level, std::string_view line) {
    constexpr std::array kPriorities{LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    syslog(kPriorities[static_cast<std::size_t>(level)], "%.*s", static_cast<int>(line.size()), line.data());
    if (level <= base::LogLevel::kWarning) terminal(level, line);
  };
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kDescriptors) return;
  limit.rlim_cur = std::min<rlim_t>(kDescriptors, limit.rlim_max == RLIM_INFINITY ? kDescriptors : limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The signals that end the service; blocked before any thread starts, so that only main() takes them.
sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

base::Status serve(const Options& options, Background& background, base::Log& log) {
  const sigset_t signals = ending_signals();
  signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  for (const std::string& note : options.notes) log.warning("{}", note);
  for (const std::string& name : options.srpt.ignored)
    log.warning("option '{}' of module ib_srpt has no effect any more", name);

  if (options.private_mount) {
    if (auto entered = sysfsfs::enter_private_namespace(); !entered) return entered;
  }
  auto pid_file = PidFile::create(options.pid_file);
  if (!pid_file) return std::unexpected(pid_file.error());
  Service service(options, log);
  if (auto built = service.build(); !built) return built;
  service.set_end_service([] { kill(getpid(), SIGTERM); });

  sysfsfs::MountOptions mount_options;
  mount_options.directory = options.sysfs_directory;
  mount_options.before_step = [](int step, std::string_view name) { crash_for_test("mount", step, name); };
  auto mounted = sysfsfs::mount_tree(mount_options, log);
  if (!mounted) return std::unexpected(mounted.error());
  auto status = service.serve_tree(mounted->fuse_fd);
  if (status) status = service.listen();
  if (status) {
    log.info("{} ready, tree at {}", kVersion, mounted->directory);
    background.report_ready();
    tell_ready(options.ready_fd);
    int signal = 0;
    sigwait(&signals, &signal);
    log.info("stopping: {}", strsignal(signal));
    tell_stopping();
  }
  service.stop();
  if (auto unmounted = sysfsfs::unmount_tree(*mounted, log); !unmounted) log.error("{}", unmounted.error().text);
  return status;
}

int run(int argc, char** argv) {
  auto options = parse_options(argc, argv);
  if (!options) {
    std::fprintf(options.error().code == 0 ? stdout : stderr, "%s\n", options.error().text.c_str());
    return options.error().code == 0 ? 0 : 2;
  }
  if (options->show_version) {
    std::puts(kVersion);
    return 0;
  }
  if (options->show_parameters) {
    for (const std::string& line : options->srpt.describe()) std::puts(line.c_str());
    return 0;
  }
  Background background(!options->foreground);
  base::Log log(options->foreground ? base::Log::standard_error() : background_sink(),
                options->debug ? base::LogLevel::kDebug : base::LogLevel::kInfo);
  if (auto status = serve(*options, background, log); !status) {
    log.error("{}", status.error().text);
    background.report_failure();
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace uscst::daemon

int main(int argc, char** argv) { return uscst::daemon::run(argc, argv); }
