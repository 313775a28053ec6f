#include "engine/copy_manager/driver.h"

#include <fmt/format.h>

#include "engine/base/numbers.h"
#include "engine/scsi/lun.h"

namespace uscst::copy_manager {
namespace {

using target::Device;
using target::Done;

constexpr std::uint16_t kAllocationLengthBytes = 4096;
constexpr int kAttempts = 5;

// INQUIRY for the Device Identification VPD page (SPC-5 6.7, 7.7.6).
std::vector<std::uint8_t> device_identification_cdb() {
  return {0x12, 0x01, 0x83, kAllocationLengthBytes >> 8, kAllocationLengthBytes & 0xFF, 0};
}

constexpr target::Attribute<target::Driver> kRows[] = {
    {.name = "allow_not_connected_copy",
     .mode = 0644,
     .key = target::KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = [](const target::Driver& driver) -> base::Result<std::string> {
       return static_cast<const Driver&>(driver).allow_not_connected_copy ? "1" : "0";
     },
     .store = [](target::Driver& driver, std::string_view text) -> base::Status {
       auto number = base::parse_unsigned(text);
       if (!number) return std::unexpected(number.error());
       static_cast<Driver&>(driver).allow_not_connected_copy = *number != 0;
       return {};
     }},
};

}  // namespace

Driver::Driver(target::Registry& registry, target::Shard& shard, bool assigns_automatically)
    : registry_(registry),
      assigns_automatically_(assigns_automatically),
      target_(add_target(registry, std::string(kTargetName))),
      session_(std::make_shared<target::LocalSession>(shard)) {
  session_->open(target_, std::string(kSessionName), target::LocalSession::make_own_nexus(target_), [this] {
    if (stopped_) std::exchange(stopped_, nullptr)();
  });
  registry.add_driver(*this);
  registry.set_device_watcher(this);
}

std::span<const target::Attribute<target::Driver>> Driver::attributes() const { return kRows; }

target::ProtectionSupport Driver::protection_support() const { return {.supported = true, .target_types = 0b1110}; }

base::Status Driver::check_lun(const Device& device, bool read_only) const {
  if (!read_only && !device.unit().read_only()) return {};
  return base::fail(EINVAL, fmt::format("copy_manager: device {} is read-only, which cannot be mapped", device.name()));
}

std::optional<std::uint16_t> Driver::free_lun() {
  constexpr unsigned kLuns = scsi::kMaxLun + 1;
  const auto& luns = target_.default_group().luns;
  for (unsigned looked_at = 0; looked_at < kLuns; ++looked_at) {
    const std::uint16_t lun = next_lun_;
    next_lun_ = static_cast<std::uint16_t>((next_lun_ + 1) % kLuns);
    if (!luns.contains(lun)) return lun;
  }
  return std::nullopt;
}

void Driver::device_added(const std::shared_ptr<Device>& device, Done done) {
  if (!assigns_automatically_ || !session_->is_open()) return done({});
  auto lun = free_lun();
  if (!lun) {
    registry_.log().warning("copy_manager: no LUN is free for device {}", device->name());
    return done({});
  }
  registry_.add_free_lun(target_.default_group(), device, *lun, false, std::move(done));
}

// The operation is answered when the device has told its identification, so that who looks at the counters sees it
// there; but not where commands are held back, maybe for long.
void Driver::lun_added(target::AccessGroup& group, std::uint16_t lun, Done done) {
  const Device& device = *group.luns.at(lun).device;
  if (registry_.shards().suspend_gate.closed() || device.gate.closed()) {
    identify(lun, kAttempts, [] {});
    return done({});
  }
  identify(lun, kAttempts, [done = std::move(done)]() mutable { done({}); });
}

void Driver::identity_changed(Device& device) {
  for (const Device::Export& exported : device.exports()) {
    if (exported.group == &target_.default_group()) identify(exported.lun, kAttempts, [] {});
  }
}

void Driver::identify(std::uint16_t lun, int attempts, io::Job done) {
  auto mapped = target_.default_group().luns.find(lun);
  if (mapped == target_.default_group().luns.end()) return done();
  target::LocalSession::Ask ask{.cdb = device_identification_cdb(),
                                .lun = scsi::encode_lun(lun, scsi::LunAddressing::kFlat),
                                .data_in_length_bytes = kAllocationLengthBytes,
                                .own = true};
  auto answered = [this, lun, attempts, id = mapped->second.device->id(),
                   done = std::move(done)](target::LocalSession::Answer answer) mutable {
    const bool good = answer.responded && answer.status == scsi::Status::kGood;
    if (good) {
      identifications_[lun] = {id, std::move(answer.data_in)};
    } else if (attempts > 1 && session_->is_open()) {  // aborted by somebody's reset, or the device was busy
      return identify(lun, attempts - 1, std::move(done));
    } else {
      registry_.log().warning("copy_manager: LUN {} does not tell its identification", lun);
    }
    done();
  };
  session_->submit(std::move(ask), std::move(answered));
}

base::Bytes Driver::identification(std::uint16_t lun) const {
  auto mapped = target_.default_group().luns.find(lun);
  auto found = identifications_.find(lun);
  if (mapped == target_.default_group().luns.end() || found == identifications_.end()) return {};
  return found->second.device_id == mapped->second.device->id() ? base::Bytes(found->second.page) : base::Bytes{};
}

void Driver::stop(io::Job done) {
  if (!session_->is_open()) return done();
  stopped_ = std::move(done);
  session_->close();
}

}  // namespace uscst::copy_manager
