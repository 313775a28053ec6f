// A disk under 8 initiators on several shards: READ, WRITE, COMPARE AND WRITE, WRITE SAME and UNMAP of few blocks,
// aborts and resets, with a store that takes its time by chance. What each block was seen to hold must be explained by
// an order of the commands.
//
// USCST_SIM_SEED runs one seed, USCST_SIM_SECONDS says how long to go on with new ones (default 3).
#include "tests/sim/linearizability.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "handlers/sim_store.h"
#include "handlers/vdisk/handler.h"
#include "tests/sim/rig.h"
#include "tests/unit/handlers/disk_rig.h"

namespace uscst::sim {
namespace {

using handlers::SbcDisk;
using handlers::SimStore;
using target::TaskManagementFunction;
using Kind = Effect::Kind;

// --- the checker itself

BlockOperation operation(unsigned party, std::uint64_t begin, std::uint64_t end, Kind kind, std::uint64_t value,
                         std::uint64_t expected = 0) {
  return {party, begin, end, {kind, value, expected}};
}

TEST(Checker, ExplainsWhatOverlaps) {
  // The write's moment lies between the two reads.
  EXPECT_FALSE(first_unexplained(0, {operation(0, 1, 10, Kind::kWrite, 5), operation(1, 2, 3, Kind::kRead, 0),
                                     operation(1, 4, 5, Kind::kRead, 5)}));
  // The end of a command without an answer, whether it wrote or not.
  EXPECT_FALSE(first_unexplained(0, {operation(0, 1, 2, Kind::kMaybeWrite, 5), operation(1, 3, 4, Kind::kRead, 5)}));
  EXPECT_FALSE(first_unexplained(0, {operation(0, 1, 2, Kind::kMaybeWrite, 5), operation(1, 3, 4, Kind::kRead, 0)}));
}

TEST(Checker, FindsWhatCannotBe) {
  // An old value after a new one.
  EXPECT_TRUE(first_unexplained(0, {operation(0, 1, 10, Kind::kWrite, 5), operation(1, 2, 3, Kind::kRead, 5),
                                    operation(1, 4, 5, Kind::kRead, 0)}));
  // A read that misses a write that has ended.
  EXPECT_TRUE(first_unexplained(0, {operation(0, 1, 2, Kind::kWrite, 5), operation(1, 3, 4, Kind::kRead, 0)}));
  // Two that both saw 0.
  EXPECT_TRUE(first_unexplained(0, {operation(0, 1, 9, Kind::kSwap, 5, 0), operation(1, 2, 8, Kind::kSwap, 6, 0)}));
  // A write lost between comparing and writing.
  EXPECT_TRUE(first_unexplained(0, {operation(0, 1, 9, Kind::kSwap, 5, 0), operation(1, 2, 8, Kind::kWrite, 6),
                                    operation(2, 3, 4, Kind::kRead, 6), operation(2, 10, 11, Kind::kRead, 5)}));
  // A difference where there was none.
  EXPECT_TRUE(first_unexplained(7, {operation(0, 1, 2, Kind::kDiffer, 0, 7)}));
}

// --- the disk

constexpr int kShards = 3, kClients = 8;
constexpr std::uint64_t kBlocks = 4, kMaxBlocks = 3;
constexpr std::size_t kSizeBytes = 1u << 20;

Bytes block_of(std::uint64_t value) {
  Bytes block(kBlockBytes);
  for (std::size_t at = 0; at < block.size(); at += sizeof(value)) std::memcpy(&block[at], &value, sizeof(value));
  return block;
}

void append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

class History {
 public:
  explicit History(std::uint64_t seed)
      : rig_({.shards = kShards, .memory_bytes = std::uint64_t{64} << 20, .seed = seed}),
        random_(seed),
        blocks_(kBlocks) {
    rig_.registry.add_handler(handler_);
    auto made = rig_.manage([&](target::Done done) {
      rig_.registry.create_device(handler_, "disk",
                                  {{"filename", directory_.file("disk", kSizeBytes)}, {"thin_provisioned", "1"}},
                                  std::move(done));
    });
    EXPECT_TRUE(made.has_value());
    handlers::Geometry geometry;
    geometry.size_bytes = kSizeBytes;
    geometry.can_unmap = true;
    geometry.discard = {kSizeBytes, kBlockBytes, 0};
    auto& disk = static_cast<SbcDisk&>(rig_.registry.find_device("disk")->unit());
    disk.remove_store();
    disk.install({geometry, store_});
    rig_.add_lun(0, "disk");
    for (int i = 0; i < kClients; ++i) add_client(i);
    rig_.run();
  }

  ~History() {
    for (Client& client : rig_.clients) client.close();
    rig_.run();
    rig_.registry.clear_luns(rig_.target.default_group(), [](base::Status) {});
    rig_.run();
    auto gone = rig_.manage([&](target::Done done) { rig_.registry.delete_device(handler_, "disk", std::move(done)); });
    EXPECT_TRUE(gone.has_value());
  }

