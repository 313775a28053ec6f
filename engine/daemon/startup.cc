#include "engine/daemon/startup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>

namespace uscst::daemon {
namespace {

constexpr std::string_view kReady = "ready\n", kFailed = "failed\n";

// The parent's part: passes on what the child says until it is ready or gone.
[[noreturn]] void wait_for_child(int fd) {
  std::string heard;
  std::array<char, 512> part;
  for (ssize_t n; (n = read(fd, part.data(), part.size())) > 0;) heard.append(part.data(), static_cast<std::size_t>(n));
  if (heard.ends_with(kReady)) _exit(0);
  if (heard.empty()) std::fputs("uscstd: ended before it was ready\n", stderr);
  _exit(1);
}

// Of the process that the file names: whether it has ended, or ends at this moment.
bool holder_is_gone(int fd) {
  std::array<char, 32> text{};
  if (pread(fd, text.data(), text.size() - 1, 0) <= 0) return true;
  std::ifstream stat(fmt::format("/proc/{}/stat", std::atol(text.data())));
  std::string line;
  if (!std::getline(stat, line)) return true;
  std::size_t state = line.rfind(") ");
  return state == std::string::npos || line[state + 2] == 'Z' || line[state + 2] == 'X';
}

// A process that was killed keeps the lock until the kernel has taken down all it had, its rings and memory among them.
bool lock_in_time(int fd) {
  constexpr auto kStep = std::chrono::milliseconds(50);
  constexpr auto kForTheLiving = std::chrono::seconds(1), kForTheDead = std::chrono::seconds(10);
  for (auto waited = kStep.zero(); flock(fd, LOCK_EX | LOCK_NB) != 0; waited += kStep) {
    if (waited >= (holder_is_gone(fd) ? kForTheDead : kForTheLiving)) return false;
    std::this_thread::sleep_for(kStep);
  }
  return true;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = write(fd, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

Background::Background(bool enabled) {
  std::array<int, 2> ends{};
  if (!enabled || pipe2(ends.data(), O_CLOEXEC) != 0) return;
  pid_t child = fork();
  if (child > 0) {
    close(ends[1]);
    wait_for_child(ends[0]);
  }
  close(ends[0]);
  parent_fd_ = ends[1];
  setsid();
  if (chdir("/") != 0) std::perror("uscstd: /");
}

void Background::report_ready() {
  if (parent_fd_ < 0) return;
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
  write_all(parent_fd_, kReady);
  close(std::exchange(parent_fd_, -1));
}

void Background::report_failure() {
  if (parent_fd_ < 0) return;
  write_all(parent_fd_, kFailed);
  close(std::exchange(parent_fd_, -1));
}

base::Result<PidFile> PidFile::create(const std::string& path) {
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return base::fail(errno, fmt::format("{}: {}", path, std::strerror(errno)));
  if (!lock_in_time(fd)) {
    close(fd);
    return base::fail(EBUSY, fmt::format("{}: another uscstd runs", path));
  }
  std::string text = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data(), text.size(), 0) < 0) {
    int error = errno;
    close(fd);
    return base::fail(error, fmt::format("{}: {}", path, std::strerror(error)));
  }
  return PidFile(path, fd);
}

PidFile::PidFile(PidFile&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

PidFile::~PidFile() {
  if (fd_ < 0) return;
  unlink(path_.c_str());
  close(fd_);
}

void tell_ready(int ready_fd) {
  if (ready_fd >= 0) {
    write_all(ready_fd, kReady);
    close(ready_fd);
  }
  sd_notify(0, "READY=1");
}

void crash_for_test(std::string_view point, int step, std::string_view name) {
  const char* wanted = std::getenv("USCST_CRASH_AT");
  if (!wanted || fmt::format("{}:{}", point, step) != wanted) return;
  std::fprintf(stderr, "USCST_CRASH_AT=%s: %.*s\n", wanted, static_cast<int>(name.size()), name.data());
  kill(getpid(), SIGKILL);
}

void tell_stopping() { sd_notify(0, "STOPPING=1"); }

}  // namespace uscst::daemon
