// T10-PI in the tree, and the LUNs that it rules out (sysfs.md 8, 9.1, 9.2).
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

struct Protection : testing::Test {
  DiskRig rig;
};

TEST_F(Protection, AttributesAsRecorded) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "dif1",
                    {{"size_mb", "8"}, {"dif_mode", "tgt|scst"}, {"dif_type", "1"}, {"dif_static_app_tag", "0x12"}}),
            0);
  EXPECT_EQ(rig.read("dif1", "dif_mode"), "tgt|scst\n[key]\n");
  EXPECT_EQ(rig.read("dif1", "dif_type"), "1\n[key]\n");
  EXPECT_EQ(rig.read("dif1", "dif_static_app_tag"), "0x12\n[key]\n");
  EXPECT_EQ(rig.row("dif1", "dif_filename"), nullptr);
  EXPECT_EQ(rig.write("dif1", "dif_mode", "tgt\n"), EACCES);
  EXPECT_EQ(rig.write("dif1", "dif_static_app_tag", "0x12345\n"), 0);
  EXPECT_EQ(rig.read("dif1", "dif_static_app_tag"), "0x2345\n[key]\n");
  EXPECT_EQ(rig.write("dif1", "dif_static_app_tag", "x\n"), EINVAL);
  EXPECT_EQ(rig.write("dif1", "dif_static_app_tag", "0\n"), 0);
  EXPECT_EQ(rig.read("dif1", "dif_static_app_tag"), "0x0\n");
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "plain", {}), 0);
  for (const char* name : {"dif_mode", "dif_type", "dif_static_app_tag", "dif_filename"})
    EXPECT_EQ(rig.row("plain", name), nullptr) << name;
}

TEST_F(Protection, FileOfTags) {
  const std::string a = rig.directory.file("a.img", 1 << 20);
  const auto add = [&](const char* name, const std::string& tags, const char* active) {
    target::Parameters parameters{{"filename", a}, {"dif_mode", "dev_store"}, {"dif_type", "3"}, {"active", active}};
    if (!tags.empty()) parameters.emplace_back("dif_filename", tags);
    return rig.add(VdiskKind::kFileio, name, parameters);
  };
  EXPECT_EQ(add("d1", "", "1"), ENOENT);  // no directory dif_tags
  EXPECT_EQ(add("d1", "/dev/null", "1"), EINVAL);
  EXPECT_EQ(add("d1", rig.directory.path(), "1"), EINVAL);
  EXPECT_EQ(add("d1", rig.directory.file("tags", 0), "1"), 0);
  EXPECT_EQ(rig.read("d1", "dif_filename"), rig.directory.path() + "/tags\n[key]\n");
  // Of an inactive disk nothing is opened.
  EXPECT_EQ(add("d2", "", "0"), 0);
  EXPECT_EQ(rig.read("d2", "dif_filename"), rig.directory.path() + "/dif_tags/d2.dif\n[key]\n");
  EXPECT_EQ(rig.write("d2", "active", "1"), ENOENT);
  std::filesystem::create_directory(rig.directory.path() + "/dif_tags");
  rig.directory.file("dif_tags/d2.dif", 0);
  EXPECT_EQ(rig.write("d2", "active", "1"), 0);
}

TEST_F(Protection, OrderOfErrors) {
  const std::string a = rig.directory.file("a.img", 1 << 20);
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "d", {{"filename", "/nonexistent/x"}, {"cluster_mode", "1"}}), ENOENT);
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "d", {{"filename", a}, {"cluster_mode", "1"}}), EOPNOTSUPP);
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "d", {{"filename", "/nonexistent/x"}, {"o_direct", "1"}}), EINVAL);
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "d", {{"filename", a}, {"active", "0"}, {"o_direct", "1"}}), EINVAL);
  EXPECT_EQ(rig.add(VdiskKind::kBlockio, "d", {{"filename", a}, {"blocksize", "8192"}}), ENOTBLK);
  EXPECT_EQ(rig.add(VdiskKind::kBlockio, "d", {{"filename", a}, {"blocksize", "8192"}, {"active", "0"}}), 0);
  // The name's serial number is looked at first.
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "n", {}), 0);
  EXPECT_EQ(rig.add(VdiskKind::kNullio, "n", {}), EEXIST);
}

// A target that cannot carry protection information doesn't get the device: no initiator ever meets one.
TEST_F(Protection, LunsOfTargets) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "tgt2", {{"dif_mode", "tgt"}, {"dif_type", "2"}}), 0);
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "scst2", {{"dif_mode", "scst"}, {"dif_type", "2"}, {"blocksize", "1024"}}), 0);
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "plain", {}), 0);
  ASSERT_EQ(rig.add_lun("plain", 0), 0);
  EXPECT_EQ(rig.add_lun("tgt2", 1), EINVAL);
  EXPECT_EQ(rig.add_lun("scst2", 1), EINVAL);
  EXPECT_EQ(rig.add_lun("tgt2", 0), EEXIST);  // told before
  const auto replace = [&](const char* device) {
    return rig.manage([&](target::Done done) {
      rig.registry.replace_lun(rig.target->default_group(), device, 0, false, target::Registry::Replace::kWithAttention,
                               std::move(done));
    });
  };
  EXPECT_EQ(replace("scst2"), EINVAL);
  EXPECT_TRUE(rig.target->default_group().luns.empty());  // as in SCST: the old one is gone

  rig.protection = {.supported = true, .target_types = 1u << 1};
  EXPECT_EQ(rig.add_lun("tgt2", 1), EINVAL);  // its hardware does type 1
  EXPECT_EQ(rig.add_lun("scst2", 2), 0);
  rig.protection.target_types = 1u << 2;
  EXPECT_EQ(rig.add_lun("tgt2", 1), 0);
  const std::uint32_t sizes[] = {512, 4096};
  rig.protection.block_bytes = sizes;
  EXPECT_EQ(rig.add_lun("tgt2", 3), 0);
  EXPECT_EQ(rig.add_lun("scst2", 4), EINVAL);
}

}  // namespace
}  // namespace uscst::handlers::test
