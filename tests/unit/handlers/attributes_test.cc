// The rows of virtual disks against the recorded trees and writes (trees/*.dump, transcripts/06, 07, 08, 43).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "engine/target/device_groups.h"
#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

class Attributes : public testing::Test {
 protected:
  std::string path(const std::string& name, std::uint64_t size = 16u << 20) { return rig.directory.file(name, size); }
  std::set<std::string> names(const std::string& device) {
    std::set<std::string> found;
    for (const auto& row : rig.device(device).unit().attributes()) {
      if (!row.present || row.present(rig.device(device))) found.emplace(row.name);
    }
    return found;
  }
  DiskRig rig;
};

TEST_F(Attributes, FileDiskAsRecorded) {
  const std::string file = path("a.img");
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "disk1", {{"filename", file}}), 0);
  const std::pair<const char*, std::string> recorded[] = {{"active", "1\n"},
                                                          {"async", "0\n"},
                                                          {"bind_alua_state", "0\n"},
                                                          {"blocksize", "512\n"},
                                                          {"cluster_mode", "0\n"},
                                                          {"eui64_id", "\n"},
                                                          {"expl_alua", "0\n"},
                                                          {"filename", file + "\n[key]\n"},
                                                          {"inq_vend_specific", "\n"},
                                                          {"lb_per_pb_exp", "1\n"},
                                                          {"naa_id", "\n"},
                                                          {"nv_cache", "0\n"},
                                                          {"o_direct", "0\n"},
                                                          {"opt_trans_len", "524288\n"},
                                                          {"prod_id", "disk1\n"},
                                                          {"prod_rev_lvl", "3110\n"},
                                                          {"read_only", "0\n"},
                                                          {"removable", "0\n"},
                                                          {"rotational", "1\n"},
                                                          {"scsi_device_name", "\n"},
                                                          {"size", "16777216\n[key]\n"},
                                                          {"size_mb", "16\n"},
                                                          {"t10_dev_id", "b8fdbd32-disk1\n"},
                                                          {"t10_vend_id", "SCST_FIO\n"},
                                                          {"thin_provisioned", "0\n"},
                                                          {"tst", "1\n"},
                                                          {"usn", "b8fdbd32\n"},
                                                          {"vend_specific_id", "b8fdbd32-disk1\n"},
                                                          {"write_through", "0\n"}};
  std::set<std::string> expected{"resync_size", "sync"};
  for (const auto& [name, content] : recorded) {
    EXPECT_EQ(rig.read("disk1", name), content) << name;
    expected.emplace(name);
  }
  EXPECT_EQ(names("disk1"), expected);
  EXPECT_EQ(rig.device("disk1").threads_num, 8);
}

TEST_F(Attributes, NullDiskAsRecorded) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "null0", {}), 0);
  EXPECT_EQ(rig.read("null0", "size"), "2748779069440\n");
  EXPECT_EQ(rig.read("null0", "size_mb"), "2621440\n");
  EXPECT_EQ(rig.read("null0", "usn"), "c8054713\n");
  EXPECT_EQ(names("null0"),
            (std::set<std::string>{"blocksize",         "cluster_mode",     "dummy",         "eui64_id",
                                   "inq_vend_specific", "naa_id",           "opt_trans_len", "prod_id",
                                   "prod_rev_lvl",      "read_only",        "read_zero",     "removable",
                                   "rotational",        "scsi_device_name", "size",          "size_mb",
                                   "t10_dev_id",        "t10_vend_id",      "tst",           "usn",
                                   "vend_specific_id"}));
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "null3",
                    {{"size_mb", "4"},
                     {"blocksize", "4096"},
                     {"read_only", "1"},
                     {"removable", "1"},
                     {"rotational", "0"},
                     {"tst", "0"},
                     {"t10_dev_id", "combo"}}),
            0);
  EXPECT_EQ(rig.read("null3", "size"), "4194304\n[key]\n");
  EXPECT_EQ(rig.read("null3", "blocksize"), "4096\n[key]\n");
  EXPECT_EQ(rig.read("null3", "read_only"), "1\n[key]\n");
  EXPECT_EQ(rig.read("null3", "removable"), "1\n[key]\n");
  EXPECT_EQ(rig.read("null3", "rotational"), "0\n[key]\n");
  EXPECT_EQ(rig.read("null3", "tst"), "0\n[key]\n");
  EXPECT_EQ(rig.read("null3", "t10_dev_id"), "combo\n[key]\n");
  EXPECT_TRUE(rig.read("null3", "vend_specific_id").ends_with("-null3\n"));  // generated all the same
}

