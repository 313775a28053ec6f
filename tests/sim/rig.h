// The engine on simulated executors, for tests: a control thread, shards, a driver whose initiators are the test
// itself, and disks in memory whose commands end when the test says so. Everything runs on the test's thread; with
// executors of their own, the order between control and shards comes from a seed.
#pragma once

#include <cassert>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "engine/io/sim_executor.h"
#include "engine/target/registry.h"

namespace uscst::sim {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::size_t kBlockBytes = 512;

// A disk of blocks in memory. With `hold` set, commands stay in execution until release() or fail().
class FakeLogicalUnit final : public target::LogicalUnit {
 public:
  explicit FakeLogicalUnit(std::size_t blocks) : memory(blocks * kBlockBytes) {}
  ~FakeLogicalUnit() override;

  scsi::DeviceTraits traits() const override {
    scsi::DeviceTraits traits;
    traits.explicit_alua = explicit_alua;
    return traits;
  }
  scsi::ControlState control() const override { return control_state; }
  void execute(target::Command& command) override;
  void reset() override { ++resets; }
  std::span<const target::Attribute<target::Device>> attributes() const override { return {}; }
  bool read_only() const override { return is_read_only; }
  bool follows_alua_state() const override { return follows; }
  void follow_alua_state(target::Device& device, bool serves, target::Done done) override;

  bool is_executing(const target::Command& command) const;
  // Carries out a held command, or ends it with sense data instead.
  void release(target::Command& command);
  void fail(target::Command& command, const scsi::Sense& sense);
  void release_all();

  Bytes memory;
  bool hold = false;
  bool is_read_only = false, explicit_alua = false;
  scsi::ControlState control_state;
  bool follows = false;         // bind_alua_state
  std::vector<bool> followed;   // what it was told
  bool hold_following = false;  // answers stay in `following`
  std::deque<target::Done> following;
  bool store_closed = false;              // by its ALUA state
  int media_accesses_closed = 0;          // READ and WRITE that executed meanwhile: there must be none
  std::optional<scsi::Sense> next_error;  // of the next command executed
  int executions = 0, resets = 0;
  std::vector<target::Command*> held;   // in the order they came
  std::vector<target::Command*> order;  // all that began, in order
  std::shared_ptr<int> destroyed;       // counts, where given

 private:
  void carry_out(target::Command& command);
};

class FakeHandler final : public target::Handler {
 public:
  std::string_view name() const override { return "fake"; }
  int type() const override { return 0; }
  std::span<const std::string_view> parameter_names() const override { return {}; }
  int default_threads_num() const override { return 1; }
  void create(target::Registry& registry, const std::string& device_name, const target::Parameters& parameters,
              target::DeviceMade made) override;
  std::size_t blocks = 64;
  bool hold_new = false;  // the `hold` of units made from now on
};

// Targets that only the test reaches.
class FakeDriver final : public target::Driver {
 public:
  explicit FakeDriver(std::string name = "fake_driver", bool enables = true)
      : name_(std::move(name)), enables_(enables) {}
  std::string_view name() const override { return name_; }
  bool can_enable() const override { return enables_; }
  void set_enabled(target::Target& target, bool enabled, target::Done done) override {
    target.enabled = enabled;
    done({});
  }
  void remove_targets(target::Done done) override { done({}); }
  std::uint16_t version_descriptor() const override { return 0; }

 private:
  std::string name_;
  bool enables_;
};

// What became of a command.
struct Outcome {
  int ended = 0;  // must be 1 in the end
  bool responded = false;
  scsi::Status status = scsi::Status::kGood;
  Bytes sense;
  Bytes data_in;
  std::int64_t residual = 0;
  bool has_sense(const scsi::Sense& expected) const;
};

class Client;

class FakeCommand final : public target::Command {
 public:
  explicit FakeCommand(Client& client);
  Outcome outcome;
  Bytes data_out;
};

// One session of an initiator: transport and both ends of it. Commands are kept until the end of the test.
class Client final : public target::CommandTransport, public target::SessionTransport {
 public:
  Client(target::Target& target, target::Shard& shard, const std::string& name,
         const std::shared_ptr<target::Nexus>& nexus);

