#include "handlers/vdisk/medium.h"

#include <cctype>

#include "handlers/vdisk/handler.h"

namespace uscst::handlers {
namespace {

using base::Result;
using base::Status;
using target::Device;
using target::Done;

SbcDisk& drive_of(Device& device) { return static_cast<SbcDisk&>(device.unit()); }

std::string without_blanks_around(std::string_view text) {
  auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return std::string(text);
}

Status check_removal(Device& device) {
  if (!drive_of(device).medium_removal_prevented()) return {};
  return base::fail(EBUSY, fmt::format("{}: an initiator prevents the removal of the medium", device.name()));
}

// Closing may block, for a file on a network.
void take_out(SbcDisk& drive) {
  if (auto store = drive.remove_store()) drive.environment().pool.run([store = std::move(store)] {});
  drive.set_size(0);
  drive.config().filename.clear();
}

void eject(Device& device, Done done) {
  auto change = [device = device.shared_from_this()]() -> Status {
    if (auto allowed = check_removal(*device); !allowed) return allowed;
    take_out(drive_of(*device));
    return {};
  };
  drive_of(device).registry().while_suspended(std::move(change), std::move(done));
}

Status put_in(Device& device, const std::string& path, OpenedStore opened) {
  if (auto allowed = check_removal(device); !allowed) return allowed;
  SbcDisk& drive = drive_of(device);
  take_out(drive);
  drive.config().filename = path;
  drive.install(std::move(opened));
  device.raise_for_all(scsi::kUaMediumChanged);
  return {};
}

void insert(Device& device, const std::string& path, Done done) {
  VdiskEnvironment& environment = drive_of(device).environment();
  auto open = [path, &forbidden = environment.forbidden, block_shift = drive_of(device).config().block_shift] {
    VdiskConfig file;
    file.kind = VdiskKind::kFileio;
    file.filename = path;
    file.block_shift = block_shift;
    file.read_only = true;
    return open_store(file, forbidden);
  };
  auto opened = [device = device.shared_from_this(), path, done = std::move(done)](Result<OpenedStore> store) mutable {
    if (!store) return done(std::unexpected(store.error()));
    auto change = [device, path, store = std::move(*store)]() mutable {
      return put_in(*device, path, std::move(store));
    };
    drive_of(*device).registry().while_suspended(std::move(change), std::move(done));
  };
  run_blocking(environment, std::move(open), std::move(opened));
}

}  // namespace

void change_medium(Device& device, std::string text, Done done) {
  const std::string path = without_blanks_around(text);
  if (auto allowed = check_removal(device); !allowed) return done(std::move(allowed));
  if (path.empty()) return eject(device, std::move(done));
  if (!path.starts_with('/'))
    return done(base::fail(EINVAL, fmt::format("{}: filename '{}' is not absolute", device.name(), path)));
  insert(device, path, std::move(done));
}

}  // namespace uscst::handlers
