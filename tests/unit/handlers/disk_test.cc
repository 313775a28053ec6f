// Commands of the SBC disk through the real pipeline, on a simulated store.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

constexpr std::size_t kBlock = 512;
using Action = SimAction;

Data pattern(std::size_t length, std::uint8_t seed) {
  Data data(length);
  for (std::size_t i = 0; i < length; ++i) data[i] = static_cast<std::uint8_t>(seed + i * 7 + i / 256);
  return data;
}

class Disk : public testing::Test {
 protected:
  void start(const target::Parameters& parameters = {}) {
    store = rig.add_simulated(parameters);
    initiator = rig.connect();
  }
  Data stored(std::size_t lba, std::size_t blocks) {
    auto begin = store->contents().begin() + static_cast<std::ptrdiff_t>(lba * kBlock);
    return {begin, begin + static_cast<std::ptrdiff_t>(blocks * kBlock)};
  }
  std::vector<Action> actions() const {
    std::vector<Action> all;
    for (const auto& event : store->events()) all.push_back(event.action);
    return all;
  }
  Outcome run(std::initializer_list<std::uint8_t> cdb, std::size_t offered = 0, Data out = {}) {
    return initiator->run(cdb, offered, std::move(out));
  }

  DiskRig rig;
  std::shared_ptr<SimStore> store;
  std::unique_ptr<Initiator> initiator;
};

TEST_F(Disk, WritesAndReadsBackWithEveryCdbLength) {
  start();
  const Data data = pattern(4 * kBlock, 1);
  EXPECT_TRUE(run({0x0A, 0, 0, 8, 4, 0}, 0, data).good());
  EXPECT_EQ(stored(8, 4), data);
  EXPECT_EQ(run({0x08, 0, 0, 8, 4, 0}, data.size()).data, data);
  EXPECT_EQ(run({0x28, 0, 0, 0, 0, 8, 0, 0, 4, 0}, data.size()).data, data);
  EXPECT_EQ(run({0xA8, 0, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0}, data.size()).data, data);
  EXPECT_EQ(run({0x88, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0}, data.size()).data, data);
  const Data other = pattern(kBlock, 9);
  EXPECT_TRUE(run({0x2A, 0, 0, 0, 0, 9, 0, 0, 1, 0}, 0, other).good());
  EXPECT_TRUE(run({0xAA, 0, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0}, 0, other).good());
  EXPECT_TRUE(run({0x8A, 0, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 1, 0, 0}, 0, other).good());
  for (std::size_t lba : {9u, 10u, 11u}) EXPECT_EQ(stored(lba, 1), other);
}

TEST_F(Disk, ShortOffersMoveWholeBlocksAndLeaveAResidual) {
  start();
  store->contents().assign(store->contents().size(), 0xEE);
  Outcome read = run({0x28, 0, 0, 0, 0, 0, 0, 0, 4, 0}, 700);
  EXPECT_TRUE(read.good());
  EXPECT_EQ(read.data, Data(700, 0xEE));
  Outcome write = run({0x2A, 0, 0, 0, 0, 0, 0, 0, 4, 0}, 0, Data(700, 0x11));
  EXPECT_TRUE(write.good());
  EXPECT_EQ(stored(0, 1), Data(kBlock, 0x11));
  EXPECT_EQ(stored(1, 1), Data(kBlock, 0xEE));
}

TEST_F(Disk, RangeIsChecked) {
  start();  // 2048 blocks
  EXPECT_EQ(run({0x28, 0, 0, 0, 0x07, 0xFF, 0, 0, 2, 0}, 2 * kBlock).code(), 0x052100u);
  EXPECT_EQ(run({0x2A, 0, 0, 0, 0x08, 0x00, 0, 0, 1, 0}, 0, Data(kBlock)).code(), 0x052100u);
  EXPECT_TRUE(run({0x28, 0, 0, 0, 0x07, 0xFF, 0, 0, 1, 0}, kBlock).good());
  EXPECT_TRUE(run({0x28, 0, 0, 0, 0x00, 0x00, 0, 0, 0, 0}).good());  // nothing to move
  EXPECT_EQ(actions(), std::vector{Action::kRead});
}

TEST_F(Disk, UnitAttentionComesBeforeTheRange) {
  start();
  auto second = rig.connect(2);
  rig.device("sim").raise_for_all(scsi::kUaCapacityChanged);
  EXPECT_EQ(run({0x28, 0, 0, 0, 0xFF, 0xFF, 0, 0, 1, 0}, kBlock).code(), 0x062A09u);
  EXPECT_EQ(run({0x28, 0, 0, 0, 0xFF, 0xFF, 0, 0, 1, 0}, kBlock).code(), 0x052100u);
}