  struct Tally {
    std::uint64_t reads = 0, writes = 0, swaps = 0, differences = 0, silent = 0, refused = 0;
  };

  void run(int steps) {
    for (int step = 0; step < steps; ++step) take_step();
    store_->delay = {};
    for (int i = 0; i < 1000 && busy(); ++i) rig_.advance(std::chrono::milliseconds(1));
    EXPECT_FALSE(busy());
  }

  void check() {
    for (std::uint64_t block = 0; block < kBlocks; ++block) {
      auto wrong = first_unexplained(0, blocks_[block]);
      if (!wrong) continue;
      ADD_FAILURE() << fmt::format("block {}: party {}, from {} to {}, kind {}, value {:#x}, expected {:#x}", block,
                                   wrong->party, wrong->begin, wrong->end, static_cast<int>(wrong->effect.kind),
                                   wrong->effect.value, wrong->effect.expected);
    }
  }
  const Tally& tally() const { return tally_; }

 private:
  enum class What : std::uint8_t { kRead, kWrite, kSwap, kSame, kUnmap };
  struct Asked {
    FakeCommand* command = nullptr;
    What what = What::kRead;
    std::uint64_t begin = 0, lba = 0, blocks = 0;
    std::vector<std::uint64_t> expected, written;  // one of each block
  };

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  void add_client(int number) {
    Client& client = rig_.login(fmt::format("initiator{}", number), number % kShards);
    rig_.run();
    while (true) {  // the unit attentions of a new nexus
      FakeCommand& ready = client.send(test_unit_ready());
      rig_.run();
      if (ready.outcome.status == scsi::Status::kGood) break;
    }
    client.on_ended = [this, number](FakeCommand& command) { ended(static_cast<unsigned>(number), command); };
  }

  bool busy() const {
    return std::ranges::any_of(asked_, [](const Asked& asked) { return asked.command != nullptr; });
  }

  void take_step() {
    const std::uint64_t party = below(kClients);
    Asked& asked = asked_[party];
    Client& client = rig_.clients[party];
    if (!asked.command) {
      send(client, asked);
    } else if (below(40) == 0) {
      client.manage(TaskManagementFunction::kAbortTask, 0, asked.command);
    } else if (below(4000) == 0) {
      client.manage(TaskManagementFunction::kLogicalUnitReset);
    }
    for (std::uint64_t turns = below(4); turns > 0; --turns) {
      store_->delay = std::chrono::microseconds(below(8) == 0 ? 0 : below(100));
      rig_.run_one();
    }
    auto& executor = rig_.executors[below(rig_.executors.size())];
    store_->delay = std::chrono::microseconds(1 + below(100));
    executor.advance(std::chrono::microseconds(below(40)));
  }

  std::uint64_t held(std::uint64_t block) const {
    std::uint64_t value = 0;
    std::memcpy(&value, &store_->contents()[block * kBlockBytes], sizeof(value));
    return value;
  }

  void send(Client& client, Asked& asked) {
    constexpr What kChoices[] = {What::kRead, What::kRead, What::kRead, What::kWrite, What::kWrite, What::kSwap,
                                 What::kSwap, What::kSwap, What::kSwap, What::kSwap,  What::kSame,  What::kUnmap};
    asked = {};
    asked.what = kChoices[below(std::size(kChoices))];
    asked.lba = below(kBlocks);
    asked.blocks = 1 + below(std::min(kMaxBlocks, kBlocks - asked.lba));
    const std::uint64_t guess = below(4);
    for (std::uint64_t i = 0; i < asked.blocks; ++i) {
      const bool fresh = asked.what != What::kSame || i == 0;
      asked.written.push_back(asked.what == What::kUnmap ? 0 : fresh ? ++last_value_ : last_value_);
      asked.expected.push_back(guess == 0 ? below(last_value_ + 1) : held(asked.lba + i));
    }
    asked.begin = ++now_;
    asked.command = &client.send(ask(asked));
  }

  static Client::Ask ask(const Asked& asked) {
    const auto lba = static_cast<std::uint8_t>(asked.lba), blocks = static_cast<std::uint8_t>(asked.blocks);
    Bytes out;
    if (asked.what == What::kSwap)
      for (std::uint64_t value : asked.expected) append(out, block_of(value));
    for (std::uint64_t value : asked.written) append(out, block_of(value));
    switch (asked.what) {
      case What::kRead: return read10(lba, blocks);
      case What::kWrite: return write10(lba, out);
      case What::kSwap: return sent({0x89, 0, 0, 0, 0, 0, 0, 0, 0, lba, 0, 0, 0, blocks, 0, 0}, out);
      case What::kSame: out.resize(kBlockBytes); return sent({0x41, 0, 0, 0, 0, lba, 0, 0, blocks, 0}, out);
      case What::kUnmap: break;
    }
    Bytes list(24);
    list[1] = 22, list[3] = 16, list[15] = lba, list[19] = blocks;
    return sent({0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0}, list);
  }

