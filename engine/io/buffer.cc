#include "engine/io/buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#endif

namespace uscst::io {
namespace {

constexpr std::size_t kSlicesPerArena = BufferPool::kArenaBytes / BufferPool::kSliceBytes;

std::size_t slices_for(std::size_t length_bytes) {
  return length_bytes / BufferPool::kSliceBytes + (length_bytes % BufferPool::kSliceBytes != 0 ? 1 : 0);
}

}  // namespace

bool BufferBudget::take(std::uint64_t bytes) {
  std::uint64_t used = used_bytes_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_bytes_ || used > limit_bytes_ - bytes) return false;
  } while (!used_bytes_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return true;
}

Buffer::Buffer(Buffer&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      length_bytes_(std::exchange(other.length_bytes_, 0)),
      slices_(std::move(other.slices_)) {
  other.slices_.clear();
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  reset();
  pool_ = std::exchange(other.pool_, nullptr);
  length_bytes_ = std::exchange(other.length_bytes_, 0);
  slices_ = std::move(other.slices_);
  other.slices_.clear();
  return *this;
}

void Buffer::reset() {
  if (pool_ == nullptr) return;
  // Backwards, so that the next buffer gets them in the same, ascending order.
  for (std::size_t i = slices_.size(); i-- > 0;) pool_->give_back(slices_[i]);
  pool_->budget_.give_back(slices_.size() * BufferPool::kSliceBytes);
  slices_.clear();
  pool_ = nullptr;
  length_bytes_ = 0;
}

base::MutableBytes Buffer::slice(std::size_t index) const {
  assert(index < slices_.size());
  std::size_t before_bytes = index * BufferPool::kSliceBytes;
  return {slices_[index], std::min(BufferPool::kSliceBytes, length_bytes_ - before_bytes)};
}

void Buffer::append_parts(std::size_t offset_bytes, std::size_t length_bytes,
                          boost::container::small_vector_base<iovec>& out) const {
  if (offset_bytes >= length_bytes_) return;
  length_bytes = std::min(length_bytes, length_bytes_ - offset_bytes);
  std::size_t within = offset_bytes % BufferPool::kSliceBytes;
  for (std::size_t i = offset_bytes / BufferPool::kSliceBytes; length_bytes > 0; ++i, within = 0) {
    std::size_t part_bytes = std::min(length_bytes, BufferPool::kSliceBytes - within);
    out.push_back({slices_[i] + within, part_bytes});
    length_bytes -= part_bytes;
  }
}

std::size_t Buffer::copy_in(std::size_t offset_bytes, base::Bytes from) {
  boost::container::small_vector<iovec, 4> parts;
  append_parts(offset_bytes, from.size(), parts);
  std::size_t done = 0;
  for (const iovec& part : parts) {
    std::memcpy(part.iov_base, from.data() + done, part.iov_len);
    done += part.iov_len;
  }
  return done;
}

std::size_t Buffer::copy_out(std::size_t offset_bytes, base::MutableBytes into) const {
  boost::container::small_vector<iovec, 4> parts;
  append_parts(offset_bytes, into.size(), parts);
  std::size_t done = 0;
  for (const iovec& part : parts) {
    std::memcpy(into.data() + done, part.iov_base, part.iov_len);
    done += part.iov_len;
  }
  return done;
}

void Buffer::fill_zero() {
  for (std::size_t i = 0; i < slices_.size(); ++i) std::ranges::fill(slice(i), std::uint8_t{0});
}

BufferPool::~BufferPool() {
  assert(free_.size() == arenas_.size() * kSlicesPerArena);  // a Buffer outlived its pool
  for (void* arena : arenas_) {
    ASAN_UNPOISON_MEMORY_REGION(arena, kArenaBytes);
    ::munmap(arena, kArenaBytes);
  }
}

bool BufferPool::allocate(std::size_t length_bytes, Buffer& out) {
  out.reset();
  if (length_bytes == 0) return true;
  std::size_t count = slices_for(length_bytes);
  if (count > budget_.limit_bytes() / kSliceBytes || !budget_.take(count * kSliceBytes)) {
    ++misses_;
    return false;
  }
  const bool hit = count <= free_.size();
  ++(hit ? hits_ : misses_);
  while (free_.size() < count) {
    if (grow()) continue;
    budget_.give_back(count * kSliceBytes);
    return false;
  }
  out.slices_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    ASAN_UNPOISON_MEMORY_REGION(free_.back(), kSliceBytes);
    out.slices_.push_back(free_.back());
    free_.pop_back();
  }
  out.pool_ = this;
  out.length_bytes_ = length_bytes;
  record(length_bytes, count, hit);
  return true;
}

namespace {
// One thread writes: no locked instruction.
void add(std::atomic<std::uint64_t>& to, std::uint64_t number) {
  to.store(to.load(std::memory_order_relaxed) + number, std::memory_order_relaxed);
}
}  // namespace

BufferStatistics::Size& BufferStatistics::of(std::size_t length_bytes) {
  auto pages = (std::max<std::size_t>(length_bytes, 1) + kPageBytes - 1) / kPageBytes;
  return sizes[std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(pages - 1)), kSizes)];
}

void BufferStatistics::clear() {
  for (Size& size : sizes) size.hits = size.total = size.pages = size.parts = 0;
}

void BufferPool::record(std::size_t length_bytes, std::size_t slices, bool hit) {
  BufferStatistics::Size& size = statistics_.of(length_bytes);
  if (hit) add(size.hits, 1);
  add(size.total, 1);
  add(size.pages, (length_bytes + BufferStatistics::kPageBytes - 1) / BufferStatistics::kPageBytes);
  add(size.parts, slices);
  statistics_.free_slices.store(free_.size(), std::memory_order_relaxed);
}

bool BufferPool::grow() {
  void* arena = ::mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (arena == MAP_FAILED) return false;
  arenas_.push_back(arena);
  free_.reserve(arenas_.size() * kSlicesPerArena);
  // The free list is taken from its end: the lowest address last. New slices go under those in use lately.
  std::vector<std::uint8_t*> slices;
  for (std::size_t i = kSlicesPerArena; i-- > 0;) slices.push_back(static_cast<std::uint8_t*>(arena) + i * kSliceBytes);
  free_.insert(free_.begin(), slices.begin(), slices.end());
  ASAN_POISON_MEMORY_REGION(arena, kArenaBytes);
  statistics_.slices.store(arenas_.size() * kSlicesPerArena, std::memory_order_relaxed);
  return true;
}

void BufferPool::give_back(std::uint8_t* slice) {
  ASAN_POISON_MEMORY_REGION(slice, kSliceBytes);
  free_.push_back(slice);  // never reallocates: grow() has reserved
  statistics_.free_slices.store(free_.size(), std::memory_order_relaxed);
}

}  // namespace uscst::io
