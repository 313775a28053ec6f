// What stores on a file descriptor share: transfers that go on after a short result or EINTR, and flushing.
#pragma once

#include "handlers/backing_store.h"

namespace uscst::handlers {

class FdStore : public BackingStore {
 public:
  // Takes the descriptor.
  explicit FdStore(int fd);
  ~FdStore() override;

  void read(StoreRequest& request, StoreContext context, const Extent& extent) override;
  void write(StoreRequest& request, StoreContext context, const Extent& extent, io::Durability durability) override;
  void flush(StoreRequest& request, StoreContext context) override;
  int flush_now() override;

 protected:
  int fd() const { return fd_; }
  // For operations that end with their first result.
  io::Operation& begin(StoreRequest& request, StoreContext context);

 private:
  friend class StoreRequest;
  // Vectors of one system call: below IOV_MAX, and below what fits its int result.
  static constexpr std::size_t kMaximumCallBytes = 16u << 20;

  void begin_transfer(StoreRequest& request, StoreContext context, const Extent& extent);
  void transfer_rest(StoreRequest& request);
  void transferred(StoreRequest& request, int result);

  // Files in memory (tmpfs) know no attempt without waiting, so that io_uring would hand every call to a thread; but
  // there is nothing to wait for either. Longer calls would keep the reactor from its other work.
  static constexpr std::size_t kMaximumDirectBytes = 256u << 10;

  const int fd_;
  const bool in_memory_;
};

}  // namespace uscst::handlers
