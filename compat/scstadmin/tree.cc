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
constexpr std::size_t kMaxOpenDirectories = 64;
constexpr const char* kResultFile = "last_sysfs_mgmt_res";

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
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

NodeInfo info_of(unsigned mode) { return {S_ISDIR(mode), S_ISREG(mode), mode & 07777U}; }

EntryType type_of(int directory, const char* name) {
  struct ::stat info{};
  if (::fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return EntryType::kFile;
  return S_ISDIR(info.st_mode) ? EntryType::kDirectory : S_ISLNK(info.st_mode) ? EntryType::kLink : EntryType::kFile;
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

}  // namespace

bool Tree::is_directory(const std::string& path) const {
  const std::optional<NodeInfo> info = stat(path);
  return info && info->is_directory;
}

base::Result<FileContent> Tree::inspect(const std::string& path) const {
  const std::optional<NodeInfo> info = stat(path);
  if (!info) return base::fail(ENOENT, path);
  if (!info->is_regular || (info->mode & kOwnerRead) == 0) return FileContent{*info, ""};
  base::Result<std::string> text = read(path);
  if (!text) return std::unexpected(text.error());
  return FileContent{*info, std::move(*text)};
}

SysfsTree::SysfsTree(std::string root, std::function<void()> pause) : root_(std::move(root)), pause_(std::move(pause)) {
  if (!pause_) pause_ = [] { std::this_thread::sleep_for(kMgmtPollInterval); };
}

void CallCounts::read_attribute(const std::string& path) {
  ++attributes_read;
  const std::lock_guard lock(mutex_);
  read_.insert(path);
}

unsigned long CallCounts::attributes_read_again() const {
  const std::lock_guard lock(mutex_);
  return attributes_read - read_.size();
}

SysfsTree::~SysfsTree() { forget_directories(); }

void SysfsTree::forget_directories() const {
  for (const auto& [path, fd] : directories_) ::close(fd);
  directories_.clear();
  if (mgmt_ >= 0) ::close(mgmt_);
  mgmt_ = -1;
}

int SysfsTree::open_mgmt(const std::string& path) const {
  if (mgmt_ >= 0 && mgmt_path_ == path) return mgmt_;
  if (mgmt_ >= 0) ::close(mgmt_);
  mgmt_path_ = path;
  const Place at = place(path);
  mgmt_ = at.directory == -1 ? -1 : ::openat(at.directory, at.name, O_WRONLY | O_CLOEXEC);
  return mgmt_;
}

int SysfsTree::directory(const std::string& path) const {
  const auto known = directories_.find(path);
  if (known != directories_.end()) return known->second;
  const Place at = path.empty() ? Place{AT_FDCWD, root_.c_str()} : place(path);
  if (at.directory == -1) return -1;
  const int fd = ::openat(at.directory, at.name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  directories_.emplace(path, fd);
  return fd;
}

SysfsTree::Place SysfsTree::place(const std::string& path) const {
  if (path.empty()) return {directory(path), "."};
  if (directories_.size() >= kMaxOpenDirectories) forget_directories();
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {directory(""), path.c_str()};
  return {directory(path.substr(0, slash)), path.c_str() + slash + 1};
}

base::Result<std::vector<Entry>> SysfsTree::entries(const std::string& path) const {
  const Place at = place(path);
  const int fd = at.directory == -1 ? -1 : ::openat(at.directory, at.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_of(full(path));
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd));
  if (!dir) return errno_of(full(path));
  if (counts_) ++counts_->directories_opened;
  std::vector<Entry> out;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    EntryType type = entry->d_type == DT_DIR   ? EntryType::kDirectory
                     : entry->d_type == DT_LNK ? EntryType::kLink
                                               : EntryType::kFile;
    if (entry->d_type == DT_UNKNOWN) type = type_of(::dirfd(dir.get()), entry->d_name);
    out.push_back({std::string(name), type});
  }
  return out;
}

base::Result<std::vector<std::string>> SysfsTree::list(const std::string& path) const {
  const base::Result<std::vector<Entry>> all = entries(path);
  if (!all) return std::unexpected(all.error());
  std::vector<std::string> names;
  for (const Entry& entry : *all) names.push_back(entry.name);
  return names;
}

