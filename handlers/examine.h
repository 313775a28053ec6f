// Looking at backing files and block devices, and opening them. All functions block: they run on the blocking pool.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/result.h"
#include "handlers/backing_store.h"
#include "handlers/vdisk/config.h"

namespace uscst::handlers {

// True for a path that must not be used: one below the daemon's own mount, which would wait for itself.
using ForbiddenPath = std::function<bool(const std::string& resolved_path)>;

struct Geometry {
  std::uint64_t size_bytes = 0;
  std::uint32_t physical_block_bytes = 4096;
  std::uint32_t optimal_io_bytes = 0;  // 0: not known
  bool can_unmap = false;
  DiscardLimits discard;
};

struct OpenedStore {
  Geometry geometry;
  std::shared_ptr<BackingStore> store;  // null where the medium cannot be opened now (EMEDIUMTYPE)
};

// Size in bytes of an open file or block device, or a negative errno.
std::int64_t size_of(int fd);

// Opens the disk's file with what its configuration asks for and finds out what it is. ENOENT, EACCES, ... of open(2);
// EINVAL for what is neither regular file nor block device, or a block size that the device cannot; ENOTBLK for a
// regular file behind vdisk_blockio; EBUSY for a block device in use.
base::Result<OpenedStore> open_store(const VdiskConfig& config, const ForbiddenPath& forbidden);
base::Result<Geometry> examine(const VdiskConfig& config, const ForbiddenPath& forbidden);

}  // namespace uscst::handlers
