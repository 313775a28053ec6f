// The engine under everything at once, by chance: commands, aborts, resets, changes of LUNs, groups and ALUA states,
// suspension, blocking, sessions that come and go, over several shards whose turns come from the seed.
//
// USCST_SIM_SEED runs one seed, USCST_SIM_SECONDS says how long to go on with new ones (default 3).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "engine/target/device_groups.h"
#include "tests/sim/rig.h"

namespace uscst::sim {
namespace {

using target::Done;
using target::Registry;
using target::TaskManagementFunction;

constexpr int kShards = 3, kDisks = 2, kNexuses = 3;
constexpr std::uint32_t kBlocks = 64;

// One initiator writes a block at a time: what a disk must then hold is known, or one of two while a write's fate is
// not.
struct Block {
  std::vector<std::uint8_t> allowed{0};
  FakeCommand* writer = nullptr;
  std::uint8_t next = 0;  // what the writer writes
};

class EngineSim {
 public:
  explicit EngineSim(std::uint64_t seed)
      : rig_({.shards = kShards, .memory_bytes = 3 * io::BufferPool::kSliceBytes, .seed = seed}), random_(seed) {
    for (int disk = 0; disk < kDisks; ++disk) {
      rig_.add_device(disk_name(disk));
      rig_.add_lun(static_cast<std::uint16_t>(disk), disk_name(disk));
      add_device_group(disk);
    }
    rig_.manage([&](Done done) { rig_.registry.create_group(rig_.target, "group", std::move(done)); });
    for (int i = 0; i < kNexuses; ++i) login();
    blocks_.resize(kDisks, std::vector<Block>(kBlocks));
  }

  // What came of the commands: a run in which nothing succeeds, or nothing is aborted, shows little.
  struct Tally {
    std::uint64_t good = 0, refused = 0, silent = 0;
    Tally& operator+=(const Tally& other) {
      good += other.good, refused += other.refused, silent += other.silent;
      return *this;
    }
  };
  const Tally& tally() const { return tally_; }

  void run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) take_step();
    settle();
    check_end();
  }

 private:
  struct Read {
    FakeCommand* command;
    int disk;
    std::uint32_t lba;
    std::vector<std::uint8_t> allowed;
  };

  static std::string disk_name(int disk) { return fmt::format("disk{}", disk); }
  std::uint64_t dice(std::uint64_t sides) { return random_() % sides; }
  // Each disk in a group of its own, and bound to its state.
  void add_device_group(int disk) {
    EXPECT_TRUE(device_groups_.create(disk_name(disk)));
    target::DeviceGroup& made = *device_groups_.find(disk_name(disk));
    EXPECT_TRUE(device_groups_.add_device(made, disk_name(disk)));
    EXPECT_TRUE(device_groups_.create_target_group(made, "here"));
    EXPECT_TRUE(device_groups_.add_target(*made.find("here"), "target"));
    unit(disk).follows = true;
  }
  target::TargetGroup& target_group(int disk) { return *device_groups_.find(disk_name(disk))->find("here"); }
  FakeLogicalUnit& unit(int disk) { return rig_.unit(disk_name(disk)); }
  target::AccessGroup& group() { return rig_.target.default_group(); }

  void login() {
    auto key = static_cast<std::uint8_t>(1 + dice(kNexuses));
    Client& client = rig_.login(fmt::format("host{}", key), static_cast<int>(dice(kShards)), key);
    client.on_ended = [this](FakeCommand& command) { ended(command); };
    clients_.push_back(&client);
  }

  Client* some_client() { return clients_.empty() ? nullptr : clients_[dice(clients_.size())]; }

  void take_step() {
    switch (dice(25)) {
      case 0:
      case 1:
      case 2: return write();
      case 3:
      case 4:
      case 5: return read();
      case 6: return other_command();
      case 7:
        if (dice(3) == 0) abort();
        return;
      case 8:
        if (dice(25) == 0) management_function();
        return;
      case 9: return transport();
      case 10:
        if (dice(group().luns.size() < kDisks ? 3 : 12) == 0) change_luns();
        return;
      case 11:
        if (dice(10) == 0) change_groups();
        return;
      case 12:
        if (dice(suspended_ > 0 ? 2 : 20) == 0) suspend_or_resume();
        return;
      case 13:
        if (dice(4) == 0) block_or_unblock();
        return;
      case 14:
        if (dice(30) == 0) close_or_open();
        return;
      case 15: {
        FakeLogicalUnit& some = unit(static_cast<int>(dice(kDisks)));
        some.hold = dice(2) == 0;
        if (dice(20) == 0) some.control_state.tas = !some.control_state.tas;
        if (dice(20) == 0) some.control_state.tst = static_cast<std::uint8_t>(dice(2));
        return;
      }
      case 16:
      case 17: return release_some();
      case 18:
        if (dice(target_group_serves_all() ? 12 : 3) == 0) change_access_state();
        return;
      default:
        for (std::uint64_t i = dice(12); i > 0; --i) rig_.run_one();
    }
  }

