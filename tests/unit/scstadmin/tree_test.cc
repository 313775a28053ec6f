// SysfsTree on a plain directory, and the reading of attributes.
#include "compat/scstadmin/tree.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "compat/scstadmin/attributes.h"

namespace uscst::scstadmin {
namespace {

namespace fs = std::filesystem;

class TreeTest : public testing::Test {
 protected:
  TreeTest() : root_(fs::path(testing::TempDir()) / ("tree." + std::to_string(::getpid()))) {
    fs::create_directories(root_ / "devices/d/exported");
    fs::create_directories(root_ / "handlers/h");
    put("handlers/h/mgmt", "Usage\nThe following parameters available: a, b ,c.\n");
    put("devices/d/size", "512\n[key]\n");
    put("devices/d/user1", "joe\n[key]\n");
    put("devices/d/user12", "ann\n[key]\n");
    put("devices/d/filename", "/x\n[key]\n\n");
    put("devices/d/comment", "");
    put("devices/d/type", "0 - Direct-access device\n");
    put("devices/d/sync", "");
    fs::permissions(root_ / "devices/d/size", fs::perms(0444));
    fs::permissions(root_ / "devices/d/sync", fs::perms(0200));
    fs::create_symlink("../../handlers/h", root_ / "devices/d/handler");
  }
  ~TreeTest() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) { std::ofstream(root_ / path) << text; }

  fs::path root_;
};

TEST_F(TreeTest, ReadsKeysAndModes) {
  const SysfsTree tree(root_.string());
  const base::Result<Attributes> read = read_attributes(tree, ObjectKind::kDevice, "devices/d");
  ASSERT_TRUE(read) << read.error().text;
  const Attributes& a = *read;
  EXPECT_TRUE(a.at("size").is_static);
  EXPECT_EQ(a.at("size").keys.at(0), "512");
  EXPECT_EQ(a.at("user").keys, (std::map<unsigned long, std::string>{{1, "joe"}, {12, "ann"}}));
  EXPECT_FALSE(a.at("filename").is_static);
  EXPECT_EQ(a.at("comment").value, "");
  EXPECT_FALSE(a.at("sync").value);
  EXPECT_EQ(a.at("type").value, "0");
  EXPECT_EQ(a.at("type_string").value, "Direct-access device");
  EXPECT_EQ(a.at("handler").value, "h");
}

TEST_F(TreeTest, ErrorsAreErrnos) {
  SysfsTree tree(root_.string());
  EXPECT_EQ(tree.list("nosuch").error().code, ENOENT);
  EXPECT_EQ(tree.read("nosuch").error().code, ENOENT);
  EXPECT_EQ(tree.write("nosuch", "x").error().code, ENOENT);
  EXPECT_EQ(tree.read("devices").error().code, EISDIR);
  EXPECT_FALSE(tree.link("devices/d/size"));
  EXPECT_TRUE(tree.is_directory("devices/d/handler"));
}

TEST_F(TreeTest, ParameterNames) {
  const SysfsTree tree(root_.string());
  EXPECT_EQ(listed_names(*tree.read("handlers/h/mgmt"), kParametersPrefix), (std::set<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(listed_names("nothing here\n", kParametersPrefix).empty());
}

TEST_F(TreeTest, KeyLines) {
  const SysfsTree tree(root_.string());
  const Attributes a = read_attributes(tree, ObjectKind::kDevice, "devices/d").value_or(Attributes());
  EXPECT_EQ(key_lines("\t", a), "\tfilename /x\n\tuser ann\n\tuser joe\n");
  EXPECT_EQ(key_lines("", a, {"size"}), "filename /x\nsize 512\nuser ann\nuser joe\n");
}

}  // namespace
}  // namespace uscst::scstadmin
