#include "engine/scsi/opcode_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "engine/scsi/cdb.h"
#include "engine/scsi/report.h"
#include "tests/unit/scsi/opcodes_document.h"

namespace uscst::scsi {
namespace {

DeviceTraits complete() {
  DeviceTraits traits;
  traits.operations = OperationSet::all();
  return traits;
}

SenseResult<std::vector<std::uint8_t>> report(std::uint8_t options, std::uint8_t opcode, std::uint8_t action,
                                              const DeviceTraits& traits = complete()) {
  const std::array<std::uint8_t, 12> cdb{0xA3, 0x0C, options, opcode, 0, action, 0, 0, 0x10, 0, 0, 0};
  return report_supported_opcodes(*decode_cdb(cdb, traits), traits);
}

TEST(OpcodeTable, RowsAreFoundAndCounted) {
  for (const OpcodeRow& row : opcode_rows()) {
    DeviceTraits traits{.type = row.types.disk ? DeviceType::kDisk : DeviceType::kCdrom,
                        .dif_type = 2,
                        .thin_provisioned = true,
                        .explicit_alua = true,
                        .operations = OperationSet::all()};
    auto found = find_row(row.usage_bytes(), traits);
    ASSERT_TRUE(found.has_value()) << row.name;
    EXPECT_EQ(*found, &row);
    EXPECT_EQ(&opcode_rows()[index_of(row)], &row);
  }
}

TEST(OpcodeTable, EveryOperationHasAName) {
  std::set<std::string_view> names;
  for (const OpcodeRow& row : opcode_rows()) names.insert(name_of(row.operation));
  EXPECT_EQ(names.size(), kOperationCount);
  EXPECT_EQ(names.count(""), 0u);
}

TEST(ReportSupportedOpcodes, NothingIsNamedThatIsNotCarriedOut) {
  auto data = report(0, 0, 0, {});
  ASSERT_TRUE(data.has_value());
  std::set<unsigned> named;
  for (std::size_t at = 4; at < data->size(); at += 8) named.insert(unsigned{(*data)[at]} << 8 | (*data)[at + 3]);
  for (unsigned code : {0x5E00u, 0x5F00u, 0x8300u, 0x0400u, 0xA40Au}) EXPECT_EQ(named.count(code), 0u) << code;
  for (unsigned code : {0x2800u, 0x4200u, 0x8900u, 0x9E10u, 0xA30Au, 0xA30Cu, 0xA30Du, 0x4C00u})
    EXPECT_EQ(named.count(code), 1u) << code;
}

TEST(ReportSupportedOpcodes, OneCommand) {
  EXPECT_EQ(base::to_hex(*report(1, 0x28, 0)),
            "0003000a"
            "28f8ffffffff00ffff04");
  EXPECT_EQ(base::to_hex(*report(0x81, 0x00, 0)),
            "00830006"
            "000000000004"
            "000a0000"
            "00000001"
            "0000000a");
  EXPECT_EQ(base::to_hex(*report(2, 0xA3, 0x0D)),
            "0003000c"
            "a30d80000000ffffffff0004");
  EXPECT_EQ(base::to_hex(*report(0x81, 0x04, 0)),
            "00830006"
            "04f000000004"
            "000a0000"
            "00000001"
            "00000e10");
  EXPECT_EQ(base::to_hex(*report(1, 0xC0, 0)), "00010000") << "not supported";
  EXPECT_EQ(base::to_hex(*report(2, 0xA4, 0x0A, {})), "00010000") << "without expl_alua";
  EXPECT_EQ(base::to_hex(*report(1, 0x84, 0)), "00010000") << "never listed";
}

TEST(ReportSupportedOpcodes, Refusals) {
  EXPECT_EQ(report(1, 0xA3, 0).error(), kInvalidFieldInCdb.at_cdb(2, 0));
  EXPECT_EQ(report(2, 0x28, 0).error(), kInvalidFieldInCdb.at_cdb(2, 0));
  for (std::uint8_t options : std::array<std::uint8_t, 3>{3, 4, 7})
    EXPECT_EQ(report(options, 0x28, 0).error(), kInvalidFieldInCdb.at_cdb(2, 0));
}

TEST(ReportSupportedOpcodes, WithTimeouts) {
  auto plain = report(0, 0, 0);
  auto timed = report(0x80, 0, 0);
  ASSERT_TRUE(plain && timed);
  EXPECT_EQ((timed->size() - 4) / 20, (plain->size() - 4) / 8);
  EXPECT_EQ(base::to_hex(base::Bytes(*timed).subspan(4, 20)),
            "350000000002000a"
            "000a0000000000010000003c");
}

TEST(ReportSupportedOpcodes, DeviceAttributesAddRows) {
  auto count = [](const DeviceTraits& traits) { return (report(0, 0, 0, traits)->size() - 4) / 8; };
  DeviceTraits traits = complete();
  const std::size_t plain = count(traits);
  EXPECT_EQ(plain, 45u);
  traits.explicit_alua = true;
  EXPECT_EQ(count(traits), plain + 1);
  traits.dif_type = 2;
  EXPECT_EQ(count(traits), plain + 6);
}

TEST(ReportSupportedTaskManagement, BothForms) {
  std::array<std::uint8_t, 12> cdb{0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0};
  EXPECT_EQ(base::to_hex(report_supported_task_management(*decode_cdb(cdb, {}))), "f8000000");
  cdb[2] = 0x80;
  EXPECT_EQ(base::to_hex(report_supported_task_management(*decode_cdb(cdb, {}))),
            "f800000c"
            "0100a000"
            "0000012c"
            "00000096");
}

TEST(RequestSense, FormatByDesc) {
  std::array<std::uint8_t, 6> cdb{0x03, 0, 0, 0, 252, 0};
  EXPECT_EQ(base::to_hex(request_sense(*decode_cdb(cdb, {}), kLunNotSupported)),
            "700005000000000a00000000250000000000");
  cdb[1] = 1;
  EXPECT_EQ(base::to_hex(request_sense(*decode_cdb(cdb, {}), kLunNotSupported)), "7205250000000000");
  cdb[4] = 4;
  EXPECT_EQ(base::to_hex(request_sense(*decode_cdb(cdb, {}), kLunNotSupported)), "72052500");
}

TEST(OpcodesDocument, IsUpToDate) {
  std::ifstream in(std::string(USCST_DOCS) + "/reference/opcodes.md");
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), test::opcodes_document()) << "run opcodes_document >docs/reference/opcodes.md";
}

}  // namespace
}  // namespace uscst::scsi
