#include "engine/scsi/lun.h"

#include <gtest/gtest.h>

namespace uscst::scsi {
namespace {

TEST(DecodeLun, SingleLevelInThreeMethods) {
  EXPECT_EQ(decode_lun({0, 5}), 5);
  EXPECT_EQ(decode_lun({0x41, 0x02}), 0x102);
  EXPECT_EQ(decode_lun({0x80, 0x07}), 7);
  EXPECT_EQ(decode_lun({0x3F, 0xFF}), kMaxLun) << "a bus number reads as high bits";
  EXPECT_EQ(decode_lun({}), 0);
}

TEST(DecodeLun, WellKnownAndDeeperOnesNameNothing) {
  EXPECT_FALSE(decode_lun({0xC1, 0x01}).has_value());
  for (std::size_t i = 2; i < 8; ++i) {
    LunBytes lun{0, 1};
    lun[i] = 1;
    EXPECT_FALSE(decode_lun(lun).has_value()) << i;
  }
}

TEST(EncodeLun, ReadsBackAndZeroStaysZero) {
  for (auto method : {LunAddressing::kPeripheral, LunAddressing::kFlat, LunAddressing::kLun}) {
    EXPECT_EQ(encode_lun(0, method), LunBytes{});
    for (std::uint16_t lun : std::array<std::uint16_t, 4>{1, 255, 256, 16383})
      EXPECT_EQ(decode_lun(encode_lun(lun, method)), lun);
  }
  EXPECT_EQ(encode_lun(258, LunAddressing::kFlat), (LunBytes{0x41, 0x02}));
  EXPECT_EQ(encode_lun(3, LunAddressing::kLun), (LunBytes{0x80, 0x03}));
}

TEST(ReportLuns, OrderIsByNumberModulo32ThenByMapping) {
  const std::uint16_t luns[] = {64, 3, 0, 33, 1, 32};
  EXPECT_EQ(report_order(luns), (std::vector<std::uint16_t>{64, 0, 32, 33, 1, 3}));
}

SenseResult<std::vector<std::uint8_t>> report(std::uint8_t select, std::uint8_t allocation, bool mapped) {
  const std::array<std::uint8_t, 12> bytes{0xA0, 0, select, 0, 0, 0, 0, 0, 0, allocation, 0, 0};
  const std::uint16_t luns[] = {0, 1};
  return report_luns(*decode_cdb(bytes, {}), luns, LunAddressing::kPeripheral, mapped);
}

TEST(ReportLuns, AllocationLengthAndSelectReport) {
  EXPECT_EQ(report(0, 4, true).error(), kInvalidFieldInCdb.at_cdb(6));
  EXPECT_EQ(report(0, 15, true).error(), kInvalidFieldInCdb.at_cdb(6));
  EXPECT_EQ(report(0, 7, false).error(), kInvalidFieldInCdb.at_cdb(6));
  EXPECT_EQ(report(1, 64, true).error(), kInvalidFieldInCdb.at_cdb(2));
  EXPECT_EQ(base::to_hex(*report(2, 64, true)),
            "0000001000000000"
            "0000000000000000"
            "0001000000000000");
  EXPECT_EQ(base::to_hex(*report(0, 8, false)), "0000001000000000") << "the length counts all LUNs";
}

}  // namespace
}  // namespace uscst::scsi
