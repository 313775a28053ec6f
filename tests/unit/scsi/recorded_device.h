// The six devices of the recordings, and a disk without a medium that answers with the builders: what the engine and
// the disk handler do around them, in a few lines.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/scsi/capacity.h"
#include "engine/scsi/cdb.h"
#include "engine/scsi/inquiry.h"
#include "engine/scsi/mode_pages.h"

namespace uscst::scsi::test {

using Data = std::vector<std::uint8_t>;

struct RecordedDevice {
  std::string directory;
  InquiryDevice inquiry;
  InquiryPath path;
  Capacity capacity;
  ModeDevice mode;
  std::vector<std::uint16_t> luns{0, 1, 2, 3, 4, 5};
};

std::vector<RecordedDevice> recorded_devices();
RecordedDevice recorded_device(std::string_view directory);

// The data of GOOD status, or the sense data of CHECK CONDITION. Commands that move blocks end GOOD once checked.
SenseResult<Data> answer(const RecordedDevice& device, base::Bytes cdb, Direction offered);
SenseResult<Data> answer(const RecordedDevice& device, std::initializer_list<std::uint8_t> cdb);

}  // namespace uscst::scsi::test
