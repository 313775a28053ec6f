#include "handlers/pass_through/handler.h"

#include <fmt/format.h>

#include <array>
#include <map>

#include "engine/target/registry.h"

namespace uscst::handlers {
namespace {

using namespace std::chrono_literals;
using target::Handler;

// scsi.md 12: time-outs of disks follow the class of the command; the others are slow devices with one for most.
constexpr std::array kKinds{
    PassThroughKind{.name = "dev_disk",
                    .type = 0,
                    .short_timeout = 10s,
                    .regular_timeout = 60s,
                    .long_timeout = 3600s,
                    .in_clusters = true},
    PassThroughKind{.name = "dev_disk_perf",
                    .type = 0,
                    .threads = 0,
                    .short_timeout = 10s,
                    .regular_timeout = 60s,
                    .long_timeout = 3600s,
                    .moves_no_data = true},
    PassThroughKind{.name = "dev_tape", .type = 1},
    PassThroughKind{.name = "dev_tape_perf", .type = 1, .threads = 0, .moves_no_data = true},
    PassThroughKind{.name = "dev_processor", .type = 3, .regular_timeout = 14000s},
    PassThroughKind{.name = "dev_cdrom", .type = 5},
    PassThroughKind{.name = "dev_modisk", .type = 7},
    PassThroughKind{.name = "dev_modisk_perf", .type = 7, .threads = 0, .moves_no_data = true},
    PassThroughKind{.name = "dev_changer", .type = 8, .regular_timeout = 14000s},
    PassThroughKind{.name = "dev_raid", .type = 12, .regular_timeout = 14000s},
};

constexpr std::size_t kMaximumPath = 4096;

constexpr target::Attribute<Handler> kClusterHandlerRows[] = {
    {.name = "pr_dump_dir",
     .mode = 0644,
     .show = [](const Handler& handler) -> base::Result<std::string> {
       return static_cast<const PassThroughHandler&>(handler).dump_directory;
     },
     .store = [](Handler& handler, std::string_view text) -> base::Status {
       if (text.size() >= kMaximumPath) return base::fail(ENAMETOOLONG, "pr_dump_dir is too long");
       static_cast<PassThroughHandler&>(handler).dump_directory = text.substr(0, text.find('\n'));
       return {};
     }},
};

PassThroughUnit& unit_of(target::Device& device) { return static_cast<PassThroughUnit&>(device.unit()); }

// Brings the devices of one host into the registry and takes them out again.
class Shown : public std::enable_shared_from_this<Shown> {
 public:
  Shown(target::Registry& registry, PassThroughEnvironment& environment)
      : registry_(registry), environment_(environment) {}

  // One that comes back while commands of its predecessor still run waits for them.
  void arrive(std::shared_ptr<ScsiHostDevice> found) {
    const std::string name = found->address.text();
    if (auto before = registry_.find_device(name); before && before->deleting) {
      waiting_[name] = std::move(found);
      return;
    }
    auto unit = std::make_unique<PassThroughUnit>(environment_, found);
    auto device = std::make_shared<target::Device>(name, registry_.next_id(), nullptr, std::move(unit));
    device->scsi_origin = {found->type, found->sysfs_path};
    if (auto added = registry_.add_scsi_device(std::move(device)); !added)
      environment_.log.error("{}", added.error().text);
  }

  void leave(const ScsiAddress& address) {
    const std::string name = address.text();
    if (waiting_.erase(name) > 0) return;
    registry_.remove_scsi_device(name, [self = shared_from_this(), name](base::Status status) {
      if (!status) self->environment_.log.error("{}", status.error().text);
      if (auto next = self->waiting_.extract(name)) self->arrive(std::move(next.mapped()));
    });
  }

 private:
  target::Registry& registry_;
  PassThroughEnvironment& environment_;
  std::map<std::string, std::shared_ptr<ScsiHostDevice>> waiting_;
};

}  // namespace

std::span<const PassThroughKind> pass_through_kinds() { return kKinds; }

// Devices come by themselves; add_device assigns them.
void PassThroughHandler::create(target::Registry&, const std::string& device_name, const target::Parameters&,
                                target::DeviceMade made) {
  made(base::fail(EINVAL, fmt::format("handler {} makes no devices, not {} either", name(), device_name)));
}

void PassThroughHandler::attach(target::Device& device, target::Done done) {
  unit_of(device).attach(kind_, std::move(done));
}

void PassThroughHandler::detach(target::Device& device) { unit_of(device).detach(); }

std::span<const target::Attribute<Handler>> PassThroughHandler::attributes() const {
  if (kind_.in_clusters) return kClusterHandlerRows;
  return {};
}

void UserHandler::create(target::Registry&, const std::string& device_name, const target::Parameters&,
                         target::DeviceMade made) {
  made(base::fail(EINVAL, fmt::format("scst_user makes no devices, not {} either", device_name)));
}

void show_scsi_devices(ScsiHost& host, target::Registry& registry, PassThroughEnvironment& environment) {
  auto shown = std::make_shared<Shown>(registry, environment);
  host.show([shown](std::shared_ptr<ScsiHostDevice> found) { shown->arrive(std::move(found)); },
            [shown](const ScsiAddress& address) { shown->leave(address); });
}

}  // namespace uscst::handlers
