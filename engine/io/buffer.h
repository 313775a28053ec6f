// Data buffers of commands: lists of slices out of a reactor's pool, with one bound over all reactors
// (scst_max_cmd_mem).
#pragma once

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "engine/base/bytes.h"

namespace uscst::io {

// The bound on memory for data, shared by all pools. Any thread.
class BufferBudget {
 public:
  explicit BufferBudget(std::uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}
  bool take(std::uint64_t bytes);  // false when it would go beyond the limit
  // Sequentially consistent: who gives back may look next whether somebody waits.
  void give_back(std::uint64_t bytes) { used_bytes_.fetch_sub(bytes, std::memory_order_seq_cst); }
  std::uint64_t limit_bytes() const { return limit_bytes_; }
  std::uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

 private:
  const std::uint64_t limit_bytes_;
  std::atomic<std::uint64_t> used_bytes_{0};
};

// What a pool has done, as SCST's sgv statistics tell it. Written by the pool's thread, read and set to 0 anywhere.
struct BufferStatistics {
  // 4 KiB, 8 KiB, ... 4 MiB, and what is larger.
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr unsigned kSizes = 11;
  struct Size {
    std::atomic<std::uint64_t> hits{0}, total{0};   // allocations; hits needed no new memory
    std::atomic<std::uint64_t> pages{0}, parts{0};  // of 4 KiB, and the contiguous parts they lay in
  };
  std::array<Size, kSizes + 1> sizes;
  std::atomic<std::uint64_t> slices{0}, free_slices{0};  // not to be set to 0

  Size& of(std::size_t length_bytes);
  void clear();  // the counters
};

class BufferPool;

// Memory of one command, length_bytes() long, in slices of at most BufferPool::kSliceBytes, each page-aligned. Movable;
// gives its slices back when destroyed. Lives on its pool's thread. What it holds at first is what its memory held
// last, maybe another initiator's data: fill it before it goes out.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { reset(); }
  void reset();

  bool empty() const { return length_bytes_ == 0; }
  std::size_t length_bytes() const { return length_bytes_; }
  std::size_t slice_count() const { return slices_.size(); }
  base::MutableBytes slice(std::size_t index) const;
  // Appends the parts that hold [offset, offset + length) to `out`; what lies beyond the buffer is left out.
  void append_parts(std::size_t offset_bytes, std::size_t length_bytes,
                    boost::container::small_vector_base<iovec>& out) const;
  // Copies between the buffer at `offset` and contiguous memory; returns the bytes copied (cut at the buffer's end).
  std::size_t copy_in(std::size_t offset_bytes, base::Bytes from);
  std::size_t copy_out(std::size_t offset_bytes, base::MutableBytes into) const;
  void fill_zero();

 private:
  friend class BufferPool;
  BufferPool* pool_ = nullptr;
  std::size_t length_bytes_ = 0;
  boost::container::small_vector<std::uint8_t*, 2> slices_;
};

// One reactor's slices, cut from arenas that are mapped as needed and kept until the end (so that a fabric may register
// them). Owned by main() beside the reactor, outlives every Buffer. Own thread only; the budget is shared and counts
// whole slices in use.
class BufferPool {
 public:
  static constexpr std::size_t kSliceBytes = std::size_t{64} * 1024;
  static constexpr std::size_t kArenaBytes = std::size_t{2} * 1024 * 1024;

  explicit BufferPool(BufferBudget& budget) : budget_(budget) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // A buffer of `length_bytes`, or false when the budget or the machine's memory does not allow it now.
  bool allocate(std::size_t length_bytes, Buffer& out);
  // Any thread.
  BufferStatistics& statistics() { return statistics_; }
  // Allocations served from free slices, and those that had to map memory or failed.
  std::uint64_t hits() const { return hits_; }
  std::uint64_t misses() const { return misses_; }

 private:
  friend class Buffer;
  bool grow();
  void give_back(std::uint8_t* slice);
  void record(std::size_t length_bytes, std::size_t slices, bool hit);

  BufferBudget& budget_;
  std::vector<std::uint8_t*> free_;
  std::vector<void*> arenas_;
  std::uint64_t hits_ = 0, misses_ = 0;
  BufferStatistics statistics_;
};

}  // namespace uscst::io
