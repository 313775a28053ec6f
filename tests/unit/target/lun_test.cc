// LUNs and devices that come and go under running commands; suspension and blocking.
#include <gtest/gtest.h>

#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using namespace std::chrono_literals;
using scsi::Status;
using sim::Client;
using sim::FakeCommand;
using sim::Rig;
using enum CommandState;

struct LunTest : testing::Test {
  LunTest() {
    rig.add_device("disk");
    rig.add_device("second");
    rig.add_lun(0, "disk");
    host = &rig.login("host");
    run(sim::request_sense());
  }
  const sim::Outcome& run(Client::Ask ask) { return send(std::move(ask)).outcome; }
  FakeCommand& send(Client::Ask ask) {
    FakeCommand& command = host->send(std::move(ask));
    rig.run();
    return command;
  }
  AccessGroup& group() { return rig.target.default_group(); }
  int error_of(const std::function<void(Done)>& begin) {
    base::Status status = rig.manage(begin);
    return status ? 0 : status.error().code;
  }
  // Begins an operation; whether it has ended is told by the pointer.
  std::shared_ptr<std::optional<base::Status>> begin(const std::function<void(Done)>& operation) {
    auto result = std::make_shared<std::optional<base::Status>>();
    operation([result](base::Status status) { *result = std::move(status); });
    rig.run();
    return result;
  }
  Rig rig;
  Client* host;
};

TEST_F(LunTest, Errors) {
  auto add = [&](const char* device, std::uint16_t lun) {
    return error_of([&](Done done) { rig.registry.add_lun(group(), device, lun, false, std::move(done)); });
  };
  EXPECT_EQ(add("none", 1), EINVAL);
  EXPECT_EQ(add("second", 0), EEXIST);
  EXPECT_EQ(add("second", 1), 0);
  EXPECT_EQ(error_of([&](Done done) { rig.registry.delete_lun(group(), 9, std::move(done)); }), EINVAL);
  EXPECT_EQ(error_of([&](Done done) { rig.registry.delete_device(rig.handler, "none", std::move(done)); }), EINVAL);
  EXPECT_EQ(error_of([&](Done done) { rig.registry.create_device(rig.handler, "disk", {}, std::move(done)); }), EEXIST);
  EXPECT_EQ(error_of([&](Done done) { rig.registry.create_device(rig.handler, "a/b", {}, std::move(done)); }), EINVAL);
}

// A command in each state when its LUN goes: what runs ends well, what waits is told that there is no such LUN.
struct HeldAt : LunTest, testing::WithParamInterface<CommandState> {
  void hold() {
    host->hold_fetch = GetParam() == kFetchData;
    host->hold_status = GetParam() == kSendStatus;
    rig.unit("disk").hold = GetParam() == kExecuting || GetParam() == kWaitOrder;
    if (GetParam() == kWaitGate) {
      Device& device = *rig.registry.find_device("disk");
      ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.block(device, std::move(done)); }));
    }
    if (GetParam() == kWaitOrder) {
      Client::Ask ahead = sim::read10(0, 1);
      ahead.attribute = scsi::TaskAttribute::kOrdered;
      send(ahead);
    }
    command = &send(sim::write10(0, sim::filled(512, 1)));
    ASSERT_EQ(command->state(), GetParam());
  }
  void release() {
    while (!host->fetching.empty()) host->finish_fetch(*host->fetching.front());
    while (!host->sending.empty()) host->finish_status(*host->sending.front());
    if (auto device = rig.registry.find_device("disk")) {
      rig.unit("disk").hold = false;
      rig.unit("disk").release_all();
      EXPECT_TRUE(rig.registry.unblock(*device));
    }
    rig.run();
  }
  bool past_gate() const { return GetParam() > kWaitGate; }
  FakeCommand* command = nullptr;
};

