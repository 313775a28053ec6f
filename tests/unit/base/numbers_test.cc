#include "engine/base/numbers.h"

#include <gtest/gtest.h>

namespace uscst::base {
namespace {

TEST(Numbers, BaseByPrefix) {
  EXPECT_EQ(parse_unsigned("12"), 12U);
  EXPECT_EQ(parse_unsigned("0x1F\n"), 0x1FU);
  EXPECT_EQ(parse_unsigned("010"), 8U);
  EXPECT_EQ(parse_unsigned("+5"), 5U);
  EXPECT_EQ(parse_unsigned("0"), 0U);
  EXPECT_EQ(parse_unsigned("18446744073709551615"), 18446744073709551615U);
}

TEST(Numbers, WhatTheKernelRefuses) {
  for (const char* text : {"", "\n", " 1", "1 ", "1\n\n", "-1", "0x", "1x", "08", "++1"}) {
    auto value = parse_unsigned(text);
    ASSERT_FALSE(value.has_value()) << text;
    EXPECT_EQ(value.error().code, EINVAL) << text;
  }
  EXPECT_EQ(parse_unsigned("18446744073709551616").error().code, ERANGE);
  EXPECT_EQ(parse_signed("9223372036854775808").error().code, ERANGE);
}

TEST(Numbers, Signed) {
  EXPECT_EQ(parse_signed("-1"), -1);
  EXPECT_EQ(parse_signed("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_signed("-0x10\n"), -16);
}

TEST(Numbers, Bool) {
  EXPECT_EQ(parse_bool("yes"), true);
  EXPECT_EQ(parse_bool("oFf"), false);
  EXPECT_EQ(parse_bool("0x"), false);
  EXPECT_FALSE(parse_bool("o").has_value());
  EXPECT_FALSE(parse_bool("").has_value());
}

}  // namespace
}  // namespace uscst::base
