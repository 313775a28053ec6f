// devices/, devices/D/ and devices/D/exported/.
#include <fmt/format.h>

#include <limits>

#include "engine/base/numbers.h"
#include "sysfsfs/commands.h"
#include "sysfsfs/names.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::Device;
using target::KeyRule;

// A device with what a device itself does not know.
struct DeviceView {
  Context& context;
  Device& device;
};
using Row = target::Attribute<DeviceView>;

base::Result<int> number_from(std::string_view text, int lowest) {
  auto number = base::parse_signed(text);
  if (!number) return std::unexpected(number.error());
  if (*number < lowest || *number > std::numeric_limits<int>::max()) {
    return base::fail(EINVAL, fmt::format("{} is not a number from {}", *number, lowest));
  }
  return static_cast<int>(*number);
}

base::Status status_of(const base::Result<int>& number) {
  return number ? base::Status{} : std::unexpected(number.error());
}

bool has_threads(const DeviceView& view) {
  return view.device.handler() && view.device.handler()->default_threads_num() >= 0;
}

void store_threads_num(DeviceView& view, std::string text, target::Done done) {
  auto number = number_from(text, 0);
  if (!number) return done(std::unexpected(number.error()));
  auto change = [device = view.device.shared_from_this(), n = *number]() -> base::Status {
    device->threads_num = n;
    return {};
  };
  view.context.registry.while_suspended(change, std::move(done));
}

void store_threads_pool_type(DeviceView& view, std::string text, target::Done done) {
  auto change = [device = view.device.shared_from_this(), shared = matches_word(text, "shared")]() -> base::Status {
    device->threads_shared = shared;
    return {};
  };
  view.context.registry.while_suspended(change, std::move(done));
}

constexpr Row kRows[] = {
    {.name = "block",
     .mode = 0644,
     .show = [](const DeviceView& v) -> base::Result<std::string> {
       return fmt::format("{} {}", v.device.blocks, v.device.block_draining ? 1 : 0);
     }},
    {.name = "dump_prs",
     .mode = 0200,
     .store = [](DeviceView& v, std::string_view) -> base::Status {
       for (const std::string& line : describe(*v.device.persistent_reservations.state(), v.device.name()))
         v.context.log.info("{}", line);
       return {};
     }},
    {.name = "max_tgt_dev_commands",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .show = [](const DeviceView& v) -> base::Result<std::string> {
       return fmt::format("{}", v.device.maximum_commands.load());
     },
     .store = [](DeviceView& v, std::string_view text) -> base::Status {
       auto number = number_from(text, 0);
       if (number) v.device.maximum_commands = *number;
       return status_of(number);
     },
     .default_of = [](const DeviceView& v) { return fmt::format("{}", v.device.handler() ? 64 : 0); }},
    {.name = "numa_node_id",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "-1",
     .show = [](const DeviceView& v) -> base::Result<std::string> { return fmt::format("{}", v.device.numa_node_id); },
     .store = [](DeviceView& v, std::string_view text) -> base::Status {
       auto number = number_from(text, -1);
       if (number) v.device.numa_node_id = *number;
       return status_of(number);
     }},
    {.name = "pr_file_name",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .show = [](const DeviceView& v) -> base::Result<std::string> {
       return v.context.registry.reservation_file(v.device);
     },
     .store_queued =
         [](DeviceView& v, std::string text, target::Done done) {
           v.context.registry.set_reservation_file(v.device, text.substr(0, text.find('\n')), std::move(done));
         },
     // Set explicitly it is marked, even where it is the text of the default.
     .default_of =
         [](const DeviceView& v) {
           const bool set = v.device.persistent_reservations.file_name_set();
           return set ? std::string() : v.context.registry.reservation_file(v.device);
         }},
    {.name = "pr_state",
     .mode = 0644,
     .show = [](const DeviceView& v) -> base::Result<std::string> {
       return target::format_reservation_state(*v.device.persistent_reservations.state());
     },
     .store_queued = [](DeviceView& v, std::string text,
                        target::Done done) { done(v.context.registry.set_reservation_state(v.device, text)); }},
    {.name = "threads_num",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .show = [](const DeviceView& v) -> base::Result<std::string> { return fmt::format("{}", v.device.threads_num); },
     .store_queued = store_threads_num,
     .check = [](const DeviceView&, std::string_view text) -> base::Status { return status_of(number_from(text, 0)); },
     .present = has_threads,
     .default_of = [](const DeviceView& v) { return fmt::format("{}", v.device.handler()->default_threads_num()); }},
    {.name = "threads_pool_type",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .show = [](const DeviceView& v) -> base::Result<std::string> {
       if (v.device.threads_num == 0) return "Async";
       return v.device.threads_shared ? "shared" : "per_initiator";
     },
     .store_queued = store_threads_pool_type,
     .check = [](const DeviceView& v, std::string_view text) -> base::Status {
       if (matches_word(text, "per_initiator") || matches_word(text, "shared")) return {};
       return base::fail(EINVAL,
                         fmt::format("device {}: threads_pool_type is per_initiator or shared", v.device.name()));
     },
     .present = has_threads,
     .default_of =
         [](const DeviceView& v) { return std::string(v.device.threads_num == 0 ? "Async" : "per_initiator"); }},
    {.name = "type",
     .mode = 0444,
     .show = [](const DeviceView& v) -> base::Result<std::string> {
       return device_type_text(v.device.scsi_origin ? v.device.scsi_origin->type : v.device.handler()->type());
     }},
};