TEST_P(HeldAt, DeleteLun) {
  hold();
  auto deleted = begin([&](Done done) { rig.registry.delete_lun(group(), 0, std::move(done)); });
  EXPECT_EQ(deleted->has_value(), !past_gate() && GetParam() != kWaitOrder);
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kLunNotSupported));
  release();
  EXPECT_TRUE(deleted->has_value());
  ASSERT_EQ(command->outcome.ended, 1);
  if (past_gate()) {
    EXPECT_EQ(command->outcome.status, Status::kGood);
  } else {
    EXPECT_TRUE(command->outcome.has_sense(scsi::kLunNotSupported));
  }
}

TEST_P(HeldAt, DeleteDevice) {
  auto destroyed = std::make_shared<int>(0);
  rig.unit("disk").destroyed = destroyed;
  hold();
  int at_the_answer = -1;
  bool ended_before = false;
  auto deleted = begin([&](Done done) {
    rig.registry.delete_device(rig.handler, "disk", [&, done = std::move(done)](base::Status status) mutable {
      at_the_answer = *destroyed;
      ended_before = command->outcome.ended == 1;
      done(std::move(status));
    });
  });
  EXPECT_FALSE(deleted->has_value()) << "a blocked device has its commands until it is unblocked";
  EXPECT_EQ(error_of([&](Done done) { rig.registry.create_device(rig.handler, "disk", {}, std::move(done)); }), EEXIST);
  EXPECT_EQ(error_of([&](Done done) { rig.registry.delete_device(rig.handler, "disk", std::move(done)); }), EINVAL);
  EXPECT_EQ(error_of([&](Done done) { rig.registry.add_lun(group(), "disk", 5, false, std::move(done)); }), EINVAL);
  release();
  ASSERT_TRUE(deleted->has_value());
  EXPECT_TRUE(ended_before);
  EXPECT_EQ(at_the_answer, 1) << "its file is closed when the administrator is told";
}

TEST_P(HeldAt, ReplaceLun) {
  hold();
  auto replaced = begin([&](Done done) {
    rig.registry.replace_lun(group(), "second", 0, false, Registry::Replace::kWithAttention, std::move(done));
  });
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kUaInquiryDataChanged));
  if (GetParam() != kSendStatus) {
    EXPECT_EQ(run(sim::test_unit_ready()).status, Status::kGood);
  }
  release();
  EXPECT_TRUE(replaced->has_value());
  ASSERT_EQ(command->outcome.ended, 1);
  EXPECT_EQ(command->outcome.status, past_gate() ? Status::kGood : Status::kBusy);
  EXPECT_EQ(rig.unit("second").memory[0], 0) << "never carried out on the other device";
}

INSTANTIATE_TEST_SUITE_P(EveryState, HeldAt,
                         testing::Values(kFetchData, kWaitOrder, kWaitGate, kExecuting, kSendStatus),
                         [](const auto& each) { return "State" + std::to_string(static_cast<int>(each.param)); });

TEST_F(LunTest, ReplaceWithoutAttention) {
  ASSERT_TRUE(rig.manage([&](Done done) {
    rig.registry.replace_lun(group(), "second", 0, false, Registry::Replace::kWithoutAttention, std::move(done));
  }));
  EXPECT_EQ(run(sim::test_unit_ready()).status, Status::kGood);
  ASSERT_TRUE(rig.manage([&](Done done) {
    rig.registry.replace_lun(group(), "second", 0, true, Registry::Replace::kWithAttention, std::move(done));
  }));
  EXPECT_TRUE(run(sim::write10(0, sim::filled(512, 1))).has_sense(scsi::kUaInquiryDataChanged));
  EXPECT_TRUE(run(sim::write10(0, sim::filled(512, 1))).has_sense(scsi::kWriteProtected));
}

TEST_F(LunTest, AsynchronousReplaceParksWhatWasThere) {
  run(sim::reserve6());
  rig.unit("disk").hold = true;
  FakeCommand& running = send(sim::read10(0, 1));
  auto replace = [&](const char* device) {
    return begin([&](Done done) {
      rig.registry.replace_lun(group(), device, 0, false, Registry::Replace::kWithAttention, std::move(done));
    });
  };
  rig.registry.set_async_lun_replace(true);
  auto replaced = replace("second");
  EXPECT_TRUE(replaced->has_value()) << "not waited for";
  rig.unit("disk").release_all();
  rig.run();
  EXPECT_EQ(running.outcome.status, Status::kGood);
  auto& disk = *rig.registry.find_device("disk");
  EXPECT_NE(disk.reservation_holder, 0) << "still the nexus'";
  rig.registry.set_async_lun_replace(false);
  rig.run();
  EXPECT_EQ(disk.reservation_holder, 0);
}

