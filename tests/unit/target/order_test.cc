// Task attributes (SAM-5 8.6).
#include <gtest/gtest.h>

#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using scsi::TaskAttribute;
using sim::Client;
using sim::FakeCommand;
using sim::Rig;
using enum CommandState;

struct OrderTest : testing::Test {
  OrderTest() {
    rig.add_device("disk");
    rig.add_lun(0, "disk");
    host = &rig.login("host");
    host->send(sim::request_sense());
    rig.run();
    rig.unit("disk").hold = true;
  }
  FakeCommand& send(TaskAttribute attribute, Client* client = nullptr) {
    Client::Ask ask = sim::read10(0, 1);
    ask.attribute = attribute;
    FakeCommand& command = (client ? client : host)->send(ask);
    rig.run();
    return command;
  }
  void finish(FakeCommand& command) {
    rig.unit("disk").release(command);
    rig.run();
  }
  Rig rig;
  Client* host;
};

TEST_F(OrderTest, SimpleOnesRunTogether) {
  FakeCommand& one = send(TaskAttribute::kSimple);
  FakeCommand& two = send(TaskAttribute::kUntagged);
  EXPECT_EQ(one.state(), kExecuting);
  EXPECT_EQ(two.state(), kExecuting);
}

TEST_F(OrderTest, AnOrderedOneIsAlone) {
  FakeCommand& before = send(TaskAttribute::kSimple);
  FakeCommand& ordered = send(TaskAttribute::kOrdered);
  FakeCommand& second = send(TaskAttribute::kOrdered);
  FakeCommand& behind = send(TaskAttribute::kSimple);
  EXPECT_EQ(ordered.state(), kWaitOrder);
  EXPECT_EQ(behind.state(), kWaitOrder);
  finish(before);
  EXPECT_EQ(ordered.state(), kExecuting);
  EXPECT_EQ(second.state(), kWaitOrder);
  finish(ordered);
  EXPECT_EQ(second.state(), kExecuting);
  EXPECT_EQ(behind.state(), kWaitOrder);
  finish(second);
  EXPECT_EQ(behind.state(), kExecuting);
  finish(behind);
  EXPECT_EQ(send(TaskAttribute::kSimple).state(), kExecuting);
}

TEST_F(OrderTest, HeadOfQueueRunsAtOnce) {
  FakeCommand& before = send(TaskAttribute::kSimple);
  FakeCommand& ordered = send(TaskAttribute::kOrdered);
  FakeCommand& head = send(TaskAttribute::kHeadOfQueue);
  EXPECT_EQ(head.state(), kExecuting);
  finish(before);
  EXPECT_EQ(ordered.state(), kWaitOrder) << "the head of the queue runs";
  finish(head);
  EXPECT_EQ(ordered.state(), kExecuting);
  FakeCommand& another = send(TaskAttribute::kHeadOfQueue);
  EXPECT_EQ(another.state(), kExecuting);
  finish(ordered);
  finish(another);
}

TEST_F(OrderTest, AnotherNexusIsNotHeldBack) {
  Client& other = rig.login("other");
  other.send(sim::request_sense());
  FakeCommand& before = send(TaskAttribute::kSimple);
  FakeCommand& ordered = send(TaskAttribute::kOrdered);
  EXPECT_EQ(send(TaskAttribute::kSimple, &other).state(), kExecuting);
  finish(before);
  finish(ordered);
}

// One nexus, one order: also over its channels.
TEST_F(OrderTest, ChannelsOfANexusShareIt) {
  Client& first = rig.login("multi", 0, 9);
  Client& second = rig.login("multi", 0, 9);
  rig.unit("disk").hold = false;
  send(TaskAttribute::kSimple, &first);
  rig.unit("disk").hold = true;
  FakeCommand& before = send(TaskAttribute::kSimple, &first);
  FakeCommand& ordered = send(TaskAttribute::kOrdered, &second);
  EXPECT_EQ(ordered.state(), kWaitOrder);
  FakeCommand& behind = send(TaskAttribute::kSimple, &first);
  EXPECT_EQ(behind.state(), kWaitOrder);
  finish(before);
  finish(ordered);
  EXPECT_EQ(behind.state(), kExecuting);
}

TEST_F(OrderTest, RestrictedReorderingMakesAllOrdered) {
  rig.unit("disk").control_state.qam = 0;
  FakeCommand& one = send(TaskAttribute::kSimple);
  FakeCommand& two = send(TaskAttribute::kSimple);
  EXPECT_EQ(one.state(), kExecuting);
  EXPECT_EQ(two.state(), kWaitOrder);
  finish(one);
  EXPECT_EQ(two.state(), kExecuting);
}

// One that fails before it runs lets the next go as well.
TEST_F(OrderTest, ARefusedOneLeaves) {
  FakeCommand& before = send(TaskAttribute::kSimple);
  Client::Ask ask = sim::read10(0, 1);
  ask.attribute = TaskAttribute::kOrdered;
  rig.add_lun(1, "disk");  // a unit attention for the next
  FakeCommand& ordered = host->send(ask);
  FakeCommand& behind = send(TaskAttribute::kSimple);
  finish(before);
  EXPECT_TRUE(ordered.outcome.has_sense(scsi::kUaReportedLunsChanged));
  EXPECT_EQ(behind.state(), kExecuting);
}

// Many in any order, with aborts: all end, no ORDERED one ever ran beside another (HEAD OF QUEUE excepted).
TEST_F(OrderTest, ByChance) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Rig chance({.shards = 2, .seed = seed});
    chance.add_device("disk");
    chance.add_lun(0, "disk");
    Client* channels[] = {&chance.login("multi", 0, 9), &chance.login("multi", 1, 9)};
    channels[0]->send(sim::request_sense());
    chance.run();
    sim::FakeLogicalUnit& unit = chance.unit("disk");
    unit.hold = true;
    auto check = [&] {
      int ordered = 0, simple = 0;
      for (Command* command : unit.held) {
        ordered += command->request.attribute == TaskAttribute::kOrdered;
        simple += command->request.attribute == TaskAttribute::kSimple;
      }
      ASSERT_TRUE(ordered == 0 || (ordered == 1 && simple == 0)) << ordered << ' ' << simple << " seed " << seed;
    };
    for (int i = 0; i < 300; ++i) {
      Client& channel = *channels[chance.random() % 2];
      constexpr TaskAttribute kAttributes[] = {TaskAttribute::kSimple, TaskAttribute::kSimple, TaskAttribute::kOrdered,
                                               TaskAttribute::kHeadOfQueue};
      std::uint64_t dice = chance.random() % 10;
      if (dice < 4) {
        Client::Ask ask = sim::read10(0, 1);
        ask.attribute = kAttributes[chance.random() % 4];
        channel.send(ask);
      } else if (dice < 7 && !unit.held.empty()) {
        Command* command = unit.held[chance.random() % unit.held.size()];
        FakeCommand& mine = static_cast<FakeCommand&>(*command);
        command->shard().executor().post([&unit, &mine] {
          if (unit.is_executing(mine)) unit.release(mine);
        });
      } else if (dice == 7 && !channel.commands().empty()) {
        const auto& commands = channel.commands();
        channel.manage(TaskManagementFunction::kAbortTask, 0, &commands[chance.random() % commands.size()]);
      } else {
        chance.run_one();
      }
      check();
    }
    while (true) {
      chance.run();
      check();
      if (unit.held.empty()) break;
      unit.release(*unit.held.front());
    }
    for (Client* channel : channels) {
      for (const FakeCommand& command : channel->commands()) ASSERT_EQ(command.outcome.ended, 1) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace uscst::target
