// Unit attentions (scsi.md section 16, SAM-5 5.14).
#include <gtest/gtest.h>

#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using scsi::Status;
using sim::Client;
using sim::FakeCommand;
using sim::Rig;

struct AttentionTest : testing::Test {
  AttentionTest() {
    rig.add_device("disk");
    rig.add_device("second");
    rig.add_lun(0, "disk");
    rig.add_lun(1, "second");
    host = &rig.login("host");
  }
  const sim::Outcome& run(Client::Ask ask) {
    FakeCommand& command = host->send(std::move(ask));
    rig.run();
    EXPECT_EQ(command.outcome.ended, 1);
    return command.outcome;
  }
  void clear() {
    for (std::uint16_t lun = 0; lun < 2; ++lun) {
      for (int i = 0; i < 3; ++i) run(sim::request_sense(lun));
    }
  }
  NexusLun& at(std::uint16_t lun) { return *host->session().lun_map()->find(lun)->nexus_lun; }
  Rig rig;
  Client* host;
};

TEST_F(AttentionTest, ANewNexusIsToldOfTheReset) {
  EXPECT_EQ(run(sim::inquiry()).status, Status::kGood);
  EXPECT_EQ(run(sim::report_luns()).status, Status::kGood);
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kUaReset));
  EXPECT_EQ(run(sim::test_unit_ready()).status, Status::kGood);
  EXPECT_TRUE(run(sim::test_unit_ready(1)).has_sense(scsi::kUaReset));
}

TEST_F(AttentionTest, OneACommandInTheOrderTheyCameAndNoneTwice) {
  at(0).raise(scsi::kUaModeParametersChanged);
  at(0).raise(scsi::kUaCapacityChanged);
  at(0).raise(scsi::kUaModeParametersChanged);
  at(0).raise_first(scsi::kUaNexusLoss);
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kUaNexusLoss));
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kUaReset));
  EXPECT_TRUE(run(sim::read10(0, 1)).has_sense(scsi::kUaModeParametersChanged));
  EXPECT_TRUE(run(sim::read10(0, 1)).has_sense(scsi::kUaCapacityChanged));
  EXPECT_EQ(run(sim::read10(0, 1)).status, Status::kGood);
}

TEST_F(AttentionTest, RequestSenseTellsAndClears) {
  const sim::Outcome& sense = run(sim::request_sense());
  EXPECT_EQ(sense.status, Status::kGood);
  ASSERT_GE(sense.data_in.size(), 14u);
  EXPECT_EQ(sense.data_in[2], 6);
  EXPECT_EQ(sense.data_in[12], 0x29);
  EXPECT_EQ(run(sim::request_sense()).data_in[2], 0);
  EXPECT_EQ(run(sim::test_unit_ready()).status, Status::kGood);
}

TEST_F(AttentionTest, ReportedLunsChangedIsOneEventOfTheSession) {
  clear();
  rig.add_device("third");
  rig.add_lun(2, "third");
  EXPECT_TRUE(run(sim::test_unit_ready(1)).has_sense(scsi::kUaReportedLunsChanged));
  EXPECT_EQ(run(sim::test_unit_ready(0)).status, Status::kGood);
  EXPECT_TRUE(run(sim::test_unit_ready(2)).has_sense(scsi::kUaReset));
  EXPECT_EQ(run(sim::test_unit_ready(2)).status, Status::kGood);
}

TEST_F(AttentionTest, ReportLunsTellsAll) {
  clear();
  rig.add_device("third");
  rig.add_lun(2, "third");
  EXPECT_EQ(run(sim::report_luns()).data_in.size(), 32u);
  EXPECT_EQ(run(sim::test_unit_ready(0)).status, Status::kGood);
  EXPECT_EQ(run(sim::test_unit_ready(1)).status, Status::kGood);
}

TEST_F(AttentionTest, ReportedLunsChangedByRequestSenseIsToldOnceAsWell) {
  clear();
  rig.add_device("third");
  rig.add_lun(2, "third");
  EXPECT_EQ(run(sim::request_sense(0)).data_in[12], 0x3F);
  EXPECT_EQ(run(sim::test_unit_ready(1)).status, Status::kGood);
}

TEST_F(AttentionTest, WhatCannotBeDeliveredComesBackFirst) {
  at(0).raise(scsi::kUaCapacityChanged);
  host->hold_status = true;
  FakeCommand& lost = host->send(sim::test_unit_ready());
  rig.run();
  host->finish_status(lost, false);
  host->hold_status = false;
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kUaReset));
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kUaCapacityChanged));
  EXPECT_EQ(run(sim::test_unit_ready()).status, Status::kGood);
}

TEST_F(AttentionTest, ReportedLunsChangedComesBackEverywhere) {
  clear();
  rig.add_device("third");
  rig.add_lun(2, "third");
  host->hold_status = true;
  FakeCommand& lost = host->send(sim::test_unit_ready());
  rig.run();
  host->finish_status(lost, false);
  host->hold_status = false;
  EXPECT_TRUE(run(sim::test_unit_ready(1)).has_sense(scsi::kUaReportedLunsChanged));
  EXPECT_EQ(run(sim::test_unit_ready(0)).status, Status::kGood);
}

TEST_F(AttentionTest, SenseDataTakenByALostRequestSenseComeBack) {
  host->hold_status = true;
  FakeCommand& lost = host->send(sim::request_sense());
  rig.run();
  host->finish_status(lost, false);
  host->hold_status = false;
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kUaReset));
}

TEST_F(AttentionTest, ResetIsToldToAllTheSenderIncluded) {
  Client& other = rig.login("other");
  other.send(sim::request_sense());
  clear();
  at(0).raise(scsi::kUaCapacityChanged);
  host->manage(TaskManagementFunction::kLogicalUnitReset);
  rig.run();
  FakeCommand& theirs = other.send(sim::test_unit_ready());
  rig.run();
  EXPECT_TRUE(theirs.outcome.has_sense(scsi::kUaReset));
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kUaCapacityChanged)) << "a reset keeps what is queued";
  EXPECT_TRUE(run(sim::test_unit_ready()).has_sense(scsi::kUaReset));
  EXPECT_EQ(run(sim::test_unit_ready(1)).status, Status::kGood) << "of its own unit only";
}

}  // namespace
}  // namespace uscst::target
