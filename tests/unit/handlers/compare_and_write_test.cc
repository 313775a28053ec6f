// COMPARE AND WRITE through the real pipeline, on a simulated store, and what other commands do meanwhile.
#include <gtest/gtest.h>

#include "engine/target/session_tasks.h"
#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

constexpr std::size_t kBlock = 512;
constexpr auto kDelay = std::chrono::milliseconds(10);
using Action = SimAction;

Data blocks(std::size_t count, std::uint8_t value) { return Data(count * kBlock, value); }

Data both(Data first, const Data& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Data compare_and_write(std::uint8_t lba, std::uint8_t count, std::uint8_t options = 0) {
  return {0x89, options, 0, 0, 0, 0, 0, 0, 0, lba, 0, 0, 0, count, 0, 0};
}

class CompareAndWrite : public testing::Test {
 protected:
  void start(const target::Parameters& parameters = {}) {
    store = rig.add_simulated(parameters);
    initiator = rig.connect();
  }
  Outcome run(const Data& cdb, Data out) {
    Outcome& outcome = initiator->begin(cdb, 0, std::move(out));
    rig.executor.run_until_idle();
    EXPECT_TRUE(outcome.ended);
    return outcome;
  }
  Data stored(std::size_t lba, std::size_t count) {
    auto begin = store->contents().begin() + static_cast<std::ptrdiff_t>(lba * kBlock);
    return {begin, begin + static_cast<std::ptrdiff_t>(count * kBlock)};
  }
  std::vector<Action> actions() const {
    std::vector<Action> all;
    for (const auto& event : store->events()) all.push_back(event.action);
    return all;
  }
  void fail(Action action, int error) {
    store->fault = [=](const SimStore::Event& event) { return event.action == action ? error : 0; };
  }
  void pass(int delays) { rig.executor.advance(kDelay * delays); }

  DiskRig rig;
  std::shared_ptr<SimStore> store;
  std::unique_ptr<Initiator> initiator;
};

TEST_F(CompareAndWrite, WritesWhatFollowsWhereTheBlocksAreTheSame) {
  start();
  EXPECT_TRUE(run(compare_and_write(3, 2), both(blocks(2, 0), blocks(2, 7))).good());
  EXPECT_EQ(stored(3, 2), blocks(2, 7));
  EXPECT_EQ(stored(2, 1), blocks(1, 0));
  EXPECT_EQ(stored(5, 1), blocks(1, 0));
  EXPECT_EQ(actions(), (std::vector{Action::kRead, Action::kWrite}));
}

TEST_F(CompareAndWrite, TellsTheFirstByteThatDiffers) {
  start();
  store->contents()[4 * kBlock + 10] = 1;
  store->contents()[4 * kBlock + 20] = 1;
  const Outcome outcome = run(compare_and_write(3, 2), both(blocks(2, 0), blocks(2, 7)));
  EXPECT_EQ(outcome.code(), 0x0E1D00u);
  ASSERT_GE(outcome.sense.size(), 18u);
  EXPECT_EQ(outcome.sense[0], 0xF0);  // INFORMATION is valid
  EXPECT_EQ(Data(outcome.sense.begin() + 3, outcome.sense.begin() + 7), (Data{0, 0, 0x02, 0x0A}));
  EXPECT_EQ(actions(), (std::vector{Action::kRead}));
}

TEST_F(CompareAndWrite, AsManyBlocksAsTheFieldHolds) {
  start();
  store->contents()[254 * kBlock + kBlock - 1] = 9;
  Data data = both(blocks(255, 0), blocks(255, 5));
  const Outcome outcome = run(compare_and_write(0, 255), data);
  EXPECT_EQ(Data(outcome.sense.begin() + 3, outcome.sense.begin() + 7), (Data{0, 1, 0xFD, 0xFF}));
  data[255 * kBlock - 1] = 9;
  EXPECT_TRUE(run(compare_and_write(0, 255), data).good());
  EXPECT_EQ(stored(0, 255), blocks(255, 5));
}

TEST_F(CompareAndWrite, DataAreTwiceTheBlocksOrNothingIsDone) {
  start();
  for (std::size_t length : {std::size_t{1}, kBlock, 2 * kBlock - 1, 2 * kBlock + 1, 3 * kBlock, 4 * kBlock}) {
    const Outcome outcome = run(compare_and_write(3, 1), Data(length, 0));
    EXPECT_EQ(outcome.code(), 0x052400u) << length;
    EXPECT_EQ(Data(outcome.sense.begin() + 15, outcome.sense.begin() + 18), (Data{0xC0, 0, 13})) << length;
  }
  EXPECT_TRUE(run(compare_and_write(3, 0), {}).good());
  EXPECT_TRUE(run(compare_and_write(3, 0), blocks(2, 1)).good());
  EXPECT_TRUE(actions().empty());
}

TEST_F(CompareAndWrite, RefusesWhatIsNoRangeAndProtection) {
  start();
  EXPECT_EQ(run({0x89, 0, 0, 0, 0, 0, 0, 0, 0x07, 0xFF, 0, 0, 0, 2, 0, 0}, blocks(4, 0)).code(), 0x052100u);
  const Outcome outcome = run(compare_and_write(0, 1, 0x20), blocks(2, 0));
  EXPECT_EQ(outcome.code(), 0x052400u);
  EXPECT_EQ(Data(outcome.sense.begin() + 15, outcome.sense.begin() + 18), (Data{0xCD, 0, 1}));
  EXPECT_TRUE(actions().empty());
}

TEST_F(CompareAndWrite, ForceUnitAccessMakesItStable) {
  start();
  EXPECT_TRUE(run(compare_and_write(0, 1, 0x18), both(blocks(1, 0), blocks(1, 1))).good());  // DPO and FUA
  EXPECT_EQ(actions(), (std::vector{Action::kRead, Action::kWriteDurable}));
}

TEST_F(CompareAndWrite, AReadOnlyLunIsNotWritten) {
  start();
  rig.map("sim", 1, true);
  initiator->clear_attentions(1);
  Outcome& outcome = initiator->begin(compare_and_write(0, 1), 0, blocks(2, 0), 1);
  rig.executor.run_until_idle();
  EXPECT_EQ(outcome.code(), 0x072700u);
  EXPECT_TRUE(actions().empty());
}

TEST_F(CompareAndWrite, AForeignReservationKeepsItOut) {
  start();
  auto other = rig.connect(2);
  EXPECT_TRUE(other->run({0x16, 0, 0, 0, 0, 0}).good());
  EXPECT_EQ(run(compare_and_write(0, 1), blocks(2, 0)).status, scsi::Status::kReservationConflict);
  EXPECT_TRUE(actions().empty());
}

TEST_F(CompareAndWrite, ErrorsOfTheStoreAndWhatComesAfter) {
  start();
  const Data data = both(blocks(1, 0), blocks(1, 1));
  fail(Action::kRead, -EIO);
  EXPECT_EQ(run(compare_and_write(0, 1), data).code(), 0x031100u);
  fail(Action::kWrite, -EIO);
  EXPECT_EQ(run(compare_and_write(0, 1), data).code(), 0x030300u);
  fail(Action::kWrite, -ENOSPC);
  EXPECT_EQ(run(compare_and_write(0, 1), data).code(), 0x072707u);
  fail(Action::kRead, -ENOMEM);
  EXPECT_EQ(run(compare_and_write(0, 1), data).status, scsi::Status::kBusy);
  fail(Action::kWriteDurable, -EIO);
  EXPECT_EQ(run(compare_and_write(0, 1, 0x08), data).code(), 0x030300u);
  store->fault = nullptr;
  EXPECT_EQ(run(compare_and_write(0, 1, 0x08), data).code(), 0x030300u);  // nothing is stable any more
  EXPECT_TRUE(run(compare_and_write(0, 1), data).good());                 // each has left its range
  EXPECT_TRUE(initiator->run({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, kBlock).good());
}

TEST_F(CompareAndWrite, NullioComparesWithTheZeroesThatItReads) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "null", {{"size_mb", "1"}}), 0);
  rig.map("null", 0);
  initiator = rig.connect();
  EXPECT_TRUE(run(compare_and_write(0, 1), both(blocks(1, 0), blocks(1, 1))).good());
  EXPECT_EQ(run(compare_and_write(0, 1), both(blocks(1, 1), blocks(1, 1))).code(), 0x0E1D00u);
}

