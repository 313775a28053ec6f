#include "engine/scsi/rules.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace uscst::scsi {
namespace {

DecodedCdb cdb_of(const OpcodeRow& row) {
  DecodedCdb cdb;
  cdb.row = &row;
  cdb.bytes[0] = row.opcode;
  return cdb;
}

template <class Predicate>
std::set<std::string_view> operations(Predicate passes) {
  std::set<std::string_view> names;
  for (const OpcodeRow& row : opcode_rows()) {
    if (row.operation != Operation::kRefused && passes(cdb_of(row))) names.insert(name_of(row.operation));
  }
  return names;
}

using Names = std::set<std::string_view>;

TEST(Reservation, WhatPassesAForeignSpc2Reservation) {
  EXPECT_EQ(operations(passes_foreign_reservation),
            (Names{"test_unit_ready", "request_sense", "inquiry", "release", "read_capacity_10", "read_capacity_16",
                   "report_luns", "log_sense", "report_target_port_groups", "prevent_allow_medium_removal"}));
}

TEST(Reservation, WhatPassesForeignPersistentReservations) {
  const Names exclusive{"test_unit_ready",
                        "request_sense",
                        "inquiry",
                        "read_capacity_10",
                        "read_capacity_16",
                        "report_luns",
                        "log_sense",
                        "report_target_port_groups",
                        "reserve",
                        "release",
                        "persistent_reserve_in",
                        "persistent_reserve_out",
                        "receive_copy_results",
                        "prevent_allow_medium_removal"};
  Names write = exclusive;
  write.insert({"read", "verify", "mode_sense", "report_supported_operation_codes",
                "report_supported_task_management_functions", "read_toc"});
  auto strangers = [](ReservationType type) {
    return operations([type](const DecodedCdb& cdb) { return passes_persistent_reservation(cdb, type, false, false); });
  };
  EXPECT_EQ(strangers(ReservationType::kExclusiveAccess), exclusive);
  EXPECT_EQ(strangers(ReservationType::kExclusiveAccessRegistrantsOnly), exclusive);
  EXPECT_EQ(strangers(ReservationType::kExclusiveAccessAllRegistrants), exclusive);
  EXPECT_EQ(strangers(ReservationType::kWriteExclusive), write);
  EXPECT_EQ(strangers(ReservationType::kWriteExclusiveRegistrantsOnly), write);
  EXPECT_EQ(strangers(ReservationType::kWriteExclusiveAllRegistrants), write);
}

TEST(Reservation, HoldersAndRegistrants) {
  const std::array<std::uint8_t, 10> bytes{0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0};
  const DecodedCdb write = *decode_cdb(bytes, {});
  for (std::uint8_t code : std::array<std::uint8_t, 6>{1, 3, 5, 6, 7, 8}) {
    const ReservationType type = *reservation_type(code);
    EXPECT_TRUE(passes_persistent_reservation(write, type, true, true));
    EXPECT_FALSE(passes_persistent_reservation(write, type, false, false));
    EXPECT_EQ(passes_persistent_reservation(write, type, false, true), code >= 5) << int{code};
  }
  for (std::uint8_t code : std::array<std::uint8_t, 5>{0, 2, 4, 9, 15})
    EXPECT_FALSE(reservation_type(code).has_value()) << int{code};
}

TEST(Reservation, StartAndAllowPassOnlyInTheirHarmlessForm) {
  auto start = [](std::uint8_t byte4) {
    const std::array<std::uint8_t, 6> bytes{0x1B, 0, 0, 0, byte4, 0};
    return passes_foreign_reservation(*decode_cdb(bytes, {}));
  };
  EXPECT_TRUE(start(0x01));
  EXPECT_FALSE(start(0x00));
  EXPECT_FALSE(start(0x11));
  const std::array<std::uint8_t, 6> prevent{0x1E, 0, 0, 0, 1, 0};
  EXPECT_FALSE(passes_foreign_reservation(*decode_cdb(prevent, {})));
}

TEST(Reservation, ThirdPartyIsRefused) {
  std::array<std::uint8_t, 10> bytes{0x56};
  EXPECT_FALSE(check_reserve(*decode_cdb(bytes, {})).has_value());
  bytes[1] = 0x10;
  EXPECT_EQ(check_reserve(*decode_cdb(bytes, {})), kInvalidFieldInCdb.at_cdb(1, 4));
}

TEST(Alua, WhatEachStateLetsThrough) {
  auto passing = [](AluaState state) {
    return operations([state](const DecodedCdb& cdb) { return !check_alua(cdb, state); });
  };
  const Names unavailable{"inquiry",       "read_capacity_10",          "read_capacity_16",      "report_luns",
                          "request_sense", "report_target_port_groups", "set_target_port_groups"};
  Names standby = unavailable;
  standby.insert({"mode_sense", "mode_select", "reserve", "release", "log_sense", "log_select", "send_diagnostic",
                  "persistent_reserve_in", "persistent_reserve_out"});
  Names transitioning = unavailable;
  transitioning.erase("set_target_port_groups");
  EXPECT_EQ(passing(AluaState::kStandby), standby);
  EXPECT_EQ(passing(AluaState::kUnavailable), unavailable);
  EXPECT_EQ(passing(AluaState::kOffline), unavailable);
  EXPECT_EQ(passing(AluaState::kTransitioning), transitioning);
  EXPECT_EQ(passing(AluaState::kActiveNonoptimized), operations([](const DecodedCdb&) { return true; }));
  standby.insert("test_unit_ready");
  EXPECT_EQ(operations(passes_inactive_device), standby);
}

TEST(Alua, SenseOfEachState) {
  const std::array<std::uint8_t, 6> bytes{};
  const DecodedCdb ready = *decode_cdb(bytes, {});
  EXPECT_FALSE(check_alua(ready, AluaState::kActiveOptimized).has_value());
  EXPECT_EQ(check_alua(ready, AluaState::kStandby), kAluaStandby);
  EXPECT_EQ(check_alua(ready, AluaState::kUnavailable), kAluaUnavailable);
  EXPECT_EQ(check_alua(ready, AluaState::kOffline), kAluaUnavailable);
  EXPECT_EQ(check_alua(ready, AluaState::kTransitioning), kAluaTransition);
}

TEST(Order, EffectiveAttribute) {
  const std::array<std::uint8_t, 6> inquiry{0x12, 0, 0, 0, 36, 0};
  const std::array<std::uint8_t, 6> read{0x08, 0, 0, 0, 1, 0};
  auto attribute = [](const auto& bytes, TaskAttribute sent, std::uint8_t qam) {
    return effective_attribute(sent, *decode_cdb(bytes, {}), qam);
  };
  EXPECT_EQ(attribute(inquiry, TaskAttribute::kSimple, 1), TaskAttribute::kHeadOfQueue);
  EXPECT_EQ(attribute(inquiry, TaskAttribute::kOrdered, 1), TaskAttribute::kOrdered);
  EXPECT_EQ(attribute(read, TaskAttribute::kUntagged, 1), TaskAttribute::kSimple);
  EXPECT_EQ(attribute(read, TaskAttribute::kSimple, 0), TaskAttribute::kOrdered);
  EXPECT_EQ(attribute(read, TaskAttribute::kHeadOfQueue, 0), TaskAttribute::kHeadOfQueue);
  EXPECT_EQ(attribute(read, TaskAttribute::kAca, 0), TaskAttribute::kAca);
}

TEST(Order, FlagsOfTheTable) {
  EXPECT_EQ(operations([](const DecodedCdb& cdb) { return cdb.has(Flag::kUnitAttentionExempt); }),
            (Names{"inquiry", "report_luns", "request_sense"}));
  EXPECT_EQ(operations([](const DecodedCdb& cdb) { return cdb.has(Flag::kHeadOfQueue); }),
            (Names{"test_unit_ready", "inquiry", "read_capacity_10", "read_capacity_16", "report_luns"}));
  EXPECT_EQ(operations([](const DecodedCdb& cdb) { return cdb.has(Flag::kSerialized); }),
            (Names{"reserve", "release", "persistent_reserve_in", "persistent_reserve_out"}));
  EXPECT_EQ(operations([](const DecodedCdb& cdb) { return cdb.has(Flag::kStrictlySerialized); }),
            (Names{"mode_select", "log_select", "format_unit", "set_target_port_groups"}));
  EXPECT_EQ(
      operations([](const DecodedCdb& cdb) { return cdb.has(Flag::kWrites); }),
      (Names{"write", "write_and_verify", "write_same", "unmap", "compare_and_write", "format_unit", "extended_copy"}));
  EXPECT_EQ(operations(passes_format).count("read"), 0u);
  EXPECT_EQ(operations(passes_format).count("inquiry"), 1u);
}

}  // namespace
}  // namespace uscst::scsi
