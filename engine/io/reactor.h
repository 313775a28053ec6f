// The real executor: one thread, one event loop, and the operations on sockets and files that it carries out
// asynchronously. UringReactor is used where io_uring is permitted, EpollReactor (with the blocking pool for files)
// elsewhere; make_reactor() chooses and says so in the log. The simulated kind is SimExecutor (sim_executor.h).
//
// Until run() is called the creating thread is the own thread: it may arm timers, defer and submit operations, which
// begin with run(). From then on the thread in run() is, for good.
//
// Shutting down: owners cancel what they have in flight and wait for it to complete (operations_in_flight() tells),
// then stop() the loop and destroy the reactor. Destroying it with operations in flight is a bug and aborts.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cassert>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/base/bytes.h"
#include "engine/base/log.h"
#include "engine/base/result.h"
#include "engine/io/executor.h"

namespace uscst::io {

class BlockingPool;

// One operation in flight. Owned by the caller, who keeps it and everything that the submission names (memory, iovecs,
// msghdr, address; the descriptor stays open) until it has completed; it may be submitted again from within its own
// completion. Completes exactly once per submission, on the reactor's thread, never from within the submitting call,
// with a result >= 0 (bytes, file descriptor, event mask) or a negative errno.
class Operation : public AutoUnlinkList {
 public:
  explicit Operation(Call<int> done) : done_(done) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { assert(!in_flight_); }
  bool in_flight() const { return in_flight_; }

 private:
  friend class ReactorAccess;  // the kinds of reactor
  Call<int> done_;
  bool in_flight_ = false;
  // What the kinds other than io_uring have to remember until the descriptor is ready or the call is made.
  struct Pending {
    int kind = 0, fd = -1, result = 0;
    std::uint32_t flags = 0;
    void* into = nullptr;
    const void* from = nullptr;
    std::uint64_t size = 0, offset = 0;
    bool waiting = false;
  } pending_;
};

enum class Durability { kVolatile, kData };  // kData: the write returns when it is on stable storage (RWF_DSYNC)

class Reactor : public Executor {
 public:
  // --- any thread
  virtual void stop() = 0;  // run() returns after the current event; a stop before run() counts
  // --- the thread that calls run(); may be called again from the same thread after it has returned
  virtual void run() = 0;
  virtual std::size_t operations_in_flight() const = 0;

  // --- sockets (non-blocking descriptors); own thread
  // Result: the new descriptor, non-blocking and close-on-exec.
  virtual void accept(Operation& op, int listener_fd) = 0;
  virtual void connect(Operation& op, int fd, const sockaddr* address, socklen_t length) = 0;
  virtual void receive(Operation& op, int fd, base::MutableBytes into) = 0;  // 0 at end of stream
  virtual void send(Operation& op, int fd, const msghdr& message) = 0;       // may send less; MSG_NOSIGNAL is set
  virtual void poll(Operation& op, int fd, std::uint32_t events) = 0;        // once; POLLIN, POLLOUT, ...

  // --- files and block devices; own thread. At most IOV_MAX (1024) parts; may do less than asked.
  virtual void read(Operation& op, int fd, std::span<const iovec> into, std::uint64_t offset_bytes) = 0;
  virtual void write(Operation& op, int fd, std::span<const iovec> from, std::uint64_t offset_bytes, Durability) = 0;
  virtual void sync(Operation& op, int fd) = 0;  // fdatasync(2)
  virtual void allocate(Operation& op, int fd, int mode, std::uint64_t offset_bytes,
                        std::uint64_t length_bytes) = 0;  // fallocate(2)
  // Runs `call` on the blocking pool; its return value (>= 0 or a negative errno) is the result.
  virtual void block(Operation& op, std::move_only_function<int()> call) = 0;

  // Asks for an early end: the operation still completes, with its result or -ECANCELED. What is not in flight is left
  // alone; a call that a pool thread runs already, or is queued to run, is not cut short.
  virtual void cancel(Operation& op) = 0;
};

enum class ReactorKind { kAutomatic, kUring, kEpoll };

// The pool and the log must outlive the reactor. Fails with the errno of io_uring_setup(2) when kUring is asked for and
// refused.
base::Result<std::unique_ptr<Reactor>> make_reactor(ReactorKind kind, BlockingPool& pool, base::Log& log);

}  // namespace uscst::io