  // --- commands

  scsi::TaskAttribute attribute() {
    constexpr scsi::TaskAttribute kChoice[] = {scsi::TaskAttribute::kSimple, scsi::TaskAttribute::kSimple,
                                               scsi::TaskAttribute::kSimple, scsi::TaskAttribute::kOrdered,
                                               scsi::TaskAttribute::kHeadOfQueue};
    return kChoice[dice(5)];
  }

  void write() {
    Client* client = some_client();
    int disk = static_cast<int>(dice(kDisks));
    auto lba = static_cast<std::uint32_t>(dice(kBlocks));
    Block& block = blocks_[static_cast<std::size_t>(disk)][lba];
    if (!client || block.writer) return;
    block.next = static_cast<std::uint8_t>(dice(256));
    Client::Ask ask = write10(lba, filled(kBlockBytes, block.next), static_cast<std::uint16_t>(disk));
    ask.attribute = attribute();
    block.allowed.push_back(block.next);
    for (Read& read : reads_) {
      if (read.disk == disk && read.lba == lba) read.allowed.push_back(block.next);
    }
    FakeCommand& command = client->send(ask);
    block.writer = &command;
    writes_[&command] = {disk, lba};
  }

  void read() {
    Client* client = some_client();
    int disk = static_cast<int>(dice(kDisks));
    auto lba = static_cast<std::uint32_t>(dice(kBlocks));
    if (!client) return;
    Client::Ask ask = read10(lba, 1, static_cast<std::uint16_t>(disk));
    ask.attribute = attribute();
    const Block& block = blocks_[static_cast<std::size_t>(disk)][lba];
    reads_.push_back({&client->send(ask), disk, lba, block.allowed});
  }

  void other_command() {
    Client* client = some_client();
    if (!client) return;
    auto lun = static_cast<std::uint16_t>(dice(kDisks + 1));
    switch (dice(5)) {
      case 0: client->send(request_sense(lun)); break;
      case 1: client->send(report_luns(lun)); break;
      case 2: client->send(inquiry(lun)); break;
      case 3: client->send(dice(6) == 0 ? reserve6(lun) : release6(lun)); break;
      default: client->send(test_unit_ready(lun));
    }
  }

  void abort() {
    Client* client = some_client();
    if (!client || client->commands().empty()) return;
    const auto& commands = client->commands();
    const FakeCommand& command = commands[commands.size() - 1 - dice(std::min<std::uint64_t>(commands.size(), 10))];
    client->manage(TaskManagementFunction::kAbortTask, scsi::decode_lun(command.request.lun).value_or(0), &command);
  }

  void management_function() {
    constexpr TaskManagementFunction kChoice[] = {TaskManagementFunction::kAbortTaskSet,
                                                  TaskManagementFunction::kClearTaskSet,
                                                  TaskManagementFunction::kLogicalUnitReset};
    Client* client = some_client();
    if (!client) return;
    answers_.push_back({client, client->manage(kChoice[dice(3)], static_cast<std::uint16_t>(dice(kDisks)))});
  }

  // A write that ended GOOD is the truth; one that was not carried out, or whose fate is unknown, may be or not.
  void ended(FakeCommand& command) {
    auto found = writes_.find(&command);
    if (found == writes_.end()) return;
    auto [disk, lba] = found->second;
    writes_.erase(found);
    Block& block = blocks_[static_cast<std::size_t>(disk)][lba];
    ASSERT_EQ(block.writer, &command);
    block.writer = nullptr;
    // Nothing else writes here now: the disk itself tells which of the two it is. It must be one of them.
    std::uint8_t is = unit(disk).memory[lba * kBlockBytes];
    EXPECT_TRUE(std::find(block.allowed.begin(), block.allowed.end(), is) != block.allowed.end());
    if (command.outcome.responded && command.outcome.status == scsi::Status::kGood) {
      EXPECT_EQ(is, block.next);
    }
    block.allowed = {is};
  }

