// Input: two bytes that choose a device, then a CDB. Whatever it decodes to is answered by the builder concerned.
#include <algorithm>
#include <array>

#include "engine/scsi/capacity.h"
#include "engine/scsi/cdb.h"
#include "engine/scsi/lun.h"
#include "engine/scsi/report.h"
#include "engine/scsi/rules.h"
#include "tests/fuzz/scsi/fuzz_device.h"

namespace uscst::scsi::fuzz {
namespace {

using Answer = SenseResult<std::vector<std::uint8_t>>;

Answer answer(const DecodedCdb& cdb, const Device& device) {
  static constexpr std::array<std::uint16_t, 4> kLuns{0, 33, 1, kMaxLun};
  const Capacity capacity{.block_count = device.mode.block_count};
  switch (cdb.operation()) {
    case Operation::kInquiry: {
      if (auto unmapped = inquiry_unmapped(cdb)) require(unmapped->size() <= 36);
      return inquiry(cdb, device.inquiry, {.relative_target_port = 1});
    }
    case Operation::kReadCapacity10: return read_capacity_10(cdb, device.traits, capacity);
    case Operation::kReadCapacity16: return read_capacity_16(cdb, device.traits, capacity);
    case Operation::kModeSense: return mode_sense(cdb, device.mode);
    case Operation::kReportLuns: return report_luns(cdb, kLuns, LunAddressing::kFlat, true);
    case Operation::kReportSupportedOpcodes: return report_supported_opcodes(cdb, device.traits);
    case Operation::kReportSupportedTaskManagement: return report_supported_task_management(cdb);
    case Operation::kRequestSense: return request_sense(cdb, kUaReset);
    default: return std::vector<std::uint8_t>();
  }
}

void check_decoded(const DecodedCdb& cdb, base::Bytes bytes, const Device& device) {
  require(std::equal(cdb.cdb().begin(), cdb.cdb().end(), bytes.begin()));
  require(device.traits.operations.contains(cdb.operation()));
  require(cdb.direction != Direction::kNone || cdb.data_length_bytes == 0);
  require(!check_direction(cdb, cdb.direction));
  require(cdb.data_length_bytes <= std::uint64_t{0xFFFFFFFF} << device.traits.block_shift << 1);
  if (cdb.has(Flag::kHasRange) && !check_range(cdb, device.mode.block_count)) {
    require(cdb.lba + cdb.blocks <= device.mode.block_count);
  }
  if (cdb.operation() == Operation::kWriteSame && !check_write_same(cdb, device.traits, 100)) {
    require(cdb.blocks >= 1 && cdb.blocks <= 100);
  }
  // What an exclusive reservation lets through, a write exclusive one does, too.
  if (passes_persistent_reservation(cdb, ReservationType::kExclusiveAccess, false, false)) {
    require(passes_persistent_reservation(cdb, ReservationType::kWriteExclusive, false, false));
  }
}

void run(base::Bytes bytes) {
  base::Reader input(bytes);
  const Device device = choose_device(input);
  auto cdb = decode_cdb(input.rest(), device.traits);
  if (!cdb) {
    require(cdb.error().key == SenseKey::kIllegalRequest);
    return;
  }
  check_decoded(*cdb, input.rest(), device);
  if (auto data = answer(*cdb, device)) require(data->size() <= cdb->data_length_bytes);
}

}  // namespace
}  // namespace uscst::scsi::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  uscst::scsi::fuzz::run({data, size});
  return 0;
}
