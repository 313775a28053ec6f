// SCSI devices of the machine as LUNs: their way through handlers, and commands through a simulated host.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "engine/scsi/sense.h"
#include "handlers/pass_through/handler.h"
#include "handlers/scsi_host/sim_host.h"
#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

constexpr unsigned kNoLun = 0x052500, kInvalidOpcodeCode = 0x052000, kResetCode = 0x062900;
constexpr const char* kName = "0:0:0:0";
const ScsiAddress kAddress{};

class PassThrough : public testing::Test {
 protected:
  void SetUp() override {
    for (const PassThroughKind& kind : pass_through_kinds())
      handlers.push_back(std::make_unique<PassThroughHandler>(kind, environment));
    for (const auto& handler : handlers) rig.registry.add_handler(*handler);
    host.add({kAddress});
    show_scsi_devices(host, rig.registry, environment);
    rig.map(kName, 0);
  }
  // Before the handlers go.
  void TearDown() override {
    rig.registry.clear_luns(rig.target->default_group(), [](base::Status) {});
    rig.executor.run_until_idle();
  }

  target::Handler& handler(std::string_view name) { return *rig.registry.find_handler(name); }
  int assign(std::string_view to, std::string_view name = kName) {
    std::optional<base::Status> result;
    rig.registry.assign_device(handler(to), name, [&](base::Status status) { result = std::move(status); });
    return code_of(result);
  }
  int unassign(std::string_view from, std::string_view name = kName) {
    std::optional<base::Status> result;
    rig.registry.unassign_device(handler(from), name, [&](base::Status status) { result = std::move(status); });
    return code_of(result);
  }
  int code_of(std::optional<base::Status>& result) {
    rig.executor.run_until_idle();
    EXPECT_TRUE(result.has_value());
    return !result || *result ? 0 : result->error().code;
  }
  SimScsiDevice& scsi() { return *host.find(kAddress); }
  std::size_t commands_seen(std::uint8_t opcode) {
    const auto cdbs = scsi().cdbs();
    return static_cast<std::size_t>(
        std::ranges::count_if(cdbs, [opcode](const auto& cdb) { return cdb[0] == opcode; }));
  }

  DiskRig rig;
  PassThroughEnvironment environment{rig.executor, rig.pool, rig.log};
  std::vector<std::unique_ptr<PassThroughHandler>> handlers;
  SimScsiHost host;
};

// --- in the registry

TEST_F(PassThrough, WithoutHandlerNothingIsMapped) {
  target::Device& device = rig.device(kName);
  EXPECT_EQ(device.handler(), nullptr);
  EXPECT_EQ(device.maximum_commands, 0);
  EXPECT_EQ(device.scsi_origin->sysfs_path, "devices/pseudo_0/adapter0/host0/target0:0:0/0:0:0:0/scsi_device/0:0:0:0");
  auto initiator = rig.connect();
  EXPECT_EQ(initiator->run({0x12, 0, 0, 0, 36, 0}, 36).data[0], 0x7F);
  EXPECT_EQ(initiator->run({0x00}).code(), kNoLun);
}

TEST_F(PassThrough, AssigningFollowsTheRecordedRules) {
  EXPECT_EQ(assign("dev_tape"), EINVAL);
  EXPECT_EQ(assign("dev_disk", "9:9:9:9"), EINVAL);
  EXPECT_EQ(unassign("dev_disk"), EINVAL);
  EXPECT_EQ(assign("dev_disk"), 0);
  target::Device& device = rig.device(kName);
  EXPECT_EQ(device.handler(), &handler("dev_disk"));
  EXPECT_EQ(device.threads_num, 1);
  EXPECT_EQ(device.maximum_commands, 64);
  device.maximum_commands = 7;
  EXPECT_EQ(assign("dev_disk"), 0);
  EXPECT_EQ(device.maximum_commands, 7);  // nothing happened
  EXPECT_EQ(rig.read(kName, "cluster_mode"), "0\n");
  EXPECT_EQ(rig.write(kName, "cluster_mode", "0"), 0);
  EXPECT_EQ(rig.write(kName, "cluster_mode", "1"), EOPNOTSUPP);
  EXPECT_EQ(rig.write(kName, "cluster_mode", "2"), EINVAL);

  EXPECT_EQ(assign("dev_disk_perf"), 0);
  EXPECT_EQ(device.threads_num, 0);
  EXPECT_EQ(rig.row(kName, "cluster_mode"), nullptr);
  EXPECT_EQ(device.exports().size(), 1u);
  EXPECT_EQ(unassign("dev_disk"), EINVAL);
  EXPECT_EQ(unassign("dev_disk_perf"), 0);
  EXPECT_EQ(device.handler(), nullptr);
  EXPECT_EQ(device.exports().size(), 1u);  // its LUN stays
}

