#include "sysfsfs/names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sysfsfs/mountinfo.h"

namespace uscst::sysfsfs {
namespace {

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return kernfs_hash(a) < kernfs_hash(b); });
  return names;
}

// Listings as recorded from the kernel.
TEST(KernfsHash, OrdersAsRecorded) {
  const std::vector<std::vector<std::string>> recorded = {
      {"setup_id", "cluster_name", "threads", "trace_mcmds", "handlers", "devices", "force_global_sgv_pool", "targets",
       "last_sysfs_mgmt_res", "max_tasklet_cmd", "sgv", "suspend", "device_groups", "measure_latency",
       "async_lun_replace", "trace_level", "version", "trace_cmds", "poll_us"},
      {"n2", "n1", "0:0:0:0"},
      {"dev_modisk_perf", "dev_disk", "vdisk_nullio", "dev_raid", "scst_user", "dev_tape", "dev_disk_perf",
       "dev_processor", "vdisk_fileio", "dev_cdrom", "vdisk_blockio", "dev_tape_perf", "dev_changer", "dev_modisk",
       "vcdrom"},
      {"sgv-clust-1", "sgv-clust", "sgv-dma-1", "global_stats", "sgv-0", "sgv-dma", "sgv", "sgv-clust-0", "sgv-dma-0",
       "sgv-1"},
  };
  for (auto names : recorded) {
    auto shuffled = names;
    std::sort(shuffled.begin(), shuffled.end());
    EXPECT_EQ(sorted(shuffled), names);
  }
}

TEST(LinkText, IsRelativeAsRecorded) {
  EXPECT_EQ(link_text("devices/d1/exported", "targets/ib_srpt/t/luns/0"), "../../../targets/ib_srpt/t/luns/0");
  EXPECT_EQ(link_text("targets/drv/tgt/ini_groups/g/luns/0", "devices/d1"), "../../../../../../../devices/d1");
  EXPECT_EQ(link_text("targets/drv/tgt/luns/0", "devices/d1"), "../../../../../devices/d1");
  EXPECT_EQ(link_text("handlers/vdisk_fileio", "devices/d1"), "../../devices/d1");
  EXPECT_EQ(link_text("devices/d1", "handlers/vdisk_fileio"), "../../handlers/vdisk_fileio");
  EXPECT_EQ(link_text("targets/d/t/sessions/s", "targets/d/t/luns"), "../../luns");
  EXPECT_EQ(link_text("targets/d/t/sessions/s", "targets/d/t/ini_groups/g/luns"), "../../ini_groups/g/luns");
}

TEST(LinkText, DoesNotMistakeACommonPrefixForACommonDirectory) {
  EXPECT_EQ(link_text("a/bc", "a/bd"), "../bd");
  EXPECT_EQ(link_text("a/b", "a/bd"), "../bd");
}

TEST(ShownName, HasNoSlash) { EXPECT_EQ(shown_name("a/b/c"), "a!b!c"); }

TEST(DecimalName, TakesOnlyTheFormThatIsShown) {
  std::uint64_t value = 0;
  EXPECT_TRUE(parse_decimal_name("0", 10, value));
  EXPECT_TRUE(parse_decimal_name("10", 10, value));
  EXPECT_EQ(value, 10U);
  for (auto bad : {"", "00", "01", "11", "+1", "-1", "0x1", "1 ", "99999999999999999999"}) {
    EXPECT_FALSE(parse_decimal_name(bad, 10, value)) << bad;
  }
}

TEST(Mountinfo, IsRead) {
  auto mounts = parse_mountinfo(
      "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
      "30 22 0:26 / /with\\040blank rw master:1 shared:7 propagate_from:2 - tmpfs uscst rw\n"
      "31 30 0:27 / /with\\040blank/x rw - fuse.uscst uscst rw\n"
      "broken line\n");
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_EQ(mounts[0].peer_group, 1);
  EXPECT_EQ(mounts[1].mount_point, "/with blank");
  EXPECT_EQ(mounts[1].peer_group, 7);
  EXPECT_EQ(mounts[1].source, "uscst");
  EXPECT_EQ(mounts[2].type, "fuse.uscst");
  auto below = subtree(mounts, 30);
  ASSERT_EQ(below.size(), 2U);
  EXPECT_EQ(below[0].id, 31) << "deepest first";
}

}  // namespace
}  // namespace uscst::sysfsfs
