// A regular file (or a block device through the page cache): vdisk_fileio.
#pragma once

#include "handlers/fd_store.h"

namespace uscst::handlers {

class FileStore final : public FdStore {
 public:
  using FdStore::FdStore;
  void unmap(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
             std::uint64_t length_bytes) override;
  void write_zeroes(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                    std::uint64_t length_bytes) override;
  std::int64_t size_now() override;
};

}  // namespace uscst::handlers
