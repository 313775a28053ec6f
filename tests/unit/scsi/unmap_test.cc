#include "engine/scsi/unmap.h"

#include <gtest/gtest.h>

namespace uscst::scsi {
namespace {

constexpr std::uint64_t kBlocks = 1000;

SenseResult<std::vector<BlockRange>> parse(std::string_view hex, std::uint64_t max_blocks = 500,
                                           std::uint8_t anchor = 0) {
  auto list = base::parse_hex(hex);
  DeviceTraits thin;
  thin.thin_provisioned = true;
  const std::array<std::uint8_t, 10> cdb{0x42, anchor, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(list->size()), 0};
  return parse_unmap(*decode_cdb(cdb, thin), *list, kBlocks, max_blocks);
}

constexpr char kTwo[] = "0026 0020 00000000  0000000000000010 00000008 00000000  00000000000003e0 00000008 00000000";

TEST(Unmap, Ranges) {
  auto ranges = parse(kTwo);
  ASSERT_TRUE(ranges.has_value());
  EXPECT_EQ(*ranges, (std::vector<BlockRange>{{0x10, 8}, {0x3E0, 8}}));
}

TEST(Unmap, NothingToDo) {
  EXPECT_TRUE(parse("")->empty());
  EXPECT_TRUE(parse("0006 0000 00000000")->empty());
  EXPECT_TRUE(parse("0016 0010 00000000 00000000ffffffff 00000000 00000000")->empty()) << "empty ranges are skipped";
}

TEST(Unmap, ListErrors) {
  EXPECT_EQ(parse("0026 0020").error(), kParameterListLengthError);
  EXPECT_EQ(parse("0026 0020 00000000 0000000000000010 00000008 00000000").error(),
            kInvalidFieldInParameterList.at_parameter(2));
  EXPECT_EQ(parse("0010 0008 00000000 0000000000000010").error(), kInvalidFieldInParameterList.at_parameter(2));
  EXPECT_EQ(parse(kTwo, 500, 1).error(), kInvalidFieldInCdb.at_cdb(1, 0));
}

TEST(Unmap, Limits) {
  EXPECT_TRUE(parse(kTwo, 16).has_value());
  EXPECT_EQ(parse(kTwo, 15).error(), kInvalidFieldInParameterList.at_parameter(0));
  EXPECT_EQ(parse("0016 0010 00000000 00000000000003e7 00000002 00000000").error(), kLbaOutOfRange);
  EXPECT_EQ(parse("0016 0010 00000000 ffffffffffffffff 00000001 00000000").error(), kLbaOutOfRange);
  // 2 x 80000000h blocks: a sum in 32 bits would be 0.
  EXPECT_EQ(parse("0026 0020 00000000 0000000000000000 80000000 00000000 0000000000000000 80000000 00000000").error(),
            kInvalidFieldInParameterList.at_parameter(0));
}

}  // namespace
}  // namespace uscst::scsi
