// handlers/ and handlers/H/.
#include <fmt/format.h>

#include "sysfsfs/commands.h"
#include "sysfsfs/names.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::Device;
using target::Handler;

std::string usage(const Handler& handler) {
  if (handler.is_pass_through()) {
    return "Usage: echo \"add_device H:C:I:L\" >mgmt\n       echo \"del_device H:C:I:L\" >mgmt\n";
  }
  return fmt::format(
      "Usage: echo \"add_device device_name [parameters]\" >mgmt\n       echo \"del_device device_name\" >mgmt\n\n"
      "where parameters are one or more param_name=value pairs separated by ';'\n\n"
      "The following parameters available: {}\n\n",
      fmt::join(handler.parameter_names(), ", "));
}

// A device of such a name would hide the file; in SCST it wrecks the directory.
bool is_fixed_entry(std::string_view name) { return name == "mgmt" || name == "type" || name == "trace_level"; }

void add_device(Context& context, Handler& handler, DeviceCommand command, target::Done done) {
  auto add = [&](target::Done finished) {
    if (is_fixed_entry(command.name)) {
      return finished(base::fail(
          EEXIST, fmt::format("the directory of {} has an entry '{}' of its own", handler.name(), command.name)));
    }
    if (!command.parameters && context.registry.find_device(command.name)) {
      return finished(base::fail(EEXIST, fmt::format("device {} exists already", command.name)));
    }
    if (!command.parameters) return finished(std::unexpected(command.parameters.error()));
    context.registry.create_device(handler, command.name, *command.parameters, std::move(finished));
  };
  // Backing files are opened with the lock held.
  context.queue.run(control::Lock::kHeld, add, std::move(done));
}

// Devices of pass-through handlers are there already.
void assign(Context& context, Handler& handler, base::Result<DeviceCommand> command, target::Done done) {
  auto change = [&](target::Done finished) {
    if (!command) return finished(std::unexpected(command.error()));
    auto name = scsi_device_name(command->name);
    if (!name || !command->parameters || !command->parameters->empty()) {
      return finished(base::fail(EINVAL, fmt::format("handler {}: one H:C:I:L is needed", handler.name())));
    }
    if (command->action == DeviceCommand::Action::kAdd) {
      return context.registry.assign_device(handler, *name, std::move(finished));
    }
    context.registry.unassign_device(handler, *name, std::move(finished));
  };
  context.queue.run(control::Lock::kFree, change, std::move(done));
}

void manage(Context& context, Handler& handler, std::string_view text, target::Done done) {
  auto command = parse_device_command(text);
  if (handler.is_pass_through()) return assign(context, handler, std::move(command), std::move(done));
  if (command && command->action == DeviceCommand::Action::kAdd) {
    return add_device(context, handler, std::move(*command), std::move(done));
  }
  auto remove_or_refuse = [&](target::Done finished) {
    if (!command) return finished(std::unexpected(command.error()));
    context.registry.delete_device(handler, command->name, std::move(finished));
  };
  context.queue.run(control::Lock::kFree, remove_or_refuse, std::move(done));
}

class HandlerDirectory final : public VisitedDirectory {
 public:
  HandlerDirectory(Context& context, Handler& handler) : context_(context), handler_(handler) {}
  bool exists() const override { return context_.registry.find_handler(handler_.name()) == &handler_; }
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    if (handler_.has_mgmt()) add_mgmt(entries);
    auto module = is_virtual_disk() ? TraceModule::kVirtualDisk : TraceModule::kPassThrough;
    entries.file(
        "trace_level", 0644,
        [this, module]() -> base::Result<std::string> { return show_trace_level(trace_level(), module); },
        [this, module](std::string text, target::Done done) { done(store_trace_level(trace_level(), text, module)); });
    entries.file("type", 0444,
                 [&h = handler_]() -> base::Result<std::string> { return device_type_text(h.type()) + '\n'; });
    entries.table(AttributeTable<Handler>(handler_, handler_.attributes(), context_.queue));
    if (auto name = entries.looking_for()) {
      if (auto device = context_.registry.find_device(*name)) link_device(entries, *device);
      return;
    }
    for (const auto& [name, device] : context_.registry.devices()) link_device(entries, *device);
  }

  void add_mgmt(Entries& entries) {
    entries.file(
        "mgmt", 0644, [&h = handler_]() -> base::Result<std::string> { return usage(h); },
        [&c = context_, &h = handler_](std::string text, target::Done done) { manage(c, h, text, std::move(done)); });
  }
  bool is_virtual_disk() const { return handler_.has_mgmt() && !handler_.is_pass_through(); }

  void link_device(Entries& entries, const Device& device) {
    if (device.handler() != &handler_) return;
    entries.link(shown_name(device.name()), [&] { return link_text(path_of(handler_), path_of(device)); }, device.id());
  }

  // Handlers of one module have one word: those of virtual devices, and a handler with its _perf twin.
  unsigned long& trace_level() {
    if (handler_.trace_level) return *handler_.trace_level;
    std::string_view module = handler_.name();
    if (module.ends_with("_perf")) module.remove_suffix(5);
    if (is_virtual_disk()) module = "scst_vdisk";
    return context_.module_trace_levels.try_emplace(std::string(module), kDefaultTraceLevel).first->second;
  }

  Context& context_;
  Handler& handler_;
};

class HandlersDirectory final : public VisitedDirectory {
 public:
  explicit HandlersDirectory(Context& context) : context_(context) {}
  std::size_t subdirectory_count() override { return context_.registry.handlers().size(); }

 private:
  void visit(Entries& entries) override {
    for (Handler* handler : context_.registry.handlers()) {
      if (!entries.wants(handler->name(), EntryKind::kDirectory)) continue;
      entries.give(directory_entry(std::make_unique<HandlerDirectory>(context_, *handler)));
    }
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<Directory> handlers_directory(Context& context) { return std::make_unique<HandlersDirectory>(context); }

}  // namespace uscst::sysfsfs
