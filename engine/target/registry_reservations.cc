// Persistent reservations as the tree changes them: while no nexus is at the device.
#include <algorithm>

#include "engine/io/blocking_call.h"
#include "engine/target/registry.h"
#include "engine/target/reservation_file.h"

namespace uscst::target {
namespace {

base::Status busy(const Device& device, std::string_view attribute) {
  return base::fail(EBUSY, fmt::format("device {}: {} cannot be set while sessions have it", device.name(), attribute));
}

base::Result<ReservationState> check_and_load(const std::string& file) {
  if (auto usable = check_reservation_file_name(file); !usable) return std::unexpected(usable.error());
  return load_reservations(file);
}

}  // namespace

std::string Registry::default_reservation_file(const Device& device) const {
  return reservation_place.directory + '/' + device.name();
}

std::string Registry::reservation_file(const Device& device) const {
  const std::string& name = device.persistent_reservations.file_name();
  return name.empty() ? default_reservation_file(device) : name;
}

bool Registry::has_nexus(const Device& device) const {
  return std::ranges::any_of(device.exports(), [this](const Device::Export& one) { return has_sessions(*one.group); });
}

void Registry::set_reservation_file(Device& device, std::string name, Done done) {
  if (has_nexus(device)) return done(busy(device, "pr_file_name"));
  const bool set = !name.empty();
  if (!set) name = default_reservation_file(device);
  if (name == reservation_file(device)) return done({});
  auto take = [this, device = device.shared_from_this(), name, set,
               done = std::move(done)](base::Result<ReservationState> loaded) mutable {
    if (!loaded) return done(std::unexpected(loaded.error()));
    if (has_nexus(*device)) return done(busy(*device, "pr_file_name"));        // it came in the meantime
    loaded->generation = device->persistent_reservations.state()->generation;  // files don't have it
    device->persistent_reservations.replace(std::move(*loaded));
    device->persistent_reservations.set_file_name(name, set);
    done({});
  };
  auto load = [name] { return check_and_load(name); };
  if (reservation_place.reactor == nullptr) return take(load());
  io::run_blocking(*reservation_place.reactor, std::move(load), std::move(take));
}

base::Status Registry::set_reservation_state(Device& device, std::string_view text) {
  if (has_nexus(device)) return busy(device, "pr_state");
  ReservationState state = *device.persistent_reservations.state();
  std::vector<std::string> ignored;
  auto status = parse_reservation_state(text, state, ignored);
  for (const std::string& line : ignored)
    log_.warning("device {}: pr_state: unrecognized line: {}", device.name(), line);
  device.persistent_reservations.replace(std::move(state));
  return status;
}

}  // namespace uscst::target