TEST_F(Disk, FuaAndWriteThroughAreStableWhenAnswered) {
  start();
  run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, pattern(kBlock, 1));
  run({0x2A, 0x08, 0, 0, 0, 1, 0, 0, 1, 0}, 0, pattern(kBlock, 2));
  EXPECT_EQ(actions(), (std::vector{Action::kWrite, Action::kWriteDurable}));
  store->lose_power();
  EXPECT_EQ(stored(0, 1), Data(kBlock));
  EXPECT_EQ(stored(1, 1), pattern(kBlock, 2));
}

TEST_F(Disk, WriteThroughDisk) {
  start({{"write_through", "1"}});
  run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, pattern(kBlock, 1));
  EXPECT_EQ(actions(), std::vector{Action::kWriteDurable});
}

TEST_F(Disk, NonVolatileCacheNeedsNoFlush) {
  start({{"nv_cache", "1"}});
  run({0x2A, 0x08, 0, 0, 0, 0, 0, 0, 1, 0}, 0, pattern(kBlock, 1));
  EXPECT_TRUE(run({0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}).good());
  EXPECT_EQ(actions(), std::vector{Action::kWrite});
}

TEST_F(Disk, SynchronizeCache) {
  start();
  run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, pattern(kBlock, 1));
  EXPECT_TRUE(run({0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}).good());
  EXPECT_EQ(store->stable(), store->contents());
  EXPECT_TRUE(run({0x91, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}).good());
  EXPECT_TRUE(run({0x1B, 0, 0, 0, 0, 0}).good());
  EXPECT_EQ(actions(), (std::vector{Action::kWrite, Action::kFlush, Action::kFlush, Action::kFlush}));
}

TEST_F(Disk, ImmediateSynchronizeAnswersFirst) {
  start();
  store->delay = std::chrono::milliseconds(5);
  Outcome& outcome = initiator->begin({0x35, 0x02, 0, 0, 0, 0, 0, 0, 0, 0}, 0, {});
  rig.executor.run_until_idle();
  EXPECT_TRUE(outcome.good());
  store->contents()[0] = 1;
  EXPECT_EQ(store->stable()[0], 0);
  rig.executor.advance(std::chrono::milliseconds(6));
  EXPECT_EQ(store->stable()[0], 1);
}

TEST_F(Disk, VerifyReadsAndCompares) {
  start();
  const Data data = pattern(4 * kBlock, 3);
  run({0x2A, 0, 0, 0, 0, 0, 0, 0, 4, 0}, 0, data);
  EXPECT_TRUE(run({0x2F, 0, 0, 0, 0, 0, 0, 0, 4, 0}).good());
  EXPECT_EQ(actions(), (std::vector{Action::kWrite, Action::kFlush, Action::kRead}));
  EXPECT_TRUE(run({0x2F, 0x02, 0, 0, 0, 0, 0, 0, 4, 0}, 0, data).good());
  Data wrong = data;
  wrong.back() ^= 1;
  EXPECT_EQ(run({0x2F, 0x02, 0, 0, 0, 0, 0, 0, 4, 0}, 0, wrong).code(), 0x0E1D00u);
}

TEST_F(Disk, VerifyOfManyPieces) {
  start();  // 1 MiB; a store that answers within the call must not deepen the stack
  store->contents() = pattern(store->contents().size(), 5);
  EXPECT_TRUE(run({0x2F, 0x02, 0, 0, 0, 0, 0, 0x08, 0, 0}, 0, store->contents()).good());
  store->delay = std::chrono::microseconds(10);
  Outcome& outcome = initiator->begin({0x2F, 0x02, 0, 0, 0, 0, 0, 0x08, 0, 0}, 0, store->contents());
  rig.executor.advance(std::chrono::seconds(1));
  EXPECT_TRUE(outcome.good());
}

TEST_F(Disk, WriteAndVerify) {
  start();
  const Data data = pattern(2 * kBlock, 4);
  EXPECT_TRUE(run({0x2E, 0, 0, 0, 0, 5, 0, 0, 2, 0}, 0, data).good());
  EXPECT_EQ(stored(5, 2), data);
  EXPECT_EQ(actions(), (std::vector{Action::kWriteDurable, Action::kRead}));
  // A medium that does not keep what it is given.
  store->fault = [this](const SimStore::Event& event) {
    if (event.action == Action::kRead) store->contents()[event.offset_bytes] ^= 0xFF;
    return 0;
  };
  EXPECT_EQ(run({0x2E, 0, 0, 0, 0, 5, 0, 0, 2, 0}, 0, data).code(), 0x0E1D00u);
}