  // --- the initiator
  struct Ask {
    Bytes cdb;
    scsi::Direction direction = scsi::Direction::kNone;
    std::uint64_t expected = 0;
    Bytes data_out = {};
    std::uint16_t lun = 0;
    scsi::TaskAttribute attribute = scsi::TaskAttribute::kSimple;
    bool invalid_fields = false;
  };
  // On its way: begins when the shard runs.
  FakeCommand& send(Ask ask);
  using Answer = std::shared_ptr<std::optional<target::TaskManagementResult>>;
  Answer manage(target::TaskManagementFunction function, std::uint16_t lun = 0, const FakeCommand* task = nullptr);
  // The channel is gone; `closed` when the session is.
  void close() override;
  bool closed = false;

  // --- the transport: with these set, events come only when asked for
  bool hold_fetch = false, hold_status = false;
  std::vector<FakeCommand*> fetching, sending;
  void finish_fetch(FakeCommand& command, bool ok = true);
  void finish_status(FakeCommand& command, bool ok = true);

  target::Session& session() { return *session_; }
  target::Shard& shard() { return shard_; }
  const std::deque<FakeCommand>& commands() const { return commands_; }
  std::function<void(FakeCommand&)> on_ended;

  void fetch_data(target::Command& command) override;
  void send_data(target::Command& command) override;
  void send_status(target::Command& command) override;
  void ended(target::Command& command, bool responded) override;
  std::span<const target::Attribute<target::Session>> attributes() const override { return {}; }
  bool can_close() const override { return true; }

 private:
  target::Target& target_;
  target::Shard& shard_;
  std::shared_ptr<target::Session> session_;
  std::deque<FakeCommand> commands_;
  std::uint64_t last_tag_ = 0;
  bool closing_ = false;
};

class Rig {
 public:
  struct Options {
    int shards = 1;
    std::uint64_t memory_bytes = 64U << 20;
    std::optional<std::uint64_t> seed = std::nullopt;  // given: executors of their own, taking turns by chance
  };
  Rig() : Rig(Options{}) {}
  explicit Rig(const Options& options);
  ~Rig();

  // Until nothing can run without the clock moving.
  void run();
  // One event somewhere; false when there is none.
  bool run_one();
  void advance(base::Duration by);

  target::Device& add_device(const std::string& name);
  FakeLogicalUnit& unit(const std::string& name);
  void add_lun(std::uint16_t lun, const std::string& device, bool read_only = false);
  // A session of its own nexus, or of the one with this key.
  Client& login(const std::string& name, int shard = 0);
  Client& login(const std::string& name, int shard, std::uint8_t nexus_key);
  // Runs, and gives the result of a management operation that must have ended.
  base::Status manage(const std::function<void(target::Done)>& begin);
  std::uint64_t memory_in_use() const { return budget.used_bytes(); }

  std::deque<io::SimExecutor> executors;
  io::SimExecutor& control;
  io::BufferBudget budget;
  target::ShardGroup group;
  std::deque<target::Shard> shards;
  std::vector<std::string> log_lines;
  base::Log log;
  target::Registry registry;
  FakeHandler handler;
  FakeDriver driver;
  target::Target& target;
  std::deque<Client> clients;
  std::mt19937_64 random;

 private:
  std::uint8_t next_key_ = 100;
};

// --- commands
Client::Ask read10(std::uint32_t lba, std::uint16_t blocks, std::uint16_t lun = 0);
Client::Ask write10(std::uint32_t lba, Bytes data, std::uint16_t lun = 0);
Client::Ask test_unit_ready(std::uint16_t lun = 0);
Client::Ask inquiry(std::uint16_t lun = 0);
Client::Ask request_sense(std::uint16_t lun = 0);
Client::Ask report_luns(std::uint16_t lun = 0);
Client::Ask reserve6(std::uint16_t lun = 0);
Client::Ask release6(std::uint16_t lun = 0);
Client::Ask synchronize_cache(std::uint16_t lun = 0);
Client::Ask report_target_port_groups(std::uint16_t lun = 0);
Client::Ask set_target_port_groups(Bytes list, std::uint16_t lun = 0);
Bytes filled(std::size_t length_bytes, std::uint8_t value);

}  // namespace uscst::sim
