// The reactor where io_uring is not permitted: socket calls are tried at once and again when epoll(7) reports the
// descriptor ready; file calls run on the blocking pool. See reactor.h for threads and ownership.
#pragma once

#include <unordered_map>

#include "engine/io/event_loop.h"

namespace uscst::io {

class EpollReactor final : public EventLoop {
 public:
  static constexpr int kEventBatch = 64;

  // Fails with the errno of epoll_create1(2) or eventfd(2).
  static base::Result<std::unique_ptr<Reactor>> create(BlockingPool& pool);
  ~EpollReactor() override;

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
  enum Kind : int { kAccept, kConnect, kConnecting, kReceive, kSend, kPoll, kRead, kWrite, kSync, kAllocate };
  using List = bi::list<Operation, bi::base_hook<AutoUnlinkList>, bi::constant_time_size<false>>;
  // Never erased: descriptors are small numbers that come back.
  struct Descriptor {
    List waiting;
    bool known = false;  // to epoll, as far as we know: closing it makes the kernel forget
  };

  EpollReactor(int epoll_fd, int event_fd, BlockingPool& pool);

  void enter() override {}
  void collect(std::optional<Sleep> sleep) override;
  void dispatch() override;

  Pending& prepare(Operation& op, Kind kind, int fd);
  void begin_socket_call(Operation& op);
  void begin_file_call(Operation& op);
  void complete_later(Operation& op, int result);
  void descriptor_ready(int fd, std::uint32_t events);
  int watch(int fd, Descriptor& descriptor);
  static int attempt(Pending& call);
  static int attempt_poll(int fd, std::uint32_t events);
  static int finish_connect(int fd);
  static int make_file_call(const Pending& call);

  const int epoll_fd_;
  std::unordered_map<int, Descriptor> descriptors_;
  List ready_;  // completed, not yet reported
};

}  // namespace uscst::io
