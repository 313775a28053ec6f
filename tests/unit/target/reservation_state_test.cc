// The registrations of a device, and the text of pr_state (sysfs.md 8.2, transcripts/43).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "engine/target/persistent_reservations.h"

namespace uscst::target {
namespace {

constexpr std::string_view kSrp1 = "0400000000000000fe8000000000000000000000000000aa";
constexpr std::string_view kSrp2 = "0400000000000000fe8000000000000000000000000000bb";

std::vector<std::uint8_t> srp(std::string_view hex) { return *base::parse_hex(hex); }

std::vector<std::uint8_t> iscsi(std::string_view name, unsigned format = 0) {
  std::string hex = fmt::format("{:02x}0000{:02x}", 0x05 | format, name.size() + 1);
  return *base::parse_hex(hex + base::to_hex(base::as_bytes(name)) + "00");
}

// The error's code, 0 for success.
int parse(std::string_view text, ReservationState& state) {
  std::vector<std::string> ignored;
  auto status = parse_reservation_state(text, state, ignored);
  return status ? 0 : status.error().code;
}

TEST(ReservationState, TextGoesBothWays) {
  const std::string text = fmt::format(
      "version 1\ngeneration 7\nreservation 05 00\nregistrant 1 0123456789abcdef 1 24 {}\n"
      "registrant 2 0000000000000001 0 24 {}",
      kSrp1, kSrp2);
  ReservationState state;
  ASSERT_EQ(parse(text + '\n', state), 0);
  EXPECT_EQ(state.generation, 7u);
  EXPECT_EQ(state.type, 5);
  EXPECT_EQ(state.registrants[0], (Registrant{srp(kSrp1), 1, 0x0123456789abcdef}));
  EXPECT_EQ(state.holder, 0u);
  EXPECT_TRUE(state.is_holder(0));
  EXPECT_FALSE(state.is_holder(1));
  EXPECT_EQ(format_reservation_state(state), text);
}

TEST(ReservationState, WritesAsRecorded) {
  struct Case {
    const char* text;
    int code;
    std::uint32_t generation;
  };
  const Case cases[] = {
      {"version 1\ngeneration 0\n", 0, 0},
      {"version 1\ngeneration 7\n", 0, 7},
      {"version 2\ngeneration 0\n", EINVAL, 7},
      {"version 1\n", 0, 0},
      {"\n", EINVAL, 0},
      {"garbage\n", EINVAL, 0},
      {"generation 1\nversion 1\n", EINVAL, 0},
      {"version 1\ngeneration x\n", 0, 0},
      {"version 1\ngeneration 3", 0, 3},
      {"version 1\ngeneration 4\nextra 1\n", 0, 4},
      {"version 1\ngeneration 4294967296\n", 0, 0},
      {"version1\n\n\ngeneration 5 and more\n", 0, 5},
  };
  ReservationState state;
  for (const Case& one : cases) {
    EXPECT_EQ(parse(one.text, state), one.code) << one.text;
    EXPECT_EQ(format_reservation_state(state), fmt::format("version 1\ngeneration {}", one.generation)) << one.text;
  }
}

TEST(ReservationState, UnknownLinesAreNamed) {
  ReservationState state;
  std::vector<std::string> ignored;
  ASSERT_TRUE(parse_reservation_state("version 1\nextra 1\nregistrant 1 x\n" + std::string(200, 'y'), state, ignored));
  ASSERT_EQ(ignored.size(), 3u);
  EXPECT_EQ(ignored[0], "extra 1");
  EXPECT_EQ(ignored[2], std::string(80, 'y'));
}

TEST(ReservationState, AFailingTextLeavesWhatCameBefore) {
  ReservationState state;
  ASSERT_EQ(parse(fmt::format("version 1\ngeneration 3\nregistrant 9 1 0 24 {}\n", kSrp2), state), 0);
  const std::string good = fmt::format("version 1\ngeneration 8\nregistrant 1 a 0 24 {}\n", kSrp1);
  for (const std::string& bad :
       {std::string("registrant 2 1 0 0 00\n"), std::string("registrant 2 1 0 513 00\n"),
        std::string("registrant 2 1 0 24 0400\n"), "registrant 2 1 0 24 zz" + std::string(kSrp2) + "\n",
        std::string("registrant 2 1 0 4 04000000\n"), std::string("registrant 2 1 0 8 0500000500000000\n")}) {
    EXPECT_EQ(parse(good + bad, state), EINVAL) << bad;
    EXPECT_EQ(state.registrants.size(), 1u);
    EXPECT_EQ(state.registrants[0].key, 0xau);
    EXPECT_EQ(state.generation, 3u);  // taken at the end
  }
  EXPECT_EQ(parse(good + fmt::format("registrant 1 b 0 24 {}\n", kSrp1), state), ENOMEM);
}

TEST(ReservationState, AReservationNeedsAHolder) {
  ReservationState state;
  const std::string registrant = fmt::format("registrant 1 a 0 24 {}\n", kSrp1);
  EXPECT_EQ(parse("version 1\ngeneration 4\nreservation 05 00\n" + registrant, state), EINVAL);
  EXPECT_FALSE(state.reserved);
  EXPECT_EQ(state.generation, 4u);
  EXPECT_EQ(state.registrants.size(), 1u);
  EXPECT_EQ(parse("version 1\nreservation 08 00\n" + registrant, state), 0);
  EXPECT_TRUE(state.is_holder(0));  // all registrants
  EXPECT_FALSE(state.holder);
  EXPECT_NE(format_reservation_state(state).find("registrant 1 000000000000000a 1 24"), std::string::npos);
}

TEST(ReservationState, NumbersAsTheKernelScansThem) {
  ReservationState state;
  const std::string id(kSrp1);
  ASSERT_EQ(parse("version 1\nregistrant 65537 0xff 2 24   " + id + "trailing\nreservation 0x3 0\n", state), 0);
  EXPECT_EQ(state.registrants[0].relative_port, 1);  // 16 bits
  EXPECT_EQ(state.registrants[0].key, 0xffu);
  EXPECT_EQ(state.registrants[0].transport_id, srp(kSrp1));
  EXPECT_EQ(state.type, 3);
  EXPECT_EQ(state.holder, 0u);
  // More bytes than the TransportID has are not kept.
  ASSERT_EQ(parse("version 1\nregistrant 1 1 0 26 " + id + "ffff\n", state), 0);
  EXPECT_EQ(state.registrants[0].transport_id, srp(kSrp1));
}

TEST(ReservationState, RemovingKeepsTheHolder) {
  ReservationState state;
  for (std::uint16_t port = 1; port <= 3; ++port) EXPECT_TRUE(state.add({srp(kSrp1), port, port}));
  EXPECT_FALSE(state.add({srp(kSrp1), 2, 9}));
  state.reserve(1, 0, 2);
  state.remove(0);
  EXPECT_EQ(state.holder, 1u);
  EXPECT_EQ(state.registrants[*state.holder].relative_port, 3);
  state.remove(1);
  EXPECT_FALSE(state.reserved);
  EXPECT_EQ(state.type, kReservationTypeNone);
  state.reserve(7, 0, 0);
  EXPECT_TRUE(state.is_holder(0));
  state.remove(0);
  EXPECT_FALSE(state.reserved);
}

TEST(TransportId, Lengths) {
  EXPECT_EQ(transport_id_length(srp(kSrp1)), 24u);
  EXPECT_FALSE(transport_id_length(srp(kSrp1.substr(2))));
  EXPECT_FALSE(transport_id_length({}));
  EXPECT_EQ(transport_id_length(iscsi("iqn.a")), 10u);
  for (std::size_t cut = 0; cut < 10; ++cut)
    EXPECT_FALSE(transport_id_length(base::Bytes(iscsi("iqn.a")).first(cut))) << cut;
}

TEST(TransportId, Comparison) {
  EXPECT_TRUE(same_transport_id(srp(kSrp1), srp(kSrp1)));
  EXPECT_FALSE(same_transport_id(srp(kSrp1), srp(kSrp2)));
  EXPECT_FALSE(same_transport_id(srp(kSrp1), iscsi("iqn.a")));
  EXPECT_TRUE(same_transport_id(iscsi("iqn.A"), iscsi("IQN.a")));
  EXPECT_FALSE(same_transport_id(iscsi("iqn.a"), iscsi("iqn.ab")));
  EXPECT_TRUE(same_transport_id(iscsi("iqn.a"), iscsi("iqn.a,i,0x1", 0x40)));
  EXPECT_FALSE(same_transport_id(iscsi("iqn.a,i,0x2", 0x40), iscsi("iqn.a,i,0x1", 0x40)));
  EXPECT_FALSE(same_transport_id(iscsi("iqn.a"), iscsi("iqn.a", 0x40)));  // no session part
  EXPECT_FALSE(same_transport_id(iscsi("iqn.a", 0x80), iscsi("iqn.a", 0x80)));
}

TEST(PersistentReservations, ASnapshotStays) {
  PersistentReservations reservations;
  auto before = reservations.state();
  EXPECT_FALSE(reservations.reserved());
  EXPECT_TRUE(reservations.change([](ReservationState& state) {
    const bool added = state.add({srp(kSrp1), 1, 5});
    state.reserve(1, 0, 0);
    ++state.generation;
    return added;
  }));
  EXPECT_TRUE(reservations.reserved());
  EXPECT_TRUE(before->registrants.empty());
  EXPECT_EQ(reservations.state()->generation, 1u);
  EXPECT_EQ(describe(*reservations.state(), "d1").size(), 3u);
  reservations.replace({});
  EXPECT_FALSE(reservations.reserved());
}

}  // namespace
}  // namespace uscst::target
