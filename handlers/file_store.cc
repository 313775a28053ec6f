#include "handlers/file_store.h"

#include <fcntl.h>
#include <linux/falloc.h>

#include "handlers/examine.h"

namespace uscst::handlers {

void FileStore::unmap(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                      std::uint64_t length_bytes) {
  io::Operation& operation = begin(request, context);
  context.reactor->allocate(operation, fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset_bytes, length_bytes);
}

void FileStore::write_zeroes(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                             std::uint64_t length_bytes) {
  io::Operation& operation = begin(request, context);
  context.reactor->allocate(operation, fd(), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset_bytes, length_bytes);
}

std::int64_t FileStore::size_now() { return size_of(fd()); }

}  // namespace uscst::handlers
