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
                   devices_.emplace(name, std::move(*made));
                   log_.info("device {} added", name);
                   done({});
                 });
}

void Registry::delete_device(Handler& handler, std::string_view name, Done done) {
  std::shared_ptr<Device> device = find_device(name);
  if (!device || device->deleting) {
    return done(base::fail(EINVAL, fmt::format("handler {}: there is no device '{}'", handler.name(), name)));
  }
  device->deleting = true;
  device_groups_->forget(*device);
  while (!device->exports().empty()) {
    auto [number, group, lun] = device->exports().front();
    unmap_lun(*group, lun);
    publish(*group, true);
  }
  // All of its commands, also those that a gate held or that wait for data: they end as soon as they see the new map.
  auto select = [gone = device.get()](const Command& command) {
    return command.nexus_lun() && &command.device() == gone ? SweepVerdict::kWait : SweepVerdict::kSkip;
  };
  drain(select, base::Duration::zero(), [this, device, done = std::move(done)](base::Status) mutable {
    std::string device_name = device->name();
    devices_.erase(device_name);
    device.reset();
    log_.info("device {} deleted", device_name);
    done({});
  });
}

}  // namespace uscst::target