TEST_F(PassThrough, VirtualHandlersLeaveItAlone) {
  EXPECT_EQ(rig.add(VdiskKind::kNullio, "n", {{"size_mb", "1"}}), 0);
  std::optional<base::Status> result;
  rig.registry.delete_device(rig.null_handler, kName, [&](base::Status status) { result = std::move(status); });
  EXPECT_EQ(code_of(result), EINVAL);
  EXPECT_NE(rig.registry.find_device(kName), nullptr);
  EXPECT_EQ(assign("dev_disk", "n"), EINVAL);
}

TEST_F(PassThrough, ItsLunGoesWithTheDeviceAndNotBefore) {
  ASSERT_EQ(assign("dev_disk"), 0);
  auto initiator = rig.connect();
  ASSERT_TRUE(initiator->run({0x00}).good());
  host.remove(kAddress);
  rig.executor.run_until_idle();
  EXPECT_EQ(rig.registry.find_device(kName), nullptr);
  EXPECT_TRUE(rig.target->default_group().luns.empty());
  EXPECT_EQ(initiator->run({0x00}).code(), kNoLun);
  host.add({kAddress});
  ASSERT_NE(rig.registry.find_device(kName), nullptr);
  EXPECT_EQ(rig.device(kName).handler(), nullptr);
}

// One that returns at once finds its predecessor on the way out.
TEST_F(PassThrough, ComesBackWhileItLeaves) {
  ASSERT_EQ(assign("dev_disk"), 0);
  const std::uint64_t before = rig.device(kName).id();
  host.remove(kAddress);
  host.add({kAddress});
  rig.executor.run_until_idle();
  ASSERT_NE(rig.registry.find_device(kName), nullptr);
  EXPECT_NE(rig.device(kName).id(), before);
}

TEST_F(PassThrough, ADeviceThatDoesNotAnswerIsNotTaken) {
  scsi().inject({.outcome = HostOutcome::kGone});
  EXPECT_EQ(assign("dev_disk"), ENODEV);
  EXPECT_EQ(rig.device(kName).handler(), nullptr);
  scsi().inject({.outcome = HostOutcome::kBusy});
  EXPECT_EQ(assign("dev_disk"), 0);
  EXPECT_EQ(static_cast<PassThroughUnit&>(rig.device(kName).unit()).serial_number(), "2000");
}

// --- commands

class PassedCommands : public PassThrough {
 protected:
  void SetUp() override {
    PassThrough::SetUp();
    ASSERT_EQ(assign("dev_disk"), 0);
    initiator = rig.connect(1);
    other = rig.connect(2);
  }
  void TearDown() override {
    initiator.reset();
    other.reset();
    PassThrough::TearDown();
  }
  std::unique_ptr<Initiator> initiator, other;
};

TEST_F(PassedCommands, ReadWhatWasWritten) {
  EXPECT_EQ(initiator->run({0x25}, 8).data, (Data{0, 0, 0x3F, 0xFF, 0, 0, 2, 0}));
  Data blocks(3 * 512);
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<std::uint8_t>(i * 7);
  ASSERT_TRUE(initiator->run({0x2A, 0, 0, 0, 0, 9, 0, 0, 3}, 0, blocks).good());
  Outcome read = other->run({0x88, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 3}, blocks.size());
  ASSERT_TRUE(read.good());
  EXPECT_EQ(read.data, blocks);
  EXPECT_EQ(other->run({0x28, 0, 0, 0, 0x40, 0, 0, 0, 1}, 512).code(), 0x052100u);  // the device says so
}

TEST_F(PassedCommands, InquiryIsTheDevicesOwnButForThePort) {
  Outcome inquiry = initiator->run({0x12, 0, 0, 0, 96, 0}, 96);
  ASSERT_EQ(inquiry.data.size(), 36u);
  EXPECT_EQ(std::string(inquiry.data.begin() + 8, inquiry.data.begin() + 26), "Linux   scsi_debug");
  EXPECT_EQ(inquiry.residual, 60);
  rig.target->relative_target_id = 0x0107;
  Outcome page = initiator->run({0x12, 1, 0x83, 0, 255, 0}, 255);
  ASSERT_GE(page.data.size(), 52u);
  EXPECT_EQ(Data(page.data.end() - 12, page.data.end() - 8), (Data{0, 0, 0x01, 0x07}));
}

// The CDB asks the device for more than the initiator takes: the device is not told another length.
TEST_F(PassedCommands, TakeLessThanTheDeviceGives) {
  Outcome inquiry = initiator->run({0x12, 0, 0, 0, 255, 0}, 20);
  ASSERT_TRUE(inquiry.good());
  EXPECT_EQ(inquiry.data.size(), 20u);
  EXPECT_EQ(scsi().cdbs().back()[4], 255);
}

