// The way of a command: what succeeds, what is refused, in which order.
#include <gtest/gtest.h>

#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using scsi::Direction;
using scsi::Status;
using sim::Client;
using sim::FakeCommand;
using sim::Rig;

struct PipelineTest : testing::Test {
  PipelineTest() {
    rig.add_device("disk");
    rig.add_lun(0, "disk");
    host = &rig.login("host");
    run(sim::request_sense());
  }
  const sim::Outcome& run(Client::Ask ask) { return run(*host, std::move(ask)); }
  const sim::Outcome& run(Client& client, Client::Ask ask) {
    FakeCommand& command = client.send(std::move(ask));
    rig.run();
    EXPECT_EQ(command.outcome.ended, 1);
    EXPECT_EQ(command.state(), CommandState::kFinished);
    return command.outcome;
  }
  Rig rig;
  Client* host;
};

TEST_F(PipelineTest, DataComeBackAsWritten) {
  sim::Bytes data = sim::filled(4 * sim::kBlockBytes, 0);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 7);
  EXPECT_EQ(run(sim::write10(3, data)).status, Status::kGood);
  const sim::Outcome& read = run(sim::read10(3, 4));
  EXPECT_EQ(read.status, Status::kGood);
  EXPECT_EQ(read.data_in, data);
  EXPECT_EQ(read.residual, 0);
  EXPECT_EQ(run(sim::test_unit_ready()).status, Status::kGood);
  EXPECT_EQ(rig.memory_in_use(), 0u);
  const SessionCounters& counters = host->session().counters();
  EXPECT_EQ(counters.write.commands.load(), 1u);
  EXPECT_EQ(counters.read.bytes.load(), 4 * sim::kBlockBytes + 252);
  EXPECT_EQ(counters.commands.load(), 0);
}

TEST_F(PipelineTest, DataThatComeLaterAreWaitedFor) {
  host->hold_fetch = host->hold_status = true;
  rig.unit("disk").hold = true;
  FakeCommand& command = host->send(sim::write10(0, sim::filled(sim::kBlockBytes, 9)));
  rig.run();
  EXPECT_EQ(command.state(), CommandState::kFetchData);
  host->finish_fetch(command);
  EXPECT_EQ(command.state(), CommandState::kExecuting);
  rig.unit("disk").release(command);
  EXPECT_EQ(command.state(), CommandState::kSendStatus);
  EXPECT_EQ(command.outcome.ended, 0);
  host->finish_status(command);
  EXPECT_EQ(command.outcome.ended, 1);
  EXPECT_TRUE(command.outcome.responded);
}

TEST_F(PipelineTest, DataThatDoNotComeNeverReachTheDisk) {
  host->hold_fetch = true;
  FakeCommand& command = host->send(sim::write10(0, sim::filled(sim::kBlockBytes, 9)));
  rig.run();
  int executions = rig.unit("disk").executions;
  host->finish_fetch(command, false);
  EXPECT_TRUE(command.outcome.has_sense(scsi::kWriteError));
  EXPECT_EQ(rig.unit("disk").executions, executions);
}

TEST_F(PipelineTest, AnErrorOfTheUnitIsTold) {
  rig.unit("disk").next_error = scsi::kReadError;
  const sim::Outcome& outcome = run(sim::read10(0, 1));
  EXPECT_TRUE(outcome.has_sense(scsi::kReadError));
  EXPECT_TRUE(outcome.data_in.empty());
}

// Residuals: SRP r16a 6.9, scsi.md section 2 step 9.
TEST_F(PipelineTest, Residuals) {
  Client::Ask more = sim::read10(0, 2);
  more.expected = 4096;
  EXPECT_EQ(run(more).residual, 4096 - 1024);
  Client::Ask less = sim::read10(0, 2);
  less.expected = 512;
  EXPECT_EQ(run(less).residual, -512);
  EXPECT_EQ(host->commands().back().outcome.data_in.size(), 512u);
  Client::Ask write_more = sim::write10(0, sim::filled(1024, 1));
  write_more.expected = 2048;
  EXPECT_EQ(run(write_more).residual, 1024);
  Client::Ask write_less = sim::write10(0, sim::filled(1024, 2));
  write_less.expected = 512;
  EXPECT_EQ(run(write_less).residual, -512);
  EXPECT_EQ(rig.unit("disk").memory[0], 2);
  EXPECT_EQ(rig.unit("disk").memory[512], 1) << "only the smaller of both is written";
  Client::Ask write_nothing = sim::write10(0, {});
  write_nothing.expected = 512;
  EXPECT_EQ(run(write_nothing).residual, 512);
  const sim::Outcome& told = run(sim::inquiry());
  EXPECT_EQ(told.data_in.size(), 36u);
  EXPECT_EQ(told.residual, 60);
}

TEST_F(PipelineTest, DirectionMustBeTheCommands) {
  Client::Ask ask = sim::read10(0, 1);
  ask.direction = Direction::kOut;
  EXPECT_TRUE(run(ask).has_sense(scsi::kInvalidMessage));
  Client::Ask ready = sim::test_unit_ready();
  ready.direction = Direction::kIn;
  ready.expected = 8;
  EXPECT_EQ(run(ready).status, Status::kGood) << "the exception of scsi.md section 2";
}

