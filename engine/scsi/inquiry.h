// INQUIRY (SPC-5 6.7, 7.7; SBC-4 6.6): standard data and vital product data pages as SCST's vdisk handlers answer them.
// Pure: a description of the device in, bytes out; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/scsi/cdb.h"
#include "engine/scsi/opcode_table.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

// Version descriptors of the SCSI transports (SPC-5 table 149); the target driver names its own.
inline constexpr std::uint16_t kTransportVersionSrp = 0x0940;
inline constexpr std::uint16_t kTransportVersionSas = 0x0BE0;
inline constexpr std::uint16_t kTransportVersionIscsi = 0x0960;

enum class PeripheralQualifier : std::uint8_t { kConnected = 0, kUnavailable = 1, kNotSupported = 3 };

// The thin part of VPD page B0; what a file answers is the default.
struct UnmapLimits {
  std::uint32_t max_unmap_blocks = 0;
  std::uint32_t granularity_blocks = 1;
  std::uint32_t alignment_blocks = 0;
};

// What a device tells about itself. Attributes of the device, filled in by the handler.
struct InquiryDevice {
  DeviceTraits traits;
  bool removable = false;
  std::string vendor_id;               // t10_vend_id, up to 8 characters
  std::string product_id;              // prod_id, up to 16
  std::string product_revision;        // prod_rev_lvl, up to 4
  std::string vendor_specific;         // inq_vend_specific: up to 20 in the standard data, longer ones behind it
  std::string serial_number;           // usn
  std::string t10_device_id;           // t10_dev_id
  std::string vendor_specific_id;      // vend_specific_id; t10_device_id unless configured
  std::string scsi_device_name;        // scsi_device_name, may be empty
  std::vector<std::uint8_t> eui64_id;  // 8, 12 or 16 bytes, or none
  std::vector<std::uint8_t> naa_id;    // 8 or 16 bytes, or none
  bool has_write_cache = true;         // neither write_through nor nv_cache
  bool rotational = true;
  std::uint32_t max_transfer_bytes = 8u << 20;  // limit of the backing store, at most 8 MiB are reported
  std::uint32_t optimal_transfer_bytes = 512u << 10;
  UnmapLimits unmap;
  bool reads_zero_after_unmap = false;
  std::uint8_t extended_checks = 0;  // GRD_CHK 04h, APP_CHK 02h, REF_CHK 01h with T10-PI
};

// What depends on the way the command came in.
struct InquiryPath {
  std::uint16_t transport_version = kTransportVersionSrp;
  std::uint16_t physical_transport_version = 0;  // 0: none told
  std::uint16_t relative_target_port = 0;
  std::optional<std::uint16_t> target_port_group =
      std::nullopt;              // the device and the target are in a group with this id
  bool in_device_group = false;  // TPGS: implicit ALUA
  PeripheralQualifier qualifier = PeripheralQualifier::kConnected;
};

// The answer to an INQUIRY, cut to the allocation length: standard data, or the VPD page asked for.
SenseResult<std::vector<std::uint8_t>> inquiry(const DecodedCdb& cdb, const InquiryDevice& device,
                                               const InquiryPath& path);

// The answer where no logical unit is mapped: 36 bytes with qualifier 3 (SPC-5 6.7.2). VPD pages are refused with
// 5/25/00.
SenseResult<std::vector<std::uint8_t>> inquiry_unmapped(const DecodedCdb& cdb);

// Largest WRITE SAME and, on a file, largest UNMAP: 256 MiB.
inline constexpr std::uint32_t kMaxWriteSameBytes = 256u << 20;

}  // namespace uscst::scsi