  static Client::Ask sent(Bytes cdb, Bytes out) {
    Client::Ask ask;
    ask.cdb = std::move(cdb);
    ask.direction = scsi::Direction::kOut;
    ask.expected = out.size();
    ask.data_out = std::move(out);
    return ask;
  }

  void ended(unsigned party, FakeCommand& command) {
    Asked& asked = asked_[party];
    if (asked.command != &command) return;
    const std::uint64_t end = ++now_;
    asked.command = nullptr;
    const Outcome& outcome = command.outcome;
    const bool good = outcome.responded && outcome.status == scsi::Status::kGood;
    if (!outcome.responded) {
      ++tally_.silent;
    } else if (!good && !is_miscompare(outcome)) {  // told of a reset
      ++tally_.refused;
      return;
    }
    for (std::uint64_t i = 0; i < asked.blocks; ++i) {
      if (auto effect = effect_on(asked, i, outcome, good))
        blocks_[asked.lba + i].push_back({party, asked.begin, end, *effect});
    }
    if (good && asked.what == What::kRead) ++tally_.reads;
    if (good && asked.what == What::kSwap) ++tally_.swaps;
    if (good && asked.what != What::kRead && asked.what != What::kSwap) ++tally_.writes;
    if (is_miscompare(outcome)) ++tally_.differences;
  }

  static bool is_miscompare(const Outcome& outcome) {
    return outcome.responded && outcome.sense.size() >= 18 && (outcome.sense[2] & 0x0F) == 0x0E;
  }

  // What the command did to the block at place `i` of its range; nothing where its answer tells nothing of it.
  static std::optional<Effect> effect_on(const Asked& asked, std::uint64_t i, const Outcome& outcome, bool good) {
    const std::uint64_t written = asked.written[i], expected = asked.expected[i];
    if (asked.what == What::kRead) {
      if (!good) return std::nullopt;
      return Effect{Kind::kRead, read_block(outcome.data_in, i), 0};
    }
    if (asked.what != What::kSwap) return Effect{good ? Kind::kWrite : Kind::kMaybeWrite, written, 0};
    if (good) return Effect{Kind::kSwap, written, expected};
    if (!outcome.responded) return Effect{Kind::kMaybeSwap, written, expected};
    const std::uint64_t differs =
        (std::uint64_t{outcome.sense[4]} << 16 | std::uint64_t{outcome.sense[5]} << 8 | outcome.sense[6]) / kBlockBytes;
    if (i < differs) return Effect{Kind::kRead, expected, 0};
    if (i == differs) return Effect{Kind::kDiffer, 0, expected};
    return std::nullopt;
  }

  static std::uint64_t read_block(const Bytes& data, std::uint64_t i) {
    std::uint64_t value = 0;
    if (data.size() < (i + 1) * kBlockBytes) return ~value;
    std::memcpy(&value, &data[i * kBlockBytes], sizeof(value));
    const bool whole = std::memcmp(&data[i * kBlockBytes], block_of(value).data(), kBlockBytes) == 0;
    return whole ? value : ~std::uint64_t{0};  // part of one and part of another: nobody wrote that
  }

  handlers::test::TemporaryDirectory directory_;
  io::BlockingPool pool_{1};
  Rig rig_;
  handlers::VdiskEnvironment environment_{rig_.control, pool_, rig_.log, directory_.path(), {}};
  handlers::VdiskHandler handler_{handlers::VdiskKind::kFileio, environment_};
  std::shared_ptr<SimStore> store_ = std::make_shared<SimStore>(kSizeBytes);
  std::mt19937_64 random_;
  std::array<Asked, kClients> asked_;
  std::vector<std::vector<BlockOperation>> blocks_;
  std::uint64_t now_ = 0, last_value_ = 0;
  Tally tally_;
};

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Linearizability, EveryBlockIsARegister) {
  const bool one = std::getenv("USCST_SIM_SEED") != nullptr;
  std::uint64_t seed = number_of("USCST_SIM_SEED", 1);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(number_of("USCST_SIM_SECONDS", 3));
  History::Tally all;
  std::uint64_t runs = 0;
  do {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    History history(seed++);
    history.run(3000);
    history.check();
    const History::Tally& tally = history.tally();
    all.reads += tally.reads, all.writes += tally.writes, all.swaps += tally.swaps;
    all.differences += tally.differences, all.silent += tally.silent, all.refused += tally.refused;
    ++runs;
  } while (!one && !HasFailure() && std::chrono::steady_clock::now() < limit);
  fmt::print("{} runs: {} reads, {} writes, {} swaps, {} differences, {} without an answer, {} refused\n", runs,
             all.reads, all.writes, all.swaps, all.differences, all.silent, all.refused);
  EXPECT_GT(all.reads, runs * 20);
  EXPECT_GT(all.writes, runs * 20);
  EXPECT_GT(all.swaps, runs * 20);
  EXPECT_GT(all.differences, runs * 20);
  EXPECT_GT(all.silent, runs);
}

}  // namespace
}  // namespace uscst::sim
