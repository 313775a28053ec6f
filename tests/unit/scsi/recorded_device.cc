#include "tests/unit/scsi/recorded_device.h"

#include <bit>

#include "engine/scsi/identifiers.h"
#include "engine/scsi/lun.h"
#include "engine/scsi/report.h"
#include "engine/scsi/unmap.h"

namespace uscst::scsi::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint32_t kPhysicalBlock = 4096;

RecordedDevice make(std::string_view directory, std::string_view name, std::string_view vendor, std::uint64_t size,
                    std::uint32_t block_size) {
  RecordedDevice device;
  device.directory = directory;
  const GeneratedIds ids = generate_ids(name, 0);
  DeviceTraits traits;
  traits.block_shift = static_cast<std::uint8_t>(std::countr_zero(block_size));
  device.inquiry.traits = traits;
  device.inquiry.vendor_id = vendor;
  device.inquiry.product_id = ids.product_id;
  device.inquiry.product_revision = "3110";
  device.inquiry.serial_number = ids.serial_number;
  device.inquiry.t10_device_id = ids.t10_device_id;
  device.inquiry.vendor_specific_id = ids.t10_device_id;
  device.path.relative_target_port = 1;
  device.capacity.block_count = size / block_size;
  device.capacity.physical_block_exponent = static_cast<std::uint8_t>(std::countr_zero(kPhysicalBlock / block_size));
  device.mode.traits = traits;
  device.mode.block_count = device.capacity.block_count;
  return device;
}

Data none() { return {}; }

}  // namespace

std::vector<RecordedDevice> recorded_devices() {
  std::vector<RecordedDevice> devices{
      make("fileio", "fileio0", "SCST_FIO", 64 * kMiB, 512),
      make("blockio", "blockio1", "SCST_BIO", 64 * kMiB, 512),
      make("nullio", "nullio2", "SCST_FIO", 1024 * kMiB, 512),
      make("fileio-thin", "thin3", "SCST_FIO", 64 * kMiB, 512),
      make("fileio-readonly", "ro4", "SCST_FIO", 64 * kMiB, 512),
      make("fileio-4k", "b4k5", "SCST_FIO", 64 * kMiB, 4096),
  };
  devices[3].inquiry.traits.thin_provisioned = true;
  devices[3].inquiry.unmap.max_unmap_blocks = kMaxWriteSameBytes >> 9;
  devices[4].mode.read_only = true;
  return devices;
}

RecordedDevice recorded_device(std::string_view directory) {
  for (RecordedDevice& device : recorded_devices()) {
    if (device.directory == directory) return device;
  }
  return {};
}

SenseResult<Data> answer(const RecordedDevice& device, base::Bytes bytes, Direction offered) {
  const DeviceTraits& traits = device.inquiry.traits;
  auto cdb = decode_cdb(bytes, traits);
  if (!cdb) return refuse(cdb.error());
  if (auto sense = check_direction(*cdb, offered)) return refuse(*sense);
  if (cdb->has(Flag::kWrites) && device.mode.read_only) return refuse(kWriteProtected);
  if (auto sense = check_range(*cdb, device.capacity.block_count)) return refuse(*sense);
  switch (cdb->operation()) {
    case Operation::kInquiry: return inquiry(*cdb, device.inquiry, device.path);
    case Operation::kReadCapacity10: return read_capacity_10(*cdb, traits, device.capacity);
    case Operation::kReadCapacity16: return read_capacity_16(*cdb, traits, device.capacity);
    case Operation::kModeSense: return mode_sense(*cdb, device.mode);
    case Operation::kReportLuns: return report_luns(*cdb, device.luns, LunAddressing::kPeripheral, true);
    case Operation::kReportSupportedOpcodes: return report_supported_opcodes(*cdb, traits);
    case Operation::kReportSupportedTaskManagement: return report_supported_task_management(*cdb);
    case Operation::kRequestSense: return request_sense(*cdb, kNoSense);
    case Operation::kLogSense:
    case Operation::kLogSelect: return bad_cdb(2, 0);
    case Operation::kRefused: return refuse(kInvalidOpcode);
    case Operation::kWriteSame:
      if (auto sense = check_write_same(*cdb, traits, kMaxWriteSameBytes >> traits.block_shift)) return refuse(*sense);
      return none();
    default: return none();
  }
}

SenseResult<Data> answer(const RecordedDevice& device, std::initializer_list<std::uint8_t> cdb) {
  base::Bytes bytes(cdb.begin(), cdb.size());
  auto row = find_row(bytes, device.inquiry.traits);
  return answer(device, bytes, row ? (*row)->direction : Direction::kNone);
}

}  // namespace uscst::scsi::test