// --- beside others

TEST_F(CompareAndWrite, WaitsForWhatRunsAndIsWaitedFor) {
  start({{"thin_provisioned", "1"}});
  store->delay = kDelay;
  Outcome& before = initiator->begin({0x2A, 0, 0, 0, 0, 3, 0, 0, 1, 0}, 0, blocks(1, 1));
  Outcome& swap = initiator->begin(compare_and_write(2, 2), 0, both(both(blocks(1, 0), blocks(1, 1)), blocks(2, 8)));
  Outcome& read = initiator->begin({0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0}, kBlock, {});
  Outcome& write = initiator->begin({0x2A, 0, 0, 0, 0, 2, 0, 0, 1, 0}, 0, blocks(1, 2));
  Outcome& same = initiator->begin({0x41, 0, 0, 0, 0, 3, 0, 0, 1, 0}, 0, blocks(1, 3));
  Data list(40);
  list[1] = 38, list[3] = 32, list[15] = 9, list[19] = 1, list[31] = 2, list[35] = 1;  // blocks 9 and 2
  Outcome& unmap = initiator->begin({0x42, 0, 0, 0, 0, 0, 0, 0, 40, 0}, 0, list);
  Outcome& verify = initiator->begin({0x2F, 0, 0, 0, 0, 2, 0, 0, 1, 0}, 0, {});
  Outcome& beside = initiator->begin({0x28, 0, 0, 0, 0, 4, 0, 0, 1, 0}, kBlock, {});
  pass(1);
  EXPECT_TRUE(before.good() && beside.good());
  EXPECT_FALSE(swap.ended || read.ended || write.ended || same.ended || unmap.ended || verify.ended);
  pass(1);  // it reads
  EXPECT_EQ(store->contents()[3 * kBlock], 1);
  EXPECT_FALSE(swap.ended || read.ended || write.ended || same.ended || unmap.ended || verify.ended);
  pass(1);  // ... and writes
  EXPECT_TRUE(swap.good());
  EXPECT_EQ(stored(2, 2), blocks(2, 8));
  EXPECT_FALSE(read.ended || write.ended || same.ended || unmap.ended || verify.ended);
  pass(3);
  EXPECT_TRUE(read.good() && write.good() && same.good() && unmap.good() && verify.good());
  EXPECT_EQ(read.data, blocks(1, 8));
}

