// SET TARGET PORT GROUPS (scsi.md 15, SPC-5 6.45) with listeners of the test.
#include "engine/target/explicit_alua.h"

#include <gtest/gtest.h>

#include "engine/target/device_groups.h"
#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using namespace std::chrono_literals;
using scsi::AluaState;
using scsi::Status;
using sim::Client;
using sim::FakeCommand;
using sim::Rig;

const sim::Bytes kToStandby{0, 0, 0, 0, 0x02, 0, 0, 1};

struct ExplicitAluaTest : testing::Test {
  ExplicitAluaTest() {
    EXPECT_TRUE(groups.create("dg"));
    dg = groups.find("dg");
    EXPECT_TRUE(groups.create_target_group(*dg, "here"));
    here = dg->find("here");
    groups.set_group_id(*here, 1);
    EXPECT_TRUE(groups.add_target(*here, "target"));
    std::uint16_t lun = 0;
    for (const char* name : {"disk", "second"}) {
      rig.add_device(name);
      rig.unit(name).explicit_alua = true;
      EXPECT_TRUE(groups.add_device(*dg, name));
      rig.add_lun(lun++, name);
    }
    host = &rig.login("host");
    other = &rig.login("other");
    rig.run();
    for (Client* client : {host, other}) {
      for (std::uint16_t at = 0; at < 2; ++at) run(*client, sim::request_sense(at));
    }
  }
  const sim::Outcome& run(Client& client, Client::Ask ask) {
    FakeCommand& command = client.send(std::move(ask));
    rig.run();
    EXPECT_EQ(command.outcome.ended, 1);
    return command.outcome;
  }
  // A listener that waits for the test.
  void listen() {
    groups.explicit_alua().set_listener([this](const AccessStateRequest& request, Done done) {
      asked.push_back(request);
      answers.push_back(std::move(done));
    });
  }
  void change(AluaState state) {
    auto status = rig.manage([&](Done done) { groups.set_state(*here, state, std::move(done)); });
    EXPECT_TRUE(status);
  }
  void answer(base::Status status = {}) {
    Done done = std::move(answers.front());
    answers.pop_front();
    done(std::move(status));
    rig.run();
  }

  Rig rig;
  DeviceGroups& groups = rig.registry.device_groups();
  DeviceGroup* dg;
  TargetGroup* here;
  Client *host, *other;
  std::vector<AccessStateRequest> asked;
  std::deque<Done> answers;
};

TEST_F(ExplicitAluaTest, OnlyWhereItIsSwitchedOn) {
  rig.unit("disk").explicit_alua = false;
  EXPECT_TRUE(run(*host, sim::set_target_port_groups(kToStandby)).has_sense(scsi::kInvalidFieldInCdb));
}

TEST_F(ExplicitAluaTest, NothingToDo) {
  EXPECT_EQ(run(*host, sim::set_target_port_groups({})).status, Status::kGood);
  EXPECT_EQ(run(*host, sim::set_target_port_groups({0, 0, 0, 0, 0, 0, 0, 1})).status, Status::kGood);
  EXPECT_TRUE(
      run(*host, sim::set_target_port_groups({0, 0, 0, 0, 0, 0, 0, 9})).has_sense(scsi::kSetTargetPortGroupsFailed));
}

TEST_F(ExplicitAluaTest, FailsWithoutAListener) {
  EXPECT_TRUE(run(*host, sim::set_target_port_groups(kToStandby)).has_sense(scsi::kSetTargetPortGroupsFailed));
  EXPECT_EQ(run(*host, sim::read10(0, 1, 1)).status, Status::kGood) << "the other device is free";
}