class ExportedDirectory final : public VisitedDirectory {
 public:
  explicit ExportedDirectory(const Device& device) : device_(device) {}
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    for (const Device::Export& exported : device_.exports()) {
      auto text = [&] {
        return link_text(path_of(device_) + "/exported",
                         fmt::format("{}/luns/{}", path_of(*exported.group), exported.lun));
      };
      entries.link(fmt::format("export{}", exported.number), text);
    }
  }

  const Device& device_;
};

void store_block(Context& context, Device& device, std::string_view text, target::Done done) {
  auto command = parse_block_command(text);
  if (!command) return done(std::unexpected(command.error()));
  switch (*command) {
    case BlockCommand::kUnblock: return done(context.registry.unblock(device));
    case BlockCommand::kBlock: return context.registry.block(device, std::move(done));
    case BlockCommand::kBlockWithoutWaiting: context.registry.block(device, [](base::Status) {}); return done({});
  }
}

class DeviceDirectory final : public VisitedDirectory {
 public:
  DeviceDirectory(Context& context, std::shared_ptr<Device> device)
      : context_(context), device_(std::move(device)), view_{context, *device_} {}
  bool exists() const override { return context_.registry.find_device(device_->name()) == device_; }
  std::size_t subdirectory_count() override { return 1; }

 private:
  void visit(Entries& entries) override {
    // The row shows it; a write may have to wait without being queued, which rows cannot say.
    if (entries.looking_for() == "block") {
      entries.file(
          "block", 0644,
          [this]() -> base::Result<std::string> {
            auto value = kRows[0].show(view_);
            return value ? base::Result<std::string>(*value + '\n') : value;
          },
          [this](std::string text, target::Done done) { store_block(context_, *device_, text, std::move(done)); });
      return;
    }
    entries.table(AttributeTable<DeviceView>(view_, kRows, context_.queue));
    entries.table(AttributeTable<Device>(*device_, device_->unit().attributes(), context_.queue));
    if (entries.wants("exported", EntryKind::kDirectory)) {
      entries.give(directory_entry(std::make_unique<ExportedDirectory>(*device_)));
    }
    if (const target::Handler* handler = device_->handler()) {
      entries.link("handler", [&] { return link_text(path_of(*device_), path_of(*handler)); });
    }
    if (device_->scsi_origin) {
      entries.link("scsi_device", [&] { return "../../../../" + device_->scsi_origin->sysfs_path; });
    }
  }

  Context& context_;
  const std::shared_ptr<Device> device_;
  DeviceView view_;
};

class DevicesDirectory final : public VisitedDirectory {
 public:
  explicit DevicesDirectory(Context& context) : context_(context) {}
  std::size_t subdirectory_count() override { return context_.registry.devices().size(); }

 private:
  void visit(Entries& entries) override {
    if (auto name = entries.looking_for()) {
      if (auto device = context_.registry.find_device(*name)) add(entries, device);
      return;
    }
    for (const auto& [name, device] : context_.registry.devices()) add(entries, device);
  }

  void add(Entries& entries, const std::shared_ptr<Device>& device) {
    if (!entries.wants(shown_name(device->name()), EntryKind::kDirectory, device->id())) return;
    entries.give(directory_entry(std::make_unique<DeviceDirectory>(context_, device), device->id()));
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<Directory> devices_directory(Context& context) { return std::make_unique<DevicesDirectory>(context); }

}  // namespace uscst::sysfsfs