TEST_F(PipelineTest, BadRequests) {
  Client::Ask bad = sim::test_unit_ready();
  bad.invalid_fields = true;
  EXPECT_TRUE(run(bad).has_sense(scsi::kInvalidFieldInCdb));
  Client::Ask bad_elsewhere = sim::inquiry(7);
  bad_elsewhere.invalid_fields = true;
  EXPECT_TRUE(run(bad_elsewhere).has_sense(scsi::kInvalidFieldInCdb));
  EXPECT_TRUE(run({.cdb = {0xFF}}).has_sense(scsi::kInvalidOpcode));
  Client::Ask attribute = sim::test_unit_ready();
  attribute.attribute = static_cast<scsi::TaskAttribute>(7);
  EXPECT_TRUE(run(attribute).has_sense(scsi::kInvalidMessage));
}

// No command establishes an ACA, so none may say that there is one (scsi.md section 17).
TEST_F(PipelineTest, AcaAttributeWithoutAca) {
  Client::Ask ask = sim::test_unit_ready();
  ask.attribute = scsi::TaskAttribute::kAca;
  EXPECT_TRUE(run(ask).has_sense(scsi::kInvalidMessage));
}

TEST_F(PipelineTest, UnmappedLun) {
  const sim::Outcome& told = run(sim::inquiry(9));
  EXPECT_EQ(told.status, Status::kGood);
  ASSERT_EQ(told.data_in.size(), 36u);
  EXPECT_EQ(told.data_in[0], 0x7F);
  const sim::Outcome& sense = run(sim::request_sense(9));
  EXPECT_EQ(sense.status, Status::kGood);
  ASSERT_GE(sense.data_in.size(), 14u);
  EXPECT_EQ(sense.data_in[2], 5);
  EXPECT_EQ(sense.data_in[12], 0x25);
  const sim::Outcome& luns = run(sim::report_luns(9));
  EXPECT_EQ(luns.status, Status::kGood);
  EXPECT_EQ(luns.data_in.size(), 16u);
  EXPECT_TRUE(run(sim::test_unit_ready(9)).has_sense(scsi::kLunNotSupported));
  EXPECT_TRUE(run(sim::read10(0, 1, 9)).has_sense(scsi::kLunNotSupported));
  Client::Ask wrong_way = sim::inquiry(9);
  wrong_way.direction = Direction::kOut;
  const sim::Outcome& refused = run(wrong_way);
  EXPECT_TRUE(refused.has_sense(scsi::kInvalidMessage)) << "no answer into memory that is to be read";
  EXPECT_TRUE(refused.data_in.empty());
}

// SPC-2 5.5 and scsi.md section 13.
TEST_F(PipelineTest, ReservationMatrix) {
  Client& other = rig.login("other");
  run(other, sim::request_sense());
  EXPECT_EQ(run(sim::reserve6()).status, Status::kGood);
  EXPECT_EQ(run(sim::reserve6()).status, Status::kGood);
  EXPECT_EQ(run(other, sim::reserve6()).status, Status::kReservationConflict);
  EXPECT_EQ(run(other, sim::read10(0, 1)).status, Status::kReservationConflict);
  EXPECT_EQ(run(other, sim::write10(0, sim::filled(512, 1))).status, Status::kReservationConflict);
  EXPECT_EQ(run(other, sim::synchronize_cache()).status, Status::kReservationConflict);
  EXPECT_EQ(run(other, sim::test_unit_ready()).status, Status::kGood);
  EXPECT_EQ(run(other, sim::inquiry()).status, Status::kGood);
  EXPECT_EQ(run(other, sim::request_sense()).status, Status::kGood);
  EXPECT_EQ(run(other, sim::report_luns()).status, Status::kGood);
  EXPECT_EQ(run(other, sim::release6()).status, Status::kGood) << "without effect";
  EXPECT_EQ(run(other, sim::read10(0, 1)).status, Status::kReservationConflict);
  EXPECT_EQ(run(sim::read10(0, 1)).status, Status::kGood);
  EXPECT_EQ(run(sim::release6()).status, Status::kGood);
  EXPECT_EQ(run(other, sim::read10(0, 1)).status, Status::kGood);
}

TEST_F(PipelineTest, AReservationEndsWithItsNexusAndByReset) {
  Client& other = rig.login("other");
  run(other, sim::request_sense());
  run(sim::reserve6());
  other.manage(TaskManagementFunction::kLogicalUnitReset);
  rig.run();
  run(other, sim::request_sense());
  EXPECT_EQ(run(other, sim::read10(0, 1)).status, Status::kGood);
  EXPECT_TRUE(run(sim::reserve6()).has_sense(scsi::kUaReset));
  EXPECT_EQ(run(sim::reserve6()).status, Status::kGood);
  EXPECT_EQ(run(other, sim::read10(0, 1)).status, Status::kReservationConflict);
  host->close();
  rig.run();
  EXPECT_EQ(run(other, sim::read10(0, 1)).status, Status::kGood);
}

