// Disks behind the real pipeline on a simulated executor: one target, sessions, and commands that carry their data
// themselves. One thread, no time but what the test moves.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/sim_executor.h"
#include "engine/target/registry.h"
#include "handlers/sim_store.h"
#include "handlers/vdisk/handler.h"

namespace uscst::handlers::test {

using Data = std::vector<std::uint8_t>;

// How a command ended.
struct Outcome {
  bool ended = false, responded = false;
  scsi::Status status = scsi::Status::kGood;
  Data sense, data;
  std::int64_t residual = 0;

  bool good() const { return responded && status == scsi::Status::kGood; }
  // Key, additional code and qualifier of fixed-format sense as 0xKKAAQQ; 0 without sense.
  unsigned code() const;
};

// A directory that goes with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }
  std::string file(const std::string& name, std::uint64_t size_bytes) const;

 private:
  std::string path_;
};

// An initiator: one nexus, one session.
class Initiator final : public target::CommandTransport, public target::SessionTransport {
 public:
  Initiator(target::Target& target, target::Shard& shard, io::SimExecutor& executor, std::uint8_t number);
  ~Initiator() override;

  // Runs a command to its end; `offered` is the data-in length, unless there is data-out.
  Outcome run(std::initializer_list<std::uint8_t> cdb, std::size_t offered = 0, Data out = {}, std::uint16_t lun = 0);
  // Begins one; it ends as the executor runs.
  Outcome& begin(Data cdb, std::size_t offered, Data out, std::uint16_t lun = 0);
  // Takes the unit attentions that a new nexus finds.
  void clear_attentions(std::uint16_t lun = 0);

  // --- target::CommandTransport
  void fetch_data(target::Command& command) override;
  void send_data(target::Command& command) override;
  void send_status(target::Command& command) override;
  void ended(target::Command& command, bool responded) override;
  // --- target::SessionTransport
  std::span<const target::Attribute<target::Session>> attributes() const override { return {}; }
  bool can_close() const override { return false; }
  void close() override {}

  target::Session& session() { return *session_; }

 private:
  struct Sent {
    explicit Sent(target::CommandTransport& transport) : command(transport) {}
    target::Command command;
    Data out;
    Outcome outcome;
  };
  Sent& sent(target::Command& command);

  io::SimExecutor& executor_;
  target::Target& target_;
  std::shared_ptr<target::Session> session_;
  std::list<Sent> sent_;
};

class DiskRig {
 public:
  DiskRig();
  ~DiskRig();

  // add_device; the error's code, 0 for success.
  int add(VdiskKind kind, const std::string& name, const target::Parameters& parameters);
  void map(const std::string& name, std::uint16_t lun, bool read_only = false);
  int add_lun(const std::string& name, std::uint16_t lun, bool read_only = false);
  // Runs an operation to its end; the error's code, 0 for success.
  int manage(const std::function<void(target::Done)>& begin);
  // A disk on a simulated store, mapped as LUN 0.
  std::shared_ptr<SimStore> add_simulated(const target::Parameters& parameters, std::size_t size_bytes = 1 << 20);
  std::unique_ptr<Initiator> connect(std::uint8_t number = 1);

  target::Device& device(const std::string& name) { return *registry.find_device(name); }
  SbcDisk& disk(const std::string& name) { return static_cast<SbcDisk&>(device(name).unit()); }
  // The attribute as read: with [key], and as the file's layout is.
  std::string read(const std::string& device, std::string_view attribute);
  // The error's code, 0 for success.
  int write(const std::string& device, std::string_view attribute, const std::string& text);
  const target::Attribute<target::Device>* row(const std::string& device, std::string_view attribute);

  TemporaryDirectory directory;
  std::vector<std::string> log_lines;
  base::Log log{[this](base::LogLevel, std::string_view line) { log_lines.emplace_back(line); }};
  io::SimExecutor executor;
  io::BlockingPool pool{1};
  io::BufferBudget budget{64u << 20};
  target::ShardGroup shards{executor};
  target::Shard shard{shards, executor, &executor, budget};
  target::Registry registry{shards, log};
  VdiskEnvironment environment;
  VdiskHandler file_handler{VdiskKind::kFileio, environment}, block_handler{VdiskKind::kBlockio, environment},
      null_handler{VdiskKind::kNullio, environment}, cdrom_handler{VdiskKind::kCdrom, environment};
  target::ProtectionSupport protection;  // of the driver's targets
  std::unique_ptr<target::Driver> driver;
  target::Target* target = nullptr;
};

}  // namespace uscst::handlers::test
