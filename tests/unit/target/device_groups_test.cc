// Device groups, target groups, and what their states do to commands (sysfs.md 16, scsi.md 15, SPC-5 5.16).
#include "engine/target/device_groups.h"

#include <gtest/gtest.h>

#include "engine/target/alua_view.h"
#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using namespace std::chrono_literals;
using scsi::AluaState;
using scsi::Status;
using sim::Client;
using sim::FakeCommand;
using sim::Rig;

// What base::Status holds as an errno, 0 for success.
int code(const base::Status& status) { return status ? 0 : status.error().code; }

struct DeviceGroupsTest : testing::Test {
  DeviceGroupsTest() {
    for (const char* name : {"disk", "second", "third"}) rig.add_device(name);
    rig.add_lun(0, "disk");
    rig.add_lun(1, "second");
    host = &rig.login("host");
    EXPECT_TRUE(groups.create("dg"));
    dg = groups.find("dg");
    EXPECT_TRUE(groups.create_target_group(*dg, "here"));
    EXPECT_TRUE(groups.create_target_group(*dg, "there"));
    here = dg->find("here");
    there = dg->find("there");
    EXPECT_TRUE(groups.add_device(*dg, "disk"));
    EXPECT_TRUE(groups.add_target(*here, "target"));
    for (std::uint16_t lun = 0; lun < 2; ++lun) {
      for (int i = 0; i < 3; ++i) run(sim::request_sense(lun));
    }
  }
  const sim::Outcome& run(Client::Ask ask) { return run(*host, std::move(ask)); }
  const sim::Outcome& run(Client& client, Client::Ask ask) {
    FakeCommand& command = client.send(std::move(ask));
    rig.run();
    EXPECT_EQ(command.outcome.ended, 1);
    return command.outcome;
  }
  int set_state(TargetGroup& group, AluaState state) {
    return code(rig.manage([&](Done done) { groups.set_state(group, state, std::move(done)); }));
  }
  // As set_state(), with commands under way: the result is there when they have ended.
  std::shared_ptr<std::optional<int>> begin_state(TargetGroup& group, AluaState state) {
    auto result = std::make_shared<std::optional<int>>();
    groups.set_state(group, state, [result](base::Status status) { *result = code(status); });
    rig.run();
    return result;
  }

  Rig rig;
  DeviceGroups& groups = rig.registry.device_groups();
  Client* host;
  DeviceGroup* dg;
  TargetGroup *here, *there;
};

// --- what there is

TEST_F(DeviceGroupsTest, NamesAreUniqueAndCaseCounts) {
  EXPECT_EQ(code(groups.create("dg")), EEXIST);
  EXPECT_EQ(code(groups.create("DG")), 0);
  EXPECT_EQ(code(groups.create_target_group(*dg, "here")), EEXIST);
  EXPECT_EQ(code(groups.create_target_group(*groups.find("DG"), "here")), 0);
  EXPECT_EQ(code(groups.remove_target_group(*dg, "nowhere")), EINVAL);
  EXPECT_EQ(code(rig.manage([&](Done done) { groups.remove("nothing", std::move(done)); })), EINVAL);
}

TEST_F(DeviceGroupsTest, ADeviceIsInOneGroup) {
  EXPECT_TRUE(groups.create("other"));
  DeviceGroup& other = *groups.find("other");
  EXPECT_EQ(code(groups.add_device(*dg, "disk")), EEXIST);
  EXPECT_EQ(code(groups.add_device(other, "disk")), EEXIST);
  EXPECT_EQ(code(groups.add_device(other, "nothing")), EINVAL);
  EXPECT_EQ(code(groups.remove_device(other, "disk")), EINVAL);
  EXPECT_EQ(code(groups.remove_device(*dg, "disk")), 0);
  EXPECT_EQ(code(groups.add_device(other, "disk")), 0);
}

TEST_F(DeviceGroupsTest, ATargetIsInOneTargetGroupOfADeviceGroup) {
  EXPECT_EQ(code(groups.add_target(*there, "target")), EEXIST);
  EXPECT_EQ(code(groups.add_target(*there, "far")), 0);
  EXPECT_EQ(code(groups.add_target(*here, "far")), EEXIST);
  EXPECT_EQ(there->members()[0]->target, nullptr);
  EXPECT_EQ(here->members()[0]->target, &rig.target);
  EXPECT_EQ(code(groups.remove_target(*here, "far")), 0) << "the whole device group is searched";
  EXPECT_EQ(code(groups.remove_target(*here, "far")), EINVAL);
}

