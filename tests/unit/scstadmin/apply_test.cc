// -config beyond what is recorded: -force, what it removes and in which order, and repeated runs.
#include "compat/scstadmin/apply.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "compat/scstadmin/write.h"
#include "tests/unit/scstadmin/fake_tree.h"

namespace uscst::scstadmin {
namespace {

std::string read_data(const std::string& name) {
  std::ifstream in(std::string(USCST_SCSTADMIN_DATA) + "/" + name, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

class ApplyTest : public testing::Test {
 protected:
  // Applies a configuration; true when it went through. What was printed is in out_, what was written to the tree in
  // writes().
  bool apply(const std::string& text, Flags flags = {}) {
    out_.str("");
    flags.noprompt = true;
    Scst scst(tree_, console_, flags.debug);
    Actions actions(scst, console_, flags);
    base::Result<ConfNode> conf = parse_conf(text);
    EXPECT_TRUE(conf);
    base::Result<Current> current = collect(scst, console_, flags.force);
    EXPECT_TRUE(current);
    if (!check_conf(scst, console_, *current, *conf)) return false;
    first_write_ = tree_.writes().size();
    const base::Status done = apply_conf(actions, *current, *conf);
    if (!done) error_ = done.error().text;
    return done.has_value();
  }

  std::vector<std::string> writes() const {
    return {tree_.writes().begin() + static_cast<std::ptrdiff_t>(first_write_), tree_.writes().end()};
  }
  bool printed(const std::string& text) const { return out_.str().find(text) != std::string::npos; }
  std::size_t position(const std::string& write) const {
    const std::vector<std::string> all = writes();
    return static_cast<std::size_t>(std::find(all.begin(), all.end(), write) - all.begin());
  }
  std::string written() {
    Scst scst(tree_, console_, false);
    const base::Result<Current> current = read_current(tree_);
    return write_conf(scst, *current, false).value_or("");
  }

  FakeTree tree_{read_data("empty.dump"), read_data("devices.dump"), "tgt"};
  std::ostringstream out_, err_;
  std::istringstream in_;
  Console console_{out_, err_, in_};
  std::size_t first_write_ = 0;
  std::string error_;
};

const std::string kTwoDisks =
    "HANDLER vdisk_nullio {\n DEVICE a {\n  size_mb 8\n }\n DEVICE b\n}\n"
    "TARGET_DRIVER ib_srpt {\n TARGET tgt {\n  LUN 0 a\n  LUN 1 b\n  GROUP g {\n   LUN 0 b\n   INITIATOR i1\n  }\n  "
    "enabled 1\n }\n}\n";

TEST_F(ApplyTest, WritesCommandsAsScstadminAlwaysHas) {
  ASSERT_TRUE(apply(kTwoDisks));
  EXPECT_EQ(
      writes(),
      (std::vector<std::string>{
          "handlers/vdisk_nullio/mgmt < add_device a size_mb=8;", "handlers/vdisk_nullio/mgmt < add_device b ",
          "targets/ib_srpt/tgt/ini_groups/mgmt < create g", "targets/ib_srpt/tgt/ini_groups/g/luns/mgmt < add b 0 ",
          "targets/ib_srpt/tgt/ini_groups/g/initiators/mgmt < add i1", "targets/ib_srpt/tgt/luns/mgmt < add a 0 ",
          "targets/ib_srpt/tgt/luns/mgmt < add b 1 ", "targets/ib_srpt/tgt/enabled < 1"}));
}

TEST_F(ApplyTest, WrittenConfigurationAppliesWithoutAChange) {
  ASSERT_TRUE(apply(kTwoDisks));
  const std::string first = written();
  ASSERT_TRUE(apply(first, {.force = true}));
  EXPECT_TRUE(writes().empty()) << writes().front();
  EXPECT_TRUE(printed("Done, 0 change(s) made."));
  EXPECT_EQ(written(), first);
}

TEST_F(ApplyTest, WithoutForceNothingIsRemoved) {
  ASSERT_TRUE(apply(kTwoDisks));
  ASSERT_TRUE(
      apply("HANDLER vdisk_nullio {\n DEVICE b\n}\nTARGET_DRIVER ib_srpt {\n TARGET tgt {\n  LUN 0 b\n }\n}\n"));
  EXPECT_TRUE(writes().empty());
  EXPECT_TRUE(printed("Device 'a' is not in configuration. Use -force to close it."));
  EXPECT_TRUE(printed(
      "Device 'a' at LUN '0' is not in configuration for driver/target 'ib_srpt/tgt'. Use -force to remove it."));
  EXPECT_TRUE(printed("Group 'g' is not in configuration. Use -force to remove."));
  EXPECT_TRUE(printed("Driver/target 'ib_srpt/tgt' is enabled but not in configuration. Use -force to disable it."));
}

TEST_F(ApplyTest, ForceRemovesFirstAndAddsThen) {
  ASSERT_TRUE(apply(kTwoDisks));
  ASSERT_TRUE(apply("HANDLER vdisk_nullio {\n DEVICE b\n}\nTARGET_DRIVER ib_srpt {\n TARGET tgt {\n  LUN 0 b\n }\n}\n",
                    {.force = true}));
  const std::size_t removed = position("targets/ib_srpt/tgt/luns/mgmt < del 0");
  const std::size_t closed = position("handlers/vdisk_nullio/mgmt < del_device a");
  const std::size_t added = position("targets/ib_srpt/tgt/luns/mgmt < add b 0 ");
  EXPECT_LT(removed, closed);
  EXPECT_LT(closed, added);
  EXPECT_LT(added, position("targets/ib_srpt/tgt/enabled < 0"));
  EXPECT_LT(position("targets/ib_srpt/tgt/enabled < 0"), writes().size());
  EXPECT_EQ(tree_.link("targets/ib_srpt/tgt/luns/0/device").value_or(""), "../../../../../devices/b");
}

TEST_F(ApplyTest, ForceReopensADeviceWithOtherParameters) {
  ASSERT_TRUE(apply(kTwoDisks));
  std::string other = kTwoDisks;
  other.replace(other.find("size_mb 8"), 9, "size_mb 9");
  ASSERT_TRUE(apply(other));
  EXPECT_TRUE(printed("Device 'a' is configured differently."));
  EXPECT_TRUE(writes().empty());
  ASSERT_TRUE(apply(other, {.force = true}));
  EXPECT_LT(position("handlers/vdisk_nullio/mgmt < del_device a"),
            position("handlers/vdisk_nullio/mgmt < add_device a size_mb=9;"));
  // Its LUN went with it and has to come back.
  EXPECT_LT(position("targets/ib_srpt/tgt/luns/mgmt < add a 0 "), writes().size());
}

TEST_F(ApplyTest, ForceChangesALunThatIsReadOnlyNow) {
  ASSERT_TRUE(apply(kTwoDisks));
  std::string other = kTwoDisks;
  other.replace(other.find("LUN 1 b\n"), 8, "LUN 1 b {\n read_only 1\n}\n");
  ASSERT_TRUE(apply(other));
  EXPECT_TRUE(printed("Assigned device 'b' in target 'tgt' at LUN '1' is configured differently."));
  ASSERT_TRUE(apply(other, {.force = true}));
  EXPECT_LT(position("targets/ib_srpt/tgt/luns/mgmt < del 1"),
            position("targets/ib_srpt/tgt/luns/mgmt < add b 1 read_only=1;"));
}

TEST_F(ApplyTest, InitiatorsMoveOnlyWithForce) {
  ASSERT_TRUE(apply(kTwoDisks));
  std::string other = kTwoDisks;
  other.replace(other.find("INITIATOR i1"), 12, "INITIATOR i2");
  other.replace(other.find("  enabled"), 2, "  GROUP h {\n INITIATOR i1\n }\n ");
  ASSERT_TRUE(apply(other));
  EXPECT_TRUE(printed("Initiator 'i1' is moving to group 'h' from group 'g'. Use -force to move it."));
  ASSERT_TRUE(apply(other, {.force = true}));
  EXPECT_LT(position("targets/ib_srpt/tgt/ini_groups/g/initiators/mgmt < move i1 h"), writes().size());
}

TEST_F(ApplyTest, TwoDevicesAtOneLunAreRefused) {
  EXPECT_FALSE(
      apply("HANDLER vdisk_nullio {\n DEVICE a\n DEVICE b\n}\nTARGET_DRIVER ib_srpt {\n TARGET tgt {\n  LUN 0 a\n  LUN "
            "0 b\n }\n}\n"));
  EXPECT_NE(error_.find("has multiple devices assigned"), std::string::npos) << error_;
}

TEST_F(ApplyTest, LunsOfUnknownDevicesAreLeftOut) {
  ASSERT_TRUE(apply(
      "HANDLER vdisk_nullio {\n DEVICE a\n}\nTARGET_DRIVER ib_srpt {\n TARGET tgt {\n  LUN 0 a\n  LUN 1 x\n }\n}\n"));
  EXPECT_TRUE(
      printed("Device 'x' associated with driver/target 'ib_srpt/tgt' at LUN 1 is not defined within configuration, "
              "removing it."));
}

TEST_F(ApplyTest, VirtualTargetsComeAndGo) {
  ASSERT_TRUE(
      apply("HANDLER vdisk_nullio {\n DEVICE a\n}\nTARGET_DRIVER scst_local {\n TARGET v {\n  LUN 0 a\n }\n}\n"));
  EXPECT_LT(position("targets/scst_local/mgmt < add_target v "), position("targets/scst_local/v/luns/mgmt < add a 0 "));
  ASSERT_TRUE(apply("HANDLER vdisk_nullio {\n DEVICE a\n}\n", {.force = true}));
  EXPECT_LT(position("targets/scst_local/mgmt < del_target v"), writes().size());
}

TEST_F(ApplyTest, AnInitiatorInTwoGroupsIsRefused) {
  EXPECT_FALSE(apply(
      "HANDLER vdisk_nullio {\n DEVICE a\n}\nTARGET_DRIVER ib_srpt {\n TARGET tgt {\n  GROUP g {\n   INITIATOR i\n  }\n"
      "  GROUP h {\n   INITIATOR i\n  }\n }\n}\n"));
  EXPECT_TRUE(printed("FATAL: Initiator 'i' belongs to more than one group."));
}

}  // namespace
}  // namespace uscst::scstadmin
