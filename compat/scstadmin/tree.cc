#include "compat/scstadmin/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

namespace uscst::scstadmin {
namespace {

constexpr std::size_t kMaxAttributeBytes = std::size_t{1} << 20;
constexpr const char* kResultFile = "last_sysfs_mgmt_res";

class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<base::Error> errno_of(const std::string& path) {
  const int code = errno;
  return base::fail(code, fmt::format("{}: {}", path, std::strerror(code)));
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

}  // namespace

bool Tree::is_directory(const std::string& path) const {
  const std::optional<NodeInfo> info = stat(path);
  return info && info->is_directory;
}

SysfsTree::SysfsTree(std::string root, std::function<void()> pause) : root_(std::move(root)), pause_(std::move(pause)) {
  if (!pause_) pause_ = [] { std::this_thread::sleep_for(kMgmtPollInterval); };
}

base::Result<std::vector<std::string>> SysfsTree::list(const std::string& path) const {
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(full(path).c_str()));
  if (!dir) return errno_of(full(path));
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

std::optional<NodeInfo> SysfsTree::stat(const std::string& path) const {
  struct ::stat info{};
  if (::stat(full(path).c_str(), &info) != 0) return std::nullopt;
  return NodeInfo{S_ISDIR(info.st_mode), S_ISREG(info.st_mode), info.st_mode & 07777U};
}

std::optional<std::string> SysfsTree::link(const std::string& path) const {
  std::array<char, 4096> text{};
  const ssize_t length = ::readlink(full(path).c_str(), text.data(), text.size());
  if (length < 0) return std::nullopt;
  return std::string(text.data(), static_cast<std::size_t>(length));
}

base::Result<std::string> SysfsTree::read(const std::string& path) const {
  const File file(full(path), O_RDONLY);
  if (file.fd() < 0) return errno_of(full(path));
  const auto deadline = std::chrono::steady_clock::now() + kMgmtTimeout;
  std::string text;
  std::array<char, 4096> piece{};
  while (text.size() < kMaxAttributeBytes) {
    const ssize_t got = ::read(file.fd(), piece.data(), piece.size());
    if (got == 0) break;
    if (got > 0) {
      text.append(piece.data(), static_cast<std::size_t>(got));
    } else if (errno == EAGAIN && std::chrono::steady_clock::now() < deadline) {
      pause_();
    } else if (errno != EINTR) {
      return errno_of(full(path));
    }
  }
  return text;
}

base::Status SysfsTree::write(const std::string& path, std::string_view text) {
  const File file(full(path), O_WRONLY);
  if (file.fd() < 0) return errno_of(full(path));
  // Not repeated after EINTR: the work goes on in the background, a second write would do it twice.
  const ssize_t written = ::write(file.fd(), text.data(), text.size());
  if (written > 0 || (written == 0 && text.empty())) return {};
  if (written < 0 && (errno == EAGAIN || errno == EINTR)) return queued_result();
  return errno_of(full(path));
}

// The result of queued work: readable (0 or a negative errno) once the queue is empty, EAGAIN until then.
base::Status SysfsTree::queued_result() const {
  const File file(full(kResultFile), O_RDONLY);
  if (file.fd() < 0) return errno_of(full(kResultFile));
  const auto deadline = std::chrono::steady_clock::now() + kMgmtTimeout;
  std::array<char, 32> text{};
  ssize_t got = -1;
  while ((got = ::pread(file.fd(), text.data(), text.size(), 0)) < 0) {
    if (errno != EAGAIN && errno != EINTR) return errno_of(full(kResultFile));
    if (std::chrono::steady_clock::now() >= deadline) return base::fail(ETIMEDOUT, "queued work did not end in time");
    pause_();
  }
  int result = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + got, result);
  if (parsed.ec != std::errc()) return base::fail(EPROTO, "unreadable result of queued work");
  if (result != 0) return base::fail(std::abs(result), std::strerror(std::abs(result)));
  return {};
}

std::string join_path(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (std::string_view part : parts) {
    if (part.empty()) continue;
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

std::string last_part(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace uscst::scstadmin
