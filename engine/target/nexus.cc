#include "engine/target/nexus.h"

#include <algorithm>

#include "engine/target/device.h"

namespace uscst::target {

std::shared_ptr<NexusLun> Nexus::at(std::uint16_t lun, const std::shared_ptr<Device>& device) {
  const std::pair key{lun, device->id()};
  auto found = luns_.find(key);
  if (found != luns_.end()) {
    if (auto known = found->second.lock()) return known;
  }
  if (luns_.size() >= sweep_at_) {
    std::erase_if(luns_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = 2 * luns_.size() + 16;
  }
  auto made = std::make_shared<NexusLun>(id_, lun, device);
  luns_[key] = made;
  return made;
}

// SAM-5 6.3: a nexus starts with POWER ON, RESET, OR BUS DEVICE RESET OCCURRED.
NexusLun::NexusLun(std::uint64_t nexus_id, std::uint16_t lun, std::shared_ptr<Device> device)
    : nexus_id_(nexus_id), lun_(lun), device_(std::move(device)) {
  raise(scsi::kUaReset);
  device_->enter(*this);
}

NexusLun::~NexusLun() { device_->leave(*this); }

void NexusLun::raise(const scsi::Sense& unit_attention) {
  std::lock_guard lock(mutex_);
  if (std::find(attentions_.begin(), attentions_.end(), unit_attention) != attentions_.end()) return;
  attentions_.push_back(unit_attention);
  attention_.store(true, std::memory_order_release);
}

void NexusLun::raise_first(const scsi::Sense& unit_attention) {
  std::lock_guard lock(mutex_);
  std::erase(attentions_, unit_attention);
  attentions_.push_front(unit_attention);
  attention_.store(true, std::memory_order_release);
}

std::optional<scsi::Sense> NexusLun::take_attention() {
  std::lock_guard lock(mutex_);
  if (attentions_.empty()) return std::nullopt;
  scsi::Sense first = attentions_.front();
  attentions_.pop_front();
  attention_.store(!attentions_.empty(), std::memory_order_release);
  return first;
}

void NexusLun::drop_attention(const scsi::Sense& unit_attention) {
  if (!has_attention()) return;
  std::lock_guard lock(mutex_);
  std::erase(attentions_, unit_attention);
  attention_.store(!attentions_.empty(), std::memory_order_release);
}

}  // namespace uscst::target