TEST_F(Disk, WriteSame) {
  start();
  const Data block = pattern(kBlock, 6);
  EXPECT_TRUE(run({0x41, 0, 0, 0, 0, 16, 0, 0x02, 0x00, 0}, 0, block).good());  // 512 blocks in two pieces
  for (std::size_t lba : {16u, 17u, 271u, 272u, 527u}) EXPECT_EQ(stored(lba, 1), block) << lba;
  EXPECT_EQ(stored(15, 1), Data(kBlock));
  EXPECT_EQ(stored(528, 1), Data(kBlock));
  EXPECT_EQ(actions(), (std::vector{Action::kWrite, Action::kWrite}));
  EXPECT_TRUE(run({0x93, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 2, 0, 0, 0}, 0, Data(kBlock)).good());
  EXPECT_EQ(store->events().back(), (SimStore::Event{Action::kWriteZeroes, 16 * kBlock, 512 * kBlock}));
  EXPECT_EQ(run({0x41, 0, 0, 0, 0, 16, 0, 0, 0, 0}, 0, block).code(), 0x052400u);  // WSNZ
}

TEST_F(Disk, WriteSameWithoutHelpForZeroes) {
  start();
  store->contents().assign(store->contents().size(), 0xAA);
  store->fault = [](const SimStore::Event& event) { return event.action == Action::kWriteZeroes ? -EOPNOTSUPP : 0; };
  EXPECT_TRUE(run({0x41, 0, 0, 0, 0, 1, 0, 0, 2, 0}, 0, Data(kBlock)).good());
  EXPECT_EQ(stored(1, 2), Data(2 * kBlock));
  EXPECT_EQ(stored(3, 1), Data(kBlock, 0xAA));
}

TEST_F(Disk, UnmapNeedsThinProvisioning) {
  start();
  EXPECT_EQ(run({0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0}, 0, Data(24)).code(), 0x052000u);
}

TEST_F(Disk, Unmap) {
  start({{"thin_provisioned", "1"}});
  store->contents().assign(store->contents().size(), 0xAA);
  Data list(40);
  list[1] = 38, list[3] = 32;
  list[8 + 7] = 4, list[8 + 11] = 2;      // 4, 2 blocks
  list[24 + 7] = 100, list[24 + 11] = 1;  // 100, 1 block
  EXPECT_TRUE(run({0x42, 0, 0, 0, 0, 0, 0, 0, 40, 0}, 0, list).good());
  EXPECT_EQ(stored(4, 2), Data(2 * kBlock));
  EXPECT_EQ(stored(100, 1), Data(kBlock));
  EXPECT_EQ(stored(6, 1), Data(kBlock, 0xAA));
  EXPECT_TRUE(run({0x93, 0x08, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 3, 0, 0}, 0, Data(kBlock)).good());
  EXPECT_EQ(store->events().back(), (SimStore::Event{Action::kUnmap, 200 * kBlock, 3 * kBlock}));
  list[24 + 6] = 0x20;  // 8292: behind the end
  EXPECT_EQ(run({0x42, 0, 0, 0, 0, 0, 0, 0, 40, 0}, 0, list).code(), 0x052100u);
}

TEST_F(Disk, InactiveDisk) {
  start();
  ASSERT_EQ(rig.write("sim", "active", "0"), 0);
  EXPECT_EQ(run({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, kBlock).code(), 0x023A00u);
  EXPECT_TRUE(run({0x12, 0, 0, 0, 66, 0}, 66).good());
  EXPECT_TRUE(run({0x00, 0, 0, 0, 0, 0}).good());
}

TEST_F(Disk, ModeSelectTakesEffectAndIsToldToOthers) {
  start();
  auto second = rig.connect(2);
  Data list{0, 0, 0, 0, 0x0A, 0x0A, 0x24, 0x10, 0x08, 0x40, 0, 0, 0, 0, 0, 0};  // TST 1, D_SENSE, SWP, TAS
  EXPECT_TRUE(run({0x15, 0x10, 0, 0, 16, 0}, 0, list).good());
  EXPECT_EQ(second->run({0x00}).code(), 0x062A01u);
  EXPECT_TRUE(run({0x00}).good());
  EXPECT_TRUE(rig.disk("sim").control().swp);
  Outcome refused = run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, Data(kBlock));
  ASSERT_GE(refused.sense.size(), 4u);
  EXPECT_EQ(refused.sense[0], 0x72);  // D_SENSE
  EXPECT_EQ(refused.sense[1], 0x07);
  rig.disk("sim").reset();  // nothing was saved
  EXPECT_EQ(rig.disk("sim").control(), scsi::ControlState{});
}

