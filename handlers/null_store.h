// A store that keeps nothing: vdisk_nullio. Completes within the call.
#pragma once

#include "handlers/backing_store.h"

namespace uscst::handlers {

class NullStore final : public BackingStore {
 public:
  // SCST leaves what was in the buffer before, which may be another initiator's data; here every read gives zeroes.
  void read(StoreRequest& request, StoreContext context, const Extent& extent) override;
  void write(StoreRequest& request, StoreContext context, const Extent& extent, io::Durability durability) override;
  void flush(StoreRequest& request, StoreContext context) override;
  void unmap(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
             std::uint64_t length_bytes) override;
  void write_zeroes(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                    std::uint64_t length_bytes) override;
  int flush_now() override { return 0; }
  std::int64_t size_now() override { return 0; }
};

}  // namespace uscst::handlers
