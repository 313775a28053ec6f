#include "engine/fabric/iwarp/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uscst::fabric::iwarp {
namespace {

std::string canonical(const std::string& host) {
  const auto parsed = parse_address({host, 5555});
  return parsed ? format_address(*parsed).host : "error " + std::to_string(parsed.error().code);
}

TEST(Address, TextIsThatOfTheKernel) {
  EXPECT_EQ(canonical("192.168.71.1"), "192.168.71.1");
  EXPECT_EQ(canonical("fe80::2:c903:5:f34e"), "fe80:0000:0000:0000:0002:c903:0005:f34e");
  EXPECT_EQ(canonical("::"), "0000:0000:0000:0000:0000:0000:0000:0000");
  EXPECT_EQ(format_address(*parse_address({"10.0.0.1", 65535})).port, 65535);
}

TEST(Address, WhatIsNoAddressIsRefused) {
  for (const char* text : {"", "localhost", "1.2.3", "1.2.3.4.5", "256.0.0.1", ":::", "fe80::1%"})
    EXPECT_THAT(canonical(text), ::testing::StartsWith("error")) << text;
  EXPECT_EQ(canonical("fe80::1%no-such-interface"), "error " + std::to_string(ENODEV));
}

TEST(Address, TargetsAreNamedByTheMac) {
  const MacAddress mac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
  EXPECT_EQ(gid_text(mac), "5254:0012:3456:0000:0000:0000:0000:0000");
  EXPECT_EQ(service_guid(mac), 0x005400fffe123456U);
  // As seen with siw: GID 36b6:a338:82e9::
  EXPECT_EQ(service_guid({0x36, 0xb6, 0xa3, 0x38, 0x82, 0xe9}), 0x00b6a3fffe3882e9U);
}

TEST(Address, TheLoopbackInterfaceIsFound) {
  const auto found = interfaces();
  ASSERT_TRUE(found);
  const auto at = std::ranges::find_if(*found, [](const Interface& one) { return one.loopback; });
  ASSERT_NE(at, found->end());
  EXPECT_THAT(at->addresses, ::testing::Contains("127.0.0.1"));
}

}  // namespace
}  // namespace uscst::fabric::iwarp
