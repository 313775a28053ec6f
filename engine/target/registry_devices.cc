// Devices: made by their handlers, taken away with all their LUNs.
#include "engine/target/device_groups.h"
#include "engine/target/registry.h"

namespace uscst::target {

bool Registry::name_is_free(std::string_view name) const { return !devices_.contains(name); }

void Registry::create_device(Handler& handler, const std::string& name, const Parameters& parameters, Done done) {
  if (!handler.is_pass_through()) {
    if (name.empty() || name.size() > Device::kMaximumNameLength || name.find_first_of("/.") != std::string::npos) {
      return done(base::fail(EINVAL, fmt::format("device name '{}': 1 to {} characters without '/' and '.'", name,
                                                 Device::kMaximumNameLength)));
    }
    if (!name_is_free(name)) return done(base::fail(EEXIST, fmt::format("device {} exists already", name)));
  }
  handler.create(*this, name, parameters,
                 [this, name, done = std::move(done)](base::Result<std::shared_ptr<Device>> made) mutable {
                   if (!made) return done(std::unexpected(made.error()));
                   // Another add_device may have been faster while the handler opened the backing store.
                   if (!name_is_free(name))
                     return done(base::fail(EEXIST, fmt::format("device {} exists already", name)));
                   devices_.emplace(name, *made);
                   log_.info("device {} added", name);
                   announce(std::move(*made), std::move(done));
                 });
}

void Registry::announce(std::shared_ptr<Device> device, Done done) {
  if (!watcher_) return done({});
  auto announced = [this, device, done = std::move(done)](base::Status status) mutable {
    if (status || device->deleting) return done(std::move(status));
    remove_device(std::move(device),
                  [status, done = std::move(done)](base::Status) mutable { done(std::move(status)); });
  };
  watcher_->device_added(device, std::move(announced));
}

void Registry::identity_changed(Device& device) {
  device.raise_for_all(scsi::kUaInquiryDataChanged);
  if (watcher_) watcher_->identity_changed(device);
}

void Registry::delete_device(Handler& handler, std::string_view name, Done done) {
  std::shared_ptr<Device> device = find_device(name);
  if (!device || device->deleting || device->scsi_origin) {
    return done(base::fail(EINVAL, fmt::format("handler {}: there is no device '{}'", handler.name(), name)));
  }
  remove_device(std::move(device), std::move(done));
}

void Registry::remove_device(std::shared_ptr<Device> device, Done done) {
  device->deleting = true;
  std::erase_if(parked_, [&](const auto& nexus_lun) { return &nexus_lun->device() == device.get(); });
  device_groups_->forget(*device);
  while (!device->exports().empty()) {
    auto [number, group, lun] = device->exports().front();
    unmap_lun(*group, lun);
    publish_lun(*group, lun);
  }
  drain_device(*device, [this, device, done = std::move(done)](base::Status) mutable {
    target::LogicalUnit& unit = device->unit();
    unit.retire([this, device = std::move(device), done = std::move(done)]() mutable {
      std::string device_name = device->name();
      devices_.erase(device_name);
      device.reset();
      log_.info("device {} deleted", device_name);
      done({});
    });
  });
}

void Registry::drain_device(Device& device, Done done) {
  auto select = [gone = &device](const Command& command) {
    return command.nexus_lun() && &command.device() == gone ? SweepVerdict::kWait : SweepVerdict::kSkip;
  };
  drain(select, base::Duration::zero(), std::move(done));
}

}  // namespace uscst::target
