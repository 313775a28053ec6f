// Memory of this side of a connection as its endpoint works on it: lists of pieces, and regions that the peer may
// reach. Part of an endpoint, on its reactor.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/fabric/fabric.h"

namespace uscst::fabric {

// Walks a list of pieces of memory. The list must stay until the walk has ended.
class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(std::span<const iovec> pieces) : pieces_(pieces) { skip_empty(); }

  bool at_end() const { return pieces_.empty(); }
  // The contiguous memory at the position, at most `limit` bytes.
  base::MutableBytes piece(std::size_t limit) const {
    if (at_end()) return {};
    const iovec& first = pieces_.front();
    return base::MutableBytes(static_cast<std::uint8_t*>(first.iov_base) + offset_,
                              std::min(limit, first.iov_len - offset_));
  }
  // `bytes` at most the size of piece().
  void advance(std::size_t bytes) {
    offset_ += bytes;
    skip_empty();
  }

 private:
  void skip_empty() {
    while (!pieces_.empty() && offset_ == pieces_.front().iov_len) {
      pieces_ = pieces_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const iovec> pieces_;
  std::size_t offset_ = 0;
};

// What makes the difference in the Terminate code of a refused access (RFC 5040 4.8).
enum class AccessFault { kNoSuchKey, kOutOfBounds, kWrap, kNotAllowed };

// The regions that the peer may read or write. A key is used again only after 255 other uses of its place.
class Exposures {
 public:
  RemoteBuffer add(base::MutableBytes memory, Access access) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(regions_.size()));
      regions_.emplace_back();
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    Region& region = regions_[place];
    region = {true, std::uint8_t(region.generation + 1), access, memory};
    const std::uint32_t key = (place + 1) << 8 | region.generation;
    return {base_address(key), key, static_cast<std::uint32_t>(memory.size())};
  }
  // False when there is no such key.
  bool remove(std::uint32_t key) {
    Region* region = find(key);
    if (region == nullptr) return false;
    region->used = false;
    free_.push_back((key >> 8) - 1);
    return true;
  }
  base::MutableBytes memory(std::uint32_t key) {
    const Region* region = find(key);
    return region != nullptr ? region->memory : base::MutableBytes{};
  }
  void clear() {
    free_.clear();
    for (std::size_t place = regions_.size(); place-- > 0;) {
      regions_[place].used = false;
      free_.push_back(static_cast<std::uint32_t>(place));
    }
  }
  // The memory that [address, address + length) names. `length` must not be 0.
  std::variant<base::MutableBytes, AccessFault> look_up(std::uint32_t key, std::uint64_t address, std::uint32_t length,
                                                        Access wanted) {
    const Region* region = find(key);
    if (region == nullptr) return AccessFault::kNoSuchKey;
    if (region->access != Access::kRemoteReadWrite && region->access != wanted) return AccessFault::kNotAllowed;
    if (address + length < address) return AccessFault::kWrap;
    const std::uint64_t first = base_address(key), size = region->memory.size();
    if (address < first || address - first > size || length > size - (address - first))
      return AccessFault::kOutOfBounds;
    return region->memory.subspan(address - first, length);
  }

 private:
  struct Region {
    bool used = false;
    std::uint8_t generation = 0;
    Access access = Access::kRemoteRead;
    base::MutableBytes memory;
  };
  // Addresses are this side's own invention, so that none of the process is shown.
  static std::uint64_t base_address(std::uint32_t key) { return std::uint64_t{key} << 32; }
  Region* find(std::uint32_t key) {
    const std::uint32_t place = (key >> 8) - 1;  // 0 wraps and is never found
    if (place >= regions_.size()) return nullptr;
    Region& region = regions_[place];
    return region.used && region.generation == (key & 0xFF) ? &region : nullptr;
  }

  std::vector<Region> regions_;
  std::vector<std::uint32_t> free_;  // places
};

}  // namespace uscst::fabric
