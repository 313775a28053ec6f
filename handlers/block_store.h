// A block device, opened exclusively and past the page cache: vdisk_blockio.
#pragma once

#include "handlers/fd_store.h"

namespace uscst::handlers {

class BlockStore final : public FdStore {
 public:
  using FdStore::FdStore;
  void unmap(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
             std::uint64_t length_bytes) override;
  void write_zeroes(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                    std::uint64_t length_bytes) override;
  std::int64_t size_now() override;

 private:
  void range_call(StoreRequest& request, StoreContext context, unsigned long call, std::uint64_t offset_bytes,
                  std::uint64_t length_bytes);
};

}  // namespace uscst::handlers
