// Commands that wait for memory.
#include <gtest/gtest.h>

#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using sim::Client;
using sim::FakeCommand;
using sim::Rig;

constexpr std::uint64_t kSlice = io::BufferPool::kSliceBytes;
constexpr std::uint16_t kSliceBlocks = kSlice / sim::kBlockBytes;

struct MemoryTest : testing::Test {
  explicit MemoryTest(Rig::Options options = {.memory_bytes = 4 * kSlice}) : rig(options) {
    rig.handler.blocks = 4096;
    rig.add_device("disk");
    rig.add_lun(0, "disk");
    one = &rig.login("one", 0);
    other = &rig.login("other", static_cast<int>(rig.shards.size()) - 1);
    one->send(sim::request_sense());
    other->send(sim::request_sense());
    rig.run();
    rig.unit("disk").hold = true;
  }
  FakeCommand& read(Client& client, int slices) {
    FakeCommand& command = client.send(sim::read10(0, static_cast<std::uint16_t>(slices * kSliceBlocks)));
    rig.run();
    return command;
  }
  void finish(FakeCommand& command) {
    rig.unit("disk").release(command);
    rig.run();
  }
  Rig rig;
  Client *one, *other;
};

TEST_F(MemoryTest, FirstComeFirstServed) {
  FakeCommand& all = read(*one, 4);
  FakeCommand& large = read(*one, 3);
  FakeCommand& small = read(*other, 1);
  FakeCommand& last = read(*one, 1);
  EXPECT_EQ(large.state(), CommandState::kWaitBuffer);
  EXPECT_EQ(small.state(), CommandState::kWaitBuffer);
  finish(all);
  EXPECT_EQ(large.state(), CommandState::kExecuting);
  EXPECT_EQ(small.state(), CommandState::kExecuting);
  EXPECT_EQ(last.state(), CommandState::kWaitBuffer);
  finish(small);
  EXPECT_EQ(last.state(), CommandState::kExecuting);
  finish(large);
  finish(last);
  EXPECT_EQ(rig.memory_in_use(), 0u);
}

// A small one does not slip past a large one for ever.
TEST_F(MemoryTest, ALargeOneIsNotStarved) {
  FakeCommand& running = read(*one, 2);
  FakeCommand& large = read(*one, 4);
  FakeCommand& small = read(*other, 1);
  EXPECT_EQ(large.state(), CommandState::kWaitBuffer);
  EXPECT_EQ(small.state(), CommandState::kWaitBuffer);
  finish(running);
  EXPECT_EQ(large.state(), CommandState::kExecuting);
  finish(large);
  finish(small);
}

TEST_F(MemoryTest, AnAbortedOneMakesWayForThoseBehind) {
  FakeCommand& running = read(*one, 2);
  FakeCommand& large = read(*one, 4);
  FakeCommand& small = read(*other, 1);
  auto answer = one->manage(TaskManagementFunction::kAbortTask, 0, &large);
  rig.run();
  EXPECT_TRUE(answer->has_value());
  EXPECT_EQ(small.state(), CommandState::kExecuting);
  finish(running);
  finish(small);
}

// What can never be had is refused at once and holds nobody up (scsi.md section 19).
TEST_F(MemoryTest, MoreThanThereIsAtAllIsRefused) {
  FakeCommand& running = read(*one, 4);
  FakeCommand& huge = read(*one, 5);
  EXPECT_EQ(huge.outcome.ended, 1);
  EXPECT_EQ(huge.outcome.status, scsi::Status::kTaskSetFull);
  finish(running);
  FakeCommand& alone = read(*one, 5);
  EXPECT_EQ(alone.outcome.status, scsi::Status::kBusy);
}

struct TwoShards : MemoryTest {
  TwoShards() : MemoryTest({.shards = 2, .memory_bytes = 4 * kSlice, .seed = 7}) {}
};

// The bound is one for all reactors: memory that one gives back is what another waits for.
TEST_F(TwoShards, MemoryOfOneShardComesToTheOther) {
  FakeCommand& all = read(*one, 4);
  FakeCommand& waiting = read(*other, 2);
  FakeCommand& second = read(*other, 2);
  EXPECT_EQ(waiting.state(), CommandState::kWaitBuffer);
  finish(all);
  EXPECT_EQ(waiting.state(), CommandState::kExecuting);
  EXPECT_EQ(second.state(), CommandState::kExecuting);
  finish(waiting);
  finish(second);
  EXPECT_EQ(rig.memory_in_use(), 0u);
}

}  // namespace
}  // namespace uscst::target
