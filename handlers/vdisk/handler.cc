#include "handlers/vdisk/handler.h"

#include <sys/stat.h>

#include "engine/scsi/identifiers.h"
#include "engine/target/reservation_file.h"
#include "handlers/vdisk/saved_pages.h"

namespace uscst::handlers {
namespace {

bool is_directory(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

base::Status check_serial(const VdiskEnvironment& environment, const target::Registry& registry,
                          const std::string& name) {
  const std::string serial = scsi::generate_ids(name, registry.settings.setup_id).serial_number;
  if (!environment.serial_numbers.contains(serial)) return {};
  for (const auto& [other, device] : registry.devices()) {
    const auto* disk = dynamic_cast<const SbcDisk*>(&device->unit());
    if (disk && disk->identity().serial_number == serial)
      return base::fail(EEXIST,
                        fmt::format("{}: the generated serial number {} is that of device {}", name, serial, other));
  }
  return {};
}

}  // namespace

struct VdiskHandler::Prepared {
  VdiskConfig config;
  OpenedStore opened;
  scsi::ModePages pages;
  bool saving_possible = false;
  target::ReservationState reservations;
};

VdiskHandler::VdiskHandler(VdiskKind kind, VdiskEnvironment& environment) : kind_(kind), environment_(environment) {}

std::string_view VdiskHandler::name() const {
  switch (kind_) {
    case VdiskKind::kFileio: return "vdisk_fileio";
    case VdiskKind::kBlockio: return "vdisk_blockio";
    case VdiskKind::kNullio: return "vdisk_nullio";
    case VdiskKind::kCdrom: return "vcdrom";
  }
  return {};
}

int VdiskHandler::type() const {
  return static_cast<int>(kind_ == VdiskKind::kCdrom ? scsi::DeviceType::kCdrom : scsi::DeviceType::kDisk);
}

int VdiskHandler::default_threads_num() const {
  return kind_ == VdiskKind::kFileio || kind_ == VdiskKind::kCdrom ? environment_.default_threads : 1;
}

// On the blocking pool. In SCST's order, which decides what is told where several things are wrong.
base::Result<VdiskHandler::Prepared> VdiskHandler::prepare(const std::string& name, VdiskConfig config,
                                                           const VdiskEnvironment& environment) {
  const std::string reservations_directory = environment.state_directory + "/pr";
  if (!is_directory(reservations_directory))
    return base::fail(ENOENT, fmt::format("{}: directory {} does not exist", name, reservations_directory));
  Prepared prepared;
  auto reservations = target::load_reservations(reservations_directory + '/' + name);
  if (!reservations) return std::unexpected(reservations.error());
  prepared.reservations = std::move(*reservations);
  if (auto protection = prepare_protection(config, name, environment.state_directory); !protection)
    return std::unexpected(protection.error());
  if (config.o_direct && !config.async) return base::fail(EINVAL, fmt::format("{}: o_direct needs async", name));
  if (config.kind != VdiskKind::kNullio && config.active) {
    auto opened = open_store(config, environment.forbidden);
    if (!opened) return std::unexpected(opened.error());
    prepared.opened = std::move(*opened);
  }
  if (config.cluster_mode)
    return base::fail(EOPNOTSUPP, fmt::format("{}: cluster_mode is not supported: there is no lock manager", name));
  const std::string pages_directory = environment.state_directory + "/vdev_mode_pages";
  prepared.saving_possible = is_directory(pages_directory);
  scsi::ModePages defaults = default_mode_pages(config);
  prepared.pages = prepared.saving_possible ? load_mode_pages(pages_directory, name, defaults) : defaults;
  prepared.config = std::move(config);
  return prepared;
}

void VdiskHandler::create(target::Registry& registry, const std::string& device_name,
                          const target::Parameters& parameters, target::DeviceMade made) {
  if (auto serial = check_serial(environment_, registry, device_name); !serial)
    return made(std::unexpected(serial.error()));
  auto config = parse_parameters(kind_, device_name, parameters);
  if (!config) return made(std::unexpected(config.error()));
  auto finish = [this, &registry, device_name, made = std::move(made)](base::Result<Prepared> prepared) mutable {
    if (!prepared) return made(std::unexpected(prepared.error()));
    made(make(registry, device_name, std::move(*prepared)));
  };
  run_blocking(
      environment_,
      [name = device_name, config = std::move(*config), &environment = environment_] {
        return prepare(name, config, environment);
      },
      std::move(finish));
}

base::Result<std::shared_ptr<target::Device>> VdiskHandler::make(target::Registry& registry, const std::string& name,
                                                                 Prepared prepared) {
  // Another disk may have been made while the file was opened.
  if (auto serial = check_serial(environment_, registry, name); !serial) return std::unexpected(serial.error());
  const VdiskConfig& config = prepared.config;
  auto disk = std::make_unique<SbcDisk>(environment_, registry, name, config, vdisk_attributes(kind_));
  if (kind_ != VdiskKind::kNullio && config.active) {
    disk->install(std::move(prepared.opened));
    if (config.thin_provisioned.value_or(false) && !disk->thin_provisioned())
      environment_.log.warning("device {}: thin_provisioned is switched off: {} cannot unmap", name, config.filename);
  }
  disk->set_mode_pages(prepared.pages, prepared.pages, prepared.saving_possible);
  disk->show_physical_block_exponent(config.physical_block_exponent);
  auto device = std::make_shared<target::Device>(name, registry.next_id(), this, std::move(disk));
  device->threads_num = default_threads_num();
  if (config.numa_node_id) device->numa_node_id = *config.numa_node_id;
  device->persistent_reservations.replace(std::move(prepared.reservations));
  mark_written(*device, config);
  return device;
}

void VdiskHandler::mark_written(target::Device& device, const VdiskConfig& config) const {
  if (config.thin_provisioned) device.written.insert("thin_provisioned");
  if (!config.t10_device_id.empty()) device.written.insert("t10_dev_id");
}

}  // namespace uscst::handlers