TEST_F(CompareAndWrite, OfTwoThatCompareTheSameOneWins) {
  start();
  store->delay = kDelay;
  auto other = rig.connect(2);
  Outcome& first = initiator->begin(compare_and_write(0, 1), 0, both(blocks(1, 0), blocks(1, 1)));
  Outcome& second = other->begin(compare_and_write(0, 1), 0, both(blocks(1, 0), blocks(1, 2)));
  pass(4);
  EXPECT_TRUE(first.good());
  EXPECT_EQ(second.code(), 0x0E1D00u);
  EXPECT_EQ(stored(0, 1), blocks(1, 1));
}

TEST_F(CompareAndWrite, OneThatWaitsCanBeAborted) {
  start();
  store->delay = kDelay;
  auto other = rig.connect(2), third = rig.connect(3);
  Outcome& running = third->begin({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, kBlock, {});
  Outcome& waiting = initiator->begin(compare_and_write(0, 1), 0, both(blocks(1, 0), blocks(1, 1)));
  Outcome& behind = other->begin({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, kBlock, {});
  bool managed = false;
  initiator->session().tasks().manage(target::TaskManagementFunction::kAbortTaskSet,
                                      scsi::encode_lun(0, scsi::LunAddressing::kPeripheral), {},
                                      [&](target::TaskManagementResult) { managed = true; });
  rig.executor.run_until_idle();  // no time passes
  EXPECT_TRUE(managed && waiting.ended);
  EXPECT_FALSE(waiting.responded || running.ended || behind.ended);
  pass(1);
  EXPECT_TRUE(running.good() && behind.good());  // nobody waits for it any more
  EXPECT_EQ(stored(0, 1), blocks(1, 0));
}

TEST_F(CompareAndWrite, AnAbortBetweenReadingAndWritingLeavesTheMediumAsItWas) {
  start();
  store->delay = kDelay;
  auto other = rig.connect(2);
  Outcome& aborted = initiator->begin(compare_and_write(0, 1), 0, both(blocks(1, 0), blocks(1, 1)));
  Outcome& behind = other->begin(compare_and_write(0, 1), 0, both(blocks(1, 0), blocks(1, 2)));
  bool managed = false;
  initiator->session().tasks().manage(target::TaskManagementFunction::kAbortTaskSet,
                                      scsi::encode_lun(0, scsi::LunAddressing::kPeripheral), {},
                                      [&](target::TaskManagementResult) { managed = true; });
  rig.executor.run_until_idle();
  EXPECT_FALSE(managed);
  pass(1);
  EXPECT_TRUE(managed && aborted.ended);
  EXPECT_EQ(stored(0, 1), blocks(1, 0));
  pass(2);
  EXPECT_TRUE(behind.good());
}

TEST_F(CompareAndWrite, ASessionThatGoesLeavesTheQueue) {
  start();
  store->delay = kDelay;
  auto other = rig.connect(2);
  Outcome& running = other->begin({0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, blocks(1, 1));
  initiator->begin(compare_and_write(0, 1), 0, both(blocks(1, 0), blocks(1, 1)));
  Outcome& behind = other->begin({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, kBlock, {});
  initiator.reset();  // ends without time passing, as its destructor asserts
  pass(1);
  EXPECT_TRUE(running.good() && behind.good());
}

}  // namespace
}  // namespace uscst::handlers::test
