#include "engine/scsi/cdb.h"

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>

namespace uscst::scsi {
namespace {

SenseResult<DecodedCdb> decode(std::initializer_list<std::uint8_t> bytes, const DeviceTraits& traits = {}) {
  return decode_cdb({bytes.begin(), bytes.size()}, traits);
}

DeviceTraits with_dif(std::uint8_t type) {
  DeviceTraits traits;
  traits.dif_type = type;
  return traits;
}

TEST(DecodeCdb, Read6TakesZeroAs256AndMasksTheLba) {
  auto cdb = decode({0x08, 0xFF, 0x12, 0x34, 0x00, 0x00});
  ASSERT_TRUE(cdb.has_value());
  EXPECT_EQ(cdb->operation(), Operation::kRead);
  EXPECT_EQ(cdb->lba, 0x1F1234u);
  EXPECT_EQ(cdb->blocks, 256u);
  EXPECT_EQ(cdb->data_length_bytes, 256u * 512);
  EXPECT_FALSE(cdb->fua);
}

TEST(DecodeCdb, LbaAndLengthOfEachLength) {
  auto ten = decode({0x2A, 0x18, 1, 2, 3, 4, 0, 5, 6, 0});
  ASSERT_TRUE(ten.has_value());
  EXPECT_EQ(ten->lba, 0x01020304u);
  EXPECT_EQ(ten->blocks, 0x0506u);
  EXPECT_TRUE(ten->fua);
  EXPECT_TRUE(ten->dpo);
  EXPECT_EQ(ten->direction, Direction::kOut);
  auto twelve = decode({0xA8, 0, 1, 2, 3, 4, 0, 1, 0, 2, 0, 0});
  ASSERT_TRUE(twelve.has_value());
  EXPECT_EQ(twelve->blocks, 0x10002u);
  auto sixteen = decode({0x88, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0});
  ASSERT_TRUE(sixteen.has_value());
  EXPECT_EQ(sixteen->lba, 0x0102030405060708u);
  EXPECT_EQ(sixteen->data_length_bytes, std::uint64_t{0xFFFFFFFF} * 512);
}

TEST(DecodeCdb, BlockSizeScalesTheLength) {
  DeviceTraits traits;
  traits.block_shift = 12;
  auto cdb = decode({0x28, 0, 0, 0, 0, 0, 0, 0, 3, 0}, traits);
  ASSERT_TRUE(cdb.has_value());
  EXPECT_EQ(cdb->data_length_bytes, 3u * 4096);
}

TEST(DecodeCdb, VerifyMovesDataOnlyWithByteCheck) {
  auto plain = decode({0x2F, 0, 0, 0, 0, 0, 0, 0, 2, 0});
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->direction, Direction::kNone);
  EXPECT_EQ(plain->data_length_bytes, 0u);
  EXPECT_EQ(plain->blocks, 2u);
  auto checked = decode({0x8F, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0});
  ASSERT_TRUE(checked.has_value());
  EXPECT_TRUE(checked->byte_check);
  EXPECT_EQ(checked->direction, Direction::kOut);
  EXPECT_EQ(checked->data_length_bytes, 1024u);
  for (std::uint8_t bytchk : std::array<std::uint8_t, 2>{0x04, 0x06}) {
    EXPECT_EQ(decode({0x2F, bytchk, 0, 0, 0, 0, 0, 0, 1, 0}).error(), kInvalidFieldInCdb.at_cdb(1, 2));
    EXPECT_EQ(decode({0x2E, bytchk, 0, 0, 0, 0, 0, 0, 1, 0}).error(), kInvalidFieldInCdb.at_cdb(1, 2));
  }
}

TEST(DecodeCdb, WriteSameMovesOneBlock) {
  auto cdb = decode({0x41, 0, 0, 0, 0, 0, 0, 0, 9, 0});
  ASSERT_TRUE(cdb.has_value());
  EXPECT_EQ(cdb->blocks, 9u);
  EXPECT_EQ(cdb->data_length_bytes, 512u);
  auto ndob = decode({0x93, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0});
  ASSERT_TRUE(ndob.has_value());
  EXPECT_TRUE(ndob->ndob);
  EXPECT_TRUE(ndob->unmap);
  EXPECT_EQ(ndob->direction, Direction::kNone);
}

TEST(DecodeCdb, LengthFieldsInBytes) {
  struct {
    std::initializer_list<std::uint8_t> cdb;
    std::uint64_t length;
    Direction direction;
  } const cases[] = {
      {{0x12, 0, 0, 1, 2, 0}, 0x0102, Direction::kIn},
      {{0x1A, 0, 0x3F, 0, 7, 0}, 7, Direction::kIn},
      {{0x55, 0x10, 0, 0, 0, 0, 0, 1, 2, 0}, 0x0102, Direction::kOut},
      {{0xA0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0}, 0x10002, Direction::kIn},
      {{0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0}, 32, Direction::kIn},
      {{0x1D, 0x10, 0, 0, 9, 0}, 9, Direction::kOut},
      {{0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 8, Direction::kIn},
      {{0x00, 0, 0, 0, 0, 0}, 0, Direction::kNone},
      {{0x35, 0x02, 0, 0, 0, 0, 0, 0, 8, 0}, 0, Direction::kNone},
  };
  for (const auto& each : cases) {
    auto cdb = decode(each.cdb);
    ASSERT_TRUE(cdb.has_value()) << int{*each.cdb.begin()};
    EXPECT_EQ(cdb->data_length_bytes, each.length) << cdb->row->name;
    EXPECT_EQ(cdb->direction, each.direction) << cdb->row->name;
  }
  EXPECT_TRUE(decode({0x35, 0x02, 0, 0, 0, 0, 0, 0, 8, 0})->immed);
  EXPECT_EQ(decode({0x35, 0x02, 0, 0, 0, 0, 0, 0, 8, 0})->blocks, 8u);
}

TEST(DecodeCdb, UnknownOpcodesAndActions) {
  EXPECT_EQ(decode({0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0}).error(), kInvalidOpcode);
  EXPECT_EQ(decode({0x9E, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0}).error(), kInvalidFieldInCdb.at_cdb(1, 0));
  EXPECT_EQ(decode({0xA3, 0x1E, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0}).error(), kInvalidFieldInCdb.at_cdb(1, 0));
  EXPECT_EQ(decode({0x5F, 0, 0, 0, 0, 0, 0, 0, 24, 0}).error(), kInvalidOpcode) << "not carried out yet";
  EXPECT_EQ(decode({0x28, 0, 0, 0}).error(), kInvalidOpcode) << "a CDB cut short";
  EXPECT_EQ(decode({0xA3}).error(), kInvalidFieldInCdb.at_cdb(1, 0));
  EXPECT_EQ(decode_cdb({}, {}).error(), kInvalidOpcode);
}

TEST(DecodeCdb, UnmapNeedsAThinDevice) {
  DeviceTraits thin;
  thin.thin_provisioned = true;
  EXPECT_EQ(decode({0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0}).error(), kInvalidOpcode);
  auto cdb = decode({0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0}, thin);
  ASSERT_TRUE(cdb.has_value());
  EXPECT_EQ(cdb->data_length_bytes, 24u);
}

TEST(DecodeCdb, ControlByte) {
  EXPECT_EQ(decode({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0x01}).error(), kInvalidFieldInCdb.at_cdb(9, 0));
  EXPECT_EQ(decode({0x00, 0, 0, 0, 0, 0x01}).error(), kInvalidFieldInCdb.at_cdb(5, 0));
  EXPECT_TRUE(decode({0x00, 0, 0, 0, 0, 0x04})->naca);
}

TEST(DecodeCdb, ProtectionField) {
  EXPECT_EQ(decode({0x28, 0x20, 0, 0, 0, 0, 0, 0, 1, 0}).error(), kInvalidFieldInCdb.at_cdb(1, 5));
  EXPECT_EQ(decode({0x28, 0x20, 0, 0, 0, 0, 0, 0, 1, 0}, with_dif(1))->protect, 1);
  EXPECT_EQ(decode({0x28, 0xC0, 0, 0, 0, 0, 0, 0, 1, 0}, with_dif(1)).error(), kInvalidFieldInCdb.at_cdb(1, 5));
  EXPECT_EQ(decode({0x28, 0x20, 0, 0, 0, 0, 0, 0, 1, 0}, with_dif(2)).error(), kInvalidOpcode);
}

std::array<std::uint8_t, 32> read_32() {
  std::array<std::uint8_t, 32> cdb{0x7F, 0, 0, 0, 0, 0, 0, 0x18, 0, 0x09, 0x20};
  cdb[19] = 0x10;                         // LBA
  cdb[20] = 1, cdb[25] = 2, cdb[27] = 3;  // expected tags
  cdb[31] = 4;                            // blocks
  return cdb;
}

TEST(DecodeCdb, ThirtyTwoByteCdbs) {
  auto bytes = read_32();
  auto cdb = decode_cdb(bytes, with_dif(2));
  ASSERT_TRUE(cdb.has_value());
  EXPECT_EQ(cdb->row->name, "READ(32)");
  EXPECT_EQ(cdb->lba, 0x10u);
  EXPECT_EQ(cdb->blocks, 4u);
  EXPECT_EQ(cdb->protect, 1);
  EXPECT_EQ(cdb->reference_tag, 0x01000000u);
  EXPECT_EQ(cdb->application_tag, 2);
  EXPECT_EQ(cdb->application_tag_mask, 3);
  EXPECT_EQ(decode_cdb(bytes, with_dif(1)).error(), kInvalidOpcode);
  EXPECT_EQ(decode_cdb(base::Bytes(bytes).first(16), with_dif(2)).error(), kInvalidOpcode);
  bytes[7] = 0x10;
  EXPECT_EQ(decode_cdb(bytes, with_dif(2)).error(), kInvalidFieldInCdb.at_cdb(7));
  bytes[7] = 0x18, bytes[9] = 0x77;
  EXPECT_EQ(decode_cdb(bytes, with_dif(2)).error(), kInvalidOpcode);
}

TEST(DecodeCdb, CdromTakesItsOwnRows) {
  DeviceTraits cdrom;
  cdrom.type = DeviceType::kCdrom;
  cdrom.operations = OperationSet::all();
  EXPECT_TRUE(decode({0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0}, cdrom).has_value());
  EXPECT_EQ(decode({0x0A, 0, 0, 0, 1, 0}, cdrom).error(), kInvalidOpcode);
  EXPECT_EQ(decode({0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0}, cdrom).error(), kInvalidOpcode);
  EXPECT_EQ(decode({0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0}).error(), kInvalidOpcode);
}

TEST(CheckDirection, MismatchIsAnInvalidMessage) {
  auto read = *decode({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0});
  EXPECT_FALSE(check_direction(read, Direction::kIn).has_value());
  EXPECT_EQ(check_direction(read, Direction::kOut), kInvalidMessage);
  EXPECT_EQ(check_direction(read, Direction::kNone), kInvalidMessage);
  auto nothing = *decode({0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_FALSE(check_direction(nothing, Direction::kNone).has_value());
  EXPECT_EQ(check_direction(nothing, Direction::kOut), kInvalidMessage);
  auto ready = *decode({0, 0, 0, 0, 0, 0});
  EXPECT_FALSE(check_direction(ready, Direction::kIn).has_value());
  EXPECT_EQ(check_direction(ready, Direction::kOut), kInvalidMessage);
}

TEST(CheckRange, EndsAtTheLastBlock) {
  auto range = [](std::uint8_t lba, std::uint8_t blocks) {
    return check_range(*decode({0x28, 0, 0, 0, 0, lba, 0, 0, blocks, 0}), 100);
  };
  EXPECT_FALSE(range(0, 100).has_value());
  EXPECT_EQ(range(0, 101), kLbaOutOfRange);
  EXPECT_FALSE(range(100, 0).has_value());
  EXPECT_EQ(range(101, 0), kLbaOutOfRange);
  EXPECT_EQ(range(99, 2), kLbaOutOfRange);
  auto huge = *decode({0x88, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1, 0, 0});
  EXPECT_EQ(check_range(huge, 100), kLbaOutOfRange) << "no wrap";
  EXPECT_FALSE(check_range(*decode({0x12, 0, 0, 0, 36, 0}), 0).has_value());
}

TEST(CheckWriteSame, ItsOwnRules) {
  DeviceTraits thick;
  DeviceTraits thin;
  thin.thin_provisioned = true;
  auto ten = [](std::uint8_t options, std::uint8_t blocks) {
    return *decode({0x41, options, 0, 0, 0, 0, 0, 0, blocks, 0});
  };
  auto sixteen = [](std::uint8_t options) {
    return *decode({0x93, options, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0});
  };
  EXPECT_FALSE(check_write_same(ten(0, 8), thick, 8).has_value());
  EXPECT_EQ(check_write_same(ten(0x10, 8), thin, 8), kInvalidFieldInCdb.at_cdb(1, 4));
  EXPECT_EQ(check_write_same(ten(0, 0), thick, 8), kInvalidFieldInCdb.at_cdb(7));
  EXPECT_EQ(check_write_same(ten(0, 9), thick, 8), kInvalidFieldInCdb.at_cdb(7));
  EXPECT_EQ(check_write_same(ten(0x02, 1), thick, 8), kInvalidFieldInCdb.at_cdb(1, 1));
  EXPECT_EQ(check_write_same(ten(0x08, 1), thick, 8), kInvalidOpcode);
  EXPECT_FALSE(check_write_same(ten(0x08, 1), thin, 8).has_value());
  EXPECT_EQ(check_write_same(sixteen(0x01), thin, 8), kInvalidFieldInCdb.at_cdb(1, 0));
  EXPECT_FALSE(check_write_same(sixteen(0x09), thin, 8).has_value());
}

}  // namespace
}  // namespace uscst::scsi
