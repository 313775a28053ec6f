#include "handlers/sim_store.h"

#include <algorithm>
#include <cerrno>

namespace uscst::handlers {

struct SimStore::Pending {
  Pending(SimStore& owner, StoreRequest& asked, Event what, const Extent& where)
      : store(owner), request(asked), event(what), extent(where) {}
  void fire() {
    // Taken off first: the completion may make the next request, or let the store go.
    auto keep = store.shared_from_this();
    std::int64_t result = store.carry_out(event, extent);
    StoreRequest& ended = request;
    std::erase_if(store.pending_, [this](const auto& p) { return p.get() == this; });
    ended.complete(result);
  }
  SimStore& store;
  StoreRequest& request;
  Event event;
  Extent extent;
  io::Timer timer{io::Call<>::to<&Pending::fire>(this)};
};

SimStore::SimStore(std::size_t size_bytes) : stable_(size_bytes), contents_(size_bytes) {}
SimStore::~SimStore() = default;

void SimStore::begin(StoreRequest& request, StoreContext context, Event event, const Extent& extent) {
  events_.push_back(event);
  if (delay == base::Duration{}) return request.complete(carry_out(event, extent));
  pending_.push_back(std::make_unique<Pending>(*this, request, event, extent));
  context.executor.arm_after(pending_.back()->timer, delay);
}

std::int64_t SimStore::carry_out(const Event& event, const Extent& extent) {
  if (fault) {
    if (int error = fault(event); error != 0) return error;
  }
  if (event.offset_bytes + event.length_bytes > contents_.size()) return -EIO;
  auto begin = contents_.begin() + static_cast<std::ptrdiff_t>(event.offset_bytes);
  auto end = begin + static_cast<std::ptrdiff_t>(event.length_bytes);
  switch (event.action) {
    case SimAction::kRead:
      return static_cast<std::int64_t>(extent.data->copy_in(extent.data_offset_bytes, {begin, end}));
    case SimAction::kWrite:
    case SimAction::kWriteDurable: {
      auto copied = static_cast<std::int64_t>(extent.data->copy_out(extent.data_offset_bytes, {begin, end}));
      if (event.action == SimAction::kWriteDurable)
        std::copy(begin, end, stable_.begin() + static_cast<std::ptrdiff_t>(event.offset_bytes));
      return copied;
    }
    case SimAction::kFlush: stable_ = contents_; return 0;
    case SimAction::kUnmap:
    case SimAction::kWriteZeroes: std::fill(begin, end, std::uint8_t{0}); return 0;
  }
  return -EINVAL;
}

void SimStore::read(StoreRequest& request, StoreContext context, const Extent& extent) {
  begin(request, context, {SimAction::kRead, extent.offset_bytes, extent.length_bytes}, extent);
}

void SimStore::write(StoreRequest& request, StoreContext context, const Extent& extent, io::Durability durability) {
  auto action = durability == io::Durability::kData ? SimAction::kWriteDurable : SimAction::kWrite;
  begin(request, context, {action, extent.offset_bytes, extent.length_bytes}, extent);
}

void SimStore::flush(StoreRequest& request, StoreContext context) { begin(request, context, {SimAction::kFlush}, {}); }

void SimStore::unmap(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                     std::uint64_t length_bytes) {
  begin(request, context, {SimAction::kUnmap, offset_bytes, length_bytes}, {});
}

void SimStore::write_zeroes(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                            std::uint64_t length_bytes) {
  begin(request, context, {SimAction::kWriteZeroes, offset_bytes, length_bytes}, {});
}

int SimStore::flush_now() { return static_cast<int>(carry_out({SimAction::kFlush}, {})); }

}  // namespace uscst::handlers
