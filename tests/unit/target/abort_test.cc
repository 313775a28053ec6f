// Every state a command can be held in, against every task management function and the end of the session.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using sim::Client;
using sim::FakeCommand;
using sim::Rig;
using enum CommandState;
using Function = TaskManagementFunction;

constexpr Function kUnknownFunction = static_cast<Function>(0x20);

std::string name_of(CommandState state) {
  switch (state) {
    case kWaitBuffer: return "WaitBuffer";
    case kFetchData: return "FetchData";
    case kWaitOrder: return "WaitOrder";
    case kWaitGate: return "WaitGate";
    case kExecuting: return "Executing";
    case kSendStatus: return "SendStatus";
    default: return "other";
  }
}

std::string name_of(Function function) {
  switch (function) {
    case Function::kAbortTask: return "AbortTask";
    case Function::kAbortTaskSet: return "AbortTaskSet";
    case Function::kClearTaskSet: return "ClearTaskSet";
    case Function::kLogicalUnitReset: return "LunReset";
    case Function::kClearAca: return "ClearAca";
  }
  return "Unknown";
}

// Two initiators with a command each at one disk, both held in the same state.
struct HeldCommands {
  static constexpr std::uint64_t kMemoryBytes = 8 * io::BufferPool::kSliceBytes;

  explicit HeldCommands(CommandState in, int shards = 1, std::optional<std::uint64_t> seed = std::nullopt)
      : state(in), rig({.shards = shards, .memory_bytes = kMemoryBytes, .seed = seed}) {
    rig.add_device("disk");
    rig.add_device("other");
    rig.add_lun(0, "disk");
    rig.add_lun(1, "other");
    mine = &rig.login("mine", 0);
    theirs = &rig.login("theirs", shards - 1);
    if (state == kWaitBuffer) fill_memory();
    clear_attentions(*mine);
    clear_attentions(*theirs);
    hold();
    if (state == kWaitOrder) {
      before.push_back(&mine->send(write(0, 1, scsi::TaskAttribute::kOrdered)));
      before.push_back(&theirs->send(write(0, 1, scsi::TaskAttribute::kOrdered)));
      rig.run();
    }
    my_command = &mine->send(write(8, 2, scsi::TaskAttribute::kSimple));
    their_command = &theirs->send(write(16, 3, scsi::TaskAttribute::kSimple));
    rig.run();
  }

  static Client::Ask write(std::uint32_t lba, std::uint8_t value, scsi::TaskAttribute attribute) {
    Client::Ask ask = sim::write10(lba, sim::filled(sim::kBlockBytes, value));
    ask.attribute = attribute;
    return ask;
  }

  void clear_attentions(Client& client) {
    for (std::uint16_t lun = 0; lun < 2; ++lun) {
      client.send(sim::request_sense(lun));
      client.send(sim::request_sense(lun));
    }
    rig.run();
  }

  // REQUEST SENSE needs memory itself: so the memory goes after the attentions, to a command that stays.
  void fill_memory() {
    holder = &rig.login("holder", 0);
    clear_attentions(*holder);
    clear_attentions(*mine);
    clear_attentions(*theirs);
    rig.unit("other").hold = true;
    Client::Ask ask = sim::read10(0, 1, 1);
    ask.cdb[7] = 4, ask.cdb[8] = 0;  // 1024 blocks: all of the memory
    ask.expected = kMemoryBytes;
    rig.handler.blocks = 4096;
    hog = &holder->send(ask);
    rig.run();
    ASSERT_EQ(hog->state(), kExecuting);
  }

  void hold() {
    if (state == kFetchData) mine->hold_fetch = theirs->hold_fetch = true;
    if (state == kWaitGate) rig.registry.suspend({}, [](base::Status) {});
    if (state == kExecuting || state == kWaitOrder) rig.unit("disk").hold = true;
    if (state == kSendStatus) mine->hold_status = theirs->hold_status = true;
  }