TEST_F(DeviceGroupsTest, ATargetMadeLaterIsNotTaken) {
  ASSERT_TRUE(groups.add_target(*there, "later"));
  {
    sim::FakeDriver driver("another");
    rig.registry.add_driver(driver);
    driver.add_target(rig.registry, "later");
    EXPECT_EQ(there->members()[0]->target, nullptr);
    ASSERT_TRUE(groups.remove_target(*there, "later"));
    ASSERT_TRUE(groups.add_target(*there, "later"));
    EXPECT_NE(there->members()[0]->target, nullptr) << "looked up in all drivers when it is added";
    EXPECT_EQ(rig.registry.find_device("disk")->alua()->groups[1].ports, (std::vector<std::uint16_t>{0}));
  }
  EXPECT_TRUE(there->members().empty()) << "a target that goes takes its membership along";
  EXPECT_TRUE(rig.registry.find_device("disk")->alua()->groups[1].ports.empty());
}

TEST_F(DeviceGroupsTest, ADeletedDeviceLeavesItsGroup) {
  rig.manage([&](Done done) { rig.registry.delete_device(rig.handler, "disk", std::move(done)); });
  EXPECT_TRUE(dg->devices().empty());
  EXPECT_EQ(rig.registry.find_device("disk"), nullptr);
}

// --- states and commands

TEST_F(DeviceGroupsTest, AStateHoldsForItsPairsOnly) {
  EXPECT_EQ(set_state(*here, AluaState::kStandby), 0);
  EXPECT_TRUE(run(sim::test_unit_ready(0)).has_sense(scsi::kAluaStandby));
  EXPECT_TRUE(run(sim::read10(0, 1, 0)).has_sense(scsi::kAluaStandby));
  EXPECT_EQ(run(sim::inquiry(0)).status, Status::kGood);
  EXPECT_EQ(run(sim::read10(0, 1, 1)).status, Status::kGood) << "the other device is in no group";
  EXPECT_TRUE(run(sim::reserve6(0)).has_sense(scsi::kUaAluaStateChanged)) << "told to the first that may be told";
  EXPECT_EQ(run(sim::reserve6(0)).status, Status::kGood);
  EXPECT_EQ(set_state(*here, AluaState::kUnavailable), 0);
  EXPECT_TRUE(run(sim::reserve6(0)).has_sense(scsi::kAluaUnavailable)) << "before the unit attention";
  EXPECT_EQ(set_state(*here, AluaState::kOffline), 0);
  EXPECT_TRUE(run(sim::read10(0, 1, 0)).has_sense(scsi::kAluaUnavailable));
  EXPECT_EQ(set_state(*here, AluaState::kActiveNonoptimized), 0);
  EXPECT_TRUE(run(sim::read10(0, 1, 0)).has_sense(scsi::kUaAluaStateChanged)) << "one for all that came unseen";
  EXPECT_EQ(run(sim::read10(0, 1, 0)).status, Status::kGood);
}

TEST_F(DeviceGroupsTest, EveryNexusOfThePairIsTold) {
  Client& other = rig.login("other");
  rig.run();
  for (int i = 0; i < 3; ++i) run(other, sim::request_sense(0));
  EXPECT_EQ(set_state(*here, AluaState::kActiveNonoptimized), 0);
  EXPECT_TRUE(run(sim::test_unit_ready(0)).has_sense(scsi::kUaAluaStateChanged));
  EXPECT_TRUE(run(other, sim::test_unit_ready(0)).has_sense(scsi::kUaAluaStateChanged));
  EXPECT_EQ(run(sim::test_unit_ready(1)).status, Status::kGood);
  groups.set_preferred(*here, true);
  EXPECT_TRUE(run(sim::test_unit_ready(0)).has_sense(scsi::kUaAluaStateChanged));
  groups.set_preferred(*here, true);
  EXPECT_EQ(run(sim::test_unit_ready(0)).status, Status::kGood) << "nothing changed";
  EXPECT_EQ(set_state(*here, AluaState::kActiveNonoptimized), 0);
  EXPECT_EQ(run(sim::test_unit_ready(0)).status, Status::kGood) << "nothing changed";
  EXPECT_EQ(set_state(*there, AluaState::kStandby), 0);
  EXPECT_EQ(run(sim::test_unit_ready(0)).status, Status::kGood) << "another group's state";
}

