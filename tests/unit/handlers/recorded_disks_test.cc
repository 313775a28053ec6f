// Disks made with the recorded parameters answer INQUIRY, READ CAPACITY and MODE SENSE with the recorded bytes: the
// attributes reach the builders.
#include <gtest/gtest.h>

#include "tests/unit/handlers/disk_rig.h"
#include "tests/unit/scsi/recording.h"

namespace uscst::handlers::test {
namespace {

struct Recorded {
  const char *directory, *name;
  VdiskKind kind;
  std::uint16_t lun;
  target::Parameters parameters;
};

class RecordedDisks : public testing::TestWithParam<Recorded> {
 protected:
  void SetUp() override {
    target::Parameters parameters = GetParam().parameters;
    if (GetParam().kind == VdiskKind::kFileio)
      parameters.emplace_back("filename", rig.directory.file("backing", 64u << 20));
    ASSERT_EQ(rig.add(GetParam().kind, GetParam().name, parameters), 0);
    rig.map(GetParam().name, GetParam().lun);
    initiator = rig.connect();
  }
  std::string file(const std::string& name) const { return std::string(GetParam().directory) + '/' + name; }
  void expect_recorded(const std::string& name, const std::string& request, std::initializer_list<std::uint8_t> cdb) {
    Outcome outcome = initiator->run(cdb, 252, {}, GetParam().lun);
    EXPECT_TRUE(outcome.good());
    EXPECT_EQ(base::to_hex(outcome.data), base::to_hex(scsi::test::recorded(file(name), request))) << request;
  }
  DiskRig rig;
  std::unique_ptr<Initiator> initiator;
};

TEST_P(RecordedDisks, Inquiry) { expect_recorded("inquiry.hex", "sg_inq -H DEV", {0x12, 0, 0, 0, 66, 0}); }

TEST_P(RecordedDisks, VitalProductData) {
  int pages = 0;
  for (const auto& page : scsi::test::read_recording(file("vpd.hex"))) {
    ASSERT_GE(page.bytes.size(), 4u);
    Outcome outcome = initiator->run({0x12, 0x01, page.bytes[1], 0, 0xFC, 0}, 252, {}, GetParam().lun);
    EXPECT_EQ(base::to_hex(outcome.data), base::to_hex(page.bytes)) << page.request;
    ++pages;
  }
  EXPECT_GE(pages, 5);
}

TEST_P(RecordedDisks, Capacity) {
  expect_recorded("readcap.hex", "sg_readcap -H DEV", {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  expect_recorded("readcap.hex", "sg_readcap -l -H DEV", {0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0});
}

TEST_P(RecordedDisks, ModePages) {
  for (std::uint8_t control = 0; control < 4; ++control) {
    const auto page = static_cast<std::uint8_t>(control << 6 | 0x3F);
    expect_recorded("modes.hex", "sg_modes -a -H -c " + std::to_string(control) + " DEV",
                    {0x5A, 0, page, 0, 0, 0, 0, 0, 0xFC, 0});
  }
}

INSTANTIATE_TEST_SUITE_P(
    Devices, RecordedDisks,
    testing::Values(Recorded{"fileio", "fileio0", VdiskKind::kFileio, 0, {}},
                    Recorded{"nullio", "nullio2", VdiskKind::kNullio, 2, {{"size_mb", "1024"}}},
                    Recorded{"fileio-thin", "thin3", VdiskKind::kFileio, 3, {{"thin_provisioned", "1"}}},
                    Recorded{"fileio-readonly", "ro4", VdiskKind::kFileio, 4, {{"read_only", "1"}}},
                    Recorded{"fileio-4k", "b4k5", VdiskKind::kFileio, 5, {{"blocksize", "4096"}}}),
    [](const auto& disk) { return std::string(disk.param.name); });

}  // namespace
}  // namespace uscst::handlers::test