// One nexus with two channels: the second keeps the reservation when the first goes.
TEST_F(PipelineTest, AReservationIsTheNexusNotTheSessions) {
  Client& first = rig.login("multi", 0, 5);
  Client& second = rig.login("multi", 0, 5);
  run(first, sim::request_sense());
  EXPECT_EQ(run(first, sim::reserve6()).status, Status::kGood);
  EXPECT_EQ(run(second, sim::read10(0, 1)).status, Status::kGood);
  first.close();
  rig.run();
  EXPECT_EQ(run(*host, sim::read10(0, 1)).status, Status::kReservationConflict);
  second.close();
  rig.run();
  EXPECT_EQ(run(*host, sim::read10(0, 1)).status, Status::kGood);
}

// A device seen under two numbers: the reservation goes with the last of them only.
TEST_F(PipelineTest, AReservationSurvivesTheDevicesSecondLun) {
  rig.add_lun(1, "disk");
  Client& other = rig.login("other");
  run(other, sim::request_sense());
  run(sim::request_sense());
  run(sim::request_sense());
  EXPECT_EQ(run(sim::reserve6()).status, Status::kGood);
  ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.delete_lun(rig.target.default_group(), 1, std::move(done)); }));
  run(other, sim::request_sense());
  run(other, sim::request_sense());
  EXPECT_EQ(run(other, sim::read10(0, 1)).status, Status::kReservationConflict);
}

TEST_F(PipelineTest, WriteProtection) {
  rig.add_lun(1, "disk", true);
  run(sim::request_sense());
  run(sim::request_sense(1));
  EXPECT_TRUE(run(sim::write10(0, sim::filled(512, 1), 1)).has_sense(scsi::kWriteProtected));
  EXPECT_EQ(run(sim::read10(0, 1, 1)).status, Status::kGood);
  EXPECT_EQ(run(sim::write10(0, sim::filled(512, 1))).status, Status::kGood);
  rig.unit("disk").control_state.swp = true;
  EXPECT_TRUE(run(sim::write10(0, sim::filled(512, 1))).has_sense(scsi::kWriteProtected));
}

TEST_F(PipelineTest, TooManyCommands) {
  rig.registry.find_device("disk")->maximum_commands = 2;
  rig.unit("disk").hold = true;
  FakeCommand& one = host->send(sim::read10(0, 1));
  FakeCommand& two = host->send(sim::read10(0, 1));
  rig.run();
  EXPECT_EQ(run(sim::read10(0, 1)).status, Status::kTaskSetFull);
  rig.unit("disk").release(one);
  FakeCommand& three = host->send(sim::read10(0, 1));
  rig.run();
  EXPECT_EQ(three.state(), CommandState::kExecuting);
  rig.registry.find_device("disk")->maximum_commands = 0;
  rig.unit("disk").release(two);
  rig.unit("disk").release(three);
  EXPECT_EQ(run(sim::read10(0, 1)).status, Status::kBusy) << "nothing else of this nexus is under way";
}

// The limit is for a session and LUN (scsi.md section 19): channels of one nexus do not take from each other.
TEST_F(PipelineTest, EveryChannelMayUseAllItsCommands) {
  rig.registry.find_device("disk")->maximum_commands = 2;
  Client& first = rig.login("multi", 0, 5);
  Client& second = rig.login("multi", 0, 5);
  run(first, sim::request_sense());
  rig.unit("disk").hold = true;
  std::vector<FakeCommand*> commands;
  for (Client* client : {&first, &first, &second, &second}) commands.push_back(&client->send(sim::read10(0, 1)));
  rig.run();
  for (FakeCommand* command : commands) EXPECT_EQ(command->state(), CommandState::kExecuting);
  rig.unit("disk").release_all();
}

// The initiator may send the next command as soon as it has the response, before this end knows that it has.
TEST_F(PipelineTest, AnAnsweredCommandCountsNoMore) {
  rig.registry.find_device("disk")->maximum_commands = 1;
  host->hold_status = true;
  FakeCommand& answered = host->send(sim::read10(0, 1));
  rig.run();
  ASSERT_EQ(answered.state(), CommandState::kSendStatus);
  FakeCommand& next = host->send(sim::read10(0, 1));
  rig.run();
  EXPECT_EQ(next.outcome.status, Status::kGood);
  host->finish_status(answered);
  host->finish_status(next);
}

TEST_F(PipelineTest, OrderOfChecks) {
  Client& other = rig.login("other");  // with a unit attention
  run(sim::reserve6());
  EXPECT_EQ(run(other, sim::read10(0, 1)).status, Status::kReservationConflict) << "before the unit attention";
  EXPECT_TRUE(run(other, {.cdb = {0xFF}}).has_sense(scsi::kInvalidOpcode));
  run(sim::release6());
  rig.unit("disk").control_state.swp = true;
  EXPECT_TRUE(run(other, sim::write10(0, sim::filled(512, 1))).has_sense(scsi::kUaReset)) << "before write protection";
  EXPECT_TRUE(run(other, sim::write10(100, sim::filled(512, 1))).has_sense(scsi::kWriteProtected)) << "before range";
}

}  // namespace
}  // namespace uscst::target
