// read, write, verify.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "engine/initiator/commands.h"
#include "engine/initiator/pattern.h"
#include "engine/initiator/pump.h"
#include "engine/initiator/sense_text.h"

namespace uscst::initiator {
namespace {

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

base::Error file_error(const std::string& path, int code) {
  return {kFileError, fmt::format("{}: {}", path, std::strerror(code))};
}

// Goes over a range of blocks once, in pieces of at most a buffer.
class RangeWork : public Work {
 public:
  RangeWork(Direction direction, std::uint64_t lba, std::uint64_t blocks, std::uint32_t block_bytes)
      : first_(lba), next_(lba), end_(lba + blocks), block_bytes_(block_bytes), direction_(direction) {}

  bool next(Transfer& transfer) override {
    if (next_ == end_) return false;
    const std::uint64_t room = transfer.data.size() / block_bytes_;
    transfer.blocks = static_cast<std::uint32_t>(std::min(room, end_ - next_));
    transfer.direction = direction_;
    transfer.lba = next_;
    transfer.data = transfer.data.first(std::size_t{transfer.blocks} * block_bytes_);
    next_ += transfer.blocks;
    fill(transfer);
    return true;
  }
  base::Status completed(const Transfer& transfer, base::Duration) override { return take(transfer); }

 protected:
  virtual void fill(Transfer&) {}
  virtual base::Status take(const Transfer&) { return {}; }
  std::uint64_t offset_of(const Transfer& transfer) const { return (transfer.lba - first_) * block_bytes_; }
  std::uint32_t block_bytes() const { return block_bytes_; }

 private:
  const std::uint64_t first_;
  std::uint64_t next_;
  const std::uint64_t end_;
  const std::uint32_t block_bytes_;
  const Direction direction_;
};

class FileReading final : public RangeWork {
 public:
  FileReading(const Options& options, std::uint64_t blocks, std::uint32_t block_bytes, int fd)
      : RangeWork(Direction::kIn, options.lba, blocks, block_bytes), path_(options.file), fd_(fd) {}

 private:
  base::Status take(const Transfer& transfer) override {
    const ssize_t done =
        pwrite(fd_, transfer.data.data(), transfer.data.size(), static_cast<off_t>(offset_of(transfer)));
    if (done == static_cast<ssize_t>(transfer.data.size())) return {};
    return std::unexpected(file_error(path_, done < 0 ? errno : ENOSPC));
  }
  const std::string path_;
  const int fd_;
};

class FileWriting final : public RangeWork {
 public:
  FileWriting(const Options& options, std::uint64_t blocks, std::uint32_t block_bytes, int fd)
      : RangeWork(Direction::kOut, options.lba, blocks, block_bytes), path_(options.file), fd_(fd) {}

 private:
  // A file that shrank or fails meanwhile must not put other bytes on the disk unnoticed: reported when this transfer
  // completes.
  void fill(Transfer& transfer) override {
    std::ranges::fill(transfer.data, std::uint8_t{0});
    const ssize_t got = pread(fd_, transfer.data.data(), transfer.data.size(), static_cast<off_t>(offset_of(transfer)));
    if (got < 0) error_ = errno;
  }
  base::Status take(const Transfer&) override {
    if (error_ == 0) return {};
    return std::unexpected(file_error(path_, error_));
  }
  const std::string path_;
  const int fd_;
  int error_ = 0;
};

class PatternWriting final : public RangeWork {
 public:
  PatternWriting(const Options& options, std::uint64_t blocks, std::uint32_t block_bytes)
      : RangeWork(Direction::kOut, options.lba, blocks, block_bytes), seed_(options.seed) {}

 private:
  void fill(Transfer& transfer) override { fill_pattern(transfer.data, block_bytes(), transfer.lba, seed_); }
  const std::uint64_t seed_;
};

class PatternChecking final : public RangeWork {
 public:
  PatternChecking(const Options& options, std::uint64_t blocks, std::uint32_t block_bytes)
      : RangeWork(Direction::kIn, options.lba, blocks, block_bytes), seed_(options.seed) {}

