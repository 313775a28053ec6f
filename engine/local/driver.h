// The scst_local target driver: targets whose initiators are on the target host itself. In SCST it makes a SCSI host
// for each session; here commands come by the control socket (engine/local/service.h). Built by main(); control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/log.h"
#include "engine/local/session.h"
#include "engine/target/registry.h"

namespace uscst::local {

class Driver final : public target::Driver, public target::TargetManagement {
 public:
  static constexpr std::string_view kDefaultTarget = "scst_local_tgt", kDefaultSession = "scst_local_host";

  Driver(target::Registry& registry, base::Log& log);
  ~Driver() override;

  std::string_view name() const override { return "scst_local"; }
  bool can_enable() const override { return false; }  // always on
  void set_enabled(target::Target& target, bool enabled, target::Done done) override;
  std::span<const target::Attribute<target::Driver>> attributes() const override;
  std::span<const target::Attribute<target::Target>> target_attributes() const override;
  void remove_targets(target::Done done) override;
  target::TargetManagement* management() override { return this; }
  std::uint16_t version_descriptor() const override { return kVersionDescriptorSas; }

  // --- targets/scst_local/mgmt. Errors: EFAULT for a target that is there, ENOENT for one that is not, else EINVAL.
  std::span<const std::string_view> parameter_names() const override;
  std::string_view own_usage() const override;
  int name_taken_error() const override { return EFAULT; }
  void create_target(const std::string& name, const base::Result<target::Parameters>& parameters,
                     target::Done done) override;
  void delete_target(std::string_view name, target::Done done) override;
  void own_command(std::string_view text, target::Done done) override;

  // scst_local_tgt with its session, as the module makes it unless add_default_tgt=0.
  void add_default_target();
  // Null for one that is not there or on its way out.
  target::Target* find_open_target(std::string_view name);
  // A session, in the tree until it is closed. Never null.
  std::shared_ptr<Session> add_session(target::Target& target, const std::string& initiator_name);
  // By the name of its directory; null for one that is not there or on its way out.
  std::shared_ptr<Session> find_session(const target::Target& target, std::string_view name) const;
  // Closes all sessions; `done` when they have ended.
  void stop(io::Job done);

  struct Statistics {
    int aborts = 0, device_resets = 0, target_resets = 0;
  };
  Statistics statistics;

 private:
  static constexpr std::uint16_t kVersionDescriptorSas = 0x0BE0;
  struct Ending {
    std::vector<std::uint64_t> sessions;
    io::Job done;
  };

  base::Status delete_session_name(target::Target& target, std::string_view initiator_name, target::Done& done);
  void close_sessions_of(const target::Target* target, io::Job done);
  void wait_for(std::vector<std::uint64_t> sessions, io::Job done);
  void session_ended(std::uint64_t id);
  unsigned free_host_number() const;
  target::Shard& next_shard();

  target::Registry& registry_;
  base::Log& log_;
  std::vector<std::shared_ptr<Session>> sessions_;  // also those on their way out
  std::vector<std::uint64_t> closing_targets_;
  std::vector<Ending> endings_;
  unsigned last_session_number_ = 0;
  std::size_t next_shard_ = 0;
  unsigned long trace_flags_;
};

}  // namespace uscst::local
