#include "engine/io/file_calls.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace uscst::io {
namespace {

template <class CallIt>
int retried(CallIt call_it) {
  for (;;) {
    auto result = call_it();
    if (result >= 0) return static_cast<int>(result);
    if (errno != EINTR) return -errno;
  }
}

}  // namespace

int read_file(int fd, std::span<const iovec> into, std::uint64_t offset_bytes) {
  return retried(
      [&] { return ::preadv(fd, into.data(), static_cast<int>(into.size()), static_cast<off_t>(offset_bytes)); });
}

int write_file(int fd, std::span<const iovec> from, std::uint64_t offset_bytes, Durability durability) {
  int flags = durability == Durability::kData ? RWF_DSYNC : 0;
  return retried([&] {
    return ::pwritev2(fd, from.data(), static_cast<int>(from.size()), static_cast<off_t>(offset_bytes), flags);
  });
}

int sync_file(int fd) {
  return retried([&] { return ::fdatasync(fd); });
}

int allocate_file(int fd, int mode, std::uint64_t offset_bytes, std::uint64_t length_bytes) {
  return retried(
      [&] { return ::fallocate(fd, mode, static_cast<off_t>(offset_bytes), static_cast<off_t>(length_bytes)); });
}

}  // namespace uscst::io