TEST_F(LunTest, AParkedLunDoesNotKeepItsDevice) {
  rig.registry.set_async_lun_replace(true);
  auto destroyed = std::make_shared<int>(0);
  rig.unit("disk").destroyed = destroyed;
  begin([&](Done done) {
    rig.registry.replace_lun(group(), "second", 0, false, Registry::Replace::kWithAttention, std::move(done));
  });
  ASSERT_TRUE(*begin([&](Done done) { rig.registry.delete_device(rig.handler, "disk", std::move(done)); }));
  EXPECT_EQ(*destroyed, 1);
}

TEST_F(LunTest, ClearTellsOnce) {
  rig.add_lun(1, "second");
  ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.clear_luns(group(), std::move(done)); }));
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kLunNotSupported));
  EXPECT_TRUE(rig.registry.find_device("disk")->exports().empty());
  EXPECT_EQ(run(sim::report_luns()).data_in.size(), 8u);
}

// --- suspension

TEST_F(LunTest, SuspendWaitsForWhatRunsAndHoldsWhatComes) {
  rig.unit("disk").hold = true;
  FakeCommand& running = send(sim::read10(0, 1));
  auto suspended = begin([&](Done done) { rig.registry.suspend({}, std::move(done)); });
  FakeCommand& held = send(sim::read10(0, 1));
  EXPECT_FALSE(suspended->has_value());
  EXPECT_EQ(held.state(), kWaitGate);
  rig.unit("disk").release(running);
  rig.run();
  EXPECT_TRUE(suspended->has_value());
  EXPECT_EQ(held.state(), kWaitGate);
  auto twice = begin([&](Done done) { rig.registry.suspend({}, std::move(done)); });
  EXPECT_TRUE(twice->has_value());
  rig.registry.resume();
  rig.run();
  EXPECT_EQ(held.state(), kWaitGate) << "suspended twice";
  rig.registry.resume();
  rig.run();
  EXPECT_EQ(held.state(), kExecuting);
  rig.registry.resume();
  EXPECT_EQ(rig.registry.suspend_depth(), 0);
}

TEST_F(LunTest, SuspendGivesUp) {
  rig.unit("disk").hold = true;
  FakeCommand& running = send(sim::read10(0, 1));
  auto suspended = begin([&](Done done) { rig.registry.suspend(10s, std::move(done)); });
  FakeCommand& held = send(sim::read10(0, 1));
  rig.advance(9s);
  EXPECT_FALSE(suspended->has_value());
  rig.advance(2s);
  ASSERT_TRUE(suspended->has_value());
  EXPECT_EQ((*suspended)->error().code, EBUSY);
  EXPECT_EQ(rig.registry.suspend_depth(), 0);
  EXPECT_EQ(held.state(), kExecuting);
  rig.unit("disk").release(running);
  rig.unit("disk").release(held);
  rig.run();
  EXPECT_EQ(held.outcome.status, Status::kGood);
}

TEST_F(LunTest, BlockHoldsOneDevice) {
  rig.add_lun(1, "second");
  run(sim::request_sense(0));
  run(sim::request_sense(1));
  Device& device = *rig.registry.find_device("disk");
  rig.unit("disk").hold = true;
  FakeCommand& running = send(sim::read10(0, 1));
  auto blocked = begin([&](Done done) { rig.registry.block(device, std::move(done)); });
  EXPECT_TRUE(device.block_draining);
  FakeCommand& held = send(sim::read10(0, 1));
  EXPECT_EQ(run(sim::read10(0, 1, 1)).status, Status::kGood);
  EXPECT_FALSE(blocked->has_value());
  rig.unit("disk").release(running);
  rig.run();
  EXPECT_TRUE(blocked->has_value());
  EXPECT_FALSE(device.block_draining);
  EXPECT_EQ(held.state(), kWaitGate);
  EXPECT_TRUE(rig.registry.unblock(device));
  EXPECT_TRUE(rig.registry.unblock(device));
  rig.run();
  EXPECT_EQ(held.state(), kExecuting);
  EXPECT_EQ(device.blocks, 0);
}

