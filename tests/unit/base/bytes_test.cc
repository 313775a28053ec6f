#include "engine/base/bytes.h"

#include <gtest/gtest.h>

namespace uscst::base {
namespace {

struct Pair {
  be16 first;
  be32 second;
};
static_assert(sizeof(Pair) == 6);

TEST(Bytes, WritesAndReadsBack) {
  std::array<std::uint8_t, 15> buffer{};
  Writer out(buffer);
  out.u8(0xAB);
  out.u16(0x1234);
  out.u32(0xDEADBEEF);
  out.u64(0x0102030405060708);
  EXPECT_FALSE(out.overflowed());
  EXPECT_EQ(to_hex(out.written()), "ab1234deadbeef0102030405060708");
  Reader in(buffer);
  EXPECT_EQ(in.u8(), 0xAB);
  EXPECT_EQ(in.read<Pair>()->second.value(), 0xDEADBEEFU);
  EXPECT_EQ(in.u64(), 0x0102030405060708U);
  EXPECT_EQ(in.left(), 0U);
  EXPECT_EQ(in.u8(), std::nullopt);
}

TEST(Bytes, AReadPastTheEndLeavesThePosition) {
  std::array<std::uint8_t, 3> buffer{1, 2, 3};
  Reader in(buffer);
  EXPECT_EQ(in.u32(), std::nullopt);
  EXPECT_EQ(in.u16(), 0x0102);
  EXPECT_FALSE(in.bytes(2).has_value());
  EXPECT_EQ(in.bytes(1)->front(), 3);
}

TEST(Bytes, AWritePastTheEndIsRemembered) {
  std::array<std::uint8_t, 3> buffer{};
  Writer out(buffer);
  out.u16(0x0102);
  out.u16(0x0304);
  EXPECT_TRUE(out.overflowed());
  EXPECT_EQ(to_hex(out.written()), "0102");
}

TEST(Bytes, Hex) {
  EXPECT_EQ(parse_hex("4d 50\n41"), (std::vector<std::uint8_t>{0x4D, 0x50, 0x41}));
  EXPECT_EQ(parse_hex("4d5"), std::nullopt);
  EXPECT_EQ(parse_hex("zz"), std::nullopt);
}

}  // namespace
}  // namespace uscst::base
