// The device handlers vdisk_fileio, vdisk_blockio, vdisk_nullio and vcdrom: one class, four kinds. Built by main().
// Control thread; files are opened on the blocking pool.
#pragma once

#include "engine/io/blocking_call.h"
#include "engine/target/handler.h"
#include "handlers/vdisk/sbc_disk.h"

namespace uscst::handlers {

class VdiskHandler final : public target::Handler {
 public:
  // The environment outlives the handler and its devices.
  VdiskHandler(VdiskKind kind, VdiskEnvironment& environment);

  std::string_view name() const override;
  int type() const override;
  std::span<const std::string_view> parameter_names() const override { return handlers::parameter_names(kind_); }
  int default_threads_num() const override;
  // Errors: those of parse_parameters() and open_store(); EEXIST when another disk has the generated serial number;
  // ENOENT without the directory of persistent reservations; EINVAL when the device's file there is damaged; EOPNOTSUPP
  // for cluster_mode.
  void create(target::Registry& registry, const std::string& device_name, const target::Parameters& parameters,
              target::DeviceMade made) override;

 private:
  struct Prepared;
  static base::Result<Prepared> prepare(const std::string& name, VdiskConfig config,
                                        const VdiskEnvironment& environment);
  base::Result<std::shared_ptr<target::Device>> make(target::Registry& registry, const std::string& name,
                                                     Prepared prepared);
  void mark_written(target::Device& device, const VdiskConfig& config) const;

  const VdiskKind kind_;
  VdiskEnvironment& environment_;
};

// The attributes of disks of a kind, beyond those of all devices.
std::span<const target::Attribute<target::Device>> vdisk_attributes(VdiskKind kind);

// Control thread: `active`, which opens or closes the backing store; errors of opening, EBUSY of waiting for commands.
void set_active(target::Device& device, bool active, target::Done done);

// Control thread: runs `work` on the blocking pool and hands its result to `then` on the control thread.
template <class Work, class Then>
void run_blocking(VdiskEnvironment& environment, Work work, Then then) {
  io::run_blocking(environment.control, std::move(work), std::move(then));
}

}  // namespace uscst::handlers
