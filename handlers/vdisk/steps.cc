#include "handlers/vdisk/steps.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

namespace uscst::handlers {

void complete_failed(target::Command& command, std::int64_t error, const scsi::Sense& medium) {
  switch (-error) {
    case ENOSPC:
    case EDQUOT: return command.complete(scsi::kSpaceAllocationFailed);
    case EAGAIN:
    case ENOMEM: return command.complete(scsi::Status::kBusy);
    case EBADF:
    case EFAULT:
    case EINVAL: return command.complete(scsi::kHardwareFailure);
    case EROFS:
    case EPERM: return command.complete(scsi::kWriteProtected);
    default: return command.complete(medium);
  }
}

void DiskSteps::run() {
  if (running_) {
    again_ = true;
    return;
  }
  running_ = true;
  do {
    again_ = false;
    if (!next()) return;
  } while (again_);
  running_ = false;
}

// --- the range

bool DiskSteps::take(const scsi::BlockRange& range, RangeLock::Use use) {
  constexpr std::size_t kShardBytes = sizeof(target::Shard);
  const std::size_t lane = std::hash<const target::Shard*>{}(&command_.shard()) / kShardBytes;
  if (disk_.ranges().enter(range_, range.lba, range.blocks, use, lane)) return true;
  command_.tell_abort(io::Call<>::to<&DiskSteps::abandon>(this));
  return false;
}

void DiskSteps::granted() {
  command_.tell_abort({});
  if (command_.aborted()) {
    end();
    return;
  }
  run();
}

// Where the range has come just now, granted() is on its way, and sees the abort.
void DiskSteps::abandon() {
  if (range_.abandon()) end();
}

// --- helpers of the steps

std::optional<std::size_t> first_difference(const io::Buffer& a, std::size_t a_offset_bytes, const io::Buffer& b,
                                            std::size_t length_bytes) {
  boost::container::small_vector<iovec, 20> left, right;
  a.append_parts(a_offset_bytes, length_bytes, left);
  b.append_parts(0, length_bytes, right);
  std::size_t l = 0, r = 0, left_at = 0, right_at = 0, done = 0;
  while (l < left.size() && r < right.size()) {
    const std::size_t step = std::min(left[l].iov_len - left_at, right[r].iov_len - right_at);
    const auto* from = static_cast<const std::uint8_t*>(left[l].iov_base) + left_at;
    const auto* with = static_cast<const std::uint8_t*>(right[r].iov_base) + right_at;
    if (std::memcmp(from, with, step) != 0)
      return done + static_cast<std::size_t>(std::mismatch(from, from + step, with).first - from);
    done += step;
    if ((left_at += step) == left[l].iov_len) ++l, left_at = 0;
    if ((right_at += step) == right[r].iov_len) ++r, right_at = 0;
  }
  return std::nullopt;
}

io::Durability DiskSteps::durability() const {
  const bool forced = command_.decoded().fua && !disk_.nv_cache();
  return forced || !disk_.write_back() ? io::Durability::kData : io::Durability::kVolatile;
}

}  // namespace uscst::handlers
