// The builders and the decoder against what SCST's devices answered, byte for byte.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/bytes.h"
#include "tests/unit/scsi/recorded_device.h"
#include "tests/unit/scsi/recording.h"

namespace uscst::scsi::test {
namespace {

class RecordedAnswers : public testing::TestWithParam<RecordedDevice> {
 protected:
  std::string file(std::string_view name) const { return GetParam().directory + "/" + std::string(name); }

  void expect_recorded(std::string_view name, std::string_view request, std::initializer_list<std::uint8_t> cdb) const {
    auto data = answer(GetParam(), cdb);
    ASSERT_TRUE(data.has_value()) << request;
    EXPECT_EQ(base::to_hex(*data), base::to_hex(recorded(file(name), request))) << file(name) << ": " << request;
  }
};

TEST_P(RecordedAnswers, StandardInquiry) { expect_recorded("inquiry.hex", "sg_inq -H DEV", {0x12, 0, 0, 0, 66, 0}); }

TEST_P(RecordedAnswers, VitalProductData) {
  for (const Answer& page : read_recording(file("vpd.hex"))) {
    ASSERT_GE(page.bytes.size(), 4u);
    auto data = answer(GetParam(), {0x12, 0x01, page.bytes[1], 0, 0xFC, 0});
    ASSERT_TRUE(data.has_value()) << page.request;
    EXPECT_EQ(base::to_hex(*data), base::to_hex(page.bytes)) << page.request;
  }
}

TEST_P(RecordedAnswers, Capacity) {
  expect_recorded("readcap.hex", "sg_readcap -H DEV", {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  expect_recorded("readcap.hex", "sg_readcap -l -H DEV", {0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0});
}

TEST_P(RecordedAnswers, ModePages) {
  for (std::uint8_t control = 0; control < 4; ++control) {
    const auto page = static_cast<std::uint8_t>(control << 6 | 0x3F);
    expect_recorded("modes.hex", "sg_modes -a -H -c " + std::to_string(control) + " DEV",
                    {0x5A, 0, page, 0, 0, 0, 0, 0, 0xFF, 0});
  }
  expect_recorded("modes.hex", "sg_modes -6 -a -H DEV", {0x1A, 0, 0x3F, 0, 0xFF, 0});
  int seen = 0;
  for (const Answer& sent : read_recording(file("modes.hex"))) {
    auto cdb = base::parse_hex(sent.request);
    if (!cdb) continue;
    auto data = answer(GetParam(), *cdb, Direction::kIn);
    ASSERT_TRUE(data.has_value()) << sent.request;
    EXPECT_EQ(base::to_hex(*data), base::to_hex(sent.bytes)) << sent.request;
    ++seen;
  }
  EXPECT_EQ(seen, 4);
}

INSTANTIATE_TEST_SUITE_P(Devices, RecordedAnswers, testing::ValuesIn(recorded_devices()), [](const auto& device) {
  std::string name = device.param.directory;
  std::erase(name, '-');
  return name;
});

TEST(RecordedFileio, ReportLuns) {
  auto data = answer(recorded_device("fileio"), {0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0});
  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(base::to_hex(*data), base::to_hex(recorded("fileio/luns.hex", "sg_luns -H DEV")));
}

TEST(RecordedFileio, SupportedOpcodesOnceEverythingIsCarriedOut) {
  RecordedDevice device = recorded_device("fileio");
  device.inquiry.traits.operations = OperationSet::all();
  auto data = answer(device, {0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0});
  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(base::to_hex(*data), base::to_hex(recorded("fileio/opcodes.hex", "sg_opcodes -H DEV")));
}

TEST(RecordedFileio, SupportedTaskManagement) {
  auto data = answer(recorded_device("fileio"), {0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0});
  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(base::to_hex(*data), base::to_hex(recorded("fileio/opcodes.hex", "sg_opcodes -H -t DEV")));
}

// Where the standard is followed instead: an unknown MAINTENANCE IN action is no hardware failure, and DESC is
// honoured.
std::optional<Answer> differing(const Answer& recorded) {
  Answer ours = recorded;
  if (recorded.request.starts_with("a3 1e")) {
    ours.sense = kInvalidFieldInCdb.at_cdb(1, 0);
    return ours;
  }
  if (recorded.request.starts_with("03 01")) {
    ours.bytes = {0x72, 0, 0, 0, 0, 0, 0, 0};
    return ours;
  }
  return std::nullopt;
}

TEST(RecordedFileio, EdgeCaseCdbs) {
  const RecordedDevice device = recorded_device("fileio");
  int compared = 0;
  for (const Answer& sent : read_recording("fileio/errors.hex")) {
    auto cdb = base::parse_hex(sent.request);
    ASSERT_TRUE(cdb.has_value());
    const Answer expected = differing(sent).value_or(sent);
    auto row = find_row(*cdb, device.inquiry.traits);
    auto data = answer(device, *cdb, row ? (*row)->direction : Direction::kNone);
    EXPECT_EQ(data.has_value(), !expected.sense.has_value()) << sent.request;
    if (data) {
      EXPECT_EQ(base::to_hex(*data), base::to_hex(expected.bytes)) << sent.request;
    } else if (expected.sense) {
      EXPECT_EQ(data.error(), *expected.sense) << sent.request;
    }
    ++compared;
  }
  EXPECT_EQ(compared, 20);
}

TEST(RecordedFileio, EveryOpcodeWithoutData) {
  const RecordedDevice device = recorded_device("fileio");
  int compared = 0;
  for (const SweptOpcode& swept : read_sweep("fileio/opcode-sweep.tsv")) {
    // Not carried out yet: refused, and therefore not compared.
    const auto rows = opcode_rows();
    auto unimplemented = [&](const OpcodeRow& row) {
      return row.opcode == swept.opcode && !kImplementedOperations.contains(row.operation);
    };
    std::vector<std::uint8_t> cdb(swept.cdb_length);
    cdb[0] = swept.opcode;
    auto data = answer(device, cdb, Direction::kNone);
    if (swept.opcode == 0xA3 || swept.opcode == 0xA4) {
      EXPECT_EQ(data.error(), kInvalidFieldInCdb.at_cdb(1, 0));
    } else if (std::any_of(rows.begin(), rows.end(), unimplemented)) {
      ASSERT_FALSE(data.has_value());
      EXPECT_EQ(data.error(), kInvalidOpcode) << "operation code " << int{swept.opcode};
    } else if (swept.sense) {
      ASSERT_FALSE(data.has_value()) << "operation code " << int{swept.opcode};
      EXPECT_EQ(data.error(), *swept.sense) << "operation code " << int{swept.opcode};
    } else {
      EXPECT_TRUE(data.has_value()) << "operation code " << int{swept.opcode};
    }
    ++compared;
  }
  EXPECT_EQ(compared, 223);
}

TEST(RecordedReadOnly, WriteIsRefusedWithTheStandardsCode) {
  auto data = answer(recorded_device("fileio-readonly"), {0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0});
  ASSERT_FALSE(data.has_value());
  EXPECT_EQ(data.error(), kWriteProtected);
  EXPECT_EQ(data.error().asc, 0x27);
}

}  // namespace
}  // namespace uscst::scsi::test