TEST_F(ExplicitAluaTest, TheListenerChangesTheState) {
  listen();
  FakeCommand& set = host->send(sim::set_target_port_groups(kToStandby));
  rig.run();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].device, "disk");
  EXPECT_EQ(asked[0].device_group, "dg");
  ASSERT_EQ(asked[0].changes.size(), 1u);
  EXPECT_EQ(asked[0].changes[0].target_group, "here");
  EXPECT_EQ(asked[0].changes[0].from, AluaState::kActiveOptimized);
  EXPECT_EQ(asked[0].changes[0].to, AluaState::kStandby);
  FakeCommand& held = other->send(sim::read10(0, 1, 1));
  rig.run();
  EXPECT_EQ(held.outcome.ended, 0) << "the other device of the group";
  change(AluaState::kStandby);
  EXPECT_EQ(set.outcome.ended, 0);
  answer();
  EXPECT_EQ(set.outcome.status, Status::kGood);
  EXPECT_TRUE(held.outcome.has_sense(scsi::kAluaStandby));
  change(AluaState::kActiveOptimized);
  run(*host, sim::request_sense(0));
}

TEST_F(ExplicitAluaTest, TheSenderIsNotToldOthersAre) {
  listen();
  host->send(sim::set_target_port_groups({0, 0, 0, 0, 0x01, 0, 0, 1}));
  rig.run();
  change(AluaState::kActiveNonoptimized);
  answer();
  EXPECT_EQ(run(*host, sim::read10(0, 1, 0)).status, Status::kGood);
  EXPECT_TRUE(run(*other, sim::read10(0, 1, 0)).has_sense(scsi::kUaAluaStateChanged));
  EXPECT_TRUE(run(*other, sim::read10(0, 1, 1)).has_sense(scsi::kUaAluaStateChanged));
}

TEST_F(ExplicitAluaTest, AListenerThatFailsOrDoesNothing) {
  listen();
  FakeCommand& failed = host->send(sim::set_target_port_groups(kToStandby));
  rig.run();
  answer(base::fail(EIO, "exit status 1"));
  EXPECT_TRUE(failed.outcome.has_sense(scsi::kSetTargetPortGroupsFailed));
  FakeCommand& idle = host->send(sim::set_target_port_groups(kToStandby));
  rig.run();
  answer();
  EXPECT_TRUE(idle.outcome.has_sense(scsi::kSetTargetPortGroupsFailed)) << "the state is what it was";
}

TEST_F(ExplicitAluaTest, AListenerThatNeverAnswers) {
  listen();
  FakeCommand& set = host->send(sim::set_target_port_groups(kToStandby));
  rig.advance(59s);
  EXPECT_EQ(set.outcome.ended, 0);
  rig.advance(1s);
  EXPECT_TRUE(set.outcome.has_sense(scsi::kSetTargetPortGroupsFailed));
  EXPECT_EQ(run(*host, sim::read10(0, 1, 1)).status, Status::kGood);
  answer();  // too late: nothing happens
}

TEST_F(ExplicitAluaTest, OneAfterTheOther) {
  listen();
  FakeCommand& first = host->send(sim::set_target_port_groups(kToStandby, 0));
  FakeCommand& second = other->send(sim::set_target_port_groups({0, 0, 0, 0, 0x01, 0, 0, 1}, 0));
  rig.run();
  EXPECT_EQ(asked.size(), 1u);
  change(AluaState::kStandby);
  answer();
  EXPECT_EQ(first.outcome.status, Status::kGood);
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1].changes[0].from, AluaState::kStandby);
  change(AluaState::kActiveNonoptimized);
  answer();
  EXPECT_EQ(second.outcome.status, Status::kGood);
}

TEST_F(ExplicitAluaTest, ChangesDoNotWaitForTheCommandThatWaitsForThem) {
  listen();
  rig.unit("disk").follows = true;
  FakeCommand& set = host->send(sim::set_target_port_groups(kToStandby));
  rig.run();
  EXPECT_TRUE(rig.manage([&](Done done) { rig.registry.suspend(90s, std::move(done)); }));
  rig.registry.resume();
  change(AluaState::kStandby);
  EXPECT_EQ(rig.unit("disk").followed, (std::vector<bool>{false}));
  auto aborted = host->manage(TaskManagementFunction::kAbortTask, 0, &set);
  rig.run();
  EXPECT_FALSE(*aborted) << "the listener is at work";
  answer();
  EXPECT_TRUE(*aborted);
  EXPECT_FALSE(set.outcome.responded);
}

}  // namespace
}  // namespace uscst::target
