// vcdrom: a drive whose medium comes and goes (scsi.md 11, sysfs.md 9.4).
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

constexpr unsigned kNoMediumCode = 0x023A00, kMediumChangedCode = 0x062800, kOutOfRangeCode = 0x052100;

class Cdrom : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(rig.add(VdiskKind::kCdrom, "cd", {}), 0);
    rig.map("cd", 0);
    iso = rig.directory.file("cd.iso", 2 << 20);
  }

  // REQUEST SENSE's data instead of sense data.
  static unsigned code_of(const Data& sense) {
    return sense.size() < 14 ? 0 : static_cast<unsigned>((sense[2] & 0xF) << 16 | sense[12] << 8 | sense[13]);
  }

  DiskRig rig;
  std::string iso;
};

TEST_F(Cdrom, IsMadeEmptyWithNothingToChooseButTst) {
  EXPECT_EQ(rig.read("cd", "size"), "0\n[key]\n");
  EXPECT_EQ(rig.read("cd", "size_mb"), "0\n");
  EXPECT_EQ(rig.read("cd", "tst"), "1\n");
  EXPECT_EQ(rig.row("cd", "active"), nullptr);
  EXPECT_EQ(rig.row("cd", "blocksize"), nullptr);
  EXPECT_EQ(rig.device("cd").threads_num, 8);
  EXPECT_TRUE(rig.disk("cd").read_only());
  EXPECT_EQ(rig.cdrom_handler.type(), 5);
  EXPECT_EQ(rig.add(VdiskKind::kCdrom, "other", {{"filename", iso}}), EINVAL);
  EXPECT_EQ(rig.add(VdiskKind::kCdrom, "other", {{"read_only", "1"}}), EINVAL);
  EXPECT_EQ(rig.add(VdiskKind::kCdrom, "other", {{"tst", "0"}}), 0);
}

TEST_F(Cdrom, WithoutMediumOnlyInquiryWorks) {
  auto initiator = rig.connect();
  Outcome inquiry = initiator->run({0x12, 0, 0, 0, 36, 0}, 36);
  ASSERT_TRUE(inquiry.good());
  EXPECT_EQ(inquiry.data[0], 0x05);
  EXPECT_EQ(inquiry.data[1], 0x80);
  EXPECT_EQ(initiator->run({0x00}).code(), kNoMediumCode);
  EXPECT_EQ(initiator->run({0x25}, 8).code(), kNoMediumCode);
  EXPECT_EQ(initiator->run({0x1A, 0, 0x3F, 0, 64}, 64).code(), kNoMediumCode);
  EXPECT_EQ(initiator->run({0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 2048).code(), kNoMediumCode);
  Outcome sense = initiator->run({0x03, 0, 0, 0, 18}, 18);
  ASSERT_TRUE(sense.good());
  EXPECT_EQ(code_of(sense.data), kNoMediumCode);
  EXPECT_TRUE(initiator->run({0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16}, 16).good());
  EXPECT_TRUE(initiator->run({0x16}).good());
}

TEST_F(Cdrom, ReadsTheMediumPutInAndTellsOfIt) {
  auto initiator = rig.connect(1), other = rig.connect(2);
  {
    auto file = std::fopen(iso.c_str(), "r+");
    ASSERT_EQ(std::fseek(file, 3 * 2048, SEEK_SET), 0);
    std::fputs("medium", file);
    std::fclose(file);
  }
  ASSERT_EQ(rig.write("cd", "filename", " " + iso + " \n"), 0);
  EXPECT_EQ(rig.read("cd", "filename"), iso + "\n[key]\n");
  EXPECT_EQ(rig.read("cd", "size"), "2097152\n[key]\n");
  EXPECT_TRUE(initiator->run({0x12, 0, 0, 0, 36, 0}, 36).good());
  EXPECT_EQ(initiator->run({0x00}).code(), kMediumChangedCode);
  EXPECT_TRUE(initiator->run({0x00}).good());
  EXPECT_EQ(other->run({0x25}, 8).code(), kMediumChangedCode);
  EXPECT_EQ(other->run({0x25}, 8).data, (Data{0, 0, 0x03, 0xFF, 0, 0, 0x08, 0}));
  Outcome block = initiator->run({0x28, 0, 0, 0, 0, 3, 0, 0, 1}, 2048);
  ASSERT_EQ(block.data.size(), 2048u);
  EXPECT_EQ(std::string(block.data.begin(), block.data.begin() + 6), "medium");
  EXPECT_EQ(initiator->run({0x28, 0, 0, 0, 4, 0, 0, 0, 1}, 2048).code(), kOutOfRangeCode);
  EXPECT_FALSE(initiator->run({0x2A, 0, 0, 0, 0, 0, 0, 0, 1}, 0, Data(2048)).good());
  Outcome pages = initiator->run({0x1A, 8, 0x3F, 0, 255}, 255);
  ASSERT_TRUE(pages.good());
  EXPECT_EQ(pages.data[2] & 0x80, 0x80);  // write protected
}

TEST_F(Cdrom, AnErrorLeavesTheMediumWhereItWas) {
  ASSERT_EQ(rig.write("cd", "filename", iso), 0);
  EXPECT_EQ(rig.write("cd", "filename", "relative\n"), EINVAL);
  EXPECT_EQ(rig.write("cd", "filename", rig.directory.path() + "/nosuch.iso\n"), ENOENT);
  EXPECT_EQ(rig.write("cd", "filename", rig.directory.path()), EINVAL);
  EXPECT_EQ(rig.read("cd", "filename"), iso + "\n[key]\n");
  EXPECT_EQ(rig.read("cd", "size_mb"), "2\n");
  ASSERT_EQ(rig.write("cd", "filename", "\n"), 0);
  EXPECT_EQ(rig.read("cd", "filename"), "\n");  // its layout shows "none"
  EXPECT_EQ(rig.read("cd", "size"), "0\n[key]\n");
  EXPECT_EQ(rig.write("cd", "filename", ""), 0);
}

TEST_F(Cdrom, PreventingRemovalKeepsTheMediumIn) {
  ASSERT_EQ(rig.write("cd", "filename", iso), 0);
  auto initiator = rig.connect();
  ASSERT_TRUE(initiator->run({0x1E, 0, 0, 0, 1}).good());
  EXPECT_EQ(rig.write("cd", "filename", "\n"), EBUSY);
  EXPECT_EQ(rig.write("cd", "filename", rig.directory.file("other.iso", 4096)), EBUSY);
  EXPECT_TRUE(initiator->run({0x1B, 0, 0, 0, 2}).good());  // ejecting by command does not
  EXPECT_EQ(rig.read("cd", "size_mb"), "2\n");
  ASSERT_TRUE(initiator->run({0x1E, 0, 0, 0, 0}).good());
  EXPECT_EQ(rig.write("cd", "filename", "\n"), 0);
  EXPECT_EQ(initiator->run({0x00}).code(), kNoMediumCode);
}

TEST_F(Cdrom, AFileOfLessThanABlockHasNoBlocks) {
  ASSERT_EQ(rig.write("cd", "filename", rig.directory.file("odd.img", 1000)), 0);
  EXPECT_EQ(rig.read("cd", "size"), "1000\n[key]\n");
  auto initiator = rig.connect();
  EXPECT_EQ(initiator->run({0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 2048).code(), kOutOfRangeCode);
}

}  // namespace
}  // namespace uscst::handlers::test