  void release() {
    for (Client* client : {mine, theirs}) {
      client->hold_fetch = client->hold_status = false;
      while (!client->fetching.empty()) client->finish_fetch(*client->fetching.front());
      while (!client->sending.empty()) client->finish_status(*client->sending.front());
    }
    if (state == kWaitGate) rig.registry.resume();
    for (const char* name : {"disk", "other"}) {
      rig.unit(name).hold = false;
      rig.unit(name).release_all();
    }
    rig.run();
  }

  CommandState state;
  Rig rig;
  Client *mine = nullptr, *theirs = nullptr, *holder = nullptr;
  FakeCommand *my_command = nullptr, *their_command = nullptr, *hog = nullptr;
  std::vector<FakeCommand*> before;
};

// Something outside holds the command in these: it cannot end before that is over.
bool cannot_end_at_once(CommandState state) {
  return state == kFetchData || state == kExecuting || state == kSendStatus;
}

constexpr CommandState kHeldStates[] = {kWaitBuffer, kFetchData, kWaitOrder, kWaitGate, kExecuting, kSendStatus};
constexpr Function kFunctions[] = {Function::kAbortTask,        Function::kAbortTaskSet, Function::kClearTaskSet,
                                   Function::kLogicalUnitReset, Function::kClearAca,     kUnknownFunction};

struct Case {
  CommandState state;
  Function function;
  bool tas;
  std::uint8_t tst;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (CommandState state : kHeldStates) {
    for (Function function : kFunctions) {
      for (bool tas : {false, true}) {
        for (bool tst : {false, true}) cases.push_back({state, function, tas, static_cast<std::uint8_t>(tst ? 1 : 0)});
      }
    }
  }
  return cases;
}

class AbortTest : public testing::TestWithParam<Case> {};

