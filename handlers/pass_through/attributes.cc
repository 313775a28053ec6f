// Attributes of devices that a pass-through handler has, beyond those of all devices.
#include <fmt/format.h>

#include "engine/base/numbers.h"
#include "handlers/pass_through/unit.h"

namespace uscst::handlers {
namespace {

using target::Device;

// Nodes of a cluster agree by a lock manager, and know the device by its serial number.
void store_cluster_mode(Device& device, std::string text, target::Done done) {
  const auto& unit = static_cast<const PassThroughUnit&>(device.unit());
  if (unit.serial_number().empty())
    return done(base::fail(ENOENT, fmt::format("device {} tells no unit serial number", device.name())));
  auto number = base::parse_unsigned(text);
  if (!number) return done(std::unexpected(number.error()));
  if (*number > 1) return done(base::fail(EINVAL, fmt::format("cluster_mode is 0 or 1, not {}", *number)));
  if (*number == 1) return done(base::fail(EOPNOTSUPP, "cluster_mode: there is no distributed lock manager"));
  done({});
}

constexpr target::Attribute<Device> kClusterRows[] = {
    {.name = "cluster_mode",
     .mode = 0644,
     .key = target::KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = [](const Device&) -> base::Result<std::string> { return "0"; },
     .store_queued = store_cluster_mode},
};

}  // namespace

std::span<const target::Attribute<Device>> PassThroughUnit::attributes() const {
  const PassThroughKind* kind = kind_.load(std::memory_order_acquire);
  if (kind && kind->in_clusters) return kClusterRows;
  return {};
}

}  // namespace uscst::handlers
