#include "engine/scsi/target_port_groups.h"

#include <gtest/gtest.h>

namespace uscst::scsi {
namespace {

const std::vector<TargetPortGroup> kTwoGroups{
    {.id = 1, .state = AluaState::kActiveOptimized, .preferred = true, .ports = {1, 0x102}},
    {.id = 0x203, .state = AluaState::kTransitioning, .preferred = false, .ports = {}},
};

SenseResult<std::vector<std::uint8_t>> report(std::span<const TargetPortGroup> groups, std::uint8_t format = 0,
                                              std::uint8_t allocation_length = 255) {
  const std::array<std::uint8_t, 12> cdb{
      0xA3, static_cast<std::uint8_t>(format << 5 | 0x0A), 0, 0, 0, 0, 0, 0, 0, allocation_length};
  DeviceTraits traits;
  traits.operations = OperationSet::all();
  return report_target_port_groups(*decode_cdb(cdb, traits), groups);
}

TEST(ReportTargetPortGroups, NoneAsRecorded) { EXPECT_EQ(base::to_hex(*report({})), "00000000"); }

TEST(ReportTargetPortGroups, GroupsWithTheirPorts) {
  EXPECT_EQ(base::to_hex(*report(kTwoGroups)),
            "00000018"
            "80cf000100020002"
            "0000000100000102"
            "0fcf020300020000");
}

TEST(ReportTargetPortGroups, ExtendedHeader) {
  EXPECT_EQ(base::to_hex(*report({}, 1)), "0000000410000000");
  EXPECT_EQ(base::to_hex(*report(kTwoGroups, 1)).substr(0, 32), "0000001c1000000080cf000100020002");
  for (std::uint8_t format = 2; format < 8; ++format) EXPECT_EQ(report({}, format).error(), kInvalidFieldInCdb);
}

TEST(ReportTargetPortGroups, CutAtTheAllocationLength) {
  EXPECT_EQ(base::to_hex(*report(kTwoGroups, 0, 6)), "0000001880cf") << "the length is that of all";
  EXPECT_TRUE(report(kTwoGroups, 0, 0)->empty());
}

TEST(ReportTargetPortGroups, AsManyPortsAsTheCountHolds) {
  std::vector<TargetPortGroup> group{{.id = 1, .ports = std::vector<std::uint16_t>(300, 7)}};
  const std::array<std::uint8_t, 12> cdb{0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  DeviceTraits traits;
  traits.operations = OperationSet::all();
  auto answer = report_target_port_groups(*decode_cdb(cdb, traits), group);
  ASSERT_EQ(answer->size(), 4u + 8 + 255 * 4);
  EXPECT_EQ((*answer)[11], 255);
}

SenseResult<std::vector<TargetPortGroupRequest>> parse(std::string_view hex) {
  static const std::vector<TargetPortGroup> groups{
      {.id = 1}, {.id = 2, .state = AluaState::kStandby}, {.id = 3, .state = AluaState::kTransitioning}, {.id = 0}};
  return parse_set_target_port_groups(*base::parse_hex(hex), groups);
}

TEST(SetTargetPortGroups, WhatChanges) {
  EXPECT_TRUE(parse("")->empty());
  EXPECT_TRUE(parse("00000000")->empty());
  EXPECT_EQ(*parse("00000000 02000001 00000002"),
            (std::vector<TargetPortGroupRequest>{{1, AluaState::kStandby}, {2, AluaState::kActiveOptimized}}));
  EXPECT_TRUE(parse("00000000 00000001 02000002")->empty()) << "both are in those states";
  EXPECT_EQ(parse("00000000 0e000001")->front().state, AluaState::kOffline);
}

TEST(SetTargetPortGroups, Refusals) {
  EXPECT_EQ(parse("0000").error(), kParameterListLengthError);
  for (std::string_view state : {"04", "0f", "1f", "05"})
    EXPECT_EQ(parse("00000000 " + std::string(state) + "000001").error(), kSetTargetPortGroupsFailed) << state;
  EXPECT_EQ(parse("00000000 00000000").error(), kSetTargetPortGroupsFailed) << "id 0";
  EXPECT_EQ(parse("00000000 00000009").error(), kSetTargetPortGroupsFailed) << "no such group";
  EXPECT_EQ(parse("00000000 00000003").error(), kAluaTransition);
  std::string many = "00000000";
  for (std::size_t i = 0; i < kMaxTargetPortGroupRequests; ++i) many += "02000001";
  EXPECT_TRUE(parse(many).has_value());
  EXPECT_EQ(parse(many + "02000001").error(), kInvalidFieldInCdb.at_cdb(6, 0));
}

}  // namespace
}  // namespace uscst::scsi
