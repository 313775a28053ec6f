// The ib_srpt target driver: target ports, logins and the channels that come of them. Built by main(); control thread.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/fabric/fabric.h"
#include "engine/srp/channel.h"
#include "engine/srp/parameters.h"
#include "engine/target/registry.h"

namespace uscst::srp {

inline constexpr std::uint16_t kVersionDescriptorSrp = 0x0940;
inline constexpr std::uint32_t kMaximumCredits = 128;

// What a target port is on the outside.
struct PortInfo {
  std::string name;        // of the target: the port's GID as text, or what --target says
  std::string gid;         // eight groups of four hex digits: dgid of login_info
  std::string device;      // RDMA device, or the interface that stands for it
  std::string link_layer;  // InfiniBand, Ethernet, Unknown
  std::vector<std::string>
      addresses;  // local IP addresses whose connections are this port's; none: all that no other takes
};

class Driver final : public target::Driver {
 public:
  // `service_guid`: id_ext and ioc_guid of every port.
  Driver(target::Registry& registry, base::Log& log, const Parameters& parameters, std::uint64_t service_guid);
  ~Driver() override;

  std::string_view name() const override { return "ib_srpt"; }
  bool can_enable() const override { return true; }
  void set_enabled(target::Target& target, bool enabled, target::Done done) override;
  void remove_targets(target::Done done) override;
  std::span<const target::Attribute<target::Target>> target_attributes() const override;
  int sg_tablesize() const override { return 65536; }
  std::uint16_t version_descriptor() const override { return kVersionDescriptorSrp; }

  struct Port {
    PortInfo info;
    target::Target* target = nullptr;
    std::string port_id = "SCST SRP target";  // IOControllerProfile id string
    std::string vectors;                      // mask of the shards that new channels go to
    unsigned next_vector = 0;
  };
  // Before there are ports.
  void set_parameters(const Parameters& parameters) { parameters_ = parameters; }
  Port& add_port(PortInfo info);
  const Port& port_of(const target::Target& target) const;
  Port& port_of(const target::Target& target);
  std::uint64_t service_guid() const { return service_guid_; }
  // What stands for a device's completion vectors: the shards, each with its thread.
  const std::vector<target::Shard*>& shards() const { return registry_.shards().shards; }
  unsigned vectors() const { return static_cast<unsigned>(shards().size()); }

  // A connection that a listener brought: let in, refused with an SRP_LOGIN_REJ, or kept until the channels that it
  // replaces have ended.
  void connection_requested(std::unique_ptr<fabric::ConnectionRequest> request);

  // Closes all channels; `done` when they have ended. No connection is taken afterwards.
  void stop(io::Job done);

 private:
  struct Login {
    std::unique_ptr<fabric::ConnectionRequest> request;
    LoginRequest login;
    Port* port = nullptr;
    bool replaced_channels = false;
  };
  struct Disabling {
    std::vector<std::uint64_t> sessions;  // those that were open; later logins are not waited for
    target::Done done;
  };

  Port* port_for(const fabric::Address& local);
  std::optional<RejectReason> refusal(const LoginRequest& login, const Port& port) const;
  void reject(Login& login, RejectReason reason);
  target::NexusKey nexus_key(const Login& login) const;
  void proceed(Login login);
  bool close_channels_of(const target::Target& target, const target::Nexus& nexus);
  void admit(Login& login, std::shared_ptr<target::Nexus> nexus, bool existed);
  LoginResponse response_to(const Login& login, bool existed) const;
  std::uint32_t credits() const;
  target::Shard& next_shard(Port& port) const;
  void channel_ended(const std::shared_ptr<Channel>& channel);
  void resume_waiting();

  target::Registry& registry_;
  base::Log& log_;
  Parameters parameters_;
  const std::uint64_t service_guid_;
  std::list<Port> ports_;  // their addresses stay
  std::vector<std::shared_ptr<Channel>> channels_;
  std::list<Login> waiting_logins_;  // for the channels they replace
  std::list<Disabling> disabling_;
  io::Job stopped_;
  bool stopping_ = false;
};

}  // namespace uscst::srp
