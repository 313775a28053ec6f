// add_device's parameters, as recorded: what is taken, what it becomes, what is refused with which errno.
#include <gtest/gtest.h>

#include "handlers/vdisk/config.h"

namespace uscst::handlers {
namespace {

int code(VdiskKind kind, const target::Parameters& parameters) {
  auto config = parse_parameters(kind, "d", parameters);
  return config ? 0 : config.error().code;
}

target::Parameters with_file(std::string name, std::string value) {
  return {{"filename", "/a.img"}, {std::move(name), std::move(value)}};
}

TEST(Parameters, NullDisk) {
  struct Case {
    const char *name, *value;
    int code;
  };
  const Case cases[] = {
      {"size_mb", "1", 0},
      {"size_mb", "0", 0},
      {"size_mb", "-1", EINVAL},
      {"size_mb", "0x10", 0},
      {"size_mb", "abc", EINVAL},
      {"size_mb", "99999999999", 0},
      {"size", "1048576", 0},
      {"size", "1000", EINVAL},
      {"size", "0", 0},
      {"blocksize", "256", EINVAL},
      {"blocksize", "0", 0},
      {"blocksize", "513", 0},
      {"blocksize", "65536", 0},
      {"blocksize", "-512", EINVAL},
      {"dummy", "1", 0},
      {"dummy", "2", EINVAL},
      {"dummy", "x", EINVAL},
      {"read_only", "2", 0},
      {"read_only", "x", EINVAL},
      {"rotational", "5", 0},
      {"tst", "0", 0},
      {"tst", "2", EINVAL},
      {"tst", "-1", EINVAL},
      {"t10_dev_id", "abc", 0},
      {"t10_dev_id", "", EINVAL},
      {"t10_dev_id", "aaaaaaaaaabbbbbbbbbbcccccd", EINVAL},
      {"numa_node_id", "-1", 0},
      {"numa_node_id", "-2", EINVAL},
      {"numa_node_id", "x", EINVAL},
      {"cluster_mode", "0", 0},
      {"cluster_mode", "1", 0},  // refused when everything else was looked at
      {"dif_mode", "tgt", EINVAL},
      {"dif_type", "1", EINVAL},
      {"dif_type", "4", EINVAL},
      {"dif_mode", "bogus", EINVAL},
      {"dif_filename", "/x", EINVAL},
      {"numa_node_id", "4294967295", 0},  // the lowest 32 bits: -1
      {"numa_node_id", "2147483648", EINVAL},
      {"dif_static_app_tag", "0x10000000000000000", ERANGE},
      {"dif_static_app_tag", "0xffffffffffffffff", ERANGE},  // signed in SCST
      {"dif_static_app_tag", "-1", EINVAL},
      {"size", "9223372036854775808", ERANGE},
      {"lb_per_pb_exp", "1", EINVAL},
      {"write_through", "1", EINVAL},
      {"filename", "/x", EINVAL},
      {"nv_cache", "1", EINVAL},
      {"bind_alua_state", "0", EINVAL},
  };
  for (const Case& one : cases)
    EXPECT_EQ(code(VdiskKind::kNullio, {{one.name, one.value}}), one.code) << one.name << '=' << one.value;
}

TEST(Parameters, Values) {
  auto config = parse_parameters(VdiskKind::kNullio, "d",
                                 {{"SIZE_MB", "010"},
                                  {"size_mb", "0x10"},
                                  {"blocksize", "4097"},
                                  {"rotational", "4"},
                                  {"read_only", "3"},
                                  {"tst", "0"}});
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->size_bytes, 16u << 20);  // the last counts, whatever the case of its name
  EXPECT_EQ(config->block_size(), 4096u);
  EXPECT_FALSE(config->rotational);  // the lowest bit
  EXPECT_TRUE(config->read_only);
  EXPECT_EQ(config->tst, 0);
  EXPECT_EQ(parse_parameters(VdiskKind::kNullio, "d", {})->size_bytes, kDefaultNullSizeBytes);
  EXPECT_FALSE(parse_parameters(VdiskKind::kFileio, "d", {{"filename", "/x"}})->bind_alua_state);
  EXPECT_TRUE(parse_parameters(VdiskKind::kBlockio, "d", {{"filename", "/x"}})->bind_alua_state);
}

TEST(Parameters, FileDisk) {
  EXPECT_EQ(code(VdiskKind::kFileio, {}), EINVAL);
  EXPECT_EQ(code(VdiskKind::kFileio, {{"filename", "relative"}}), EINVAL);
  EXPECT_EQ(code(VdiskKind::kFileio, {{"filename", "/a"}, {"filename", "/b"}}), EINVAL);
  EXPECT_EQ(code(VdiskKind::kFileio, with_file("size_mb", "8")), 0);  // taken, the file decides
  EXPECT_EQ(code(VdiskKind::kFileio, with_file("dummy", "1")), 0);
  EXPECT_EQ(code(VdiskKind::kFileio, with_file("nosuch", "1")), EINVAL);
  EXPECT_EQ(code(VdiskKind::kFileio, with_file("size", "1000")), EINVAL);  // but must be a multiple of the block size
  EXPECT_FALSE(parse_parameters(VdiskKind::kFileio, "d", with_file("lb_per_pb_exp", "2"))->physical_block_exponent);
  EXPECT_EQ(code(VdiskKind::kFileio, with_file("o_direct", "2")), 0);
  EXPECT_EQ(code(VdiskKind::kFileio, with_file("async", "2")), 0);
  EXPECT_TRUE(parse_parameters(VdiskKind::kFileio, "d", with_file("async", "2"))->async);
  EXPECT_EQ(code(VdiskKind::kFileio, {{"filename", "/a"}, {"read_only", "1"}, {"nv_cache", "1"}}), EINVAL);
  EXPECT_EQ(code(VdiskKind::kFileio, {{"filename", "/a"}, {"dif_filename", "/x"}}), EINVAL);
  EXPECT_EQ(code(VdiskKind::kFileio, {{"filename", "/a"}, {"dif_mode", "dev_check"}, {"dif_type", "1"}}), EINVAL);
}

TEST(Parameters, Protection) {
  const auto dif = [](const char* mode, const char* type, const char* tag = "0") {
    return parse_parameters(VdiskKind::kNullio, "d",
                            {{"dif_mode", mode}, {"dif_type", type}, {"dif_static_app_tag", tag}});
  };
  for (const char* bad : {"dev", "bogus", "|tgt", "tgt||scst", "tgt|scst|dev", "|", "tgt |scst", "dev_check"})
    EXPECT_FALSE(dif(bad, "1")) << bad;
  EXPECT_FALSE(dif("tgt", "0"));
  EXPECT_FALSE(dif("tgt", "4"));
  EXPECT_EQ(show_protection_mode(dif("tgt", "1")->protection), "tgt");
  EXPECT_EQ(show_protection_mode(dif("SCST|tgt|", "2")->protection), "tgt|scst");
  EXPECT_EQ(show_protection_mode(dif("dev_store", "3")->protection), "dev_store");
  EXPECT_EQ(show_protection_mode({}), "None");
  EXPECT_EQ(dif("tgt", "1", "0x123456789abcdef0")->protection.static_app_tag, 0xdef0u);
  EXPECT_EQ(dif("tgt", "2", "0x123456789abcdef0")->protection.static_app_tag, 0u);
  EXPECT_EQ(dif("tgt", "3", "0x123456789abcdef0")->protection.static_app_tag, 0x56789abcdef0u);
  EXPECT_TRUE(
      parse_parameters(VdiskKind::kBlockio, "d", {{"filename", "/a"}, {"dif_mode", "dev_check"}, {"dif_type", "1"}}));
  // The last file of tags counts.
  EXPECT_EQ(parse_parameters(VdiskKind::kFileio, "d",
                             {{"filename", "/a"},
                              {"dif_mode", "dev_store"},
                              {"dif_type", "1"},
                              {"dif_filename", "/x"},
                              {"dif_filename", "/y"}})
                ->protection.filename,
            "/y");
}

TEST(Parameters, BlockDisk) {
  EXPECT_EQ(code(VdiskKind::kBlockio, with_file("async", "1")), EINVAL);
  EXPECT_EQ(code(VdiskKind::kBlockio, with_file("o_direct", "0")), EINVAL);
  EXPECT_EQ(code(VdiskKind::kBlockio, with_file("size_mb", "8")), EINVAL);
  EXPECT_EQ(code(VdiskKind::kBlockio, with_file("blocksize", "8192")), 0);  // the device decides
  EXPECT_EQ(code(VdiskKind::kBlockio, with_file("blocksize", "4096")), 0);
}

}  // namespace
}  // namespace uscst::handlers
