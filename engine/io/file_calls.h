// The file operations of a reactor as plain blocking calls, for the kinds without io_uring. Any thread.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>

#include "engine/io/reactor.h"

namespace uscst::io {

// Bytes done or a negative errno; interrupted calls are made again.
int read_file(int fd, std::span<const iovec> into, std::uint64_t offset_bytes);
int write_file(int fd, std::span<const iovec> from, std::uint64_t offset_bytes, Durability durability);
int sync_file(int fd);
int allocate_file(int fd, int mode, std::uint64_t offset_bytes, std::uint64_t length_bytes);

}  // namespace uscst::io
