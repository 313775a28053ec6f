#include "engine/daemon/stpg_program.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "engine/io/blocking_call.h"
#include "engine/target/device_groups.h"

namespace uscst::daemon {
namespace {

using Clock = std::chrono::steady_clock;
using target::AccessStateRequest;

// argv or envp of exec(3): pointers into strings that stay.
std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In a process group of its own, with signals as a program expects them: ours are blocked.
base::Result<pid_t> start(const std::string& program, const AccessStateRequest& request,
                          const AccessStateRequest::Change& change) {
  const std::string from(target::name_of(change.from)), to(target::name_of(change.to));
  std::vector<std::string> arguments{program, request.device, from, to, request.device_group, change.target_group};
  std::vector<std::string> environment{"PATH=/bin:/usr/bin:/sbin:/usr/sbin",
                                       "SCST_DEVICE_NAME=" + request.device,
                                       "SCST_PREV_ALUA_STATE=" + from,
                                       "SCST_ALUA_STATE=" + to,
                                       "SCST_DEVICE_GROUP=" + request.device_group,
                                       "SCST_TARGET_GROUP=" + change.target_group};
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), nullptr, &attributes, pointers_to(arguments).data(),
                                pointers_to(environment).data());
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return base::fail(error, fmt::format("{} cannot be started", program));
  return pid;
}

// Waits for its end; at the deadline it is killed with all that it began.
base::Status wait_for(pid_t pid, Clock::time_point deadline, const std::string& program) {
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  pollfd ended{.fd = descriptor, .events = POLLIN, .revents = 0};
  const bool in_time = descriptor >= 0 && poll(&ended, 1, static_cast<int>(std::max<long>(left.count(), 0))) > 0;
  if (descriptor >= 0) close(descriptor);
  if (!in_time) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) return base::fail(ETIMEDOUT, fmt::format("{} did not end in time and was killed", program));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status)) return base::fail(EIO, fmt::format("{} ended with status {}", program, WEXITSTATUS(status)));
  return base::fail(EIO, fmt::format("{} was ended by signal {}", program, WTERMSIG(status)));
}

base::Status run(const std::string& program, const AccessStateRequest& request, std::chrono::milliseconds limit) {
  const Clock::time_point deadline = Clock::now() + limit;
  base::Status result;
  std::vector<pid_t> started;
  for (const auto& change : request.changes) {
    auto pid = start(program, request, change);
    if (pid) {
      started.push_back(*pid);
    } else {
      result = std::unexpected(pid.error());
      break;
    }
  }
  for (pid_t pid : started) {
    auto status = wait_for(pid, deadline, program);
    if (result && !status) result = std::move(status);
  }
  return result;
}

}  // namespace

target::AccessStateListener stpg_listener(std::string program, io::Reactor& control, std::chrono::milliseconds limit) {
  return [program = std::move(program), &control, limit](const AccessStateRequest& request, target::Done done) {
    auto work = [program, limit, request] { return run(program, request, limit); };
    io::BlockingCall<decltype(work), target::Done>::begin(control, std::move(work), std::move(done));
  };
}

}  // namespace uscst::daemon