TEST_P(AbortTest, AnswersWhenTheCommandsHaveEnded) {
  auto [state, function, tas, tst] = GetParam();
  HeldCommands held(state);
  held.rig.unit("disk").control_state.tas = tas;
  held.rig.unit("disk").control_state.tst = tst;
  ASSERT_EQ(held.my_command->state(), state);
  ASSERT_EQ(held.their_command->state(), state);
  const bool concerns_me = function != Function::kClearAca && function != kUnknownFunction;
  const bool concerns_them =
      function == Function::kLogicalUnitReset || (function == Function::kClearTaskSet && tst == 0);
  int executed = held.rig.unit("disk").executions;

  auto answer = held.mine->manage(function, 0, held.my_command);
  held.rig.run();
  bool waits = concerns_me && (cannot_end_at_once(state) || (state == kWaitOrder && function != Function::kAbortTask));
  EXPECT_EQ(answer->has_value(), !waits);
  EXPECT_EQ(held.my_command->outcome.ended, concerns_me && !cannot_end_at_once(state) ? 1 : 0);

  held.release();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ(**answer,
            function == kUnknownFunction ? TaskManagementResult::kNotSupported : TaskManagementResult::kComplete);
  ASSERT_EQ(held.my_command->outcome.ended, 1);
  ASSERT_EQ(held.their_command->outcome.ended, 1);
  const bool too_late = state == kSendStatus;
  EXPECT_EQ(held.my_command->outcome.responded, !concerns_me || too_late);
  if (!concerns_them || too_late) {
    EXPECT_TRUE(held.their_command->outcome.responded);
    EXPECT_EQ(held.their_command->outcome.status, scsi::Status::kGood);
  } else {
    EXPECT_EQ(held.their_command->outcome.responded, tas);
    if (tas) {
      EXPECT_EQ(held.their_command->outcome.status, scsi::Status::kTaskAborted);
    }
  }
  // What had not begun stays undone.
  const bool begun = state == kExecuting || state == kSendStatus;
  if (concerns_me && !begun) {
    EXPECT_EQ(held.rig.unit("disk").memory[8 * sim::kBlockBytes], 0);
  }
  if (concerns_me && concerns_them && !begun && state != kWaitOrder) {
    EXPECT_EQ(held.rig.unit("disk").executions, executed);
  }
  EXPECT_EQ(held.rig.memory_in_use(), 0u);
  EXPECT_EQ(held.rig.unit("disk").resets, function == Function::kLogicalUnitReset ? 1 : 0);

  // Who lost a command without a status is told by a unit attention; who lost nothing is not.
  FakeCommand& next = held.theirs->send(sim::test_unit_ready());
  held.rig.run();
  if (function == Function::kLogicalUnitReset) {
    EXPECT_TRUE(next.outcome.has_sense(scsi::kUaReset));
  } else if (concerns_them && !tas && !too_late) {
    EXPECT_TRUE(next.outcome.has_sense(scsi::kUaCommandsCleared));
  } else {
    EXPECT_EQ(next.outcome.status, scsi::Status::kGood);
  }
  FakeCommand& mine_next = held.mine->send(sim::test_unit_ready());
  held.rig.run();
  if (function == Function::kLogicalUnitReset) {
    EXPECT_TRUE(mine_next.outcome.has_sense(scsi::kUaReset));
  } else {
    EXPECT_EQ(mine_next.outcome.status, scsi::Status::kGood);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryState, AbortTest, testing::ValuesIn(all_cases()), [](const auto& each) {
  const Case& c = each.param;
  return name_of(c.state) + name_of(c.function) + (c.tas ? "Tas" : "NoTas") + (c.tst ? "Tst1" : "Tst0");
});

class SessionEndTest : public testing::TestWithParam<CommandState> {};

TEST_P(SessionEndTest, WaitsForItsCommandsAndLeavesOthersAlone) {
  HeldCommands held(GetParam());
  ASSERT_EQ(held.my_command->state(), GetParam());
  held.mine->close();
  held.rig.run();
  const bool executing = GetParam() == kExecuting || GetParam() == kWaitOrder;  // there the one before executes
  EXPECT_EQ(held.mine->closed, !executing);
  held.release();
  EXPECT_TRUE(held.mine->closed);
  EXPECT_EQ(held.my_command->outcome.ended, 1);
  EXPECT_EQ(held.their_command->outcome.ended, 1);
  EXPECT_TRUE(held.their_command->outcome.responded);
  EXPECT_EQ(held.their_command->outcome.status, scsi::Status::kGood);
  EXPECT_EQ(held.rig.target.sessions().size(), GetParam() == kWaitBuffer ? 2u : 1u);
  EXPECT_EQ(held.rig.memory_in_use(), 0u);
}

// The other initiator's session ends while the function waits for its command.
TEST_P(SessionEndTest, EndsATaskManagementFunctionThatWaitsForIt) {
  HeldCommands held(GetParam());
  auto answer = held.mine->manage(Function::kLogicalUnitReset);
  held.rig.run();
  held.theirs->close();
  held.rig.run();
  held.release();
  EXPECT_TRUE(held.theirs->closed);
  EXPECT_TRUE(answer->has_value());
  EXPECT_EQ(held.their_command->outcome.ended, 1);
  EXPECT_EQ(held.rig.memory_in_use(), 0u);
}

INSTANTIATE_TEST_SUITE_P(EveryState, SessionEndTest, testing::ValuesIn(kHeldStates),
                         [](const auto& each) { return name_of(each.param); });

TEST(AbortTaskTest, OfATaskThatIsGoneIsComplete) {
  Rig rig;
  rig.add_device("disk");
  rig.add_lun(0, "disk");
  Client& client = rig.login("host");
  FakeCommand& command = client.send(sim::test_unit_ready());
  rig.run();
  auto answer = client.manage(Function::kAbortTask, 0, &command);
  auto unmapped = client.manage(Function::kAbortTask, 5, &command);
  auto unmapped_reset = client.manage(Function::kLogicalUnitReset, 5);
  auto unmapped_unknown = client.manage(kUnknownFunction, 5);
  rig.run();
  EXPECT_EQ(*answer, TaskManagementResult::kComplete);
  EXPECT_EQ(*unmapped, TaskManagementResult::kFailed);
  EXPECT_EQ(*unmapped_reset, TaskManagementResult::kFailed);
  EXPECT_EQ(*unmapped_unknown, TaskManagementResult::kNotSupported);
}

TEST(AbortTaskTest, OfAnotherLunIsRefusedAndDoesNothing) {
  HeldCommands held(kExecuting);
  auto answer = held.mine->manage(Function::kAbortTask, 1, held.my_command);
  held.rig.run();
  EXPECT_EQ(*answer, TaskManagementResult::kFailed);
  held.release();
  EXPECT_TRUE(held.my_command->outcome.responded);
}

// The initiator may use its memory again as soon as the function is answered: also where the LUN has gone meanwhile.
TEST(AbortTaskTest, WaitsForACommandWhoseLunIsGone) {
  HeldCommands held(kExecuting);
  bool deleted = false;
  held.rig.registry.delete_lun(held.rig.target.default_group(), 0, [&](base::Status) { deleted = true; });
  held.rig.run();
  auto answer = held.mine->manage(Function::kAbortTask, 0, held.my_command);
  held.rig.run();
  EXPECT_FALSE(answer->has_value());
  EXPECT_FALSE(deleted);
  held.release();
  EXPECT_EQ(*answer, TaskManagementResult::kComplete);
  EXPECT_FALSE(held.my_command->outcome.responded);
  EXPECT_TRUE(deleted);
}

TEST(AbortTaskTest, OfAnOrderedCommandLetsTheNextOnesGo) {
  Rig rig;
  rig.add_device("disk");
  rig.add_lun(0, "disk");
  Client& client = rig.login("host");
  client.send(sim::request_sense());
  rig.run();
  rig.unit("disk").hold = true;
  FakeCommand& first = client.send(sim::read10(0, 1));
  Client::Ask ask = sim::read10(1, 1);
  ask.attribute = scsi::TaskAttribute::kOrdered;
  FakeCommand& ordered = client.send(ask);
  FakeCommand& last = client.send(sim::read10(2, 1));
  rig.run();
  EXPECT_EQ(ordered.state(), kWaitOrder);
  EXPECT_EQ(last.state(), kWaitOrder);
  auto answer = client.manage(Function::kAbortTask, 0, &ordered);
  rig.run();
  EXPECT_TRUE(answer->has_value());
  EXPECT_EQ(last.state(), kExecuting);
  rig.unit("disk").release_all();
  rig.run();
  EXPECT_TRUE(first.outcome.responded);
  EXPECT_TRUE(last.outcome.responded);
  EXPECT_FALSE(ordered.outcome.responded);
}

// Both are let on at the moment when one of them is aborted, on whichever shard comes first.
TEST(AbortTaskTest, MeetsItsTurnUnderWay) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    HeldCommands held(kWaitOrder, 2, seed);
    auto answer = held.mine->manage(Function::kAbortTask, 0, held.my_command);
    auto reset = held.theirs->manage(Function::kLogicalUnitReset);
    for (std::uint64_t i = 0; i < seed % 7; ++i) held.rig.run_one();
    held.release();
    ASSERT_TRUE(answer->has_value() && reset->has_value()) << seed;
    EXPECT_EQ(held.my_command->outcome.ended, 1);
    EXPECT_EQ(held.their_command->outcome.ended, 1);
    FakeCommand& next = held.mine->send(sim::request_sense());
    held.rig.run();
    EXPECT_EQ(next.outcome.ended, 1);
    EXPECT_EQ(held.rig.memory_in_use(), 0u);
  }
}

}  // namespace
}  // namespace uscst::target
