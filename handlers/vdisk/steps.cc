#include "handlers/vdisk/steps.h"

#include <cerrno>

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

io::Durability DiskSteps::durability() const {
  const bool forced = command_.decoded().fua && !disk_.nv_cache();
  return forced || !disk_.write_back() ? io::Durability::kData : io::Durability::kVolatile;
}

}  // namespace uscst::handlers