TEST_F(Disk, SwitchingTheCacheOffFlushesAndWritesThrough) {
  start();
  run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, pattern(kBlock, 1));
  Data list{0, 0, 0, 0, 0x08, 0x12};
  list.resize(24);
  EXPECT_TRUE(run({0x15, 0x10, 0, 0, 24, 0}, 0, list).good());
  EXPECT_EQ(store->stable(), store->contents());
  EXPECT_EQ(rig.read("sim", "write_through"), "1\n[key]\n");
  run({0x2A, 0, 0, 0, 0, 1, 0, 0, 1, 0}, 0, pattern(kBlock, 2));
  EXPECT_EQ(actions(), (std::vector{Action::kWrite, Action::kFlush, Action::kWriteDurable}));
}

TEST_F(Disk, SavedPagesComeBack) {
  start();
  Data list{0, 0, 0, 0, 0x0A, 0x0A, 0x20, 0x10, 0, 0x40, 0, 0, 0, 0, 0, 0};
  EXPECT_TRUE(run({0x15, 0x11, 0, 0, 16, 0}, 0, list).good());
  std::ifstream file(rig.directory.path() + "/vdev_mode_pages/sim", std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), std::string("sim\0TAS=1\n", 10));
  list[9] = 0;
  EXPECT_TRUE(run({0x15, 0x10, 0, 0, 16, 0}, 0, list).good());
  EXPECT_FALSE(rig.disk("sim").control().tas);
  rig.disk("sim").reset();
  EXPECT_TRUE(rig.disk("sim").control().tas);
  // Where saving fails nothing changes, and the initiator may try again.
  list[8] = 0x08;
  std::filesystem::remove_all(rig.directory.path() + "/vdev_mode_pages");
  EXPECT_EQ(run({0x15, 0x11, 0, 0, 16, 0}, 0, list).status, scsi::Status::kBusy);
  EXPECT_TRUE(rig.disk("sim").control().tas);
  EXPECT_FALSE(rig.disk("sim").control().swp);
}

TEST_F(Disk, ReadOnlyDiskRefusesWrites) {
  start({{"read_only", "1"}});
  EXPECT_EQ(run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, Data(kBlock)).code(), 0x072700u);
  EXPECT_TRUE(run({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, kBlock).good());
}

TEST_F(Disk, SmallCommands) {
  start();
  EXPECT_TRUE(run({0x1D, 0x04, 0, 0, 0, 0}).good());
  EXPECT_TRUE(run({0x1E, 0, 0, 0, 1, 0}).good());
  EXPECT_EQ(run({0x4D, 0, 0, 0, 0, 0, 0, 0, 4, 0}, 4).code(), 0x052400u);
  EXPECT_EQ(run({0x37, 0, 0, 0, 0, 0, 0, 0, 8, 0}, 8).code(), 0x052000u);
}

TEST_F(Disk, SizeChangeIsToldToEveryNexus) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "null", {{"size_mb", "16"}}), 0);
  rig.map("null", 0);
  initiator = rig.connect();
  ASSERT_EQ(rig.write("null", "size_mb", "32"), 0);
  EXPECT_EQ(run({0x00}).code(), 0x062A09u);
  EXPECT_EQ(run({0x25}, 8).data, (Data{0, 0, 0xFF, 0xFF, 0, 0, 2, 0}));
  ASSERT_EQ(rig.write("null", "usn", "new"), 0);
  EXPECT_EQ(run({0x00}).code(), 0x063F03u);
}

TEST_F(Disk, NullDiskNeverShowsWhatTheBufferHeld) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "null", {}), 0);
  rig.map("null", 0);
  initiator = rig.connect();
  EXPECT_TRUE(run({0x2A, 0, 0, 0, 0, 0, 0, 0, 8, 0}, 0, Data(8 * kBlock, 0xAA)).good());
  EXPECT_EQ(run({0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0}, 8 * kBlock).data, Data(8 * kBlock));
  EXPECT_TRUE(run({0x2F, 0x02, 0, 0, 0, 0, 0, 0, 1, 0}, 0, Data(kBlock, 1)).good());
}

TEST_F(Disk, DummyDisk) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "null", {{"dummy", "1"}}), 0);
  rig.map("null", 0);
  initiator = rig.connect();
  EXPECT_EQ(run({0x12, 0, 0, 0, 66, 0}, 66).data.at(0) & 0xE0, 0x60);
}

}  // namespace
}  // namespace uscst::handlers::test