TEST_F(Attributes, SizeOfNullDisk) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "n1", {{"size_mb", "16"}}), 0);
  struct Case {
    const char *name, *text;
    int code;
    const char* size;
  };
  const Case cases[] = {
      {"size", "0\n", 0, "0"},
      {"size", "1\n", EINVAL, "0"},
      {"size", "\n", EINVAL, "0"},
      {"size", "abc\n", EINVAL, "0"},
      {"size", "0x1\n", 0, "0"},
      {"size", "-1\n", EINVAL, "0"},
      {"size", " 1\n", EINVAL, "0"},
      {"size", "1048576\n", 0, "1048576"},
      {"size", "4096 \n", 0, "4096"},
      {"size", "0x100000\n", 0, "0"},
      {"size_mb", "1 \n", 0, "1048576"},
      {"size_mb", " 1\n", 0, "1048576"},
      {"size_mb", "99999999999999\n", EINVAL, "1048576"},
      {"size_mb", "-1\n", EINVAL, "1048576"},
      {"size_mb", "32\n", 0, "33554432"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(rig.write("n1", one.name, one.text), one.code) << one.text;
    EXPECT_EQ(rig.read("n1", "size"), std::string(one.size) + "\n[key]\n") << one.text;
  }
}

TEST_F(Attributes, Texts) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "f1", {}), 0);
  const std::string long_text(5000, 'x');
  EXPECT_EQ(rig.write("f1", "t10_vend_id", "a\nb\n"), 0);
  EXPECT_EQ(rig.read("f1", "t10_vend_id"), "a\n[key]\n");
  EXPECT_EQ(rig.write("f1", "t10_vend_id", "sssssssss\n"), EINVAL);
  EXPECT_EQ(rig.write("f1", "t10_vend_id", "\n"), 0);
  EXPECT_EQ(rig.read("f1", "t10_vend_id"), "\n[key]\n");
  EXPECT_EQ(rig.write("f1", "usn", " ab \n"), 0);
  EXPECT_EQ(rig.read("f1", "usn"), " ab \n[key]\n");
  EXPECT_EQ(rig.write("f1", "usn", std::string(21, 's')), EINVAL);
  EXPECT_EQ(rig.write("f1", "prod_id", std::string(16, 's')), 0);
  EXPECT_EQ(rig.write("f1", "prod_id", std::string(17, 's')), EINVAL);
  EXPECT_EQ(rig.write("f1", "prod_rev_lvl", "sssss\n"), EINVAL);
  EXPECT_EQ(rig.write("f1", "vend_specific_id", std::string(128, 's')), 0);
  EXPECT_EQ(rig.write("f1", "t10_dev_id", std::string(26, 's')), EINVAL);
  EXPECT_EQ(rig.write("f1", "scsi_device_name", "abc\n"), 0);
  EXPECT_EQ(rig.read("f1", "scsi_device_name"), "abc\n[key]\n");
  EXPECT_EQ(rig.write("f1", "scsi_device_name", "\n"), 0);
  EXPECT_EQ(rig.read("f1", "scsi_device_name"), "\n");
  EXPECT_EQ(rig.write("f1", "inq_vend_specific", long_text), EINVAL);
}

TEST_F(Attributes, Identifiers) {
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "f1", {}), 0);
  for (const char* bad : {"abc", "a\nb\n", "0x001122334455667\n", "0xZZ11223344556677\n"})
    EXPECT_EQ(rig.write("f1", "eui64_id", bad), EINVAL) << bad;
  EXPECT_EQ(rig.write("f1", "eui64_id", "0x00112233445566778899aabb\n"), 0);
  EXPECT_EQ(rig.read("f1", "eui64_id"), "0x00112233445566778899aabb\n[key]\n");
  EXPECT_EQ(rig.write("f1", "eui64_id", "\n"), 0);
  EXPECT_EQ(rig.read("f1", "eui64_id"), "\n");
  for (const char* bad : {"0x6001405000000001\n", "0x1001405000000001\n", "0x500140500000000\n"})
    EXPECT_EQ(rig.write("f1", "naa_id", bad), EINVAL) << bad;
  EXPECT_EQ(rig.write("f1", "naa_id", "0x60014050000000010000000000000002\n"), 0);
  EXPECT_EQ(rig.write("f1", "naa_id", "0x5001405000000001 \n"), 0);
  EXPECT_EQ(rig.read("f1", "naa_id"), "0x5001405000000001\n[key]\n");
}

