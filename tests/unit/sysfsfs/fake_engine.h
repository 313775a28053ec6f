// A real Registry with a handler, a driver and sessions made for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/base/log.h"
#include "engine/control/management_queue.h"
#include "engine/io/buffer.h"
#include "engine/io/reactor.h"
#include "engine/target/registry.h"
#include "engine/target/shard.h"

namespace uscst::sysfsfs {

inline constexpr std::string_view kTargetName = "fe80:0000:0000:0000:0000:00ff:fe00:0001";

// Makes devices with a few attributes. A device named "slow" is made when finish_slow() is called.
class FakeHandler final : public target::Handler {
 public:
  explicit FakeHandler(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  int type() const override { return 0; }
  std::span<const std::string_view> parameter_names() const override;
  int default_threads_num() const override { return 1; }
  void create(target::Registry& registry, const std::string& device_name, const target::Parameters& parameters,
              target::DeviceMade made) override;
  void finish_slow();

 private:
  const std::string name_;
  target::DeviceMade slow_;
};

class FakeDriver final : public target::Driver {
 public:
  std::string_view name() const override { return "ib_srpt"; }
  bool can_enable() const override { return true; }
  void set_enabled(target::Target& target, bool enabled, target::Done done) override {
    target.enabled = enabled;
    done({});
  }
  int sg_tablesize() const override { return 65536; }
  void remove_targets(target::Done done) override { done({}); }
  std::uint16_t version_descriptor() const override { return 0; }
};

class FakeTransport final : public target::SessionTransport {
 public:
  std::span<const target::Attribute<target::Session>> attributes() const override { return {}; }
  bool can_close() const override { return true; }
  void close() override { ++closed; }
  int closed = 0;
};

// Everything on one executor: the control thread's.
struct FakeEngine {
  explicit FakeEngine(io::Reactor& reactor);

  io::BufferBudget budget{16 << 20};
  target::ShardGroup shards;
  target::Shard shard;
  std::vector<std::string> log_lines;
  base::Log log;
  target::Registry registry;
  control::ManagementQueue queue;
  FakeHandler nullio{"vdisk_nullio"}, fileio{"vdisk_fileio"};
  FakeDriver driver;
  FakeTransport transport;
  target::Target& target;

  std::shared_ptr<target::Session> log_in(const std::string& initiator);
};

}  // namespace uscst::sysfsfs
