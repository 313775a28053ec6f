// Where a disk keeps its blocks: the seam between the SBC disk, written once, and files, block devices, nothing at all
// or a simulation. A store is made open and closes when it is destroyed; its device owns it and replaces it only while
// no command runs. Requests are made on any reactor and complete on it.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <memory>

#include "engine/io/buffer.h"
#include "engine/io/executor.h"
#include "engine/io/reactor.h"

namespace uscst::handlers {

class BackingStore;

// Where a request is carried out: the shard of the command that makes it. `reactor` is null on a simulated executor.
struct StoreContext {
  io::Executor& executor;
  io::Reactor* reactor = nullptr;
};

// A part of a buffer and the place on the store that it goes to or comes from.
struct Extent {
  io::Buffer* data = nullptr;
  std::size_t data_offset_bytes = 0;
  std::size_t length_bytes = 0;
  std::uint64_t offset_bytes = 0;
};

// One request under way. Owned by the caller, who keeps it, the buffer and the store until it has completed; it may be
// used again from within its own completion. Completes once for each use, perhaps from within the call that made it,
// with the bytes moved (all that were asked for) or a negative errno.
class StoreRequest {
 public:
  explicit StoreRequest(io::Call<std::int64_t> done) : done_(done) {}
  StoreRequest(const StoreRequest&) = delete;
  StoreRequest& operator=(const StoreRequest&) = delete;
  void complete(std::int64_t result) { done_(result); }

 private:
  friend class FdStore;
  void operation_ended(int result);

  io::Call<std::int64_t> done_;
  io::Operation operation_{io::Call<int>::to<&StoreRequest::operation_ended>(this)};
  // What an FdStore has to remember to go on after a short transfer.
  class FdStore* store_ = nullptr;
  io::Reactor* reactor_ = nullptr;
  Extent extent_;
  std::size_t moved_bytes_ = 0;
  enum class Kind : std::uint8_t { kRead, kWrite, kOther } kind_ = Kind::kOther;
  io::Durability durability_ = io::Durability::kVolatile;
  boost::container::small_vector<iovec, 4> parts_;
};

// What unmapping costs and can: the thin part of VPD page B0 (SBC-4 6.6.4).
struct DiscardLimits {
  std::uint64_t max_bytes = 0;
  std::uint32_t granularity_bytes = 0;
  std::uint32_t alignment_bytes = 0;
};

class BackingStore : public std::enable_shared_from_this<BackingStore> {
 public:
  virtual ~BackingStore() = default;

  // --- the reactor of the context
  virtual void read(StoreRequest& request, StoreContext context, const Extent& extent) = 0;
  virtual void write(StoreRequest& request, StoreContext context, const Extent& extent, io::Durability durability) = 0;
  // Everything written before is on stable storage when it completes.
  virtual void flush(StoreRequest& request, StoreContext context) = 0;
  // Both: -EOPNOTSUPP where the store cannot. Unmapped bytes may read as anything written before or zeroes.
  virtual void unmap(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                     std::uint64_t length_bytes) = 0;
  virtual void write_zeroes(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                            std::uint64_t length_bytes) = 0;

  // --- any thread that may block: flush and the size now, or a negative errno
  virtual int flush_now() = 0;
  virtual std::int64_t size_now() = 0;
};

}  // namespace uscst::handlers
