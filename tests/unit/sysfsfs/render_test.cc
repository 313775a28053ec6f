#include "sysfsfs/render.h"

#include <gtest/gtest.h>

namespace uscst::sysfsfs {
namespace {

using target::KeyRule;
using target::Layout;

TEST(Render, LayoutsAsRecorded) {
  EXPECT_EQ(render("3", Layout::kLine, true), "3\n[key]\n");
  EXPECT_EQ(render("", Layout::kLine, true), "\n[key]\n");
  EXPECT_EQ(render("", Layout::kLineOrNothing, true), "");
  EXPECT_EQ(render("clu", Layout::kLineOrNothing, true), "clu\n[key]\n");
  EXPECT_EQ(render("/path", Layout::kFileName, true), "/path\n[key]\n\n");
  EXPECT_EQ(render("", Layout::kFileName, true), "none\n\n");
  EXPECT_EQ(render("Usage: x\n", Layout::kRaw, true), "Usage: x\n");
}

TEST(ShowsKey, ByRule) {
  EXPECT_FALSE(shows_key(KeyRule::kNever, "1", "0", true));
  EXPECT_TRUE(shows_key(KeyRule::kAlways, "0", "0", false));
  EXPECT_TRUE(shows_key(KeyRule::kWhenNotDefault, "1", "0", false));
  EXPECT_FALSE(shows_key(KeyRule::kWhenNotDefault, "0", "0", true));
  EXPECT_TRUE(shows_key(KeyRule::kWhenWritten, "0", "0", true));
  EXPECT_FALSE(shows_key(KeyRule::kWhenWritten, "1", "0", false));
}

}  // namespace
}  // namespace uscst::sysfsfs