TEST_F(PassedCommands, ModeSenseOfAReadOnlyLunIsWriteProtected) {
  rig.map(kName, 1, true);
  initiator->clear_attentions(1);
  EXPECT_EQ(initiator->run({0x1A, 8, 0x0A, 0, 64}, 64).data[2] & 0x80, 0);
  EXPECT_EQ(initiator->run({0x1A, 8, 0x0A, 0, 64}, 64, {}, 1).data[2] & 0x80, 0x80);
  EXPECT_EQ(initiator->run({0x5A, 8, 0x0A, 0, 0, 0, 0, 0, 64}, 64, {}, 1).data[3] & 0x80, 0x80);
  EXPECT_FALSE(initiator->run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1}, 0, Data(512), 1).good());
  EXPECT_FALSE(initiator->run({0x9C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0, Data(512), 1).good());
  EXPECT_EQ(commands_seen(0x2A) + commands_seen(0x9C), 0u);
}

TEST_F(PassedCommands, CommandsWithoutARowGoAsTheInitiatorSays) {
  Outcome outcome = initiator->run({0xC1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 16);
  EXPECT_EQ(outcome.code(), kInvalidOpcodeCode);
  EXPECT_EQ(scsi().cdbs().back(), (std::vector<std::uint8_t>{0xC1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}));
  scsi().inject({});
  EXPECT_TRUE(initiator->run({0x3B, 2}, 0, Data(100)).good());  // WRITE BUFFER
  EXPECT_EQ(scsi().cdbs().back().size(), 10u);
}

TEST_F(PassedCommands, WhatTheEngineKeepsIsNotPassed) {
  const std::size_t before = scsi().cdbs().size();
  EXPECT_TRUE(initiator->run({0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16}, 16).good());
  EXPECT_TRUE(initiator->run({0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 16}, 16).good());
  initiator->run({0x5F, 0, 0, 0, 0, 0, 0, 0, 24}, 0, Data(24));
  initiator->run({0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16}, 0, Data(16));
  EXPECT_FALSE(initiator->run({0xA4, 0x0A, 0, 0, 0, 0, 0, 0, 0, 8}, 0, Data(8)).good());
  EXPECT_EQ(scsi().cdbs().size(), before);
  EXPECT_EQ(initiator->run({0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0, 64}, 64).code(), kInvalidOpcodeCode);
  EXPECT_EQ(scsi().cdbs().size(), before + 1);  // its own list is the device's
}

TEST_F(PassedCommands, ReservationsHoldHereAndAtTheDevice) {
  EXPECT_TRUE(initiator->run({0x16}).good());
  EXPECT_EQ(other->run({0x16}).status, scsi::Status::kReservationConflict);
  EXPECT_EQ(other->run({0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 512).status, scsi::Status::kReservationConflict);
  EXPECT_EQ(commands_seen(0x16), 1u);
  EXPECT_TRUE(other->run({0x17}).good());
  EXPECT_EQ(commands_seen(0x17), 0u);
  EXPECT_TRUE(initiator->run({0x17}).good());
  EXPECT_EQ(commands_seen(0x17), 1u);
}

TEST_F(PassedCommands, AnswersOfTheHostBecomeStatusAndSense) {
  struct {
    HostOutcome outcome;
    scsi::Status status;
    unsigned code;
  } const kCases[] = {{HostOutcome::kBusy, scsi::Status::kBusy, 0},
                      {HostOutcome::kTimedOut, scsi::Status::kCheckCondition, 0x0B0000},
                      {HostOutcome::kGone, scsi::Status::kCheckCondition, 0x0B0000},
                      {HostOutcome::kMediumError, scsi::Status::kCheckCondition, 0x031100},
                      {HostOutcome::kFailed, scsi::Status::kCheckCondition, 0x0B4400}};
  for (const auto& one : kCases) {
    scsi().inject({.outcome = one.outcome});
    Outcome outcome = initiator->run({0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 512);
    EXPECT_EQ(outcome.status, one.status);
    EXPECT_EQ(outcome.code(), one.code);
    EXPECT_EQ(outcome.residual, 512);
  }
  scsi().inject({.outcome = HostOutcome::kMediumError});
  EXPECT_EQ(initiator->run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1}, 0, Data(512)).code(), 0x030300u);
  scsi().inject({.status = 0x28});
  EXPECT_EQ(initiator->run({0x00}).status, scsi::Status::kTaskSetFull);
  EXPECT_TRUE(other->run({0x00}).good());  // none of these is for others
}

TEST_F(PassedCommands, SenseDataPassUnchanged) {
  Data sense(30);
  sense[0] = 0xF0;
  sense[2] = 0x01;
  sense[6] = 0x42;  // INFORMATION
  sense[7] = 22;
  sense[12] = 0x5D;
  sense[29] = 0x99;  // vendor's own
  scsi().inject({.status = 0x02, .sense = sense});
  EXPECT_EQ(initiator->run({0x00}).sense, sense);
  scsi().inject({.status = 0x02});
  EXPECT_EQ(initiator->run({0x00}).code(), 0x0B4400u);  // without any
  // In the other format than the control mode page says: the codes remain.
  scsi().inject({.status = 0x02, .sense = {0x72, 0x05, 0x24, 0x00, 0, 0, 0, 0}});
  EXPECT_EQ(initiator->run({0x00}).code(), 0x052400u);
}

TEST_F(PassedCommands, AUnitAttentionIsForEverybody) {
  scsi().inject({.status = 0x02, .sense = {0x70, 0, 0x06, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x2A, 0x09, 0, 0, 0, 0}});
  EXPECT_EQ(initiator->run({0x00}).code(), 0x062A09u);
  EXPECT_EQ(other->run({0x00}).code(), 0x062A09u);
  EXPECT_TRUE(initiator->run({0x00}).good());
}

TEST_F(PassedCommands, AResetEndsReservationsAndIsTold) {
  ASSERT_TRUE(other->run({0x16}).good());
  scsi().inject({.outcome = HostOutcome::kReset});
  EXPECT_EQ(other->run({0x00}).code(), kResetCode);
  EXPECT_EQ(initiator->run({0x00}).code(), kResetCode);
  EXPECT_TRUE(initiator->run({0x16}).good());
}

TEST_F(PassedCommands, ModeSelectIsToldToOthersAndReadAgain) {
  scsi().inject({});
  const std::size_t before = commands_seen(0x1A);
  ASSERT_TRUE(initiator->run({0x15, 0x10, 0, 0, 16}, 0, Data(16)).good());
  EXPECT_EQ(commands_seen(0x1A), before + 1);
  EXPECT_EQ(other->run({0x00}).code(), 0x062A01u);
  EXPECT_TRUE(initiator->run({0x00}).good());
}

TEST_F(PassedCommands, RequestSenseTellsWhatIsPendingHereFirst) {
  rig.device(kName).raise_for_all(scsi::kUaCapacityChanged);
  Outcome first = initiator->run({0x03, 0, 0, 0, 18}, 18);
  EXPECT_EQ(first.data[12], 0x2A);
  EXPECT_EQ(commands_seen(0x03), 0u);
  EXPECT_EQ(initiator->run({0x03, 0, 0, 0, 18}, 18).data[2], 0);
  EXPECT_EQ(commands_seen(0x03), 1u);
}

TEST_F(PassedCommands, ResetGoesToTheDevice) {
  bool done = false;
  initiator->session().tasks().manage(target::TaskManagementFunction::kLogicalUnitReset, scsi::LunBytes{}, {},
                                      [&](target::TaskManagementResult) { done = true; });
  rig.executor.run_until_idle();
  EXPECT_TRUE(done);
  for (int i = 0; i < 1000 && scsi().resets() == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(scsi().resets(), 1);
}

TEST_F(PassedCommands, PerfFormsMoveNoData) {
  ASSERT_EQ(assign("dev_disk_perf"), 0);
  EXPECT_TRUE(initiator->run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1}, 0, Data(512)).good());
  Outcome read = initiator->run({0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 512);
  EXPECT_TRUE(read.good());
  EXPECT_EQ(read.data, Data(512));
  EXPECT_EQ(commands_seen(0x28) + commands_seen(0x2A), 0u);
  const std::size_t before = commands_seen(0x00);
  EXPECT_TRUE(initiator->run({0x00}).good());
  EXPECT_EQ(commands_seen(0x00), before + 1);
}

TEST_F(PassThrough, ATapeIsNotReadAsADisk) {
  const ScsiAddress address{1, 0, 0, 0};
  auto tape = host.add({.address = address, .type = 1});
  ASSERT_EQ(assign("dev_tape", "1:0:0:0"), 0);
  rig.map("1:0:0:0", 1);
  auto initiator = rig.connect();
  // Variable blocks: the length is in bytes, and the initiator says the same.
  tape->inject({});
  initiator->run({0x08, 0, 0, 0x10, 0}, 4096, {}, 1);
  EXPECT_EQ(tape->cdbs().back(), (std::vector<std::uint8_t>{0x08, 0, 0, 0x10, 0, 0}));
  EXPECT_EQ(initiator->run({0x05}, 6, {}, 1).code(), kInvalidOpcodeCode);  // READ BLOCK LIMITS reaches it
  EXPECT_EQ(tape->cdbs().back()[0], 0x05);
  initiator.reset();
}

}  // namespace
}  // namespace uscst::handlers::test
