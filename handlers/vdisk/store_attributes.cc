// Attributes that change the backing store or what is known of it.
#include <algorithm>
#include <cctype>
#include <limits>

#include "engine/base/numbers.h"
#include "handlers/vdisk/attribute_functions.h"
#include "handlers/vdisk/handler.h"

namespace uscst::handlers {
namespace {

using base::fail;
using base::Result;
using base::Status;
using target::Device;
using target::Done;

void change_size(Device& device, std::uint64_t bytes, Done done) {
  auto change = [device = device.shared_from_this(), bytes]() -> Status {
    disk_of(*device).set_size(bytes);
    device->raise_for_all(scsi::kUaCapacityChanged);
    return {};
  };
  disk_of(device).registry().while_suspended(std::move(change), std::move(done));
}

// Decimal digits; blanks before them and anything behind them do not count.
Result<std::uint64_t> scan_decimal(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  const auto end = std::ranges::find_if_not(text, [](unsigned char c) { return std::isdigit(c) != 0; });
  const std::string_view digits(text.begin(), end);
  auto number = base::parse_unsigned(digits, 10);
  if (!number) return fail(EINVAL, fmt::format("'{}' is no size", text));
  return number;
}

// Also where the size stays: SCST tells the initiators all the same.
void store_scaled_size(Device& device, std::string_view text, unsigned shift, Done done) {
  auto number = scan_decimal(text);
  if (!number) return done(std::unexpected(number.error()));
  if (*number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) >> shift)
    return done(fail(EINVAL, fmt::format("{}: size {} is too large", device.name(), *number)));
  const std::uint64_t bytes = *number << shift;
  const std::uint32_t block_size = disk_of(device).config().block_size();
  if (bytes % block_size != 0)
    return done(fail(
        EINVAL, fmt::format("{}: size {} is not a multiple of the block size {}", device.name(), bytes, block_size)));
  change_size(device, bytes, std::move(done));
}

// Ends when the store is closed: then others may have it.
void deactivate(Device& device, Done done) {
  auto removed = std::make_shared<std::shared_ptr<BackingStore>>();
  auto change = [device = device.shared_from_this(), removed]() -> Status {
    disk_of(*device).config().active = false;
    *removed = disk_of(*device).remove_store();
    return {};
  };
  auto close = [device = device.shared_from_this(), removed, done = std::move(done)](Status status) mutable {
    if (!status) return done(std::move(status));
    disk_of(*device).close(std::move(*removed), [done = std::move(done)]() mutable { done({}); });
  };
  disk_of(device).registry().while_suspended(std::move(change), std::move(close));
}

Status take_opened(Device& device, OpenedStore opened) {
  SbcDisk& disk = disk_of(device);
  if (disk.config().active) return {};  // another write was first
  const std::uint64_t size_before = disk.size_bytes();
  disk.install(std::move(opened));
  disk.config().active = true;
  if (disk.size_bytes() != size_before) device.raise_for_all(scsi::kUaCapacityChanged);
  return {};
}

void activate(Device& device, Done done) {
  SbcDisk& disk = disk_of(device);
  auto opened = [device = device.shared_from_this(), done = std::move(done)](Result<OpenedStore> store) mutable {
    if (!store) return done(std::unexpected(store.error()));
    auto change = [device, store = std::move(*store)]() mutable { return take_opened(*device, std::move(store)); };
    disk_of(*device).registry().while_suspended(std::move(change), std::move(done));
  };
  auto open = [config = disk.config(), name = device.name(), &environment = disk.environment()]() mutable {
    config.active = true;  // to be
    auto protection = prepare_protection(config, name, environment.state_directory);
    return protection ? open_store(config, environment.forbidden) : std::unexpected(protection.error());
  };
  run_blocking(disk.environment(), std::move(open), std::move(opened));
}

}  // namespace

void store_size(Device& device, std::string text, Done done) { store_scaled_size(device, text, 0, std::move(done)); }
void store_size_mb(Device& device, std::string text, Done done) {
  store_scaled_size(device, text, 20, std::move(done));
}

void resync_size(Device& device, std::string, Done done) {
  SbcDisk& disk = disk_of(device);
  if (!disk.config().active || disk.store() == nullptr)
    return done(fail(EMEDIUMTYPE, fmt::format("{}: not active", device.name())));
  auto examined = [device = device.shared_from_this(), done = std::move(done)](Result<Geometry> geometry) mutable {
    if (!geometry) return done(std::unexpected(geometry.error()));
    if (geometry->size_bytes == disk_of(*device).size_bytes()) return done({});
    change_size(*device, geometry->size_bytes, std::move(done));
  };
  run_blocking(
      disk.environment(),
      [config = disk.config(), &forbidden = disk.environment().forbidden] { return examine(config, forbidden); },
      std::move(examined));
}

void store_active(Device& device, std::string text, Done done) {
  auto value = parse_zero_or_one(text);
  if (!value) return done(std::unexpected(value.error()));
  set_active(device, *value, std::move(done));
}

void set_active(Device& device, bool active, Done done) {
  if (active == disk_of(device).config().active) return done({});
  (active ? activate : deactivate)(device, std::move(done));
}

void store_filename(Device& device, std::string text, Done done) {
  VdiskConfig& config = disk_of(device).config();
  if (config.active)
    return done(fail(EINVAL, fmt::format("{}: filename can be changed only while active is 0", device.name())));
  const std::string_view path = trim(text);
  if (!path.starts_with('/'))
    return done(fail(EINVAL, fmt::format("{}: filename '{}' is not absolute", device.name(), path)));
  config.filename = path;
  done({});
}

void sync_store(Device& device, std::string, Done done) {
  SbcDisk& disk = disk_of(device);
  auto store = disk.store_owner();
  if (!store) return done({});
  auto flushed = [failure = disk.flush_failure(), name = device.name(), &log = disk.environment().log,
                  done = std::move(done)](int error) mutable {
    if (error >= 0) return done({});
    if (!failure->exchange(true)) log.error("device {}: sync failed: errno {}", name, -error);
    done(fail(-error, fmt::format("{}: sync failed", name)));
  };
  run_blocking(disk.environment(), [store = std::move(store)] { return store->flush_now(); }, std::move(flushed));
}

}  // namespace uscst::handlers