TEST_F(Attributes, Numbers) {
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "f1", {{"filename", path("a.img")}}), 0);
  EXPECT_EQ(rig.write("f1", "opt_trans_len", "1\n"), EINVAL);
  EXPECT_EQ(rig.write("f1", "opt_trans_len", "524288\n"), 0);
  EXPECT_EQ(rig.read("f1", "opt_trans_len"), "524288\n[key]\n");  // written, though the default
  EXPECT_EQ(rig.write("f1", "expl_alua", "2\n"), 0);
  EXPECT_EQ(rig.read("f1", "expl_alua"), "1\n[key]\n");
  EXPECT_EQ(rig.write("f1", "async", "2\n"), EINVAL);
  EXPECT_EQ(rig.write("f1", "async", "1"), 0);
  EXPECT_EQ(rig.write("f1", "lb_per_pb_exp", "0\n"), 0);
  EXPECT_EQ(rig.read("f1", "lb_per_pb_exp"), "0\n[key]\n");
  EXPECT_EQ(rig.write("f1", "lb_per_pb_exp", "1 \n"), EINVAL);
  EXPECT_EQ(rig.write("f1", "cluster_mode", "1\n"), EOPNOTSUPP);
  EXPECT_EQ(rig.write("f1", "size", "1\n"), EACCES);
  EXPECT_EQ(rig.write("f1", "sync", "x"), 0);
}

TEST_F(Attributes, ActiveAndFilename) {
  const std::string a = path("a.img"), b = path("b.img", 8u << 20);
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "f1", {{"filename", a}}), 0);
  EXPECT_EQ(rig.write("f1", "filename", b), EINVAL);
  EXPECT_EQ(rig.write("f1", "active", "2\n"), EINVAL);
  EXPECT_EQ(rig.write("f1", "active", "0\n"), 0);
  EXPECT_EQ(rig.read("f1", "active"), "0\n[key]\n");
  EXPECT_EQ(rig.disk("f1").store(), nullptr);
  EXPECT_EQ(rig.write("f1", "resync_size", "1\n"), EMEDIUMTYPE);
  EXPECT_EQ(rig.write("f1", "filename", "relative\n"), EINVAL);
  EXPECT_EQ(rig.write("f1", "filename", "/nonexistent/x\n"), 0);
  EXPECT_EQ(rig.write("f1", "active", "1\n"), ENOENT);
  EXPECT_EQ(rig.read("f1", "active"), "0\n[key]\n");
  EXPECT_EQ(rig.write("f1", "filename", " " + b + " \n"), 0);
  EXPECT_EQ(rig.write("f1", "active", "1\n"), 0);
  EXPECT_EQ(rig.read("f1", "active"), "1\n");
  EXPECT_EQ(rig.read("f1", "size"), "8388608\n[key]\n");
}

