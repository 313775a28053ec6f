#include "engine/io/uring_reactor.h"

#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace uscst::io {
namespace {

// user_data of what is not an Operation; no object has these addresses.
constexpr std::uint64_t kIgnored = 0;
constexpr std::uint64_t kWake = 1;

constexpr std::uint32_t kRequiredFeatures =
    IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG;

// Best first. A kernel that does not know a flag answers EINVAL.
constexpr auto kSetupFlags = std::to_array<std::uint32_t>({
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER |
        IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED,
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
    IORING_SETUP_R_DISABLED,
});

// 0 or a negative errno.
int set_up(io_uring& ring) {
  int result = -EINVAL;
  for (std::uint32_t flags : kSetupFlags) {
    io_uring_params params{};
    params.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = UringReactor::kCompletionEntries;
    result = io_uring_queue_init_params(UringReactor::kSubmissionEntries, &ring, &params);
    if (result != -EINVAL) return result;
  }
  return result;
}

std::uint32_t capped(std::size_t size) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(size, std::numeric_limits<std::int32_t>::max()));
}

}  // namespace

base::Result<std::unique_ptr<Reactor>> UringReactor::create(BlockingPool& pool, base::Log& log) {
  io_uring ring{};
  if (int result = set_up(ring); result < 0) {
    return base::fail(-result, fmt::format("io_uring_setup: {}", std::strerror(-result)));
  }
  if ((ring.features & kRequiredFeatures) != kRequiredFeatures) {
    std::string text = fmt::format("io_uring has features {:#x}, needed are {:#x}", ring.features, kRequiredFeatures);
    io_uring_queue_exit(&ring);
    return base::fail(EOPNOTSUPP, std::move(text));
  }
  int event_fd = ::eventfd(0, EFD_CLOEXEC);
  if (event_fd < 0) {
    int code = errno;
    io_uring_queue_exit(&ring);
    return base::fail(code, fmt::format("eventfd: {}", std::strerror(code)));
  }
  return std::unique_ptr<Reactor>(new UringReactor(event_fd, ring, pool, log));
}

UringReactor::UringReactor(int event_fd, const io_uring& ring, BlockingPool& pool, base::Log& log)
    : EventLoop(event_fd, pool), ring_(ring), log_(log) {}

UringReactor::~UringReactor() { io_uring_queue_exit(&ring_); }

// The ring was set up disabled, so that the thread that enables it becomes its single issuer.
void UringReactor::enter() {
  if (entered_) return;
  // liburing 2.3 declares io_uring_enable_rings() but does not export it.
  check(io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0));
  entered_ = true;
}

void UringReactor::collect(std::optional<Sleep> sleep) {
  if (sleep && !wake_armed_) await_wake();
  if (!backlog_.empty()) refill();
  if (!sleep || !backlog_.empty()) return submit_now();
  io_uring_cqe* first = nullptr;
  __kernel_timespec timeout{};
  if (sleep->limit) {
    timeout.tv_sec = *sleep->limit / std::chrono::seconds(1);
    timeout.tv_nsec = (*sleep->limit % std::chrono::seconds(1)).count();
  }
  check(io_uring_submit_and_wait_timeout(&ring_, &first, 1, sleep->limit ? &timeout : nullptr, nullptr));
}

// Submits without waiting; enters the kernel only when there is something to hand over or to fetch.
void UringReactor::submit_now() {
  std::uint32_t flags = io_uring_smp_load_acquire(ring_.sq.kflags);
  if (io_uring_sq_ready(&ring_) == 0 && (flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) == 0) return;
  check(io_uring_submit_and_get_events(&ring_));
}

void UringReactor::check(int result) {
  // Busy and short of memory pass: what was not taken stays in the queue for the next turn.
  if (result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN || result == -EBUSY) return;
  log_.error("io_uring_enter failed: {}; the reactor cannot go on", std::strerror(-result));
  std::abort();
}

void UringReactor::dispatch() {
  std::array<io_uring_cqe*, kDispatchBatch> batch;
  unsigned count = io_uring_peek_batch_cqe(&ring_, batch.data(), kDispatchBatch);
  for (unsigned i = 0; i < count && !stopping(); ++i) {
    std::uint64_t data = batch[i]->user_data;
    int result = batch[i]->res;
    io_uring_cq_advance(&ring_, 1);
    if (data == kWake) {
      wake_armed_ = false;
    } else if (data != kIgnored) {
      finish(*static_cast<Operation*>(std::bit_cast<void*>(data)), result);
    }
  }
}

