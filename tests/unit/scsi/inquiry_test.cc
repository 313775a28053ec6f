#include "engine/scsi/inquiry.h"

#include <gtest/gtest.h>

#include "engine/scsi/capacity.h"
#include "engine/scsi/identifiers.h"
#include "tests/unit/scsi/recorded_device.h"

namespace uscst::scsi {
namespace {

using test::recorded_device;

std::string page(const InquiryDevice& device, std::uint8_t code, const InquiryPath& path = {}) {
  const std::array<std::uint8_t, 6> cdb{0x12, 1, code, 0, 252, 0};
  auto data = inquiry(*decode_cdb(cdb, device.traits), device, path);
  return data ? base::to_hex(*data) : "refused";
}

std::string standard(const InquiryDevice& device, const InquiryPath& path = {}) {
  const std::array<std::uint8_t, 6> cdb{0x12, 0, 0, 0, 252, 0};
  return base::to_hex(*inquiry(*decode_cdb(cdb, device.traits), device, path));
}

TEST(Identifiers, KnownNames) {
  EXPECT_EQ(generate_ids("disk1", 0).serial_number, "b8fdbd32");
  EXPECT_EQ(generate_ids("disk1", 0).t10_device_id, "b8fdbd32-disk1");
  EXPECT_EQ(generate_ids("n1", 0).serial_number, "9c2d39eb");
  EXPECT_EQ(generate_ids("nodev", 0).serial_number, "feeaa62");
  EXPECT_EQ(generate_ids("disk1", 0xA).serial_number, "ab8fdbd32");
  const GeneratedIds cut = generate_ids("a_very_long_device_name_indeed", 0xFFFFFFFF);
  EXPECT_EQ(cut.t10_device_id.size(), 25u);
  EXPECT_EQ(cut.product_id, "a_very_long_devi");
}

TEST(Inquiry, FeaturesOfStandardData) {
  InquiryDevice device = recorded_device("fileio").inquiry;
  device.removable = true;
  device.traits.dif_type = 1;
  device.traits.explicit_alua = true;
  EXPECT_EQ(standard(device, {.in_device_group = true}).substr(0, 16), "008006223d391002");
  EXPECT_EQ(standard(device, {.qualifier = PeripheralQualifier::kUnavailable}).substr(0, 2), "20");
  EXPECT_EQ(standard(device, {.qualifier = PeripheralQualifier::kNotSupported}).substr(0, 2), "7f");
  EXPECT_EQ(
      standard(device, {.transport_version = kTransportVersionIscsi, .physical_transport_version = 0x0D60}).substr(116),
      "008b0d60096004"
      "6304c0");
}

TEST(Inquiry, VendorSpecificText) {
  InquiryDevice device = recorded_device("fileio").inquiry;
  device.vendor_specific = "twenty characters!!!";
  EXPECT_EQ(standard(device).substr(72, 40), base::to_hex(base::as_bytes("twenty characters!!!")));
  device.vendor_specific = "a text of more than twenty";
  EXPECT_EQ(standard(device).substr(8, 2), "75") << "53 + 38 + length";
  EXPECT_EQ(standard(device).substr(192), base::to_hex(base::as_bytes(device.vendor_specific)));
  EXPECT_EQ(standard(device).substr(72, 40), std::string(40, '0'));
}

TEST(Inquiry, Refusals) {
  const InquiryDevice device = recorded_device("fileio").inquiry;
  auto answer = [&](std::uint8_t byte1, std::uint8_t code) {
    const std::array<std::uint8_t, 6> cdb{0x12, byte1, code, 0, 252, 0};
    return inquiry(*decode_cdb(cdb, {}), device, {});
  };
  EXPECT_EQ(answer(2, 0).error(), kInvalidFieldInCdb.at_cdb(1, 1));
  EXPECT_EQ(answer(0, 0x80).error(), kInvalidFieldInCdb.at_cdb(2));
  EXPECT_EQ(answer(1, 0xB2).error(), kInvalidFieldInCdb.at_cdb(2)) << "not thin";
}

TEST(Inquiry, DeviceIdentificationDesignators) {
  InquiryDevice device = recorded_device("fileio").inquiry;
  device.scsi_device_name = "abcd";
  device.vendor_specific_id = "X";
  device.eui64_id = {1, 2, 3, 4, 5, 6, 7, 8};
  device.naa_id = {0x50, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(page(device, 0x83, {.relative_target_port = 258, .target_port_group = 7}),
            "00830041"
            "03280008"
            "6162636400000000"
            "02010009"
            "534353545f46494f58"
            "01140004"
            "00000102"
            "01150004"
            "00000007"
            "01020008"
            "0102030405060708"
            "01030008"
            "5000000000000001");
  device.scsi_device_name.assign(256, 'n');
  EXPECT_EQ(page(device, 0x83).substr(8, 8), "032800fc") << "as much as the length byte holds";
  device.scsi_device_name.clear();
  device.eui64_id.clear();
  EXPECT_EQ(page(device, 0x83, {.relative_target_port = 1, .target_port_group = 0}),
            "00830021"
            "02010009"
            "534353545f46494f58"
            "01140004"
            "00000001"
            "01030008"
            "5000000000000001")
      << "with a NAA id there is no default EUI-64";
}

TEST(Inquiry, PagesFollowTheDevice) {
  InquiryDevice device = recorded_device("fileio-thin").inquiry;
  device.rotational = false;
  device.has_write_cache = false;
  device.reads_zero_after_unmap = true;
  device.unmap = {.max_unmap_blocks = 0x100, .granularity_blocks = 8, .alignment_blocks = 3};
  device.optimal_transfer_bytes = 16u << 20;
  EXPECT_EQ(page(device, 0xB1).substr(0, 12), "00b1003c0001");
  EXPECT_EQ(page(device, 0x86).substr(0, 16), "0086003c00070001");
  EXPECT_EQ(page(device, 0xB2), "00b2000400e40200");
  EXPECT_EQ(page(device, 0xB0).substr(0, 72),
            "00b0003c01ff0008"
            "0000400000004000"
            "0000000000000100"
            "ffffffff00000008"
            "80000003");
  device.traits.dif_type = 3;
  device.extended_checks = 0x04;
  EXPECT_EQ(page(device, 0x86).substr(8, 2), "24");
  device.traits = {.type = DeviceType::kCdrom, .block_shift = 11};
  EXPECT_EQ(page(device, 0x00), "0500000400808386");
  EXPECT_EQ(page(device, 0xB0), "refused");
}

TEST(Inquiry, UnmappedLun) {
  std::array<std::uint8_t, 6> cdb{0x12, 0, 0, 0, 36, 0};
  EXPECT_EQ(base::to_hex(*inquiry_unmapped(*decode_cdb(cdb, {}))),
            "7f0006001f000000"
            "5343535420202020" +
                std::string(40, '0'));
  cdb[4] = 5;
  EXPECT_EQ(base::to_hex(*inquiry_unmapped(*decode_cdb(cdb, {}))), "7f0006001f");
  cdb[1] = 1;
  EXPECT_EQ(inquiry_unmapped(*decode_cdb(cdb, {})).error(), kLunNotSupported);
}

TEST(ReadCapacity, LimitsAndRefusals) {
  std::array<std::uint8_t, 10> ten{0x25};
  const Capacity huge{.block_count = (std::uint64_t{1} << 32) + 1, .physical_block_exponent = 0};
  EXPECT_EQ(base::to_hex(*read_capacity_10(*decode_cdb(ten, {}), {}, huge)), "ffffffff00000200");
  EXPECT_EQ(base::to_hex(*read_capacity_10(*decode_cdb(ten, {}), {}, {.block_count = 0xFFFFFFFF})), "fffffffe00000200");
  ten[5] = 1;
  EXPECT_EQ(read_capacity_10(*decode_cdb(ten, {}), {}, huge).error(), kInvalidFieldInCdb.at_cdb(2));
  ten[8] = 1;
  EXPECT_TRUE(read_capacity_10(*decode_cdb(ten, {}), {}, huge).has_value()) << "PMI";
  std::array<std::uint8_t, 16> sixteen{0x9E, 0x10};
  sixteen[13] = 14;
  DeviceTraits protected_thin{.dif_type = 2, .thin_provisioned = true};
  EXPECT_EQ(base::to_hex(*read_capacity_16(*decode_cdb(sixteen, protected_thin), protected_thin, huge)),
            "0000000100000000"
            "00000200"
            "0300");
  sixteen[13] = 200;
  EXPECT_EQ(read_capacity_16(*decode_cdb(sixteen, {}), {}, huge)->size(), 32u);
  sixteen[9] = 1;
  EXPECT_EQ(read_capacity_16(*decode_cdb(sixteen, {}), {}, huge).error(), kInvalidFieldInCdb.at_cdb(2));
}

}  // namespace
}  // namespace uscst::scsi