std::optional<NodeInfo> SysfsTree::stat(const std::string& path) const {
  const Place at = place(path);
  if (at.directory == -1) return std::nullopt;
  if (counts_) ++counts_->stats;
  struct ::stat info{};
  if (::fstatat(at.directory, at.name, &info, 0) != 0) return std::nullopt;
  return info_of(info.st_mode);
}

std::optional<std::string> SysfsTree::link(const std::string& path) const {
  const Place at = place(path);
  if (at.directory == -1) return std::nullopt;
  if (counts_) ++counts_->links_read;
  std::array<char, 4096> text{};
  const ssize_t length = ::readlinkat(at.directory, at.name, text.data(), text.size());
  if (length < 0) return std::nullopt;
  return std::string(text.data(), static_cast<std::size_t>(length));
}

int SysfsTree::open_for_reading(const std::string& path) const {
  const Place at = place(path);
  if (at.directory == -1) return -1;
  if (counts_) counts_->read_attribute(path);
  return ::openat(at.directory, at.name, O_RDONLY | O_CLOEXEC);
}

base::Result<std::string> SysfsTree::read(const std::string& path) const {
  const File file(open_for_reading(path));
  if (file.fd() < 0) return errno_of(full(path));
  return read_all(file.fd(), path);
}

base::Result<FileContent> SysfsTree::inspect(const std::string& path) const {
  const File file(open_for_reading(path));
  if (file.fd() < 0) {
    const int code = errno;
    const std::optional<NodeInfo> info = code == EACCES ? stat(path) : std::nullopt;
    if (info && (info->mode & kOwnerRead) == 0) return FileContent{*info, ""};
    errno = code;
    return errno_of(full(path));
  }
  // open(2) has just looked: asking the file system again would be a round trip for nothing.
  struct statx info{};
  if (::statx(file.fd(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MODE, &info) != 0)
    return errno_of(full(path));
  const NodeInfo node = info_of(info.stx_mode);
  if (!node.is_regular || (node.mode & kOwnerRead) == 0) return FileContent{node, ""};
  base::Result<std::string> text = read_all(file.fd(), path);
  if (!text) return std::unexpected(text.error());
  return FileContent{node, std::move(*text)};
}

// A read shorter than asked for is the end: an attribute's text is made whole.
base::Result<std::string> SysfsTree::read_all(int fd, const std::string& path) const {
  const auto deadline = std::chrono::steady_clock::now() + kMgmtTimeout;
  std::string text;
  std::array<char, 4096> piece{};
  while (text.size() < kMaxAttributeBytes) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got >= 0) {
      text.append(piece.data(), static_cast<std::size_t>(got));
      if (static_cast<std::size_t>(got) < piece.size()) break;
    } else if (errno == EAGAIN && std::chrono::steady_clock::now() < deadline) {
      pause_();
    } else if (errno != EINTR) {
      return errno_of(full(path));
    }
  }
  return text;
}

base::Status SysfsTree::write(const std::string& path, std::string_view text) {
  const bool is_mgmt = path.ends_with("/mgmt");
  const Place at = is_mgmt ? Place{-1, nullptr} : place(path);
  const File own(at.directory == -1 ? -1 : ::openat(at.directory, at.name, O_WRONLY | O_CLOEXEC));
  const int fd = is_mgmt ? open_mgmt(path) : own.fd();
  if (fd < 0) return errno_of(full(path));
  if (counts_) ++counts_->writes;
  // Not repeated after EINTR: the work goes on in the background, a second write would do it twice.
  const ssize_t written = ::pwrite(fd, text.data(), text.size(), 0);
  const int code = errno;
  // What a command removes may be made again under the same name.
  if (is_mgmt && !text.starts_with("add") && !text.starts_with("create ")) forget_directories();
  if (written > 0 || (written == 0 && text.empty())) return {};
  if (written < 0 && (code == EAGAIN || code == EINTR)) return queued_result();
  errno = code;
  return errno_of(full(path));
}

// The result of queued work: readable (0 or a negative errno) once the queue is empty, EAGAIN until then.
base::Status SysfsTree::queued_result() const {
  const File file(::open(full(kResultFile).c_str(), O_RDONLY | O_CLOEXEC));
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
