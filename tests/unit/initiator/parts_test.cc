// The small parts: CDBs, answers, sense in words, the verify pattern, the latency histogram.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "engine/initiator/cdb.h"
#include "engine/initiator/histogram.h"
#include "engine/initiator/pattern.h"
#include "engine/initiator/sense_text.h"

namespace uscst::initiator {
namespace {

std::string hex(const Cdb& cdb) { return base::to_hex({cdb.data(), cdb.size()}); }

TEST(InitiatorCdb, AsTheStandardsWriteThem) {
  EXPECT_EQ(hex(test_unit_ready()), "000000000000");
  EXPECT_EQ(hex(inquiry(96)), "120000006000");
  EXPECT_EQ(hex(inquiry_page(0x83, 255)), "12018300ff00");
  EXPECT_EQ(hex(report_luns(0x1008)), "a00000000000000010080000");
  EXPECT_EQ(hex(read_capacity_10()), "25000000000000000000");
  EXPECT_EQ(hex(read_capacity_16(32)), "9e100000000000000000000000200000");
  EXPECT_EQ(hex(read_blocks(0x12345678, 8)), "28001234567800000800");
  EXPECT_EQ(hex(write_blocks(0x12345678, 8, true)), "2a081234567800000800");
  EXPECT_EQ(hex(read_blocks(0x100000000, 8)), "88000000000100000000000000080000");
  EXPECT_EQ(hex(write_blocks(1, 0x10000)), "8a000000000000000001000100000000");
}

TEST(InitiatorCdb, LunsGoBothWays) {
  EXPECT_EQ(base::to_hex(make_lun(1)), "0001000000000000");
  EXPECT_EQ(base::to_hex(make_lun(300)), "412c000000000000");
  for (const std::uint16_t number : std::to_array<std::uint16_t>({0, 1, 255, 256, 16383}))
    EXPECT_EQ(lun_number(make_lun(number)), number);
  EXPECT_FALSE(lun_number(srp::Lun{0xC1, 0x01}));
  EXPECT_FALSE(lun_number(srp::Lun{0, 1, 0, 1}));
}

TEST(InitiatorAnswers, CapacityAndLunsAreBounded) {
  auto bytes = *base::parse_hex("000007ff 00000200");
  EXPECT_EQ(parse_capacity_10(bytes)->blocks, 2048u);
  EXPECT_EQ(parse_capacity_10(bytes)->block_bytes, 512u);
  for (std::size_t length = 0; length < 8; ++length) EXPECT_FALSE(parse_capacity_10(base::Bytes(bytes).first(length)));
  EXPECT_FALSE(parse_capacity_16(*base::parse_hex("ffffffffffffffff00000200")));
  EXPECT_FALSE(parse_capacity_10(*base::parse_hex("000007ff 00000000")));
  auto list = *base::parse_hex("00000010 00000000 0000000000000000 0001000000000000");
  EXPECT_EQ(parse_luns(list)->size(), 2u);
  EXPECT_EQ(parse_luns(base::Bytes(list).first(20))->size(), 1u);
  EXPECT_FALSE(parse_luns(base::Bytes(list).first(7)));
  EXPECT_TRUE(parse_luns(*base::parse_hex("ffffffff 00000000"))->empty());
}

TEST(InitiatorSense, BothFormatsInWords) {
  const auto fixed = *base::parse_hex("70 00 05 00 00 00 00 0a 00 00 00 00 20 00 00 00 00 00");
  const auto descriptor = *base::parse_hex("72 06 29 00 00 00 00 00");
  EXPECT_EQ(describe(*parse_sense(fixed)), "ILLEGAL REQUEST, invalid command operation code (5/20/00)");
  EXPECT_EQ(parse_sense(descriptor), (SenseCode{6, 0x29, 0}));
  EXPECT_FALSE(parse_sense(base::Bytes(fixed).first(13)));
  EXPECT_FALSE(parse_sense({}));
  Outcome outcome;
  outcome.status = kStatusReservationConflict;
  EXPECT_EQ(describe(outcome), "RESERVATION CONFLICT");
  outcome.delivery = Delivery::kTimedOut;
  EXPECT_EQ(describe(outcome), "no answer in time, aborted");
}

TEST(InitiatorPattern, TellsKindsOfDamageApart) {
  std::vector<std::uint8_t> data(4 * 512);
  fill_pattern(data, 512, 100, 7);
  EXPECT_TRUE(check_pattern(data, 512, 100, 7));
  EXPECT_THAT(check_pattern(data, 512, 101, 7).error().text, testing::HasSubstr("block 101: holds block 100"));
  EXPECT_THAT(check_pattern(data, 512, 100, 8).error().text, testing::HasSubstr("written with seed 7, not 8"));
  for (std::size_t at : {0u, 9u, 300u, 511u}) {
    auto damaged = data;
    damaged[512 + at] ^= 0x10;
    EXPECT_THAT(check_pattern(damaged, 512, 100, 7).error().text, testing::HasSubstr("block 101: checksum"));
  }
  std::fill(data.begin() + 1024, data.begin() + 1536, std::uint8_t{0});
  EXPECT_THAT(check_pattern(data, 512, 100, 7).error().text, testing::HasSubstr("block 102: all zero"));
}

TEST(InitiatorHistogram, PercentilesAreWithinThreePercent) {
  Histogram histogram;
  EXPECT_EQ(histogram.percentile_ns(0.5), 0u);
  for (int i = 1; i <= 100000; ++i) histogram.add(base::Duration(i));
  EXPECT_NEAR(static_cast<double>(histogram.percentile_ns(0.50)), 50000, 1600);
  EXPECT_NEAR(static_cast<double>(histogram.percentile_ns(0.99)), 99000, 3200);
  EXPECT_EQ(histogram.percentile_ns(1.0), 100000u);
  EXPECT_EQ(histogram.maximum_ns(), 100000u);
  EXPECT_DOUBLE_EQ(histogram.mean_ns(), 50000.5);
  histogram.add(base::Duration(INT64_MAX));
  EXPECT_EQ(histogram.percentile_ns(1.0), static_cast<std::uint64_t>(INT64_MAX));
}

}  // namespace
}  // namespace uscst::initiator