// What a blocked device holds is active: suspension waits for it, and lets it go on when the device does.
TEST_F(LunTest, SuspendWaitsForWhatABlockHolds) {
  rig.add_lun(1, "second");
  run(sim::request_sense(0));
  run(sim::request_sense(1));
  Device& device = *rig.registry.find_device("disk");
  ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.block(device, std::move(done)); }));
  FakeCommand& held = send(sim::read10(0, 1));
  auto given_up = begin([&](Done done) { rig.registry.suspend(2s, std::move(done)); });
  rig.advance(3s);
  ASSERT_TRUE(given_up->has_value());
  EXPECT_EQ((*given_up)->error().code, EBUSY);
  auto suspended = begin([&](Done done) { rig.registry.suspend({}, std::move(done)); });
  FakeCommand& later = send(sim::read10(0, 1));
  EXPECT_FALSE(suspended->has_value());
  EXPECT_TRUE(rig.registry.unblock(device));
  rig.run();
  EXPECT_TRUE(suspended->has_value());
  EXPECT_EQ(held.outcome.status, Status::kGood);
  EXPECT_EQ(later.state(), kWaitGate) << "it came while suspended";
  rig.registry.resume();
  rig.run();
  EXPECT_EQ(later.outcome.status, Status::kGood);
}

TEST_F(LunTest, AbortingWhatABlockHoldsEndsTheWait) {
  Device& device = *rig.registry.find_device("disk");
  ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.block(device, std::move(done)); }));
  FakeCommand& held = send(sim::read10(0, 1));
  auto suspended = begin([&](Done done) { rig.registry.suspend({}, std::move(done)); });
  EXPECT_FALSE(suspended->has_value());
  held.abort(AbortReason::kOwnNexus);
  rig.run();
  EXPECT_TRUE(suspended->has_value());
  rig.registry.resume();
  EXPECT_TRUE(rig.registry.unblock(device));
}

// --- relative target ids (sysfs.md section 12)

TEST(RelativeTargetId, Rules) {
  Rig rig;
  Target& one = rig.driver.add_target(rig.registry, "one");
  Target& two = rig.driver.add_target(rig.registry, "two");
  auto enable = [&](Target& target) {
    base::Status status = rig.manage([&](Done done) { rig.registry.set_enabled(target, true, std::move(done)); });
    return status ? 0 : status.error().code;
  };
  EXPECT_EQ(enable(one), 0);
  EXPECT_EQ(one.relative_target_id, 1);
  EXPECT_EQ(rig.registry.set_relative_target_id(one, 65536).error().code, EINVAL);
  EXPECT_FALSE(rig.registry.set_relative_target_id(one, 0));
  EXPECT_TRUE(rig.registry.set_relative_target_id(two, 1)) << "disabled: checked when it is enabled";
  EXPECT_EQ(enable(two), EBADSLT);
  EXPECT_FALSE(two.enabled);
  EXPECT_TRUE(rig.registry.set_relative_target_id(two, 2));
  EXPECT_EQ(enable(two), 0);
  EXPECT_EQ(rig.registry.set_relative_target_id(two, 1).error().code, EBADSLT);
  EXPECT_TRUE(rig.registry.set_relative_target_id(two, 2)) << "its own";
  ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.set_enabled(one, false, std::move(done)); }));
  EXPECT_EQ(one.relative_target_id, 1) << "disabling keeps it";
  EXPECT_TRUE(rig.registry.set_relative_target_id(one, 0));
  EXPECT_EQ(enable(one), 0);
  EXPECT_EQ(one.relative_target_id, 3) << "the counter only grows, past what is in use";
}

}  // namespace
}  // namespace uscst::target
