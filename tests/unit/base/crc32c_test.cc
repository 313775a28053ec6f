#include "engine/base/crc32c.h"

#include <gtest/gtest.h>

namespace uscst::base {
namespace {

TEST(Crc32c, CheckValue) { EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283U); }

TEST(Crc32c, KernelFormOfDeviceNames) {
  EXPECT_EQ(crc32c_update(0, as_bytes(std::string_view("disk1\0", 6))), 0xB8FDBD32U);
  EXPECT_EQ(crc32c_update(0, as_bytes(std::string_view("n1\0", 3))), 0x9C2D39EBU);
  EXPECT_EQ(crc32c_update(0, as_bytes(std::string_view("nodev\0", 6))), 0x0FEEAA62U);
}

TEST(Crc32c, ChainsAtEveryCutAndAgreesWithThePortableForm) {
  std::vector<std::uint8_t> data(67);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 37);
  std::uint32_t whole = crc32c_update(7, data);
  EXPECT_EQ(detail::crc32c_portable(7, data), whole);
  for (std::size_t cut = 0; cut <= data.size(); ++cut) {
    Bytes all(data);
    EXPECT_EQ(crc32c_update(crc32c_update(7, all.first(cut)), all.subspan(cut)), whole);
  }
}

// Long data are summed up in three parts at a time, of two sizes.
TEST(Crc32c, LongDataAgreeWithThePortableForm) {
  std::vector<std::uint8_t> data(13000);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * i >> 3);
  for (std::size_t length = 440; length <= data.size(); length += length < 9000 ? 37 : 1001) {
    const Bytes part = Bytes(data).subspan(length % 7, length - length % 7);
    ASSERT_EQ(crc32c_update(~0U, part), detail::crc32c_portable(~0U, part)) << length;
  }
}

}  // namespace
}  // namespace uscst::base
