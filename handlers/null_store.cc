#include "handlers/null_store.h"

#include <cstring>

namespace uscst::handlers {

void NullStore::read(StoreRequest& request, StoreContext, const Extent& extent) {
  boost::container::small_vector<iovec, 4> parts;
  extent.data->append_parts(extent.data_offset_bytes, extent.length_bytes, parts);
  for (const iovec& part : parts) std::memset(part.iov_base, 0, part.iov_len);
  request.complete(static_cast<std::int64_t>(extent.length_bytes));
}

void NullStore::write(StoreRequest& request, StoreContext, const Extent& extent, io::Durability) {
  request.complete(static_cast<std::int64_t>(extent.length_bytes));
}

void NullStore::flush(StoreRequest& request, StoreContext) { request.complete(0); }

void NullStore::unmap(StoreRequest& request, StoreContext, std::uint64_t, std::uint64_t) { request.complete(0); }

void NullStore::write_zeroes(StoreRequest& request, StoreContext, std::uint64_t, std::uint64_t) { request.complete(0); }

}  // namespace uscst::handlers
