// Measuring latency, and what trace_cmds and trace_mcmds say.
#include "engine/target/latency.h"

#include <gtest/gtest.h>

#include "engine/target/trace.h"
#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using namespace std::chrono_literals;
using scsi::Direction;

TEST(LatencyStatisticsTest, SizesAreRoundedUpToAPowerOfTwo) {
  auto name = [](Direction direction, std::uint64_t bytes) {
    return LatencyStatistics::name_of(LatencyStatistics::index_of(direction, bytes));
  };
  EXPECT_EQ(name(Direction::kNone, 0), "n512");
  EXPECT_EQ(name(Direction::kIn, 512), "r512");
  EXPECT_EQ(name(Direction::kIn, 513), "r1024");
  EXPECT_EQ(name(Direction::kOut, 4096), "w4096");
  EXPECT_EQ(name(Direction::kOut, 524288), "w524288");
  EXPECT_EQ(name(Direction::kOut, 1 << 30), "w524288");
  EXPECT_EQ(LatencyStatistics::name_of(LatencyStatistics::kFiles - 1), "b524288");
}

// Two states: the total's average is the states' number times that of all intervals, and so is its deviation.
TEST(LatencyStatisticsTest, Text) {
  LatencyStatistics statistics;
  const unsigned index = LatencyStatistics::index_of(Direction::kIn, 4096);
  EXPECT_EQ(statistics.text(index), LatencyStatistics::kHeader);
  for (auto time : {10us, 30us}) statistics.add(index, CommandState::kExecuting, time);
  for (auto time : {2us, 6us}) statistics.add(index, CommandState::kParsed, time);
  EXPECT_EQ(statistics.text(index),
            "state count min max avg stddev\n"
            "PARSE 2 2.0 6.0 4.0 2.0 us\n"
            "EXEC_WAIT 2 10.0 30.0 20.0 10.0 us\n"
            "total 2 - - 24.0 21.4 us\n");
  EXPECT_EQ(statistics.text(index + 1), LatencyStatistics::kHeader);
  statistics.clear();
  EXPECT_EQ(statistics.text(index), LatencyStatistics::kHeader);
}

TEST(LatencyStatisticsTest, MoreThanASecondCountsAsNothing) {
  LatencyStatistics statistics;
  statistics.add(0, CommandState::kExecuting, 1001ms);
  EXPECT_NE(statistics.text(0).find("EXEC_WAIT 1 0.0 0.0 0.0 0.0 us\n"), std::string::npos);
}

struct MeasuredTest : testing::Test {
  MeasuredTest() {
    rig.add_device("disk");
    rig.add_lun(0, "disk");
    client = &rig.login("one", 0);
    client->send(sim::request_sense());
    rig.run();
  }
  std::string traced(void (*trace)(ShardGroup&, std::size_t, ShowDone)) {
    std::string text = "no answer";
    trace(rig.registry.shards(), 4095, [&](base::Result<std::string> lines) { text = lines.value_or("failed"); });
    rig.run();
    return text;
  }
  sim::Rig rig;
  sim::Client* client = nullptr;
};

TEST_F(MeasuredTest, OnlyWhileAskedFor) {
  auto& tasks = client->session().tasks();
  EXPECT_EQ(tasks.latency(), nullptr);
  ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.set_measure_latency(true, std::move(done)); }));
  ASSERT_NE(tasks.latency(), nullptr);
  client->send(sim::read10(0, 8));
  rig.run();
  const unsigned index = LatencyStatistics::index_of(Direction::kIn, std::uint64_t{8} * sim::kBlockBytes);
  EXPECT_NE(tasks.latency()->text(index).find("EXEC_WAIT 1 "), std::string::npos) << tasks.latency()->text(index);
  EXPECT_NE(rig.login("two", 0).session().tasks().latency(), nullptr) << "who comes later is measured, too";
  ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.set_measure_latency(false, std::move(done)); }));
  EXPECT_EQ(tasks.latency(), nullptr);
}

TEST_F(MeasuredTest, TracesACommandThatExecutes) {
  EXPECT_EQ(traced(trace_commands), "");
  rig.unit("disk").hold = true;
  sim::FakeCommand& command = client->send(sim::read10(0, 8));
  rig.run();
  std::string line = traced(trace_commands);
  EXPECT_NE(line.find(": state EXEC_WAIT; op READ(10); proc time 0 sec; tgtt "), std::string::npos) << line;
  EXPECT_NE(line.find("; LUN 0; ini one; cdb 28 00 00 00 00 00 00 00 08 00\n"), std::string::npos) << line;
  rig.unit("disk").release(command);
  rig.run();
  EXPECT_EQ(traced(trace_commands), "");
}

// An error instead of data counts as a command without data; INQUIRY's data are unaligned.
TEST_F(MeasuredTest, CountsByDirection) {
  SessionCounters& counters = client->session().counters();
  const auto none = counters.none.commands.load();
  client->send(sim::read10(0xFFFFFF, 8));
  rig.run();
  EXPECT_EQ(counters.none.commands, none + 1);
  const auto reads = counters.read.commands.load(), unaligned = counters.read.unaligned_commands.load();
  client->send(sim::read10(0, 4096 / sim::kBlockBytes));
  rig.run();
  EXPECT_EQ(counters.read.commands, reads + 1);
  EXPECT_EQ(counters.read.unaligned_commands, unaligned);
  client->send(sim::read10(1, 1));
  rig.run();
  EXPECT_EQ(counters.read.unaligned_commands, unaligned + 1);
}

}  // namespace
}  // namespace uscst::target