TEST_F(DeviceGroupsTest, TransitioningIsNotToldAndIsWaitedForOnce) {
  EXPECT_EQ(set_state(*here, AluaState::kTransitioning), 0);
  EXPECT_EQ(run(sim::inquiry(0)).status, Status::kGood);
  FakeCommand& patient = host->send(sim::read10(0, 1, 0));
  rig.advance(400ms);
  EXPECT_EQ(patient.outcome.ended, 0);
  rig.advance(100ms);
  EXPECT_EQ(patient.outcome.ended, 1);
  EXPECT_TRUE(patient.outcome.has_sense(scsi::kAluaTransition));
}

TEST_F(DeviceGroupsTest, TheEndOfATransitionLetsCommandsOnAtOnce) {
  EXPECT_EQ(set_state(*here, AluaState::kTransitioning), 0);
  FakeCommand& read = host->send(sim::read10(0, 1, 0));
  rig.run();
  EXPECT_EQ(set_state(*here, AluaState::kActiveOptimized), 0);
  EXPECT_EQ(read.outcome.ended, 1);
  EXPECT_TRUE(read.outcome.has_sense(scsi::kUaAluaStateChanged));
  EXPECT_EQ(set_state(*here, AluaState::kTransitioning), 0);
  FakeCommand& unlucky = host->send(sim::read10(0, 1, 0));
  rig.run();
  EXPECT_EQ(set_state(*here, AluaState::kStandby), 0);
  EXPECT_TRUE(unlucky.outcome.has_sense(scsi::kAluaStandby));
}

TEST_F(DeviceGroupsTest, ACommandThatWaitsForATransitionCanBeAborted) {
  EXPECT_EQ(set_state(*here, AluaState::kTransitioning), 0);
  FakeCommand& read = host->send(sim::read10(0, 1, 0));
  rig.run();
  auto answer = host->manage(TaskManagementFunction::kAbortTask, 0, &read);
  rig.run();
  EXPECT_EQ(*answer, TaskManagementResult::kComplete);
  EXPECT_EQ(read.outcome.ended, 1);
  EXPECT_FALSE(read.outcome.responded);
  rig.advance(1s);
}

TEST_F(DeviceGroupsTest, AChangeWaitsForTheCommandsThatWereLetThrough) {
  rig.unit("disk").hold = true;
  FakeCommand& write = host->send(sim::write10(0, sim::filled(sim::kBlockBytes, 1), 0));
  rig.run();
  auto result = begin_state(*here, AluaState::kStandby);
  EXPECT_FALSE(*result);
  EXPECT_EQ(here->state(), AluaState::kStandby);
  EXPECT_TRUE(run(sim::test_unit_ready(0)).has_sense(scsi::kAluaStandby)) << "holds already";
  rig.unit("disk").release(write);
  rig.run();
  EXPECT_EQ(*result, 0);
  EXPECT_EQ(write.outcome.status, Status::kGood);
}

TEST_F(DeviceGroupsTest, AStuckCommandDoesNotHoldAChangeForEver) {
  rig.unit("disk").hold = true;
  host->send(sim::read10(0, 1, 0));
  rig.run();
  auto result = begin_state(*here, AluaState::kUnavailable);
  rig.advance(9s);
  EXPECT_FALSE(*result);
  rig.advance(1s);
  EXPECT_EQ(*result, 0);
  EXPECT_TRUE(rig.log_lines.back().find("still running") != std::string::npos);
}

TEST_F(DeviceGroupsTest, AHeldCommandIsCheckedAgainstTheStateThatIsThen) {
  Device& disk = *rig.registry.find_device("disk");
  rig.registry.block(disk, [](base::Status) {});
  FakeCommand& read = host->send(sim::read10(0, 1, 0));
  rig.run();
  EXPECT_EQ(read.outcome.ended, 0);
  EXPECT_EQ(set_state(*here, AluaState::kStandby), 0) << "what is held has not been let through";
  EXPECT_TRUE(rig.registry.unblock(disk));
  rig.run();
  EXPECT_TRUE(read.outcome.has_sense(scsi::kAluaStandby));
}

