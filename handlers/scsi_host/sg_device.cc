#include "handlers/scsi_host/sg_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <filesystem>

namespace uscst::handlers {
namespace {

// include/scsi/scsi_status.h, scsi_host.h of Linux: what SG_IO says in host_status and in the low bits of
// driver_status.
enum Host : unsigned short {
  kOk = 0x00,
  kNoConnect = 0x01,
  kBusBusy = 0x02,
  kTimeOut = 0x03,
  kAbort = 0x05,
  kReset = 0x08,
  kSoftError = 0x0B,
  kImmediateRetry = 0x0C,
  kRequeue = 0x0D,
  kTransportDisrupted = 0x0E,
  kMediumError = 0x13
};
constexpr unsigned kDriverMask = 0x0F, kDriverBusy = 0x01, kDriverTimeOut = 0x06, kDriverSense = 0x08;
constexpr std::uint8_t kCheckCondition = 0x02;

HostOutcome outcome_of(unsigned short host, unsigned driver) {
  switch (host) {
    case kOk: break;
    case kNoConnect: return HostOutcome::kGone;
    case kTimeOut:
    case kAbort: return HostOutcome::kTimedOut;
    case kReset: return HostOutcome::kReset;
    case kBusBusy:
    case kSoftError:
    case kImmediateRetry:
    case kRequeue:
    case kTransportDisrupted: return HostOutcome::kBusy;
    case kMediumError: return HostOutcome::kMediumError;
    default: return HostOutcome::kFailed;
  }
  switch (driver & kDriverMask) {
    case 0:
    case kDriverSense: return HostOutcome::kAnswered;
    case kDriverBusy: return HostOutcome::kBusy;
    case kDriverTimeOut: return HostOutcome::kTimedOut;
    default: return HostOutcome::kFailed;
  }
}

HostOutcome outcome_of_errno(int error) {
  switch (-error) {
    case ENODEV:
    case ENXIO:
    case ENOENT: return HostOutcome::kGone;
    case EAGAIN:
    case EBUSY:
    case ENOMEM:
    case EDOM: return HostOutcome::kBusy;  // EDOM: sg's queue of this descriptor is full
    default: return HostOutcome::kFailed;
  }
}

int transfer_of(scsi::Direction direction) {
  switch (direction) {
    case scsi::Direction::kIn: return SG_DXFER_FROM_DEV;
    case scsi::Direction::kOut: return SG_DXFER_TO_DEV;
    case scsi::Direction::kNone: break;
  }
  return SG_DXFER_NONE;
}

}  // namespace

int KernelSgCalls::open(const std::string& node) {
  const int fd = ::open(node.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

void KernelSgCalls::close(int fd) { ::close(fd); }

int KernelSgCalls::command(int fd, sg_io_hdr& header) { return ::ioctl(fd, SG_IO, &header) == 0 ? 0 : -errno; }

int KernelSgCalls::reset_unit(int fd) {
  int what = SG_SCSI_RESET_DEVICE;
  return ::ioctl(fd, SG_SCSI_RESET, &what) == 0 ? 0 : -errno;
}

void take_answer(const sg_io_hdr& header, int error, ScsiCall& call) {
  if (error != 0) {
    call.outcome = outcome_of_errno(error);
    return;
  }
  // What the device itself said goes before what the host makes of it.
  call.outcome = header.status != 0 ? HostOutcome::kAnswered : outcome_of(header.host_status, header.driver_status);
  call.status = header.status;
  // Kernels before 5.14 tell of sense data in driver_status alone.
  const bool has_sense = header.sb_len_wr > 0 && call.sense[0] != 0;
  call.sense_length = has_sense ? std::min<std::size_t>(header.sb_len_wr, call.sense.size()) : 0;
  if (has_sense && (header.driver_status & kDriverSense) != 0 && call.status == 0) call.status = kCheckCondition;
  const std::int64_t moved = static_cast<std::int64_t>(call.data_length_bytes) - header.resid;
  call.moved_bytes =
      static_cast<std::size_t>(std::clamp<std::int64_t>(moved, 0, static_cast<std::int64_t>(call.data_length_bytes)));
}

SgDevice::SgDevice(ScsiAddress at, int peripheral_type, std::string path, std::string directory, std::string dev,
                   SgCalls& calls, base::Log& log)
    : ScsiHostDevice(at, peripheral_type, std::move(path)),
      directory_(std::move(directory)),
      dev_(std::move(dev)),
      calls_(calls),
      log_(log) {}

SgDevice::~SgDevice() {
  assert(waiting_.empty());
  if (fd_ >= 0) calls_.close(fd_);
}

void SgDevice::execute(ScsiCall& call, io::Reactor* reactor) {
  assert(reactor != nullptr);
  {
    std::lock_guard lock(mutex_);
    if (running_ == kMaximumCalls) return waiting_.push_back({&call, reactor});
    ++running_;
  }
  begin(call, *reactor);
}

// On the reactor of the call.
void SgDevice::begin(ScsiCall& call, io::Reactor& reactor) {
  call.host_device = this;
  reactor.block(call.operation, [this, &call] {
    ask_kernel(call);
    return 0;
  });
}

// The place goes to the next, on the next one's own reactor.
void SgDevice::call_ended(ScsiCall&) {
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    --running_;
    return;
  }
  const Waiting next = waiting_.front();
  waiting_.pop_front();
  next.reactor->post([this, next] { begin(*next.call, *next.reactor); });
}

int SgDevice::descriptor() {
  std::lock_guard lock(mutex_);
  if (fd_ >= 0) return fd_;
  std::error_code error;
  for (const auto& node : std::filesystem::directory_iterator(directory_ + "/scsi_generic", error)) {
    fd_ = calls_.open(dev_ + '/' + node.path().filename().string());
    if (fd_ < 0) log_.error("SCSI device {}: {}: errno {}", address.text(), node.path().filename().string(), -fd_);
    return fd_;
  }
  log_.error("SCSI device {} has no sg node; is the module sg loaded?", address.text());
  return -ENODEV;
}

// On the blocking pool.
void SgDevice::ask_kernel(ScsiCall& call) {
  const int fd = descriptor();
  if (fd < 0) return take_answer({}, fd, call);
  sg_io_hdr header{};
  header.interface_id = 'S';
  header.dxfer_direction = transfer_of(call.direction);
  header.cmdp = call.cdb.data();
  header.cmd_len = static_cast<unsigned char>(call.cdb_length);
  header.sbp = call.sense.data();
  header.mx_sb_len = ScsiCall::kMaximumSense;
  if (call.direction != scsi::Direction::kNone) {
    header.dxfer_len = static_cast<unsigned>(call.data_length_bytes);
    if (call.data.size() == 1) {
      header.dxferp = call.data.front().iov_base;
    } else {
      header.iovec_count = static_cast<unsigned short>(call.data.size());
      header.dxferp = call.data.data();
    }
  }
  header.timeout = static_cast<unsigned>(call.timeout.count());
  constexpr unsigned kAtTail = 0x10;  // SG_FLAG_Q_AT_TAIL: in the order they come
  header.flags = kAtTail;
  take_answer(header, calls_.command(fd, header), call);
}

void SgDevice::reset() {
  const int fd = descriptor();
  const int error = fd < 0 ? fd : calls_.reset_unit(fd);
  if (error < 0) log_.warning("SCSI device {}: reset: errno {}", address.text(), -error);
}

}  // namespace uscst::handlers