  void check_reads() {
    std::erase_if(reads_, [&](const Read& read) {
      const Outcome& outcome = read.command->outcome;
      if (outcome.ended == 0) return false;
      if (outcome.responded && outcome.status == scsi::Status::kGood) {
        EXPECT_EQ(outcome.data_in.size(), kBlockBytes);
        bool known = std::find(read.allowed.begin(), read.allowed.end(), outcome.data_in[0]) != read.allowed.end();
        EXPECT_TRUE(known) << "disk " << read.disk << " block " << read.lba;
        EXPECT_EQ(outcome.data_in[0], outcome.data_in[kBlockBytes - 1]);
      }
      return true;
    });
  }

  void transport() {
    Client* client = some_client();
    if (!client) return;
    client->hold_fetch = dice(3) == 0;
    client->hold_status = dice(3) == 0;
  }

  void release_some() {
    check_reads();
    FakeLogicalUnit& some = unit(static_cast<int>(dice(kDisks)));
    if (!some.held.empty()) {
      target::Command& command = *some.held[dice(some.held.size())];
      if (dice(8) == 0) {
        some.fail(command, scsi::kHardwareFailure);
      } else {
        some.release(command);
      }
    }
    Client* client = some_client();
    if (!client) return;
    if (!client->fetching.empty()) client->finish_fetch(*client->fetching[dice(client->fetching.size())], dice(9) != 0);
    if (!client->sending.empty()) client->finish_status(*client->sending[dice(client->sending.size())]);
  }

  // --- the configuration

  Done expect_done() {
    ++pending_;
    return [this](base::Status) { --pending_; };
  }

  void change_luns() {
    int disk = static_cast<int>(dice(kDisks));
    auto lun = static_cast<std::uint16_t>(disk);
    if (!group().luns.contains(lun)) {
      rig_.registry.add_lun(group(), disk_name(disk), lun, false, expect_done());
    } else if (dice(4) == 0) {
      rig_.registry.delete_lun(group(), lun, expect_done());
    } else {
      auto how = dice(2) ? Registry::Replace::kWithAttention : Registry::Replace::kWithoutAttention;
      rig_.registry.replace_lun(group(), disk_name(disk), lun, dice(4) == 0, how, expect_done());
    }
  }

  void change_groups() {
    target::AccessGroup* named = rig_.target.find_group("group");
    switch (dice(4)) {
      case 0: return rig_.registry.add_initiator(*named, fmt::format("host{}", 1 + dice(kNexuses)), expect_done());
      case 1: return rig_.registry.clear_initiators(*named, expect_done());
      case 2: {
        if (named->luns.contains(1)) return rig_.registry.delete_lun(*named, 1, expect_done());
        return rig_.registry.add_lun(*named, disk_name(1), 1, false, expect_done());
      }
      default: return rig_.registry.create_group(rig_.target, "group", expect_done());
    }
  }

  bool target_group_serves_all() {
    for (int disk = 0; disk < kDisks; ++disk) {
      if (target_group(disk).state() != scsi::AluaState::kActiveOptimized) return false;
    }
    return true;
  }

  // Half of the time back to active, or nothing would succeed.
  void change_access_state() {
    constexpr scsi::AluaState kChoice[] = {scsi::AluaState::kActiveNonoptimized, scsi::AluaState::kStandby,
                                           scsi::AluaState::kUnavailable, scsi::AluaState::kOffline,
                                           scsi::AluaState::kTransitioning};
    const scsi::AluaState state = dice(2) ? scsi::AluaState::kActiveOptimized : kChoice[dice(5)];
    device_groups_.set_state(target_group(static_cast<int>(dice(kDisks))), state, expect_done());
  }

  void suspend_or_resume() {
    if (suspended_ > 0 && dice(8) != 0) {
      --suspended_;
      return rig_.registry.resume();
    }
    ++pending_;
    rig_.registry.suspend(std::chrono::seconds(10), [this](base::Status status) {
      --pending_;
      if (status) ++suspended_;
    });
  }