TEST_F(DeviceGroupsTest, MembershipBringsAndTakesTheStateSilently) {
  EXPECT_EQ(set_state(*here, AluaState::kStandby), 0);
  ASSERT_TRUE(groups.add_device(*dg, "second"));
  EXPECT_TRUE(run(sim::test_unit_ready(1)).has_sense(scsi::kAluaStandby));
  ASSERT_TRUE(groups.remove_device(*dg, "second"));
  EXPECT_EQ(run(sim::test_unit_ready(1)).status, Status::kGood);
  ASSERT_TRUE(groups.add_device(*dg, "second"));
  ASSERT_TRUE(groups.remove_target(*here, "target"));
  EXPECT_EQ(run(sim::test_unit_ready(1)).status, Status::kGood);
  ASSERT_TRUE(groups.add_target(*here, "target"));
  EXPECT_TRUE(run(sim::test_unit_ready(1)).has_sense(scsi::kAluaStandby));
  ASSERT_TRUE(groups.remove_target_group(*dg, "here"));
  EXPECT_EQ(run(sim::test_unit_ready(1)).status, Status::kGood);
}

TEST_F(DeviceGroupsTest, NewNexusesAndLunsAreUnderTheState) {
  EXPECT_EQ(set_state(*here, AluaState::kUnavailable), 0);
  Client& late = rig.login("late");
  rig.run();
  EXPECT_TRUE(run(late, sim::read10(0, 1, 0)).has_sense(scsi::kAluaUnavailable));
  rig.add_lun(7, "disk");
  rig.run();
  EXPECT_TRUE(run(sim::read10(0, 1, 7)).has_sense(scsi::kAluaUnavailable));
}

TEST_F(DeviceGroupsTest, RemovingADeviceGroupMakesItsPairsActiveAndTellsThem) {
  EXPECT_EQ(set_state(*here, AluaState::kStandby), 0);
  EXPECT_EQ(code(rig.manage([&](Done done) { groups.remove("dg", std::move(done)); })), 0);
  EXPECT_EQ(groups.find("dg"), nullptr);
  EXPECT_TRUE(run(sim::read10(0, 1, 0)).has_sense(scsi::kUaAluaStateChanged));
  EXPECT_EQ(run(sim::read10(0, 1, 0)).status, Status::kGood);
  EXPECT_EQ(rig.registry.find_device("disk")->alua(), nullptr);
  EXPECT_TRUE(groups.create("dg"));
  EXPECT_TRUE(groups.add_device(*groups.find("dg"), "disk"));
}

// --- what INQUIRY and REPORT TARGET PORT GROUPS tell

TEST_F(DeviceGroupsTest, ReportTargetPortGroups) {
  EXPECT_EQ(run(sim::report_target_port_groups(1)).data_in, (sim::Bytes{0, 0, 0, 0})) << "in no device group";
  ASSERT_TRUE(rig.registry.set_relative_target_id(rig.target, 0x11));
  ASSERT_TRUE(groups.add_target(*there, "far"));
  groups.set_relative_target_id(*there->members()[0], 0x22);
  groups.set_group_id(*here, 1);
  groups.set_group_id(*there, 2);
  groups.set_preferred(*here, true);
  EXPECT_EQ(set_state(*there, AluaState::kActiveNonoptimized), 0);
  EXPECT_TRUE(run(sim::report_target_port_groups(0)).has_sense(scsi::kUaAluaStateChanged)) << "of preferred";
  EXPECT_EQ(run(sim::report_target_port_groups(0)).data_in,
            (sim::Bytes{0,    0,    0, 24,                             //
                        0x80, 0xCF, 0, 1,  0, 2, 0, 1, 0, 0, 0, 0x11,  //
                        0x01, 0xCF, 0, 2,  0, 2, 0, 1, 0, 0, 0, 0x22}));
  EXPECT_EQ(set_state(*here, AluaState::kOffline), 0);
  run(sim::request_sense(0));
  ASSERT_EQ(run(sim::report_target_port_groups(0)).status, Status::kGood);
  EXPECT_EQ(run(sim::report_target_port_groups(0)).data_in[4], 0x8E) << "allowed in every state";
}

TEST_F(DeviceGroupsTest, TheViewFollows) {
  auto view = [&] { return rig.registry.find_device("disk")->alua(); };
  EXPECT_EQ(view()->find(rig.target.id())->id, 0);
  groups.set_group_id(*here, 9);
  EXPECT_EQ(view()->find(rig.target.id())->id, 9);
  EXPECT_EQ(rig.registry.find_device("second")->alua(), nullptr);
  ASSERT_TRUE(groups.remove_target(*here, "target"));
  EXPECT_EQ(view()->find(rig.target.id()), nullptr);
  EXPECT_EQ(view()->groups.size(), 2u);
}

