#include "sysfsfs/tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/xattr.h>

#include <algorithm>

#include "tests/unit/sysfsfs/tree_fixture.h"

namespace uscst::sysfsfs {
namespace {

class TreeTest : public TreeFixture {
 protected:
  std::unique_ptr<Tree::OpenFile> open(std::string_view path, int flags) {
    auto file = TreeFixture::open(path, flags);
    EXPECT_TRUE(file) << path << " " << (file ? 0 : file.error());
    return file ? std::move(*file) : nullptr;
  }
  const std::string target_ = "targets/ib_srpt/" + std::string(kTargetName);
};

TEST_F(TreeTest, DevicesAppearWithLinksAndGoAgain) {
  EXPECT_EQ(write("handlers/vdisk_nullio/mgmt", "add_device n1 size_mb=4\n"), 0);
  EXPECT_EQ(write(target_ + "/luns/mgmt", "add n1 0\n"), 0);
  EXPECT_EQ(read("devices/n1/size_mb"), "4\n");
  EXPECT_EQ(*tree_.read_link(*walk("devices/n1/handler")), "../../handlers/vdisk_nullio");
  EXPECT_EQ(*tree_.read_link(*walk("handlers/vdisk_nullio/n1")), "../../devices/n1");
  EXPECT_EQ(*tree_.read_link(*walk(target_ + "/luns/0/device")), "../../../../../devices/n1");
  EXPECT_EQ(*tree_.read_link(*walk("devices/n1/exported/export0")), "../../../" + target_ + "/luns/0");
  EXPECT_EQ(write("handlers/vdisk_fileio/mgmt", "del_device n1\n"), 0) << "any handler of virtual devices will do";
  EXPECT_FALSE(walk("devices/n1"));
  EXPECT_FALSE(walk(target_ + "/luns/0"));
  EXPECT_FALSE(walk("handlers/vdisk_nullio/n1"));
}

TEST_F(TreeTest, AttributesOfStat) {
  write("handlers/vdisk_nullio/mgmt", "add_device n1\n");
  struct stat file = tree_.attributes(*walk("devices/n1/size_mb"));
  EXPECT_EQ(file.st_mode, static_cast<mode_t>(S_IFREG | 0644));
  EXPECT_EQ(file.st_size, 4096);
  EXPECT_EQ(file.st_nlink, 1U);
  EXPECT_EQ(tree_.attributes(Tree::kRoot).st_nlink, 7U);
  EXPECT_EQ(tree_.attributes(*walk("devices")).st_nlink, 3U);
  EXPECT_EQ(tree_.attributes(*walk("devices/n1")).st_nlink, 3U);
  EXPECT_EQ(tree_.attributes(*walk(target_)).st_nlink, 5U);
  struct stat link = tree_.attributes(*walk("devices/n1/handler"));
  EXPECT_EQ(link.st_mode, static_cast<mode_t>(S_IFLNK | 0777));
  EXPECT_EQ(link.st_size, 0);
}

TEST_F(TreeTest, ListsInTheOrderOfTheHashes) {
  auto root = names("");
  EXPECT_EQ(root[0], ".");
  EXPECT_EQ(root[1], "..");
  EXPECT_EQ(root[2], "setup_id");
  EXPECT_EQ(root.back(), "poll_us");
  EXPECT_EQ(root.size(), 21U);
}

TEST_F(TreeTest, InodeNumbersAgreeBetweenStatAndListing) {
  write("handlers/vdisk_nullio/mgmt", "add_device n1\n");
  auto entries = tree_.read_directory(*walk("devices"));
  for (const auto& entry : *entries) {
    if (entry.name != "n1") continue;
    EXPECT_EQ(entry.inode, tree_.attributes(*walk("devices/n1")).st_ino);
  }
}

TEST_F(TreeTest, KeyLineByTheRows) {
  write("handlers/vdisk_nullio/mgmt", "add_device n1\n");
  EXPECT_EQ(read("devices/n1/prod_id"), "n1\n");
  EXPECT_EQ(write("devices/n1/prod_id", "abc\n"), 0);
  EXPECT_EQ(read("devices/n1/prod_id"), "abc\n[key]\n");
  EXPECT_EQ(write("devices/n1/prod_id", "n1\n"), 0);
  EXPECT_EQ(read("devices/n1/prod_id"), "n1\n[key]\n") << "kept once written";
  EXPECT_EQ(read("devices/n1/filename"), "none\n\n");
  write("devices/n1/filename", "/a\n");
  EXPECT_EQ(read("devices/n1/filename"), "/a\n[key]\n\n");
  EXPECT_EQ(write("threads", "3\n"), 0);
  EXPECT_EQ(read("threads"), "3\n[key]\n");
  EXPECT_EQ(write("threads", "2\n"), 0);
  EXPECT_EQ(read("threads"), "2\n");
  EXPECT_EQ(read(target_ + "/comment"), "");
  write(target_ + "/comment", "hello world\n");
  EXPECT_EQ(read(target_ + "/comment"), "hello world\n[key]\n");
}

TEST_F(TreeTest, LastResultIsThatOfQueuedWritesOnly) {
  EXPECT_EQ(write("handlers/vdisk_nullio/mgmt", "del_device nosuch\n"), EINVAL);
  EXPECT_EQ(read("last_sysfs_mgmt_res"), "-22\n");
  EXPECT_EQ(write("poll_us", "7\n"), 0) << "stored directly";
  EXPECT_EQ(write("threads", "bad\n"), EINVAL) << "refused before it is queued";
  EXPECT_EQ(read("last_sysfs_mgmt_res"), "-22\n");
  EXPECT_EQ(write("threads", "2\n"), 0);
  EXPECT_EQ(read("last_sysfs_mgmt_res"), "0\n");
  EXPECT_EQ(write(target_ + "/cpu_mask", read(target_ + "/cpu_mask")), 0) << "unchanged: not queued";
  EXPECT_EQ(write(target_ + "/rel_tgt_id", "x\n"), EINVAL);
  EXPECT_EQ(read("last_sysfs_mgmt_res"), "0\n");
}

TEST_F(TreeTest, RefusedWritesAreLoggedWithTheirReason) {
  write("handlers/vdisk_nullio/mgmt", "del_device no\tsuch\n");
  ASSERT_FALSE(engine_.log_lines.empty());
  EXPECT_TRUE(engine_.log_lines.back().starts_with("handlers/vdisk_nullio/mgmt: 'del_device no?such' was refused: "))
      << engine_.log_lines.back();
}

TEST_F(TreeTest, PendingWorkShowsAndHoldsNothingElseUp) {
  EXPECT_EQ(write("handlers/vdisk_nullio/mgmt", "add_device slow\n"), kWaiting);
  EXPECT_EQ(read("last_sysfs_mgmt_res"), "error " + std::to_string(EAGAIN));
  EXPECT_EQ(write("handlers/vdisk_nullio/mgmt", "add_device n1\n"), 0);
  EXPECT_EQ(read("devices/n1/size_mb"), "16\n");
  EXPECT_EQ(read("last_sysfs_mgmt_res"), "error " + std::to_string(EAGAIN));
  engine_.nullio.finish_slow();
  EXPECT_EQ(read("last_sysfs_mgmt_res"), "0\n");
  EXPECT_TRUE(walk("devices/slow"));
}

TEST_F(TreeTest, OpenFilesOfRemovedObjectsAnswerNoDevice) {
  write("handlers/vdisk_nullio/mgmt", "add_device gone\n");
  auto file = open("devices/gone/size_mb", O_RDWR);
  auto directory = *walk("devices/gone");
  EXPECT_EQ(*read_at(*file, 0, 100), "16\n");
  EXPECT_EQ(tree_.attributes(directory).st_nlink, 3U);
  write("handlers/vdisk_nullio/mgmt", "del_device gone\n");
  EXPECT_EQ(read_at(*file, 3, 100).error(), ENODEV);
  write("handlers/vdisk_nullio/mgmt", "add_device gone\n");
  EXPECT_EQ(read_at(*file, 0, 100).error(), ENODEV) << "also when the name has come back";
  int result = 0;
  tree_.write(*file, "5\n", writer_, [&](OrErrno<std::size_t> taken) { result = taken ? 0 : taken.error(); });
  EXPECT_EQ(result, ENODEV);
  EXPECT_FALSE(tree_.exists(*file));
  EXPECT_EQ(tree_.attributes(file->id()).st_size, 4096);
  EXPECT_EQ(tree_.attributes(directory).st_nlink, 2U);
  tree_.close(std::move(file));
}

TEST_F(TreeTest, ReadsThatGoOnSeeOneContent) {
  auto file = open("threads", O_RDWR);
  EXPECT_EQ(*read_at(*file, 0, 1), "2");
  write("threads", "4\n");
  EXPECT_EQ(*read_at(*file, 1, 10), "\n") << "goes on in the old text";
  EXPECT_EQ(*read_at(*file, 2, 10), "");
  EXPECT_EQ(*read_at(*file, 0, 10), "4\n[key]\n");
  EXPECT_EQ(*read_at(*file, 4, 10), "ey]\n");
  write("threads", "2\n");
  EXPECT_EQ(*read_at(*file, 1, 10), "\n") << "anywhere else: made anew";
  EXPECT_EQ(*read_at(*file, 5000, 10), "");
  tree_.close(std::move(file));
}

TEST_F(TreeTest, WritesAreCutAtAPageAndEndAtNul) {
  auto file = open(target_ + "/comment", O_WRONLY);
  std::size_t taken = 0;
  auto write_all = [&](std::string_view text) {
    tree_.write(*file, text, writer_, [&](OrErrno<std::size_t> n) { taken = n.value_or(0); });
  };
  write_all(std::string(5000, 'x'));
  EXPECT_EQ(taken, 4096U);
  EXPECT_EQ(engine_.target.comment.size(), 4096U);
  write_all(std::string_view("ab\0cd\n", 6));
  EXPECT_EQ(taken, 6U);
  EXPECT_EQ(engine_.target.comment, "ab");
  taken = 99;
  write_all("");
  EXPECT_EQ(taken, 0U);
  EXPECT_EQ(engine_.target.comment, "ab") << "a write of nothing does nothing";
  tree_.close(std::move(file));
}

TEST_F(TreeTest, ModeBitsHoldForRoot) {
  auto version = *walk("version");
  EXPECT_EQ(tree_.open(version, O_WRONLY, 1).error(), EACCES);
  tree_.change(version).mode = 0666;
  auto file = tree_.open(version, O_WRONLY, 1);
  ASSERT_TRUE(file);
  int result = 0;
  tree_.write(**file, "1\n", writer_, [&](OrErrno<std::size_t> taken) { result = taken ? 0 : taken.error(); });
  EXPECT_EQ(result, EIO);
  tree_.close(std::move(*file));
  write("handlers/vdisk_nullio/mgmt", "add_device n1\n");
  EXPECT_EQ(tree_.open(*walk("devices/n1/sync"), O_RDONLY, 1).error(), EACCES);
  EXPECT_EQ(tree_.open(*walk("threads"), O_RDONLY | O_DIRECT, 1).error(), EINVAL);
}

TEST_F(TreeTest, ChangesStickThoughTheKernelForgets) {
  auto id = *walk("threads");
  tree_.change(id).uid = 1000;
  tree_.forget(id, 1);
  EXPECT_EQ(tree_.attributes(*walk("threads")).st_uid, 1000U);
}

TEST_F(TreeTest, NodesAreForgotten) {
  auto before = tree_.node_count();
  auto devices = *walk("devices");
  tree_.forget(devices, 1);
  EXPECT_EQ(tree_.node_count(), before);
}

TEST_F(TreeTest, ExtendedAttributesAsRecorded) {
  auto id = *walk("threads");
  EXPECT_EQ(tree_.extended_attribute(id, "user.x").error(), ENODATA);
  EXPECT_EQ(tree_.set_extended_attribute(id, "user.x", "1", 0), ENOTSUP);
  EXPECT_EQ(tree_.set_extended_attribute(id, "trusted.x", "1", 0), 0);
  EXPECT_EQ(*tree_.extended_attribute(id, "trusted.x"), "1");
  EXPECT_EQ(tree_.set_extended_attribute(id, "trusted.x", "2", XATTR_CREATE), EEXIST);
}

// The kernel serialises the writers of one node id.
TEST_F(TreeTest, AFileOpenForWritingGetsAnotherId) {
  auto first = *walk("threads");
  auto inode = tree_.attributes(first).st_ino;
  auto second = *walk("threads");
  EXPECT_EQ(first, second);
  auto writer = tree_.open(first, O_WRONLY, 1);
  ASSERT_TRUE(writer);
  EXPECT_EQ(tree_.open(second, O_WRONLY, 2).error(), ESTALE) << "looked up before the other opened it";
  auto third = *walk("threads");
  EXPECT_NE(third, first);
  EXPECT_EQ(tree_.attributes(third).st_ino, inode);
  auto other = tree_.open(third, O_WRONLY, 2);
  EXPECT_TRUE(other);
  tree_.close(std::move(*writer));
  tree_.close(std::move(*other));
}

TEST_F(TreeTest, GroupsAndInitiators) {
  auto groups = target_ + "/ini_groups";
  EXPECT_EQ(write(groups + "/mgmt", "create g1 extra\n"), 0);
  EXPECT_EQ(write(groups + "/mgmt", "create g1\n"), EEXIST);
  EXPECT_EQ(write(groups + "/mgmt", "create mgmt\n"), EEXIST);
  EXPECT_EQ(write(groups + "/mgmt", "create a/b\n"), 0);
  EXPECT_TRUE(walk(groups + "/a!b"));
  EXPECT_EQ(write(groups + "/mgmt", "create a!b\n"), EEXIST);
  EXPECT_EQ(write(groups + "/mgmt", "create ..\n"), 0) << "cannot be seen";
  auto listed = names(groups);
  EXPECT_EQ(std::count(listed.begin(), listed.end(), ".."), 1);
  EXPECT_EQ(write(groups + "/mgmt", "del a/b\n"), 0);
  EXPECT_EQ(write(groups + "/g1/initiators/mgmt", "add *\n"), 0);
  EXPECT_EQ(write(groups + "/g1/initiators/mgmt", "add mgmt\n"), EEXIST);
  EXPECT_EQ(read(groups + "/g1/initiators/*"), "*\n");
  auto open_name = open(groups + "/g1/initiators/*", O_RDONLY);
  EXPECT_EQ(write(groups + "/g1/initiators/mgmt", "del *\n"), 0);
  EXPECT_EQ(read_at(*open_name, 0, 10).error(), ENODEV);
  tree_.close(std::move(open_name));
}

TEST_F(TreeTest, AGroupThatComesBackIsAnother) {
  auto groups = target_ + "/ini_groups";
  write(groups + "/mgmt", "create g\n");
  auto file = open(groups + "/g/black_hole", O_RDONLY);
  write(groups + "/mgmt", "del g\n");
  write(groups + "/mgmt", "create g\n");
  EXPECT_EQ(read_at(*file, 0, 10).error(), ENODEV);
  EXPECT_EQ(read(groups + "/g/black_hole"), "0\n");
  tree_.close(std::move(file));
}

TEST_F(TreeTest, SessionsFollowTheirGroup) {
  write("handlers/vdisk_nullio/mgmt", "add_device n1\n");
  write(target_ + "/luns/mgmt", "add n1 0\n");
  engine_.log_in("192.168.7.1");
  engine_.log_in("192.168.7.1");
  auto session = target_ + "/sessions/192.168.7.1_1";
  EXPECT_EQ(read(session + "/initiator_name"), "192.168.7.1\n");
  EXPECT_EQ(*tree_.read_link(*walk(session + "/luns")), "../../luns");
  EXPECT_TRUE(walk(session + "/lun0/active_commands"));
  EXPECT_TRUE(walk(session + "/latency/b524288"));
  EXPECT_EQ(tree_.attributes(*walk(session)).st_nlink, 4U);
  write(target_ + "/ini_groups/mgmt", "create g\n");
  write(target_ + "/ini_groups/g/initiators/mgmt", "add 192.*\n");
  EXPECT_EQ(*tree_.read_link(*walk(session + "/luns")), "../../ini_groups/g/luns");
  EXPECT_FALSE(walk(session + "/lun0"));
  EXPECT_EQ(write(target_ + "/ini_groups/mgmt", "del g\n"), EBUSY);
  EXPECT_EQ(write(session + "/force_close", "1\n"), 0);
  EXPECT_EQ(engine_.transport.closed, 1);
}

TEST_F(TreeTest, CountersAreClearedByDirection) {
  auto session = engine_.log_in("a");
  session->counters().read.commands = 5;
  session->counters().read.bytes = 8192;
  session->counters().write.commands = 3;
  EXPECT_EQ(read(target_ + "/read_io_count_kb"), "8\n");
  EXPECT_EQ(read(target_ + "/sessions/a/read_cmd_count"), "5\n");
  EXPECT_EQ(write(target_ + "/sessions/a/read_cmd_count", "x\n"), 0);
  EXPECT_EQ(read(target_ + "/sessions/a/read_io_count_kb"), "0\n");
  EXPECT_EQ(read(target_ + "/sessions/a/write_cmd_count"), "3\n");
}

TEST_F(TreeTest, RelativeTargetIdAndEnabled) {
  EXPECT_EQ(write(target_ + "/enabled", "2\n"), EINVAL);
  EXPECT_EQ(write(target_ + "/enabled", "1abc\n"), 0);
  EXPECT_EQ(read(target_ + "/enabled"), "1\n");
  EXPECT_EQ(read(target_ + "/rel_tgt_id"), "1\n[key]\n");
  EXPECT_EQ(write(target_ + "/rel_tgt_id", "0\n"), EBADSLT);
  EXPECT_EQ(read("last_sysfs_mgmt_res"), "-57\n");
  EXPECT_EQ(write(target_ + "/enabled", "0\n"), 0);
  EXPECT_EQ(write(target_ + "/rel_tgt_id", "0\n"), 0);
}

TEST_F(TreeTest, SuspendCounts) {
  EXPECT_EQ(write("suspend", "0x5\n"), 0);
  EXPECT_EQ(write("suspend", "5\n"), 0);
  EXPECT_EQ(read("suspend"), "2\n");
  EXPECT_EQ(write("suspend", "-7\n"), 0);
  EXPECT_EQ(write("suspend", "-1 \n"), EINVAL);
  EXPECT_EQ(read("suspend"), "1\n");
  EXPECT_EQ(write("suspend", "-1\n"), 0);
  EXPECT_EQ(write("suspend", "-1\n"), 0) << "more often than suspended: only logged";
}

TEST_F(TreeTest, HandlersOfOneModuleShareTheTraceLevel) {
  EXPECT_EQ(write("handlers/vdisk_fileio/trace_level", "none\n"), 0);
  EXPECT_TRUE(read("handlers/vdisk_nullio/trace_level").starts_with("\n\n\nUsage:"));
}

}  // namespace
}  // namespace uscst::sysfsfs