  void block_or_unblock() {
    target::Device& device = *rig_.registry.find_device(disk_name(static_cast<int>(dice(kDisks))));
    if (device.blocks > 0 || dice(3) != 0) {
      EXPECT_TRUE(rig_.registry.unblock(device));
    } else {
      rig_.registry.block(device, expect_done());
    }
  }

  void close_or_open() {
    if (clients_.size() > 4) {
      std::size_t which = dice(clients_.size());
      clients_[which]->close();
      clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(which));
    } else {
      login();
    }
  }

  // --- the end

  // Everything that holds something back lets go: then all must come to an end without the clock.
  void settle() {
    for (int round = 0; round < 50; ++round) {
      rig_.run();
      for (; suspended_ > 0; --suspended_) rig_.registry.resume();
      for (int disk = 0; disk < kDisks; ++disk) {
        device_groups_.set_state(target_group(disk), scsi::AluaState::kActiveOptimized, expect_done());
        target::Device& device = *rig_.registry.find_device(disk_name(disk));
        while (device.blocks > 0) EXPECT_TRUE(rig_.registry.unblock(device));
        unit(disk).hold = false;
        unit(disk).release_all();
      }
      for (Client& client : rig_.clients) {
        client.hold_fetch = client.hold_status = false;
        while (!client.fetching.empty()) client.finish_fetch(*client.fetching.front());
        while (!client.sending.empty()) client.finish_status(*client.sending.front());
      }
    }
    rig_.run();
    check_reads();
  }

  void check_end() {
    EXPECT_EQ(pending_, 0) << "management operations";
    for (int disk = 0; disk < kDisks; ++disk) EXPECT_EQ(unit(disk).media_accesses_closed, 0) << disk;
    EXPECT_TRUE(writes_.empty());
    EXPECT_TRUE(reads_.empty());
    EXPECT_EQ(rig_.memory_in_use(), 0u);
    EXPECT_EQ(rig_.registry.suspend_depth(), 0);
    for (const Client& client : rig_.clients) {
      for (const FakeCommand& command : client.commands()) {
        ASSERT_EQ(command.outcome.ended, 1);
        bool good = command.outcome.status == scsi::Status::kGood;
        ++(!command.outcome.responded ? tally_.silent : good ? tally_.good : tally_.refused);
      }
    }
    for (const auto& [client, answer] : answers_) {
      bool is_open = std::find(clients_.begin(), clients_.end(), client) != clients_.end();
      if (is_open) {
        EXPECT_TRUE(answer->has_value());
      }
    }
    std::size_t open = clients_.size();
    EXPECT_EQ(rig_.target.sessions().size(), open);
    for (Client* client : clients_) {
      EXPECT_EQ(client->session().counters().commands.load(), 0);
      for (const auto& entry : client->session().lun_map()->entries)
        EXPECT_EQ(entry.nexus_lun->active_commands.load(), 0);
    }
  }

  Rig rig_;
  target::DeviceGroups& device_groups_ = rig_.registry.device_groups();
  std::mt19937_64 random_;
  std::vector<Client*> clients_;
  std::vector<std::vector<Block>> blocks_;
  std::map<target::Command*, std::pair<int, std::uint32_t>> writes_;
  std::vector<Read> reads_;
  std::vector<std::pair<Client*, Client::Answer>> answers_;
  int pending_ = 0, suspended_ = 0;
  Tally tally_;
};

TEST(Engine, EverythingAtOnce) {
  const char* only = std::getenv("USCST_SIM_SEED");
  const char* seconds = std::getenv("USCST_SIM_SECONDS");
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds ? std::atoi(seconds) : 3);
  std::uint64_t seed = only ? std::strtoull(only, nullptr, 0) : 1;
  int runs = 0;
  EngineSim::Tally total;
  do {
    SCOPED_TRACE(fmt::format("USCST_SIM_SEED={}", seed));
    EngineSim sim(seed++);
    sim.run(3000);
    total += sim.tally();
    ++runs;
  } while (!only && !HasFailure() && std::chrono::steady_clock::now() < until);
  fmt::print("{} seeds: {} commands GOOD, {} refused, {} without a response\n", runs, total.good, total.refused,
             total.silent);
  EXPECT_GT(total.good, 100u);
  EXPECT_GT(total.silent, 10u);
}

}  // namespace
}  // namespace uscst::sim