// --- devices that are bound to the state

struct BoundTest : DeviceGroupsTest {
  BoundTest() { rig.unit("disk").follows = true; }
  std::vector<bool>& followed = rig.unit("disk").followed;
};

TEST_F(BoundTest, TheStoreIsClosedAfterAndOpenedBefore) {
  EXPECT_EQ(set_state(*here, AluaState::kActiveNonoptimized), 0);
  EXPECT_EQ(followed, (std::vector<bool>{true}));
  EXPECT_EQ(set_state(*here, AluaState::kStandby), 0);
  EXPECT_EQ(followed, (std::vector<bool>{true, false}));
  rig.unit("disk").hold_following = true;
  auto result = begin_state(*here, AluaState::kActiveOptimized);
  EXPECT_FALSE(*result);
  EXPECT_EQ(here->state(), AluaState::kStandby) << "not before the store is open";
  rig.unit("disk").following.front()(base::fail(ENOENT, "gone"));
  EXPECT_EQ(*result, 0) << "as in SCST: the device is inactive, the state is what was asked for";
  EXPECT_EQ(here->state(), AluaState::kActiveOptimized);
  rig.unit("disk").following.clear();
}

TEST_F(BoundTest, ClosingWaitsForCommandsAndItsErrorIsTold) {
  rig.unit("disk").hold = true;
  rig.unit("disk").hold_following = true;
  FakeCommand& read = host->send(sim::read10(0, 1, 0));
  rig.run();
  auto result = begin_state(*here, AluaState::kStandby);
  EXPECT_TRUE(followed.empty());
  rig.unit("disk").release(read);
  rig.run();
  EXPECT_EQ(followed, (std::vector<bool>{false}));
  EXPECT_FALSE(*result);
  rig.unit("disk").following.front()(base::fail(EBUSY, "in use"));
  EXPECT_EQ(*result, EBUSY);
  rig.unit("disk").following.clear();
}

TEST_F(BoundTest, ChangesAreMadeOneAfterTheOther) {
  rig.unit("disk").hold_following = true;
  auto first = begin_state(*here, AluaState::kStandby);
  auto second = begin_state(*here, AluaState::kActiveOptimized);
  auto third = begin_state(*here, AluaState::kActiveOptimized);
  EXPECT_EQ(followed, (std::vector<bool>{false}));
  auto& answers = rig.unit("disk").following;
  answers.front()({});
  answers.pop_front();
  EXPECT_EQ(*first, 0);
  EXPECT_EQ(followed, (std::vector<bool>{false, true}));
  EXPECT_FALSE(*second);
  answers.front()({});
  answers.pop_front();
  EXPECT_EQ(*second, 0);
  EXPECT_EQ(*third, 0);
  EXPECT_EQ(followed.size(), 2u);
}

TEST_F(BoundTest, AGroupThatIsAnotherNodesDoesNotMoveTheStore) {
  ASSERT_TRUE(groups.add_target(*there, "far"));
  EXPECT_EQ(set_state(*there, AluaState::kStandby), 0);
  EXPECT_TRUE(followed.empty());
  ASSERT_TRUE(groups.remove_target(*there, "far"));
  EXPECT_EQ(set_state(*there, AluaState::kUnavailable), 0);
  EXPECT_EQ(followed.size(), 1u) << "a group without targets does";
  ASSERT_TRUE(groups.add_target(*here, "far"));
  EXPECT_EQ(set_state(*here, AluaState::kUnavailable), 0);
  EXPECT_EQ(followed.size(), 2u) << "seen through a target here";
}

TEST_F(BoundTest, AGroupThatGoesMeanwhile) {
  EXPECT_EQ(set_state(*here, AluaState::kStandby), 0);
  rig.unit("disk").hold_following = true;
  auto opening = begin_state(*here, AluaState::kActiveOptimized);
  std::optional<int> removed;
  groups.remove("dg", [&](base::Status status) { removed = code(status); });
  rig.run();
  EXPECT_FALSE(removed) << "after the change that runs";
  EXPECT_EQ(groups.find("dg"), nullptr);
  auto& answers = rig.unit("disk").following;
  answers.front()({});
  answers.pop_front();
  EXPECT_EQ(*opening, 0);
  EXPECT_EQ(followed, (std::vector<bool>{false, true, true}));
  answers.front()({});
  answers.pop_front();
  EXPECT_EQ(removed, 0);
}

}  // namespace
}  // namespace uscst::target