 private:
  // What the target leaves unwritten must not look like the last transfer's data.
  void fill(Transfer& transfer) override { std::ranges::fill(transfer.data, std::uint8_t{0xDB}); }
  base::Status take(const Transfer& transfer) override {
    return check_pattern(transfer.data, block_bytes(), transfer.lba, seed_);
  }
  const std::uint64_t seed_;
};

base::Result<Capacity> checked_capacity(Context& context, std::optional<std::uint64_t> blocks) {
  auto size = context.session.capacity(context.lun());
  if (!size) return size;
  const std::uint64_t lba = context.options.lba;
  if (lba > size->blocks || blocks.value_or(0) > size->blocks - lba) {
    return base::fail(EINVAL, fmt::format("the range ends beyond the disk, which has {} blocks", size->blocks));
  }
  return size;
}

std::size_t buffer_bytes(const Options& options, std::uint32_t block_bytes) {
  const std::uint64_t blocks = std::max<std::uint64_t>(options.transfer_bytes / block_bytes, 1);
  return static_cast<std::size_t>(blocks * block_bytes);
}

void report_done(Context& context, const char* what, std::uint64_t blocks, std::uint32_t block_bytes) {
  context.report.object()[what] = blocks;
  context.report.object()["block_bytes"] = block_bytes;
  context.report.line("{} blocks of {} bytes {}", blocks, block_bytes, what);
}

}  // namespace

base::Status run_pump(Context& context, Work& work, std::size_t buffer_size) {
  std::unique_ptr<Pump> pump;
  const PumpOptions options{context.lun(), context.options.queue_depth, buffer_size, context.options.fua};
  Host& host = context.session.host();
  base::Status status = host.wait_for<base::Status>([&](Host::Answer<base::Status> answer) {
    pump = std::make_unique<Pump>(context.session.link(), work, options);
    pump->start(std::move(answer));
  });
  host.run([&] { pump.reset(); });
  return status;
}

base::Status synchronize(Context& context) {
  Answer answer = context.session.execute(context.lun(), synchronize_cache());
  if (!answer.outcome.good()) return std::unexpected(error_of(answer.outcome, "SYNCHRONIZE CACHE"));
  return {};
}

base::Status read_to_file(Context& context) {
  const Options& options = context.options;
  auto size = checked_capacity(context, options.blocks);
  if (!size) return std::unexpected(size.error());
  const File file(open(options.file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.fd() < 0) return std::unexpected(file_error(options.file, errno));
  FileReading work(options, *options.blocks, size->block_bytes, file.fd());
  if (auto status = run_pump(context, work, buffer_bytes(options, size->block_bytes)); !status) return status;
  report_done(context, "read", *options.blocks, size->block_bytes);
  return {};
}

base::Status write_from_file(Context& context) {
  const Options& options = context.options;
  const File file(open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat about{};
  if (file.fd() < 0 || fstat(file.fd(), &about) != 0) return std::unexpected(file_error(options.file, errno));
  auto size = context.session.capacity(context.lun());
  if (!size) return std::unexpected(size.error());
  const std::uint64_t file_blocks =
      (static_cast<std::uint64_t>(about.st_size) + size->block_bytes - 1) / size->block_bytes;
  const std::uint64_t blocks = options.blocks.value_or(file_blocks);
  if (auto checked = checked_capacity(context, blocks); !checked) return std::unexpected(checked.error());
  FileWriting work(options, blocks, size->block_bytes, file.fd());
  if (auto status = run_pump(context, work, buffer_bytes(options, size->block_bytes)); !status) return status;
  if (auto status = synchronize(context); !status) return status;
  report_done(context, "written", blocks, size->block_bytes);
  return {};
}

base::Status verify(Context& context) {
  const Options& options = context.options;
  auto size = checked_capacity(context, options.blocks);
  if (!size) return std::unexpected(size.error());
  if (size->block_bytes < kMinimumPatternBytes)
    return base::fail(EINVAL, "the disk's blocks are too small for a pattern");
  const std::uint64_t blocks = options.blocks.value_or(size->blocks - options.lba);
  const std::size_t buffer = buffer_bytes(options, size->block_bytes);
  context.report.object()["seed"] = options.seed;
  if (!options.read_only) {
    PatternWriting work(options, blocks, size->block_bytes);
    if (auto status = run_pump(context, work, buffer); !status) return status;
    if (auto status = synchronize(context); !status) return status;
    report_done(context, "written", blocks, size->block_bytes);
  }
  if (!options.write_only) {
    PatternChecking work(options, blocks, size->block_bytes);
    if (auto status = run_pump(context, work, buffer); !status) return status;
    report_done(context, "verified", blocks, size->block_bytes);
  }
  return {};
}

}  // namespace uscst::initiator
