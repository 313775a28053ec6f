// The handlers of real SCSI devices, dev_disk and its like: one class, the kinds as data. Built by main(); control
// thread.
#pragma once

#include "engine/target/handler.h"
#include "handlers/pass_through/unit.h"

namespace uscst::handlers {

std::span<const PassThroughKind> pass_through_kinds();

class PassThroughHandler final : public target::Handler {
 public:
  PassThroughHandler(const PassThroughKind& kind, PassThroughEnvironment& environment)
      : kind_(kind), environment_(environment) {}

  std::string_view name() const override { return kind_.name; }
  int type() const override { return kind_.type; }
  std::span<const std::string_view> parameter_names() const override { return {}; }
  bool is_pass_through() const override { return true; }
  int default_threads_num() const override { return kind_.threads; }
  void create(target::Registry& registry, const std::string& device_name, const target::Parameters& parameters,
              target::DeviceMade made) override;
  void attach(target::Device& device, target::Done done) override;
  void detach(target::Device& device) override;
  std::span<const target::Attribute<target::Handler>> attributes() const override;

  std::string dump_directory;  // pr_dump_dir

 private:
  const PassThroughKind& kind_;
  PassThroughEnvironment& environment_;
};

// scst_user: stands in the tree as a handler without devices.
class UserHandler final : public target::Handler {
 public:
  std::string_view name() const override { return "scst_user"; }
  int type() const override { return -1; }
  std::span<const std::string_view> parameter_names() const override { return {}; }
  bool has_mgmt() const override { return false; }
  int default_threads_num() const override { return -1; }
  void create(target::Registry& registry, const std::string& device_name, const target::Parameters& parameters,
              target::DeviceMade made) override;
};

// The devices of a host into the registry as they come and out as they go. The host outlives the registry's devices.
void show_scsi_devices(ScsiHost& host, target::Registry& registry, PassThroughEnvironment& environment);

}  // namespace uscst::handlers
