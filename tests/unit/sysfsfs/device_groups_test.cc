// device_groups/ (sysfs.md 16), as the recordings show it.
#include "engine/target/device_groups.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/sysfsfs/tree_fixture.h"

namespace uscst::sysfsfs {
namespace {

class DeviceGroupsTest : public TreeFixture {
 protected:
  DeviceGroupsTest() {
    for (const char* name : {"n1", "n2", "n3"})
      EXPECT_EQ(write("handlers/vdisk_nullio/mgmt", std::string("add_device ") + name + "\n"), 0);
    EXPECT_EQ(write("device_groups/mgmt", "create dg1\n"), 0);
    EXPECT_EQ(write("device_groups/dg1/target_groups/mgmt", "create tg1\n"), 0);
  }
  // Without "." and "..".
  std::vector<std::string> names(std::string_view path) {
    std::vector<std::string> all = TreeFixture::names(path);
    all.erase(all.begin(), all.begin() + 2);
    return all;
  }
  int last_result() const { return engine_.queue.last_result(); }

  const std::string tg1_ = "device_groups/dg1/target_groups/tg1";
  const std::string target_{kTargetName};
};

TEST_F(DeviceGroupsTest, GroupsAreMadeAndTakenAwayAtOnce) {
  EXPECT_EQ(write("device_groups/dg1/devices/mgmt", "add nosuch\n"), EINVAL);
  EXPECT_EQ(last_result(), -EINVAL);
  EXPECT_EQ(write("device_groups/mgmt", "create dg1\n"), EEXIST);
  EXPECT_EQ(write("device_groups/mgmt", "CREATE DG1 and more\n"), 0);
  EXPECT_EQ(write("device_groups/mgmt", "add two\ncreate three\n"), 0);
  EXPECT_EQ(write("device_groups/mgmt", " create lead"), 0);
  for (const char* wrong : {"create\n", "create \n x", "del\n", "del nosuch\n", "del_group dg1\n", "bogus x\n", "\n"})
    EXPECT_EQ(write("device_groups/mgmt", wrong), EINVAL) << wrong;
  EXPECT_EQ(last_result(), -EINVAL) << "nothing of this is queued";
  EXPECT_EQ(names("device_groups"), (std::vector<std::string>{"lead", "dg1", "mgmt", "DG1", "two"}));
  EXPECT_EQ(names("device_groups/dg1"), (std::vector<std::string>{"devices", "target_groups"}));
  EXPECT_EQ(tree_.attributes(*walk("device_groups")).st_nlink, 6u);
  EXPECT_EQ(write("device_groups/mgmt", "del dg1\n"), 0);
  EXPECT_FALSE(exists("device_groups/dg1"));
}

TEST_F(DeviceGroupsTest, NamesAreNotChecked) {
  EXPECT_EQ(write("device_groups/mgmt", "create mgmt\n"), EEXIST);
  EXPECT_EQ(write("device_groups/mgmt", "create a/b\n"), 0);
  EXPECT_TRUE(exists("device_groups/a!b"));
  EXPECT_EQ(write("device_groups/mgmt", "create a!b\n"), EEXIST) << "the directory is there";
  EXPECT_EQ(write("device_groups/mgmt", "del a!b\n"), EINVAL) << "the group is a/b";
  EXPECT_EQ(write("device_groups/mgmt", "create ..\n"), 0);
  EXPECT_EQ(write("device_groups/mgmt", "create ..\n"), EEXIST);
  const std::string longest(256, 'g');
  EXPECT_EQ(write("device_groups/mgmt", "create " + longest + "\n"), 0);
  EXPECT_TRUE(exists("device_groups/" + longest + "/devices"));
  const std::string too_long(1025, 'h');
  EXPECT_EQ(write("device_groups/mgmt", "create " + too_long + "\n"), 0);
  auto listed = names("device_groups");
  EXPECT_EQ(listed.size(), 4u) << "mgmt, dg1, a!b and the long one";
}

TEST_F(DeviceGroupsTest, Devices) {
  const std::string mgmt = "device_groups/dg1/devices/mgmt";
  EXPECT_EQ(read(mgmt), "Usage: echo \"add device\" >mgmt\n       echo \"del device\" >mgmt\n");
  EXPECT_EQ(write(mgmt, "add n1\n"), 0);
  EXPECT_EQ(link("device_groups/dg1/devices/n1"), "../../../devices/n1");
  EXPECT_EQ(write(mgmt, "ADD n2 n3\n"), 0);
  EXPECT_EQ(write(mgmt, "add n1 n2\n"), EEXIST);
  EXPECT_EQ(last_result(), -EEXIST);
  EXPECT_EQ(write(mgmt, "create n3\n"), EINVAL) << "members are added, not created";
  EXPECT_EQ(write("device_groups/mgmt", "create dg2\n"), 0);
  EXPECT_EQ(write("device_groups/dg2/devices/mgmt", "add n1\n"), EEXIST);
  EXPECT_EQ(write("device_groups/dg2/devices/mgmt", "del n1\n"), EINVAL);
  EXPECT_EQ(write(mgmt, "del n2 \n"), 0);
  EXPECT_EQ(write(mgmt, "del n2\n"), EINVAL);
  EXPECT_EQ(write("handlers/vdisk_nullio/mgmt", "del_device n1\n"), 0);
  EXPECT_EQ(names("device_groups/dg1/devices"), (std::vector<std::string>{"mgmt"}));
}

TEST_F(DeviceGroupsTest, TargetGroups) {
  const std::string mgmt = "device_groups/dg1/target_groups/mgmt";
  EXPECT_EQ(names(tg1_), (std::vector<std::string>{"group_id", "preferred", "mgmt", "state"}));
  EXPECT_EQ(read(tg1_ + "/mgmt"), "Usage: echo \"add target\" >mgmt\n       echo \"del target\" >mgmt\n");
  EXPECT_EQ(write(mgmt, "create tg1\n"), EEXIST);
  EXPECT_EQ(write(mgmt, "create mgmt\n"), EEXIST);
  EXPECT_EQ(last_result(), -EEXIST);
  EXPECT_EQ(write(mgmt, "add tg2 extra\n"), 0);
  EXPECT_EQ(write(mgmt, "create a/b\n"), 0);
  EXPECT_TRUE(exists("device_groups/dg1/target_groups/a!b/state"));
  EXPECT_EQ(write(mgmt, "del nosuch\n"), EINVAL);
  EXPECT_EQ(write(mgmt, "del tg2\n"), 0);
  EXPECT_FALSE(exists("device_groups/dg1/target_groups/tg2"));
}

TEST_F(DeviceGroupsTest, GroupIdIsStoredDirectly) {
  const std::string file = tg1_ + "/group_id";
  EXPECT_EQ(write(tg1_ + "/preferred", "x\n"), EINVAL);
  EXPECT_EQ(read(file), "0\n[key]\n");
  struct Case {
    const char* text;
    int error;
    const char* after;
  };
  for (const Case& one :
       {Case{"0\n", EINVAL, "0"}, Case{"65535\n", 0, "65535"}, Case{"65536\n", EINVAL, "65535"}, Case{"0x10", 0, "16"},
        Case{"010\n", 0, "8"}, Case{"-1\n", EINVAL, "8"}, Case{"\n", EINVAL, "8"}, Case{"1 \n", EINVAL, "8"},
        Case{"", 0, "8"}, Case{"00000009\n", EINVAL, "8"}, Case{"0000007\n", 0, "7"}}) {
    EXPECT_EQ(write(file, one.text), one.error) << one.text;
    EXPECT_EQ(read(file), std::string(one.after) + "\n[key]\n") << one.text;
  }
  EXPECT_EQ(last_result(), -EINVAL) << "left by preferred";
}

TEST_F(DeviceGroupsTest, PreferredAndStateAreQueued) {
  EXPECT_EQ(read(tg1_ + "/preferred"), "0\n");
  EXPECT_EQ(write(tg1_ + "/preferred", "1\n"), 0);
  EXPECT_EQ(read(tg1_ + "/preferred"), "1\n[key]\n");
  EXPECT_EQ(write(tg1_ + "/preferred", "2\n"), EINVAL);
  EXPECT_EQ(last_result(), -EINVAL);
  EXPECT_EQ(write(tg1_ + "/preferred", "99999999999999999999\n"), ERANGE);
  EXPECT_EQ(read(tg1_ + "/state"), "active\n[key]\n");
  for (const char* state : {"nonoptimized", "standby", "unavailable", "offline", "transitioning", "active"}) {
    EXPECT_EQ(write(tg1_ + "/state", std::string(state) + "\nand more"), 0);
    EXPECT_EQ(read(tg1_ + "/state"), std::string(state) + "\n[key]\n");
    EXPECT_EQ(last_result(), 0);
  }
  for (const char* wrong : {"0\n", "ACTIVE\n", "active \n", " active\n", "act\n", "\n", "lba_dependent\n"})
    EXPECT_EQ(write(tg1_ + "/state", wrong), EINVAL) << wrong;
}

TEST_F(DeviceGroupsTest, TargetsHereAndElsewhere) {
  EXPECT_EQ(write(tg1_ + "/mgmt", "add " + target_ + "\n"), 0);
  EXPECT_EQ(link(tg1_ + '/' + target_), "../../../../targets/ib_srpt/" + target_);
  EXPECT_EQ(write(tg1_ + "/mgmt", "add far extra\n"), 0);
  EXPECT_EQ(read(tg1_ + "/far/rel_tgt_id"), "0\n[key]\n");
  EXPECT_EQ(write(tg1_ + "/far/rel_tgt_id", "0x20\n"), 0);
  EXPECT_EQ(write(tg1_ + "/far/rel_tgt_id", "0\n"), EINVAL);
  EXPECT_EQ(read(tg1_ + "/far/rel_tgt_id"), "32\n[key]\n");
  EXPECT_EQ(write(tg1_ + "/mgmt", "add far\n"), EEXIST);
  for (const char* taken : {"mgmt", "group_id", "preferred", "state"})
    EXPECT_EQ(write(tg1_ + "/mgmt", std::string("add ") + taken + "\n"), EEXIST);
  EXPECT_EQ(write("device_groups/dg1/target_groups/mgmt", "create tg2\n"), 0);
  EXPECT_EQ(write("device_groups/dg1/target_groups/tg2/mgmt", "add far\n"), EEXIST);
  EXPECT_EQ(tree_.attributes(*walk(tg1_)).st_nlink, 3u) << "links do not count";
  EXPECT_EQ(write("device_groups/dg1/target_groups/tg2/mgmt", "del far\n"), 0) << "from the device group";
  EXPECT_FALSE(exists(tg1_ + "/far"));
  EXPECT_EQ(write(tg1_ + "/mgmt", "del " + target_ + "\n"), 0);
  EXPECT_FALSE(exists(tg1_ + '/' + target_));
}

TEST_F(DeviceGroupsTest, OpenFilesOfWhatIsGone) {
  EXPECT_EQ(write(tg1_ + "/mgmt", "add far\n"), 0);
  auto state = open(tg1_ + "/state", O_RDONLY), id = open(tg1_ + "/far/rel_tgt_id", O_RDONLY);
  ASSERT_TRUE(state && id);
  EXPECT_EQ(write(tg1_ + "/mgmt", "del far\n"), 0);
  EXPECT_EQ(write(tg1_ + "/mgmt", "add far\n"), 0);
  EXPECT_EQ(read_at(**id, 0, kPageBytes).error(), ENODEV) << "another one of the same name";
  EXPECT_EQ(write("device_groups/mgmt", "del dg1\n"), 0);
  EXPECT_EQ(read_at(**state, 0, kPageBytes).error(), ENODEV);
  tree_.close(std::move(*state));
  tree_.close(std::move(*id));
}

}  // namespace
}  // namespace uscst::sysfsfs