// What each write tells the initiators.
TEST_F(Attributes, UnitAttentions) {
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "f1", {{"filename", path("a.img")}, {"thin_provisioned", "1"}}), 0);
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "n1", {{"size_mb", "16"}}), 0);
  rig.map("f1", 0);
  rig.map("n1", 1);
  auto initiator = rig.connect();
  const auto told = [&](const char* device, const char* attribute, const char* text) {
    const std::uint16_t lun = device[0] == 'f' ? 0 : 1;
    EXPECT_EQ(rig.write(device, attribute, text), 0) << attribute;
    const unsigned code = initiator->run({0, 0, 0, 0, 0, 0}, 0, {}, lun).code();
    EXPECT_TRUE(initiator->run({0, 0, 0, 0, 0, 0}, 0, {}, lun).good()) << attribute;  // told once
    return code;
  };
  for (const char* attribute : {"t10_vend_id", "vend_specific_id", "prod_id", "prod_rev_lvl", "scsi_device_name",
                                "t10_dev_id", "usn", "inq_vend_specific"})
    EXPECT_EQ(told("f1", attribute, "abc"), 0x063F03u) << attribute;
  EXPECT_EQ(told("f1", "eui64_id", "0x0011223344556677"), 0x063F03u);
  EXPECT_EQ(told("f1", "naa_id", "0x5001405000000001"), 0x063F03u);
  for (const char* quiet : {"opt_trans_len", "expl_alua", "async", "bind_alua_state", "lb_per_pb_exp", "resync_size"})
    EXPECT_EQ(told("f1", quiet, "0"), 0u) << quiet;
  EXPECT_EQ(told("f1", "gen_tp_soft_threshold_reached_UA", "1"), 0x063807u);
  EXPECT_EQ(told("n1", "size", "16777216"), 0x062A09u);  // also where it stays
  EXPECT_EQ(told("n1", "size_mb", "1"), 0x062A09u);
  EXPECT_EQ(told("n1", "read_zero", "1"), 0u);
}

// Whoever waits for the store, as failover scripts do, finds it closed.
TEST_F(Attributes, InactiveMeansClosed) {
  const std::string a = path("a.img");
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "f1", {{"filename", a}}), 0);
  const auto open_descriptors = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code error;
      count += std::filesystem::read_symlink(entry, error) == a ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(open_descriptors(), 1);
  EXPECT_EQ(rig.write("f1", "active", "0"), 0);
  EXPECT_EQ(open_descriptors(), 0);
  EXPECT_EQ(rig.write("f1", "active", "1"), 0);
  EXPECT_EQ(open_descriptors(), 1);
  EXPECT_EQ(rig.manage([&](target::Done done) { rig.registry.delete_device(rig.file_handler, "f1", std::move(done)); }),
            0);
  EXPECT_EQ(open_descriptors(), 0);
}

// sysfs.md 16: `bind_alua_state` closes the store with the state, and opens it again.
TEST_F(Attributes, TheStoreFollowsTheAluaState) {
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "f1", {{"filename", path("a.img")}, {"bind_alua_state", "1"}}), 0);
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "f2", {{"filename", path("b.img")}}), 0);
  rig.map("f1", 0);
  auto initiator = rig.connect();
  target::DeviceGroups& groups = rig.registry.device_groups();
  ASSERT_TRUE(groups.create("dg"));
  target::DeviceGroup& group = *groups.find("dg");
  ASSERT_TRUE(groups.create_target_group(group, "tg"));
  target::TargetGroup& targets = *group.find("tg");
  for (const char* name : {"f1", "f2"}) ASSERT_TRUE(groups.add_device(group, name));
  ASSERT_TRUE(groups.add_target(targets, rig.target->name()));
  groups.set_group_id(targets, 0x102);
  auto set_state = [&](scsi::AluaState state) {
    std::optional<bool> ok;
    groups.set_state(targets, state, [&](base::Status status) { ok = status.has_value(); });
    while (!ok) rig.executor.run_until_idle();
    return *ok;
  };
  EXPECT_TRUE(set_state(scsi::AluaState::kStandby));
  EXPECT_EQ(rig.read("f1", "active"), "0\n[key]\n");
  EXPECT_EQ(rig.read("f2", "active"), "1\n") << "not bound";
  EXPECT_TRUE(set_state(scsi::AluaState::kUnavailable));
  const Outcome unavailable = initiator->run({0x12, 0, 0, 0, 255, 0}, 255);
  EXPECT_EQ(unavailable.data[0], 0x20);
  EXPECT_EQ(unavailable.data[5], 0x18) << "third-party copy, implicit ALUA";
  EXPECT_TRUE(set_state(scsi::AluaState::kActiveNonoptimized));
  EXPECT_EQ(rig.read("f1", "active"), "1\n");
  EXPECT_EQ(rig.write("f1", "expl_alua", "1\n"), 0);
  const Outcome active = initiator->run({0x12, 0, 0, 0, 255, 0}, 255);
  EXPECT_EQ(active.data[0], 0x00);
  EXPECT_EQ(active.data[5], 0x38);
  const std::string identification = base::to_hex(initiator->run({0x12, 1, 0x83, 0, 255, 0}, 255).data);
  EXPECT_NE(identification.find("0115000400000102"), std::string::npos) << identification;
  EXPECT_TRUE(set_state(scsi::AluaState::kOffline));
  std::filesystem::remove(rig.directory.path() + "/a.img");
  EXPECT_TRUE(set_state(scsi::AluaState::kActiveOptimized)) << "as in SCST: only the log and `active` tell";
  EXPECT_EQ(rig.read("f1", "active"), "0\n[key]\n");
}

