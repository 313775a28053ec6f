#include "engine/target/device.h"

#include <algorithm>

#include "engine/target/alua_view.h"
#include "engine/target/handler.h"
#include "engine/target/nexus.h"

namespace uscst::target {
Device::Device(std::string name, std::uint64_t id, Handler* handler, std::unique_ptr<LogicalUnit> unit)
    : has_handler(handler != nullptr), name_(std::move(name)), id_(id), handler_(handler), unit_(std::move(unit)) {}

Device::~Device() = default;

void Device::set_handler(Handler* handler) {
  handler_ = handler;
  threads_num = handler ? handler->default_threads_num() : -1;
  threads_shared = false;
  maximum_commands = handler ? kDefaultMaximumCommands : 0;
  has_handler = handler != nullptr;
}

bool Device::reserve(std::uint64_t nexus_id) {
  std::uint64_t holder = 0;
  return reservation_holder.compare_exchange_strong(holder, nexus_id, std::memory_order_acq_rel) || holder == nexus_id;
}

void Device::release(std::uint64_t nexus_id) {
  reservation_holder.compare_exchange_strong(nexus_id, 0, std::memory_order_acq_rel);
}

void Device::raise_for_all(const scsi::Sense& unit_attention, std::uint64_t except_nexus_id) {
  for_each_nexus([&](NexusLun& nexus_lun) {
    if (nexus_lun.nexus_id() != except_nexus_id) nexus_lun.raise(unit_attention);
  });
}

void Device::for_each_nexus(const std::function<void(NexusLun&)>& visit) {
  std::lock_guard lock(mutex_);
  for (NexusLun* nexus_lun : nexuses_) visit(*nexus_lun);
}

std::shared_ptr<const AluaView> Device::alua() const {
  std::lock_guard lock(mutex_);
  return alua_;
}

void Device::set_alua(std::shared_ptr<const AluaView> view) {
  std::lock_guard lock(mutex_);
  alua_.swap(view);
}

void Device::enter(NexusLun& nexus_lun) {
  std::lock_guard lock(mutex_);
  nexuses_.push_back(&nexus_lun);
}

// The reservation of a nexus ends with it (SPC-2 5.5.1), unless it sees the device under another number still.
void Device::leave(NexusLun& nexus_lun) {
  std::lock_guard lock(mutex_);
  std::erase(nexuses_, &nexus_lun);
  bool last = std::none_of(nexuses_.begin(), nexuses_.end(),
                           [&](const NexusLun* other) { return other->nexus_id() == nexus_lun.nexus_id(); });
  if (last) release(nexus_lun.nexus_id());
}

void Device::add_export(AccessGroup& group, std::uint16_t lun) { exports_.push_back({next_export_++, &group, lun}); }

void Device::remove_export(AccessGroup& group, std::uint16_t lun) {
  std::erase_if(exports_, [&](const Export& e) { return e.group == &group && e.lun == lun; });
}

int Device::take_thread_index() {
  int index = 0;
  while (thread_indexes_.contains(index)) ++index;
  thread_indexes_.insert(index);
  return index;
}

}  // namespace uscst::target
