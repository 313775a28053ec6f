#include "handlers/examine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

#include "handlers/block_store.h"
#include "handlers/file_store.h"
#include "handlers/null_store.h"

namespace uscst::handlers {
namespace {

using base::fail;

constexpr std::uint64_t kMaximumFileUnmapBytes = 256u << 20;

// A descriptor that is closed unless taken.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.take()) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int take() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::unexpected<base::Error> errno_for(const VdiskConfig& config, int error, std::string_view what) {
  return fail(error, fmt::format("{} {}: {}", what, config.filename, std::generic_category().message(error)));
}

// What the path leads to, checked before it is opened: opening some devices does things.
base::Result<struct stat> check_path(const VdiskConfig& config, const ForbiddenPath& forbidden) {
  std::unique_ptr<char, decltype(&std::free)> resolved(realpath(config.filename.c_str(), nullptr), &std::free);
  if (!resolved) return errno_for(config, errno, "cannot open");
  if (forbidden && forbidden(resolved.get()))
    return fail(EINVAL, fmt::format("{} lies in the management tree itself", config.filename));
  struct stat status{};
  if (stat(resolved.get(), &status) != 0) return errno_for(config, errno, "cannot open");
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
    return fail(EINVAL, fmt::format("{} is neither a regular file nor a block device", config.filename));
  if (config.kind == VdiskKind::kBlockio && !S_ISBLK(status.st_mode))
    return fail(ENOTBLK, fmt::format("{} is not a block device; use vdisk_fileio for files", config.filename));
  return status;
}

std::uint64_t queue_limit(dev_t device, const char* name) {
  // A partition's queue is that of the disk above it.
  for (const char* where : {"queue", "../queue"}) {
    std::ifstream file(fmt::format("/sys/dev/block/{}:{}/{}/{}", major(device), minor(device), where, name));
    std::uint64_t value = 0;
    if (file >> value) return value;
  }
  return 0;
}

std::uint32_t ioctl_number(int fd, unsigned long call) {
  unsigned value = 0;
  return ioctl(fd, call, &value) == 0 ? value : 0;
}

void examine_device(const VdiskConfig& config, int fd, dev_t device, Geometry& geometry) {
  if (std::uint32_t physical = ioctl_number(fd, BLKPBSZGET); physical != 0) geometry.physical_block_bytes = physical;
  geometry.optimal_io_bytes = ioctl_number(fd, BLKIOOPT);
  geometry.discard.max_bytes = queue_limit(device, "discard_max_bytes");
  geometry.discard.granularity_bytes = static_cast<std::uint32_t>(queue_limit(device, "discard_granularity"));
  geometry.discard.alignment_bytes = static_cast<std::uint32_t>(queue_limit(device, "discard_alignment"));
  geometry.can_unmap = geometry.discard.max_bytes != 0 && !config.read_only;
}

// A hole behind the end of the file changes nothing, and tells whether the file system can punch any.
bool can_punch_holes(const VdiskConfig& config, std::uint64_t size_bytes) {
  Descriptor fd(open(config.filename.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return false;
  return fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(size_bytes),
                   config.block_size()) == 0;
}

void examine_file(const VdiskConfig& config, Geometry& geometry) {
  geometry.discard = {kMaximumFileUnmapBytes, config.block_size(), 0};
  geometry.can_unmap =
      !config.read_only && config.thin_provisioned.value_or(false) && can_punch_holes(config, geometry.size_bytes);
}

base::Status check_device(const VdiskConfig& config, int fd) {
  if (!config.read_only && ioctl_number(fd, BLKROGET) != 0) return errno_for(config, EACCES, "cannot write to");
  if (config.block_size() > kMaximumDeviceBlockSize)
    return fail(EINVAL, fmt::format("blocksize {} of {} is above {}", config.block_size(), config.filename,
                                    kMaximumDeviceBlockSize));
  int logical = 0;
  if (ioctl(fd, BLKSSZGET, &logical) == 0 && config.block_size() < static_cast<unsigned>(logical))
    return fail(EINVAL,
                fmt::format("blocksize {} is below the {} bytes of {}", config.block_size(), logical, config.filename));
  return {};
}

base::Result<Geometry> examine_open(const VdiskConfig& config, int fd, const struct stat& status) {
  Geometry geometry;
  const std::int64_t size = size_of(fd);
  if (size < 0) return errno_for(config, static_cast<int>(-size), "cannot get the size of");
  geometry.size_bytes = static_cast<std::uint64_t>(size);
  if (config.kind == VdiskKind::kFileio) {
    examine_file(config, geometry);
    return geometry;
  }
  if (auto usable = check_device(config, fd); !usable) return std::unexpected(usable.error());
  examine_device(config, fd, status.st_rdev, geometry);
  return geometry;
}

int open_file(const VdiskConfig& config) {
  int flags = (config.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
  if (config.kind == VdiskKind::kFileio) {
    if (config.o_direct) flags |= O_DIRECT;
    return open(config.filename.c_str(), flags);
  }
  const int fd = open(config.filename.c_str(), flags | O_EXCL | O_DIRECT);
  return fd < 0 && errno == EINVAL ? open(config.filename.c_str(), flags | O_EXCL) : fd;
}

}  // namespace

std::int64_t size_of(int fd) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return -errno;
  if (!S_ISBLK(status.st_mode)) return status.st_size;
  std::uint64_t size = 0;
  return ioctl(fd, BLKGETSIZE64, &size) == 0 ? static_cast<std::int64_t>(size) : -errno;
}

base::Result<Geometry> examine(const VdiskConfig& config, const ForbiddenPath& forbidden) {
  auto status = check_path(config, forbidden);
  if (!status) return std::unexpected(status.error());
  Descriptor fd(open(config.filename.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  // A replicated device that is not primary here: made with size 0, looked at again when it is activated.
  if (fd.get() < 0 && errno == EMEDIUMTYPE) return Geometry{};
  if (fd.get() < 0) return errno_for(config, errno, "cannot open");
  return examine_open(config, fd.get(), *status);
}

base::Result<OpenedStore> open_store(const VdiskConfig& config, const ForbiddenPath& forbidden) {
  OpenedStore opened;
  auto geometry = examine(config, forbidden);
  if (!geometry) return std::unexpected(geometry.error());
  opened.geometry = *geometry;
  Descriptor fd(open_file(config));
  if (fd.get() < 0 && errno == EMEDIUMTYPE) return opened;
  if (fd.get() < 0) return errno_for(config, errno, "cannot open");
  if (config.kind == VdiskKind::kBlockio) {
    opened.store = std::make_shared<BlockStore>(fd.take());
  } else {
    opened.store = std::make_shared<FileStore>(fd.take());
  }
  return opened;
}

}  // namespace uscst::handlers
