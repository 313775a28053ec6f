// SCSI devices of this machine: they come and go by themselves, and change handlers in place.
#include "engine/target/registry.h"

namespace uscst::target {

base::Status Registry::add_scsi_device(std::shared_ptr<Device> device) {
  if (!name_is_free(device->name())) {
    return base::fail(EEXIST, fmt::format("SCSI device {}: there is a device of this name", device->name()));
  }
  device->set_handler(nullptr);
  log_.info("SCSI device {} found, type {}", device->name(), device->scsi_origin->type);
  std::string name = device->name();
  devices_.emplace(std::move(name), std::move(device));
  return {};
}

base::Result<std::shared_ptr<Device>> Registry::find_scsi_device(std::string_view name) const {
  std::shared_ptr<Device> device = find_device(name);
  if (!device || device->deleting || !device->scsi_origin) {
    return base::fail(EINVAL, fmt::format("there is no SCSI device '{}'", name));
  }
  return device;
}

void Registry::remove_scsi_device(std::string_view name, Done done) {
  auto device = find_scsi_device(name);
  if (!device) return done(std::unexpected(device.error()));
  remove_device(*device, [device = *device, done = std::move(done)](base::Status status) mutable {
    if (Handler* handler = device->handler()) handler->detach(*device);
    done(std::move(status));
  });
}

void Registry::assign_device(Handler& handler, std::string_view name, Done done) {
  auto device = find_scsi_device(name);
  if (!device) return done(std::unexpected(device.error()));
  if (int type = (*device)->scsi_origin->type; type != handler.type()) {
    return done(base::fail(EINVAL, fmt::format("device {} is of type {}, handler {} is for type {}", name, type,
                                               handler.name(), handler.type())));
  }
  change_handler(std::move(*device), &handler, std::move(done));
}

void Registry::unassign_device(Handler& handler, std::string_view name, Done done) {
  auto device = find_scsi_device(name);
  if (!device) return done(std::unexpected(device.error()));
  if ((*device)->handler() != &handler) {
    return done(base::fail(EINVAL, fmt::format("device {} is not assigned to handler {}", name, handler.name())));
  }
  change_handler(std::move(*device), nullptr, std::move(done));
}

// One change after another: each waits for commands, and for the device to answer.
void Registry::change_handler(std::shared_ptr<Device> device, Handler* handler, Done done) {
  auto change = [this, device, handler, done = std::move(done)]() mutable {
    auto ended = [device, done = std::move(done)](base::Status status) mutable {
      done(std::move(status));
      device->changing_handler = false;
      if (device->next_handler_changes.empty()) return;
      auto next = std::move(device->next_handler_changes.front());
      device->next_handler_changes.pop_front();
      device->changing_handler = true;
      next();
    };
    exchange_handler(device, handler, std::move(ended));
  };
  if (device->changing_handler) return device->next_handler_changes.push_back(std::move(change));
  device->changing_handler = true;
  change();
}

void Registry::exchange_handler(std::shared_ptr<Device> device, Handler* handler, Done done) {
  if (device->handler() == handler) return done({});
  device->gate.close();
  auto opened = [this, device, done = std::move(done)](base::Status status) mutable {
    if (device->gate.open()) shards_.reopen_gates();
    done(std::move(status));
  };
  auto select = [held = device.get()](const Command& command) {
    return command.past_gate() && command.nexus_lun() && &command.device() == held ? SweepVerdict::kWait
                                                                                   : SweepVerdict::kSkip;
  };
  drain(select, kDrainLimit, [this, device, handler, opened = std::move(opened)](base::Status status) mutable {
    if (!status) return opened(std::move(status));
    if (Handler* before = device->handler()) {
      before->detach(*device);
      device->set_handler(nullptr);
      log_.info("device {} taken from handler {}", device->name(), before->name());
    }
    if (!handler) return opened({});
    handler->attach(*device, [this, device, handler, opened = std::move(opened)](base::Status attached) mutable {
      if (attached) {
        device->set_handler(handler);
        log_.info("device {} given to handler {}", device->name(), handler->name());
      }
      opened(std::move(attached));
    });
  });
}

}  // namespace uscst::target
