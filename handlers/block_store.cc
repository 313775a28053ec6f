#include "handlers/block_store.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>

#include "handlers/examine.h"

namespace uscst::handlers {

void BlockStore::range_call(StoreRequest& request, StoreContext context, unsigned long call, std::uint64_t offset_bytes,
                            std::uint64_t length_bytes) {
  io::Operation& operation = begin(request, context);
  context.reactor->block(operation, [fd = fd(), call, range = std::array{offset_bytes, length_bytes}] {
    return ioctl(fd, call, range.data()) == 0 ? 0 : -errno;
  });
}

void BlockStore::unmap(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                       std::uint64_t length_bytes) {
  range_call(request, context, BLKDISCARD, offset_bytes, length_bytes);
}

void BlockStore::write_zeroes(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                              std::uint64_t length_bytes) {
  range_call(request, context, BLKZEROOUT, offset_bytes, length_bytes);
}

std::int64_t BlockStore::size_now() { return size_of(fd()); }

}  // namespace uscst::handlers
