#include "engine/scsi/mode_pages.h"

#include <gtest/gtest.h>

namespace uscst::scsi {
namespace {

ModeDevice disk() {
  ModeDevice device;
  device.block_count = 131072;
  return device;
}

SenseResult<std::vector<std::uint8_t>> sense(const ModeDevice& device, std::uint8_t page, std::uint8_t subpage = 0) {
  const std::array<std::uint8_t, 6> cdb{0x1A, 0x08, page, subpage, 0xFF, 0};
  return mode_sense(*decode_cdb(cdb, device.traits), device);
}

SenseResult<std::optional<ModeSelection>> select(std::string_view hex, const ModeDevice& device = disk(),
                                                 std::uint8_t options = 0x10) {
  auto list = base::parse_hex(hex);
  const std::array<std::uint8_t, 6> cdb{0x15, options, 0, 0, static_cast<std::uint8_t>(list->size()), 0};
  return mode_select(*decode_cdb(cdb, device.traits), *list, device);
}

constexpr char kHeader[] = "00000000";
constexpr char kWceOff[] = "0812 000000000000 00000000 8014 000000000000";

std::string list(std::initializer_list<std::string_view> parts) {
  std::string text(kHeader);
  for (std::string_view part : parts) text += part;
  return text;
}

TEST(ModeSense, Refusals) {
  EXPECT_EQ(sense(disk(), 0x2E).error(), kInvalidFieldInCdb.at_cdb(2, 0));
  EXPECT_EQ(sense(disk(), 0x08, 1).error(), kInvalidFieldInCdb.at_cdb(3));
  ModeDevice unsaved = disk();
  unsaved.saving_possible = false;
  EXPECT_EQ(sense(unsaved, 0xC8).error(), kSavingParametersNotSupported);
  EXPECT_EQ(base::to_hex(*sense(unsaved, 0x08)).substr(8, 6), "081204") << "not savable";
}

TEST(ModeSense, ControlPageFollowsItsValues) {
  ModeDevice device = disk();
  device.current.control = {
      .tst = 0, .tmf_only = true, .dpicz = true, .d_sense = true, .qam = 0, .qerr = 3, .swp = true, .tas = true};
  device.saved.control.tmf_only = true;
  device.application_tag_owner = true;
  EXPECT_EQ(base::to_hex(*sense(device, 0x0A)),
            "0f009000"
            "8a0a1c06"
            "08c00000"
            "0000024b");
  EXPECT_EQ(base::to_hex(*sense(device, 0x8A)),
            "0f009000"
            "8a0a2010"
            "00800000"
            "0000024b");
  EXPECT_EQ(base::to_hex(*sense(device, 0xCA)),
            "0f009000"
            "8a0a3010"
            "00800000"
            "0000024b")
      << "saved, TMF_ONLY too";
  device.changeable = false;
  EXPECT_EQ(base::to_hex(*sense(device, 0x4A)),
            "0f009000"
            "8a0a0000"
            "00000000"
            "00000000");
}

TEST(ModeSense, NonVolatileCacheIsNoCache) {
  ModeDevice device = disk();
  device.nv_cache = true;
  EXPECT_EQ(base::to_hex(*sense(device, 0x08)).substr(8, 6), "081200");
  EXPECT_EQ(base::to_hex(*sense(device, 0x48)).substr(8, 6), "081200");
}

TEST(ModeSense, LargeDisksAndCdroms) {
  ModeDevice device = disk();
  device.block_count = std::uint64_t{1} << 33;
  const std::array<std::uint8_t, 10> cdb{0x5A, 0, 0x1C, 0, 0, 0, 0, 0, 0xFF, 0};
  EXPECT_EQ(base::to_hex(*mode_sense(*decode_cdb(cdb, device.traits), device)).substr(0, 32),
            "001a001000000008"
            "ffffffff00000200");
  device.traits = {.type = DeviceType::kCdrom, .block_shift = 11};
  device.read_only = true;
  EXPECT_EQ(base::to_hex(*sense(device, 0x3F)).substr(0, 8), "27058000");
  EXPECT_EQ(sense(device, 0x08).error(), kInvalidFieldInCdb.at_cdb(2, 0));
}

TEST(ModeSense, CutToTheAllocationLength) {
  const std::array<std::uint8_t, 6> cdb{0x1A, 0x08, 0x3F, 0, 6, 0};
  EXPECT_EQ(base::to_hex(*mode_sense(*decode_cdb(cdb, {}), disk())), "7b001000010a");
}

TEST(ModeSelect, EmptyListChangesNothing) {
  auto selection = select("", disk(), 0);
  ASSERT_TRUE(selection.has_value());
  EXPECT_FALSE(selection->has_value());
}

TEST(ModeSelect, WriteCache) {
  auto selection = select(list({kWceOff}));
  ASSERT_TRUE(selection.has_value());
  EXPECT_FALSE((*selection)->pages.caching.wce);
  EXPECT_FALSE((*selection)->save);
  EXPECT_EQ((*selection)->pages.control, ControlState{});
}

TEST(ModeSelect, EveryPageOfTheListIsRead) {
  auto selection =
      select("00000008 0002000000000200 0812 000000000000 00000000 8014 000000000000 0a0a 3416 0840 00000000024b",
             disk(), 0x11);
  ASSERT_TRUE(selection.has_value()) << int{selection.error().asc};
  EXPECT_TRUE((*selection)->save);
  EXPECT_FALSE((*selection)->pages.caching.wce);
  const ControlState expected{
      .tst = 1, .tmf_only = true, .dpicz = false, .d_sense = true, .qam = 1, .qerr = 3, .swp = true, .tas = true};
  EXPECT_EQ((*selection)->pages.control, expected);
  auto reversed = select(list({"0a0a 2410 0000 00000000024b", kWceOff}));
  ASSERT_TRUE(reversed.has_value());
  EXPECT_TRUE((*reversed)->pages.control.d_sense);
  EXPECT_FALSE((*reversed)->pages.caching.wce);
}

TEST(ModeSelect, TenByteForm) {
  auto bytes = base::parse_hex("00000000 00000000 0a0a 2410 0000 00000000024b");
  const std::array<std::uint8_t, 10> cdb{0x55, 0x10, 0, 0, 0, 0, 0, 0, 20, 0};
  auto selection = mode_select(*decode_cdb(cdb, {}), *bytes, disk());
  ASSERT_TRUE(selection.has_value());
  EXPECT_TRUE((*selection)->pages.control.d_sense);
  (*bytes)[7] = 16;
  EXPECT_EQ(mode_select(*decode_cdb(cdb, {}), *bytes, disk()).error(), kInvalidFieldInParameterList.at_parameter(7));
}

TEST(ModeSelect, PointsAtTheWrongField) {
  auto wrong = [](std::string_view pages) { return select(list({pages})).error(); };
  auto parameter = [](std::size_t byte, std::optional<std::uint8_t> bit) {
    return kInvalidFieldInParameterList.at_parameter(byte, bit);
  };
  EXPECT_EQ(select(list({kWceOff}), disk(), 0x00).error(), kInvalidFieldInCdb.at_cdb(1)) << "PF";
  EXPECT_EQ(select("00000004 00000000").error(), parameter(3, {})) << "block descriptor length";
  EXPECT_EQ(wrong("880a"), parameter(4, 7)) << "PS";
  EXPECT_EQ(wrong("0810"), parameter(5, {}));
  EXPECT_EQ(wrong("0a0c"), parameter(5, {}));
  EXPECT_EQ(wrong("1c0a 00000000000000000000"), parameter(4, 0));
  EXPECT_EQ(wrong("4a01"), parameter(4, 0)) << "sub-page format";
  EXPECT_EQ(wrong("0a0a 0010 0000 000000000000"), parameter(6, 5)) << "TST";
  EXPECT_EQ(wrong("0a0a 2020 0000 000000000000"), parameter(7, 4)) << "QAM";
  EXPECT_EQ(wrong("0a0a 2014 0000 000000000000"), parameter(7, 1)) << "QERR";
  ModeDevice cdrom = disk();
  cdrom.traits.type = DeviceType::kCdrom;
  EXPECT_EQ(select(list({kWceOff}), cdrom).error(), parameter(4, 0));
}

TEST(ModeSelect, ListsCutAtEveryByte) {
  const std::string whole = "0000000800020000000002000812000000000000000000008014000000000000";
  for (std::size_t length = 1; length < whole.size() / 2; ++length) {
    auto cut = select(whole.substr(0, length * 2));
    if (length == 12) {
      EXPECT_TRUE(cut.has_value()) << "header and block descriptor alone are a list";
    } else {
      ASSERT_FALSE(cut.has_value()) << length;
      EXPECT_EQ(cut.error(), kParameterListLengthError) << length;
    }
  }
  EXPECT_TRUE(select(whole).has_value());
}

TEST(ModeSelect, WhatTheDeviceForbids) {
  ModeDevice cluster = disk();
  cluster.changeable = false;
  EXPECT_EQ(select(list({kWceOff}), cluster).error(), kInvalidFieldInCdb);
  ModeDevice unsaved = disk();
  unsaved.saving_possible = false;
  EXPECT_EQ(select(list({kWceOff}), unsaved, 0x11).error(), kInvalidFieldInCdb.at_cdb(1, 0));
  ModeDevice nv_cache = disk();
  nv_cache.nv_cache = true;
  EXPECT_TRUE((*select(list({kWceOff}), nv_cache))->pages.caching.wce) << "accepted and ignored";
}

}  // namespace
}  // namespace uscst::scsi
