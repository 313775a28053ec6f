#include "compat/scstadmin/options.h"

#include <gtest/gtest.h>

namespace uscst::scstadmin {
namespace {

ParsedOptions parse(std::vector<std::string> words) { return parse_options(words); }

TEST(Options, OneDashOrTwoAndAnEqualsSign) {
  EXPECT_EQ(parse({"-config", "/a"}).options.get("config"), "/a");
  EXPECT_EQ(parse({"--config=/a"}).options.get("config"), "/a");
}
TEST(Options, AnOptionalArgumentDoesNotTakeAnOption) {
  const ParsedOptions parsed = parse({"-config", "-force"});
  EXPECT_TRUE(parsed.options.has("config"));
  EXPECT_EQ(parsed.options.get("config"), "");
  EXPECT_TRUE(parsed.options.has("force"));
}
TEST(Options, UniqueBeginningsAreEnough) {
  EXPECT_TRUE(parse({"-nop"}).options.has("noprompt"));
  EXPECT_EQ(parse({"-list_d"}).errors.size(), 1U);
  EXPECT_TRUE(parse({"-LIST_SESSIONS"}).options.has("list_sessions"));
}
TEST(Options, Mistakes) {
  EXPECT_EQ(parse({"-nosuch"}).errors, std::vector<std::string>{"Unknown option: nosuch"});
  EXPECT_EQ(parse({"-write_config"}).errors, std::vector<std::string>{"Option write_config requires an argument"});
}
TEST(Options, Attributes) {
  const Wanted wanted = parse({"-attributes", "a=1,b,c=x=y,d="}).options.attributes;
  EXPECT_EQ(wanted, (Wanted{{"a", {"1"}}, {"b", {"1"}}, {"c", {"x=y"}}, {"d", {""}}}));
}
TEST(Options, WhatBelongsTogether) {
  EXPECT_EQ(option_problem(parse({"-clear_config"}).options), "Please specify -force with -clear_config.");
  EXPECT_EQ(option_problem(parse({"-open_dev", "a", "-list_device"}).options),
            "Please specify only one non-query operation at a time.");
  EXPECT_EQ(option_problem(parse({"-list_driver", "-list_device"}).options), "");
  EXPECT_EQ(option_problem(parse({"-add_lun", "1", "-driver", "d", "-target", "t"}).options),
            "Please specify -driver -target and -device with -add_lun/-replace_lun.");
}
TEST(Options, EveryOptionIsInTheHelpText) {
  const std::string text = usage_text();
  for (const OptionRow& row : option_rows())
    EXPECT_NE(text.find("-" + std::string(row.name)), std::string::npos) << row.name;
}

}  // namespace
}  // namespace uscst::scstadmin
