// Which module brings what, and what happens when it is loaded or unloaded (docs/guides/modules.md).
#include <algorithm>

#include "engine/daemon/service.h"

namespace uscst::daemon {
namespace {

// The options as they would be had "options MODULE parameters" stood last in modprobe.d.
base::Result<Options> with_parameters(const Options& options, std::string_view module, std::string_view parameters) {
  Options changed = options;
  if (auto applied = apply_module_options(changed, fmt::format("{} {}", module, parameters)); !applied)
    return std::unexpected(applied.error());
  return changed;
}

}  // namespace

std::vector<target::Handler*> Service::scsi_handlers_named(std::initializer_list<std::string_view> names) const {
  std::vector<target::Handler*> found;
  for (const auto& handler : scsi_handlers_) {
    if (std::ranges::find(names, handler->name()) != names.end()) found.push_back(handler.get());
  }
  return found;
}

void Service::name_modules() {
  Modules::Module vdisk{.name = "scst_vdisk", .load = [this](std::string_view text) { return load_vdisk(text); }};
  for (const auto& handler : vdisk_handlers_) vdisk.handlers.push_back(handler.get());
  modules_->add(std::move(vdisk));
  modules_->add({.name = "scst_disk", .handlers = scsi_handlers_named({"dev_disk", "dev_disk_perf"})});
  modules_->add({.name = "scst_tape", .handlers = scsi_handlers_named({"dev_tape", "dev_tape_perf"})});
  modules_->add({.name = "scst_cdrom", .handlers = scsi_handlers_named({"dev_cdrom"})});
  modules_->add({.name = "scst_changer", .handlers = scsi_handlers_named({"dev_changer"})});
  modules_->add({.name = "scst_modisk", .handlers = scsi_handlers_named({"dev_modisk", "dev_modisk_perf"})});
  modules_->add({.name = "scst_processor", .handlers = scsi_handlers_named({"dev_processor"})});
  modules_->add({.name = "scst_raid", .handlers = scsi_handlers_named({"dev_raid"})});
  modules_->add({.name = "scst_user", .handlers = scsi_handlers_named({"scst_user"})});
  modules_->add({.name = "ib_srpt",
                 .driver = srpt_.get(),
                 .load = [this](std::string_view text) { return load_srpt(text); },
                 .leave = [this] { listeners_.clear(); }});
  modules_->add({.name = "scst_local", .driver = local_.get(), .load = [this](std::string_view text) {
                   return load_local(text);
                 }});
}

base::Status Service::load_first_modules() {
  std::vector<std::string> names;
  for (const Modules::State& state : modules_->list()) names.emplace_back(state.name);
  for (const std::string& name : options_.modules.value_or(names)) {
    if (auto loaded = modules_->load(name, {}); !loaded)
      return base::fail(loaded.error().code, fmt::format("--modules: {}", loaded.error().text));
  }
  return {};
}

base::Status Service::load_vdisk(std::string_view parameters) {
  auto options = with_parameters(options_, "scst_vdisk", parameters);
  if (!options) return std::unexpected(options.error());
  vdisk_environment_->default_threads = options->vdisk_threads;
  return {};
}

base::Status Service::load_local(std::string_view parameters) {
  auto options = with_parameters(options_, "scst_local", parameters);
  if (!options) return std::unexpected(options.error());
  // What nobody asked for by name makes no target of its own.
  const bool named = serving_ || options_.modules.has_value();
  if (options->add_default_local_target.value_or(named)) local_->add_default_target();
  return {};
}

base::Status Service::load_srpt(std::string_view parameters) {
  auto options = with_parameters(options_, "ib_srpt", parameters);
  if (!options) return std::unexpected(options.error());
  srpt_->set_parameters(options->srpt);
  if (serving_) {  // at the start listen() does it, once the tree is served
    for (const fabric::Address& address : addresses_to_listen_on(*options)) {
      auto listening = open_listener(address);
      if (listening || (options_.listen.empty() && address.host == "::")) continue;
      listeners_.clear();
      return listening;
    }
  }
  for (const srp::PortInfo& port : ports_.ports) srpt_->add_port(port);
  return {};
}

// As told, or rdma_cm_port on all addresses; empty where that is 0.
std::vector<fabric::Address> Service::addresses_to_listen_on(const Options& options) const {
  const std::uint16_t port = options.srpt.rdma_cm_port;
  if (!options.listen.empty()) return options.listen;
  if (port == 0) return {};
  return {{"0.0.0.0", port}, {"::", port}};
}

}  // namespace uscst::daemon
