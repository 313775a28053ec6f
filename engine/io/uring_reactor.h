// The reactor on io_uring: one ring, entered once a turn to submit what the turn has prepared and to wait. Linux 6.1 or
// later; older rings work where they have the features asked for. See reactor.h for threads and ownership.
#pragma once

#include <liburing.h>

#include <deque>

#include "engine/io/event_loop.h"

namespace uscst::io {

class UringReactor final : public EventLoop {
 public:
  static constexpr unsigned kSubmissionEntries = 1024;
  static constexpr unsigned kCompletionEntries = 8192;
  static constexpr unsigned kDispatchBatch = 64;

  // Fails with the errno of io_uring_setup(2) or eventfd(2); EOPNOTSUPP when the ring lacks what we need.
  static base::Result<std::unique_ptr<Reactor>> create(BlockingPool& pool, base::Log& log);
  ~UringReactor() override;

  void accept(Operation& op, int listener_fd) override;
  void connect(Operation& op, int fd, const sockaddr* address, socklen_t length) override;
  void receive(Operation& op, int fd, base::MutableBytes into) override;
  void send(Operation& op, int fd, const msghdr& message) override;
  void poll(Operation& op, int fd, std::uint32_t events) override;
  void read(Operation& op, int fd, std::span<const iovec> into, std::uint64_t offset_bytes) override;
  void write(Operation& op, int fd, std::span<const iovec> from, std::uint64_t offset_bytes, Durability) override;
  void sync(Operation& op, int fd) override;
  void allocate(Operation& op, int fd, int mode, std::uint64_t offset_bytes, std::uint64_t length_bytes) override;
  void cancel(Operation& op) override;

 private:
  UringReactor(int event_fd, const io_uring& ring, BlockingPool& pool, base::Log& log);

  void enter() override;
  void collect(std::optional<Sleep> sleep) override;
  void dispatch() override;

  io_uring_sqe* entry();
  io_uring_sqe* entry_for(Operation& op, io_uring_sqe* sqe);
  void refill();
  void await_wake();
  void submit_now();
  void check(int result);

  io_uring ring_;
  base::Log& log_;
  bool entered_ = false;
  bool wake_armed_ = false;
  std::uint64_t wake_count_ = 0;      // where the eventfd is read into
  std::deque<io_uring_sqe> backlog_;  // what the submission queue had no room for
};

}  // namespace uscst::io
