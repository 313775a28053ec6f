// The tree as /sys/kernel/scst_tgt, in a mount namespace of the test's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "sysfsfs/mountinfo.h"
#include "tests/unit/sysfsfs/served_tree.h"

namespace uscst::sysfsfs {
namespace {

constexpr const char* kBelow = "/sys/kernel/debug";

std::string mountinfo() {
  std::ifstream file("/proc/self/mountinfo");
  return {std::istreambuf_iterator<char>(file), {}};
}

class ShadowTest : public testing::TestWithParam<unsigned long> {
 protected:
  void SetUp() override {
    if (auto why_not = prepare_mounts(); !why_not.empty()) GTEST_SKIP() << why_not;
    if (std::filesystem::exists(kDefaultTree)) GTEST_SKIP() << kDefaultTree << " exists: a kernel SCST?";
    char name[] = "/tmp/uscst-stage-XXXXXX";
    stage_ = mkdtemp(name);
    options_.stage = stage_;
    ASSERT_EQ(mount("none", "/", nullptr, GetParam() | MS_REC, nullptr), 0);
    // Something mounted below, with something mounted in it.
    ASSERT_EQ(mount("below", kBelow, "tmpfs", 0, nullptr), 0);
    std::filesystem::create_directory(std::string(kBelow) + "/inner");
    ASSERT_EQ(mount("inner", (std::string(kBelow) + "/inner").c_str(), "tmpfs", 0, nullptr), 0);
    std::ofstream(std::string(kBelow) + "/inner/file") << "kept";
    before_ = mountinfo();
  }
  void TearDown() override {
    if (stage_.empty()) return;
    umount2(kBelow, MNT_DETACH);
    mount("none", "/", nullptr, MS_PRIVATE | MS_REC, nullptr);
    std::filesystem::remove(stage_);
  }
  static std::size_t shadows() {
    std::size_t count = 0;
    for (const MountEntry& mount : read_mountinfo()) count += mount.mount_point == "/sys/kernel" ? 1 : 0;
    return count;
  }
  // Mounts in a child process that ends at this step; false when mounting has fewer steps.
  bool die_at(int step) {
    pid_t child = fork();
    if (child == 0) {
      MountOptions options = options_;
      options.before_step = [step](int number, std::string_view) {
        if (number == step) _exit(42);
      };
      base::Log log([](base::LogLevel, std::string_view) {});
      _exit(mount_tree(options, log) ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_NE(WEXITSTATUS(status), 1) << "step " << step;
    return WEXITSTATUS(status) == 42;
  }

  MountOptions options_;
  std::string stage_, before_;
  base::Log log_{[](base::LogLevel, std::string_view) {}};
};

TEST_P(ShadowTest, ShowsTheTreeBesideItsNeighboursAndGoesWithoutATrace) {
  {
    ServedTree served(options_);
    ASSERT_TRUE(served.mounted()) << served.tree().error().text;
    EXPECT_TRUE(std::filesystem::exists("/sys/kernel/scst_tgt/version"));
    EXPECT_TRUE(std::filesystem::is_directory("/sys/kernel/mm"));
    EXPECT_TRUE(std::filesystem::exists("/sys/kernel/uevent_seqnum"));
    EXPECT_TRUE(std::filesystem::exists(std::string(kBelow) + "/inner/file"));
    EXPECT_EQ(mkdir("/sys/kernel/x", 0755), -1);
    EXPECT_EQ(shadows(), 1U);
    EXPECT_TRUE(served.unmount());
  }
  EXPECT_EQ(mountinfo(), before_);
  EXPECT_TRUE(std::filesystem::exists(std::string(kBelow) + "/inner/file"));
  EXPECT_FALSE(std::filesystem::exists(kDefaultTree));
}

TEST_P(ShadowTest, WhatADaemonLeftAtAnyStepIsTakenAway) {
  int step = 1;
  for (; die_at(step); ++step) {
    ASSERT_LE(shadows(), 1U);
    ASSERT_TRUE(remove_stale_mounts(options_, log_)) << "step " << step;
    ASSERT_EQ(mountinfo(), before_) << "step " << step;
    ASSERT_TRUE(std::filesystem::exists(std::string(kBelow) + "/inner/file")) << "step " << step;
  }
  EXPECT_GT(step, 10);
  // The last child mounted everything and ended; a new start takes its place, shadowing once.
  EXPECT_EQ(shadows(), 1U);
  {
    ServedTree served(options_);
    ASSERT_TRUE(served.mounted()) << served.tree().error().text;
    EXPECT_EQ(shadows(), 1U);
    EXPECT_TRUE(std::filesystem::exists("/sys/kernel/scst_tgt/version"));
  }
  EXPECT_EQ(mountinfo(), before_);
}

TEST_P(ShadowTest, ALivingDaemonIsLeftAlone) {
  ServedTree served(options_);
  ASSERT_TRUE(served.mounted());
  auto second = mount_tree(options_, log_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EBUSY);
  EXPECT_TRUE(std::filesystem::exists("/sys/kernel/scst_tgt/version"));
}

TEST_P(ShadowTest, MountsMadeMeanwhileAreKept) {
  ServedTree served(options_);
  ASSERT_TRUE(served.mounted());
  ASSERT_EQ(mount("late", "/sys/kernel/mm", "tmpfs", 0, nullptr), 0);
  std::ofstream("/sys/kernel/mm/late") << "x";
  EXPECT_TRUE(served.unmount());
  EXPECT_TRUE(std::filesystem::exists("/sys/kernel/mm/late"));
  EXPECT_EQ(shadows(), 0U);
  EXPECT_EQ(umount2("/sys/kernel/mm", 0), 0);
  EXPECT_EQ(mountinfo(), before_);
}

// Another mount namespace got the shadow by propagation, and loses it.
TEST_P(ShadowTest, OtherNamespacesAreCleanedToo) {
  if (GetParam() != MS_SHARED) GTEST_SKIP() << "nothing is propagated";
  int ready[2], look[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(look), 0);
  pid_t child = fork();
  char byte = 0;
  if (child == 0) {
    bool separate = unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_SLAVE | MS_REC, nullptr) == 0;
    auto mounts_before = read_mountinfo().size();
    (void)!write(ready[1], "x", 1);
    (void)!read(look[0], &byte, 1);
    bool got_it = read_mountinfo().size() > mounts_before;
    (void)!write(ready[1], "x", 1);
    (void)!read(look[0], &byte, 1);
    bool lost_it = read_mountinfo().size() == mounts_before;
    _exit(!separate ? 1 : !got_it ? 2 : !lost_it ? 3 : 0);
  }
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  {
    ServedTree served(options_);
    ASSERT_TRUE(served.mounted());
    (void)!write(look[1], "x", 1);
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
  }
  (void)!write(look[1], "x", 1);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  for (int fd : {ready[0], ready[1], look[0], look[1]}) close(fd);
}

INSTANTIATE_TEST_SUITE_P(Propagation, ShadowTest, testing::Values(MS_PRIVATE, MS_SHARED),
                         [](const auto& suite) { return suite.param == MS_SHARED ? "Shared" : "Private"; });

TEST(MountTest, AStaleMountOnADirectoryIsReplaced) {
  if (auto why_not = prepare_mounts(); !why_not.empty()) GTEST_SKIP() << why_not;
  char name[] = "/tmp/uscst-tree-XXXXXX";
  std::string directory = mkdtemp(name);
  MountOptions options{.directory = directory};
  auto before = mountinfo();
  base::Log log([](base::LogLevel, std::string_view) {});
  pid_t child = fork();
  if (child == 0) _exit(mount_tree(options, log) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 0);
  EXPECT_NE(mountinfo(), before);
  {
    ServedTree served(options);
    ASSERT_TRUE(served.mounted()) << served.tree().error().text;
    EXPECT_TRUE(std::filesystem::exists(directory + "/version"));
  }
  EXPECT_EQ(mountinfo(), before);
  std::filesystem::remove(directory);
}

TEST(MountTest, ADirectoryThatIsNotThereIsMadeAndRemoved) {
  if (auto why_not = prepare_mounts(); !why_not.empty()) GTEST_SKIP() << why_not;
  char name[] = "/tmp/uscst-tree-XXXXXX";
  std::string directory = mkdtemp(name);
  {
    ServedTree served(MountOptions{.directory = directory + "/tree/"});
    ASSERT_TRUE(served.mounted()) << served.tree().error().text;
    EXPECT_TRUE(std::filesystem::exists(directory + "/tree/version"));
  }
  EXPECT_FALSE(std::filesystem::exists(directory + "/tree"));
  std::filesystem::remove(directory);
}

TEST(MountTest, RefusesWhatIsNoAbsolutePath) {
  base::Log log([](base::LogLevel, std::string_view) {});
  EXPECT_EQ(mount_tree({.directory = "relative"}, log).error().code, EINVAL);
  EXPECT_EQ(mount_tree({.directory = "/"}, log).error().code, EINVAL);
}

}  // namespace
}  // namespace uscst::sysfsfs
