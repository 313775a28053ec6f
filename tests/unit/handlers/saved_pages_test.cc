// The file of saved mode pages, byte for byte, and what becomes of damaged ones.
#include "handlers/vdisk/saved_pages.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

using namespace std::string_literals;

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

scsi::ModePages changed() {
  scsi::ModePages pages;
  pages.control.tas = true;
  pages.control.qerr = 3;
  pages.control.swp = true;
  pages.control.qam = 0;
  pages.caching.wce = false;
  return pages;
}

TEST(SavedPages, FormatAndBack) {
  EXPECT_EQ(format_mode_pages(changed(), {}), "TAS=1\nQERR=3\nSWP=1\nQUEUE_ALG=0\nWRITE_THROUGH=1\n");
  EXPECT_EQ(parse_mode_pages("tas=1\nqerr=3\nSwp=1\nQUEUE_ALG=0\nWRITE_THROUGH=1\n", {}), changed());
  EXPECT_EQ(format_mode_pages({}, {}), "");
  // Reading stops at the first value out of range.
  EXPECT_EQ(parse_mode_pages("QERR=2\nTAS=1\n", {}), scsi::ModePages{});
  EXPECT_EQ(parse_mode_pages("no line\nTAS=1\n", {}), scsi::ModePages{});
}

TEST(SavedPages, FileIsSignedAndGoesWithTheLastDifference) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/disk";
  ASSERT_EQ(save_mode_pages(directory.path(), "disk", changed(), {}), 0);
  EXPECT_EQ(content(path), "disk\0TAS=1\nQERR=3\nSWP=1\nQUEUE_ALG=0\nWRITE_THROUGH=1\n"s);
  EXPECT_FALSE(std::filesystem::exists(path + "1"));
  EXPECT_EQ(load_mode_pages(directory.path(), "disk", {}), changed());
  ASSERT_EQ(save_mode_pages(directory.path(), "disk", {}, {}), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SavedPages, BackupCountsWhereTheFileIsTorn) {
  TemporaryDirectory directory;
  ASSERT_EQ(save_mode_pages(directory.path(), "disk", changed(), {}), 0);
  std::filesystem::rename(directory.path() + "/disk", directory.path() + "/disk1");
  std::ofstream(directory.path() + "/disk", std::ios::binary) << "\0\0\0\0\0TAS=0\n"s;
  EXPECT_EQ(load_mode_pages(directory.path(), "disk", {}), changed());
  std::filesystem::remove(directory.path() + "/disk1");
  EXPECT_EQ(load_mode_pages(directory.path(), "disk", {}), scsi::ModePages{});
}

TEST(SavedPages, WhatCannotBeWrittenIsAnError) {
  EXPECT_EQ(save_mode_pages("/nonexistent", "disk", changed(), {}), -ENOENT);
}

}  // namespace
}  // namespace uscst::handlers::test
