#include "engine/scsi/inquiry.h"

#include <algorithm>
#include <array>

#include "engine/scsi/data_in.h"

namespace uscst::scsi {
namespace {

using Data = std::vector<std::uint8_t>;

constexpr std::uint8_t kSpc4 = 0x06;
constexpr std::uint8_t kFormatNormAca = 0x22;
constexpr std::uint8_t k3pc = 0x08;
constexpr std::uint8_t kImplicitAlua = 0x10;
constexpr std::uint8_t kExplicitAlua = 0x20;
constexpr std::uint8_t kMultiPort = 0x10;
constexpr std::uint8_t kCommandQueuing = 0x02;
constexpr std::size_t kShortVendorText = 20;
constexpr std::size_t kMaxDeviceName = 251;
constexpr std::size_t kMaxReportedTransfer = 8u << 20;
constexpr std::uint32_t kOptimalGranularityBytes = 4096;

std::uint8_t peripheral_byte(const InquiryDevice& device, const InquiryPath& path) {
  if (path.qualifier == PeripheralQualifier::kNotSupported) return 0x7F;
  return static_cast<std::uint8_t>(static_cast<unsigned>(path.qualifier) << 5 |
                                   static_cast<unsigned>(device.traits.type));
}

void version_descriptors(DataIn& data, const InquiryDevice& device, const InquiryPath& path) {
  data.zeros_to(58);
  data.u16(0x008B);  // SAM-4
  if (path.physical_transport_version != 0) data.u16(path.physical_transport_version);
  if (path.transport_version != 0) data.u16(path.transport_version);
  data.u16(0x0463);                                               // SPC-4
  if (device.traits.type == DeviceType::kDisk) data.u16(0x04C0);  // SBC-3
}

Data standard_data(const InquiryDevice& device, const InquiryPath& path) {
  unsigned features = k3pc;
  if (device.traits.dif_type != 0) features |= 0x01;
  if (path.in_device_group) features |= kImplicitAlua | (device.traits.explicit_alua ? kExplicitAlua : 0u);
  DataIn data;
  data.u8(peripheral_byte(device, path));
  data.u8(device.removable ? 0x80 : 0);
  data.u8(kSpc4);
  data.u8(kFormatNormAca);
  data.u8(0);  // additional length, below
  data.u8(features);
  data.u8(kMultiPort);
  data.u8(kCommandQueuing);
  data.padded(device.vendor_id, 8);
  data.padded(device.product_id, 16);
  data.padded(device.product_revision, 4);
  const bool short_text = device.vendor_specific.size() <= kShortVendorText;
  if (short_text) data.padded(device.vendor_specific, kShortVendorText, '\0');
  version_descriptors(data, device, path);
  if (!short_text) {
    data.zeros_to(96);
    data.text(device.vendor_specific);
  }
  data.set_u8(4, static_cast<unsigned>(std::min<std::size_t>(data.size() - 5, 0xFF)));
  return std::move(data).take();
}

// The four bytes that begin every VPD page; the length is set once the page is written.
DataIn begin_page(std::uint8_t peripheral, std::uint8_t page) {
  DataIn data;
  data.u8(peripheral);
  data.u8(page);
  data.u16(0);
  return data;
}

Data finish_page(DataIn data) {
  data.set_u16(2, data.size() - 4);
  return std::move(data).take();
}

Data supported_pages(DataIn data, const InquiryDevice& device) {
  for (unsigned page : {0x00u, 0x80u, 0x83u, 0x86u}) data.u8(page);
  if (device.traits.type == DeviceType::kDisk) {
    data.u8(0xB0);
    data.u8(0xB1);
    if (device.traits.thin_provisioned) data.u8(0xB2);
  }
  return finish_page(std::move(data));
}

void designator(DataIn& data, std::uint8_t code_set, std::uint8_t type, base::Bytes value) {
  data.u8(code_set);
  data.u8(type);
  data.u8(0);
  data.u8(static_cast<unsigned>(value.size()));
  data.bytes(value);
}

void port_designator(DataIn& data, std::uint8_t type, std::uint16_t id) {
  designator(
      data, 0x01, type,
      std::array<std::uint8_t, 4>{0, 0, static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id & 0xFF)});
}

Data device_identification(DataIn data, const InquiryDevice& device, const InquiryPath& path) {
  if (!device.scsi_device_name.empty()) {
    // NUL terminated and padded to a multiple of four (SPC-5 7.7.6.11); the length byte ends at 252.
    std::string name = device.scsi_device_name.substr(0, kMaxDeviceName);
    name.resize((name.size() / 4 + 1) * 4);
    designator(data, 0x03, 0x28, base::as_bytes(name));
  }
  std::string vendor = device.vendor_id.substr(0, 8);
  vendor.resize(8, ' ');
  vendor += device.vendor_specific_id;
  designator(data, 0x02, 0x01, base::as_bytes(vendor));
  port_designator(data, 0x14, path.relative_target_port);
  if (path.target_port_group.value_or(0) != 0) port_designator(data, 0x15, *path.target_port_group);
  if (!device.eui64_id.empty()) {
    designator(data, 0x01, 0x02, device.eui64_id);
  } else if (device.naa_id.empty()) {
    // SCST's default EUI-64 is the text of the id: initiators already hold links to it.
    std::string text = device.t10_device_id.substr(0, 8);
    text.resize(8, '\0');
    designator(data, 0x01, 0x02, base::as_bytes(text));
  }
  if (!device.naa_id.empty()) designator(data, 0x01, 0x03, device.naa_id);
  return finish_page(std::move(data));
}

Data extended_inquiry(DataIn data, const InquiryDevice& device) {
  unsigned protection = 0;
  if (device.traits.dif_type != 0) protection = (device.traits.dif_type - 1u) << 4 | device.extended_checks;
  data.u8(protection);
  data.u8(0x07);  // head of queue, ordered, simple
  data.u8(device.has_write_cache ? 0x01 : 0x00);
  data.u8(0x01);  // LUICLR
  data.zeros_to(64);
  return finish_page(std::move(data));
}

Data block_limits(DataIn data, const InquiryDevice& device) {
  const unsigned shift = device.traits.block_shift;
  const std::uint32_t max_transfer =
      static_cast<std::uint32_t>(std::min<std::size_t>(device.max_transfer_bytes, kMaxReportedTransfer) >> shift);
  data.u8(0x01);  // WSNZ
  data.u8(0xFF);  // COMPARE AND WRITE: 255 blocks
  data.u16(std::max<std::uint32_t>(kOptimalGranularityBytes >> shift, 1));
  data.u32(max_transfer);
  data.u32(std::min(max_transfer, device.optimal_transfer_bytes >> shift));
  data.u32(0);  // prefetch
  if (device.traits.thin_provisioned) {
    data.u32(device.unmap.max_unmap_blocks);
    data.u32(0xFFFFFFFF);
    data.u32(device.unmap.granularity_blocks);
    data.u32(device.unmap.alignment_blocks == 0 ? 0 : device.unmap.alignment_blocks | 0x80000000u);
  } else {
    data.zeros(16);
  }
  data.u64(kMaxWriteSameBytes >> shift);
  data.zeros_to(64);
  return finish_page(std::move(data));
}

Data block_characteristics(DataIn data, const InquiryDevice& device) {
  data.u16(device.rotational ? 15000 : 1);
  data.zeros_to(64);
  return finish_page(std::move(data));
}

Data logical_block_provisioning(DataIn data, const InquiryDevice& device) {
  data.u8(0);                                            // no threshold
  data.u8(device.reads_zero_after_unmap ? 0xE4 : 0xE0);  // LBPU, LBPWS, LBPWS10, LBPRZ
  data.u8(0x02);                                         // thin provisioned
  data.u8(0);
  return finish_page(std::move(data));
}

SenseResult<Data> vital_product_data(std::uint8_t page, const InquiryDevice& device, const InquiryPath& path) {
  DataIn data = begin_page(peripheral_byte(device, path), page);
  const bool disk = device.traits.type == DeviceType::kDisk;
  switch (page) {
    case 0x00: return supported_pages(std::move(data), device);
    case 0x80: data.text(device.serial_number); return finish_page(std::move(data));
    case 0x83: return device_identification(std::move(data), device, path);
    case 0x86: return extended_inquiry(std::move(data), device);
    case 0xB0:
      if (disk) return block_limits(std::move(data), device);
      break;
    case 0xB1:
      if (disk) return block_characteristics(std::move(data), device);
      break;
    case 0xB2:
      if (disk && device.traits.thin_provisioned) return logical_block_provisioning(std::move(data), device);
      break;
    default: break;
  }
  return bad_cdb(2);
}

Data cut(Data data, std::uint64_t allocation_length) {
  if (data.size() > allocation_length) data.resize(static_cast<std::size_t>(allocation_length));
  return data;
}

}  // namespace

SenseResult<Data> inquiry(const DecodedCdb& cdb, const InquiryDevice& device, const InquiryPath& path) {
  const bool vital = (cdb.bytes[1] & 0x01) != 0;
  const std::uint8_t page = cdb.bytes[2];
  if ((cdb.bytes[1] & 0x02) != 0) return bad_cdb(1, 1);  // CMDDT, obsolete
  if (!vital && page != 0) return bad_cdb(2);
  auto data = vital ? vital_product_data(page, device, path) : SenseResult<Data>(standard_data(device, path));
  if (!data) return refuse(data.error());
  return cut(std::move(*data), cdb.data_length_bytes);
}

SenseResult<Data> inquiry_unmapped(const DecodedCdb& cdb) {
  if ((cdb.bytes[1] & 0x01) != 0) return refuse(kLunNotSupported);
  DataIn data;
  data.u8(0x7F);  // qualifier 3, unknown type
  data.u8(0);
  data.u8(kSpc4);
  data.u8(0);
  data.u8(36 - 5);  // SCST says 32, one more than there is
  data.zeros(3);
  data.padded("SCST", 8);
  data.zeros_to(36);
  return std::move(data).cut(cdb.data_length_bytes);
}

}  // namespace uscst::scsi