TEST_F(Attributes, ResyncSize) {
  const std::string a = path("a.img");
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "f1", {{"filename", a}}), 0);
  std::filesystem::resize_file(a, 1000);
  EXPECT_EQ(rig.write("f1", "resync_size", "1\n"), 0);
  EXPECT_EQ(rig.read("f1", "size"), "1000\n[key]\n");
  EXPECT_EQ(rig.disk("f1").block_count(), 1u);
  std::filesystem::remove(a);
  EXPECT_EQ(rig.write("f1", "resync_size", "1\n"), ENOENT);
  EXPECT_EQ(rig.read("f1", "size"), "1000\n[key]\n");
}

TEST_F(Attributes, ThinProvisioning) {
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "f1", {{"filename", path("a.img")}, {"thin_provisioned", "1"}}), 0);
  EXPECT_EQ(rig.read("f1", "thin_provisioned"), "1\n[key]\n");
  EXPECT_EQ(rig.write("f1", "gen_tp_soft_threshold_reached_UA", "1\n"), 0);
  ASSERT_EQ(rig.add(VdiskKind::kFileio, "f2", {{"filename", path("b.img")}, {"thin_provisioned", "2"}}), 0);
  EXPECT_EQ(rig.read("f2", "thin_provisioned"), "0\n[key]\n");
  EXPECT_EQ(rig.row("f2", "gen_tp_soft_threshold_reached_UA"), nullptr);
  ASSERT_EQ(
      rig.add(VdiskKind::kFileio, "f3", {{"filename", path("c.img")}, {"thin_provisioned", "1"}, {"read_only", "1"}}),
      0);
  EXPECT_EQ(rig.read("f3", "thin_provisioned"), "0\n[key]\n");
}

TEST_F(Attributes, CreationErrors) {
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "x", {{"filename", "/nonexistent/x"}}), ENOENT);
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "x", {{"filename", rig.directory.path()}}), EINVAL);
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "x", {{"filename", "/dev/null"}}), EINVAL);
  EXPECT_EQ(rig.add(VdiskKind::kBlockio, "x", {{"filename", path("a.img")}}), ENOTBLK);
  EXPECT_EQ(rig.add(VdiskKind::kBlockio, "x", {{"filename", "/dev/null"}}), EINVAL);
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "x", {{"filename", "/nonexistent/x"}, {"active", "0"}}), 0);
  EXPECT_EQ(rig.read("x", "size"), "0\n[key]\n");
  EXPECT_EQ(rig.add(VdiskKind::kNullio, "x", {}), EEXIST);
  // Another disk has the serial number that the name would give.
  ASSERT_EQ(rig.add(VdiskKind::kNullio, "y", {}), 0);
  ASSERT_EQ(rig.write("y", "usn", "b8fdbd32\n"), 0);
  EXPECT_EQ(rig.add(VdiskKind::kNullio, "disk1", {}), EEXIST);
  std::filesystem::remove_all(rig.directory.path() + "/pr");
  EXPECT_EQ(rig.add(VdiskKind::kNullio, "z", {}), ENOENT);
}

TEST_F(Attributes, PathsOfTheTreeItselfAreRefused) {
  const std::string a = path("a.img");
  const std::string link = rig.directory.path() + "/link";
  std::filesystem::create_symlink(a, link);
  rig.environment.forbidden = [a](const std::string& resolved) { return resolved == a; };
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "x", {{"filename", link}}), EINVAL);
  EXPECT_EQ(rig.add(VdiskKind::kFileio, "x", {{"filename", path("b.img")}}), 0);
}

}  // namespace
}  // namespace uscst::handlers::test