void UringReactor::await_wake() {
  io_uring_sqe* sqe = entry();
  io_uring_prep_read(sqe, inbox().event_fd(), &wake_count_, sizeof(wake_count_), 0);
  io_uring_sqe_set_data64(sqe, kWake);
  wake_armed_ = true;
}

// Room for one submission: in the queue, or, when the kernel takes nothing now, in the backlog behind it.
io_uring_sqe* UringReactor::entry() {
  if (backlog_.empty()) {
    if (io_uring_sqe* sqe = io_uring_get_sqe(&ring_)) return sqe;
    if (entered_) {
      check(io_uring_submit(&ring_));
      if (io_uring_sqe* sqe = io_uring_get_sqe(&ring_)) return sqe;
    }
  }
  return &backlog_.emplace_back();
}

void UringReactor::refill() {
  while (!backlog_.empty()) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
      check(io_uring_submit(&ring_));
      sqe = io_uring_get_sqe(&ring_);
      if (sqe == nullptr) return;
    }
    *sqe = backlog_.front();
    backlog_.pop_front();
  }
}

void UringReactor::accept(Operation& op, int listener_fd) {
  started(op);
  io_uring_sqe* sqe = entry();
  io_uring_prep_accept(sqe, listener_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  io_uring_sqe_set_data(sqe, &op);
}

void UringReactor::connect(Operation& op, int fd, const sockaddr* address, socklen_t length) {
  started(op);
  io_uring_sqe* sqe = entry();
  io_uring_prep_connect(sqe, fd, address, length);
  io_uring_sqe_set_data(sqe, &op);
}

void UringReactor::receive(Operation& op, int fd, base::MutableBytes into) {
  started(op);
  io_uring_sqe* sqe = entry();
  io_uring_prep_recv(sqe, fd, into.data(), capped(into.size()), 0);
  io_uring_sqe_set_data(sqe, &op);
}

void UringReactor::send(Operation& op, int fd, const msghdr& message) {
  started(op);
  io_uring_sqe* sqe = entry();
  // One part and nothing else: the kernel then need not fetch the header and its parts.
  if (message.msg_iovlen == 1 && message.msg_name == nullptr && message.msg_controllen == 0) {
    io_uring_prep_send(sqe, fd, message.msg_iov->iov_base, capped(message.msg_iov->iov_len), MSG_NOSIGNAL);
  } else {
    io_uring_prep_sendmsg(sqe, fd, &message, MSG_NOSIGNAL);
  }
  io_uring_sqe_set_data(sqe, &op);
}

void UringReactor::poll(Operation& op, int fd, std::uint32_t events) {
  started(op);
  io_uring_sqe* sqe = entry();
  io_uring_prep_poll_add(sqe, fd, events);
  io_uring_sqe_set_data(sqe, &op);
}

void UringReactor::read(Operation& op, int fd, std::span<const iovec> into, std::uint64_t offset_bytes) {
  started(op);
  io_uring_sqe* sqe = entry();
  if (into.size() == 1) {
    io_uring_prep_read(sqe, fd, into[0].iov_base, capped(into[0].iov_len), offset_bytes);
  } else {
    io_uring_prep_readv(sqe, fd, into.data(), capped(into.size()), offset_bytes);
  }
  io_uring_sqe_set_data(sqe, &op);
}

void UringReactor::write(Operation& op, int fd, std::span<const iovec> from, std::uint64_t offset_bytes,
                         Durability durability) {
  started(op);
  io_uring_sqe* sqe = entry();
  if (from.size() == 1) {
    io_uring_prep_write(sqe, fd, from[0].iov_base, capped(from[0].iov_len), offset_bytes);
  } else {
    io_uring_prep_writev(sqe, fd, from.data(), capped(from.size()), offset_bytes);
  }
  sqe->rw_flags = durability == Durability::kData ? RWF_DSYNC : 0;
  io_uring_sqe_set_data(sqe, &op);
}

void UringReactor::sync(Operation& op, int fd) {
  started(op);
  io_uring_sqe* sqe = entry();
  io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
  io_uring_sqe_set_data(sqe, &op);
}

void UringReactor::allocate(Operation& op, int fd, int mode, std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  started(op);
  io_uring_sqe* sqe = entry();
  io_uring_prep_fallocate(sqe, fd, mode, static_cast<off_t>(offset_bytes), static_cast<off_t>(length_bytes));
  io_uring_sqe_set_data(sqe, &op);
}

// Queued behind the submission that it is about, so it cannot miss it, nor hit a later one.
void UringReactor::cancel(Operation& op) {
  if (!op.in_flight()) return;
  io_uring_sqe* sqe = entry();
  io_uring_prep_cancel(sqe, &op, 0);
  io_uring_sqe_set_data64(sqe, kIgnored);
}

}  // namespace uscst::io
