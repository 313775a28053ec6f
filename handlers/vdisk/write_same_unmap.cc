// UNMAP (SBC-4 5.35) and WRITE SAME (SBC-4 5.52, 5.53).
#include <algorithm>
#include <cerrno>
#include <vector>

#include "engine/scsi/inquiry.h"
#include "engine/scsi/unmap.h"
#include "handlers/vdisk/steps.h"

namespace uscst::handlers {
namespace {

constexpr std::size_t kPieceBytes = 128u << 10;

class UnmapSteps final : public DiskSteps {
 public:
  UnmapSteps(SbcDisk& disk, target::Command& command, std::vector<scsi::BlockRange> ranges)
      : DiskSteps(disk, command), ranges_(std::move(ranges)) {}

 private:
  bool next() override {
    if (!taken_) leave_range();
    // SCST as well tells a file system without holes in the log only: unmapping is a hint.
    if (result_ == -EOPNOTSUPP) disk_.warn("unmapping is not supported", result_);
    if (result_ < 0 && result_ != -EOPNOTSUPP) return failed(scsi::kWriteError);
    if (!taken_) {
      if (at_ == ranges_.size() || command_.aborted()) return end();
      taken_ = true;
      if (!take(ranges_[at_], RangeLock::Use::kShared)) return true;
    }
    taken_ = false;
    const scsi::BlockRange& range = ranges_[at_++];
    const std::uint8_t shift = disk_.config().block_shift;
    store().unmap(request_, context(), range.lba << shift, range.blocks << shift);
    return true;
  }

  const std::vector<scsi::BlockRange> ranges_;
  std::size_t at_ = 0;
  bool taken_ = false;  // the range at at_, and nothing has been asked yet
};

class WriteSameSteps final : public DiskSteps {
 public:
  WriteSameSteps(SbcDisk& disk, target::Command& command) : DiskSteps(disk, command), left_(length_bytes()) {}

 private:
  enum class State { kBegin, kZeroes, kWrite };

  bool next() override {
    switch (state_) {
      case State::kBegin: return begin();
      case State::kZeroes: return zeroes_written();
      case State::kWrite: return written();
    }
    return refuse(scsi::kHardwareFailure);
  }

  bool begin() {
    if (disk_.flush_failed() && durability() == io::Durability::kData) return refuse(scsi::kWriteError);
    // Zeroes with a file system's or device's help; it cannot promise stability, so write-through does without.
    if (!all_zero() || durability() == io::Durability::kData) return prepare();
    state_ = State::kZeroes;
    store().write_zeroes(request_, context(), start_bytes(), left_);
    return true;
  }

  bool zeroes_written() {
    if (result_ >= 0) return end();
    if (result_ != -EOPNOTSUPP) return failed(scsi::kWriteError);
    return prepare();
  }

  bool prepare() {
    if (!command_.allocate_second(std::min<std::uint64_t>(left_, kPieceBytes))) return refuse(scsi::Status::kBusy);
    std::vector<std::uint8_t> block(disk_.config().block_size());
    command_.data().copy_out(0, block);
    for (std::size_t at = 0; at < command_.second_data().length_bytes(); at += block.size()) {
      command_.second_data().copy_in(at, block);
    }
    state_ = State::kWrite;
    return write();
  }

  bool write() {
    if (left_ == 0 || command_.aborted()) return end();
    piece_ = std::min<std::size_t>(left_, command_.second_data().length_bytes());
    store().write(request_, context(), {&command_.second_data(), 0, piece_, start_bytes() + done_}, durability());
    return true;
  }

  bool written() {
    if (result_ < 0) {
      disk_.note_write_failure(result_, durability());
      return failed(scsi::kWriteError);
    }
    done_ += piece_;
    left_ -= piece_;
    return write();
  }

  bool all_zero() const {
    boost::container::small_vector<iovec, 4> parts;
    command_.data().append_parts(0, disk_.config().block_size(), parts);
    return std::ranges::all_of(parts, [](const iovec& part) {
      const auto* bytes = static_cast<const std::uint8_t*>(part.iov_base);
      return std::all_of(bytes, bytes + part.iov_len, [](std::uint8_t byte) { return byte == 0; });
    });
  }

  State state_ = State::kBegin;
  std::uint64_t left_;
  std::uint64_t done_ = 0;
  std::size_t piece_ = 0;
};

}  // namespace

void execute_unmap(SbcDisk& disk, target::Command& command) {
  std::vector<std::uint8_t> list(command.data().length_bytes());
  command.data().copy_out(0, list);
  auto ranges = scsi::parse_unmap(command.decoded(), list, disk.block_count(), disk.max_unmap_blocks());
  if (!ranges) return command.complete(ranges.error());
  command.emplace_scratch<UnmapSteps>(disk, command, std::move(*ranges)).run();
}

void execute_write_same(SbcDisk& disk, target::Command& command) {
  const scsi::DecodedCdb& cdb = command.decoded();
  const std::uint64_t max_blocks = scsi::kMaxWriteSameBytes >> disk.config().block_shift;
  if (auto sense = scsi::check_write_same(cdb, disk.traits(), max_blocks)) return command.complete(*sense);
  if (cdb.unmap) {
    std::vector<scsi::BlockRange> range{{cdb.lba, cdb.blocks}};
    return command.emplace_scratch<UnmapSteps>(disk, command, std::move(range)).run();
  }
  if (command.data().length_bytes() < disk.config().block_size()) return command.complete(scsi::kParameterValueInvalid);
  if (disk.config().kind == VdiskKind::kNullio) return command.complete();
  command.emplace_scratch<WriteSameSteps>(disk, command).run_in_range();
}

}  // namespace uscst::handlers
