// A store in memory for tests and simulations: contents, injected errors and delays, a record of what was asked. Runs
// on the executor's clock, so that a test decides when a request ends. One thread.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "handlers/backing_store.h"

namespace uscst::handlers {

enum class SimAction : std::uint8_t { kRead, kWrite, kWriteDurable, kFlush, kUnmap, kWriteZeroes };

class SimStore final : public BackingStore {
 public:
  struct Event {
    SimAction action;
    std::uint64_t offset_bytes = 0, length_bytes = 0;
    friend bool operator==(const Event&, const Event&) = default;
  };

  explicit SimStore(std::size_t size_bytes);
  ~SimStore() override;

  // Every request takes that long; 0 completes within the call.
  base::Duration delay{};
  // Asked before each request is carried out: 0, or the negative errno that it fails with.
  std::function<int(const Event&)> fault;

  const std::vector<Event>& events() const { return events_; }
  std::vector<std::uint8_t>& contents() { return contents_; }
  // What a power failure would leave.
  const std::vector<std::uint8_t>& stable() const { return stable_; }
  void lose_power() { contents_ = stable_; }

  void read(StoreRequest& request, StoreContext context, const Extent& extent) override;
  void write(StoreRequest& request, StoreContext context, const Extent& extent, io::Durability durability) override;
  void flush(StoreRequest& request, StoreContext context) override;
  void unmap(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
             std::uint64_t length_bytes) override;
  void write_zeroes(StoreRequest& request, StoreContext context, std::uint64_t offset_bytes,
                    std::uint64_t length_bytes) override;
  int flush_now() override;
  std::int64_t size_now() override { return static_cast<std::int64_t>(contents_.size()); }

 private:
  struct Pending;
  void begin(StoreRequest& request, StoreContext context, Event event, const Extent& extent);
  std::int64_t carry_out(const Event& event, const Extent& extent);

  std::vector<std::uint8_t> stable_, contents_;
  std::vector<Event> events_;
  std::list<std::unique_ptr<Pending>> pending_;
};

}  // namespace uscst::handlers
