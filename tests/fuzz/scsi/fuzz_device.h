// A device chosen by the first bytes of a fuzzer's input, and the check that stops the fuzzer.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "engine/base/bytes.h"
#include "engine/scsi/inquiry.h"
#include "engine/scsi/mode_pages.h"

namespace uscst::scsi::fuzz {

// Assertions must hold in every build type.
inline void require(bool holds) {
  if (!holds) std::abort();
}

struct Device {
  DeviceTraits traits;
  ModeDevice mode;
  InquiryDevice inquiry;
};

// Bits of the first byte: type, block size, thin, ALUA, all operations; of the second: protection type, mode page
// limits.
inline Device choose_device(base::Reader& input) {
  const unsigned first = input.u8().value_or(0);
  const unsigned second = input.u8().value_or(0);
  Device device;
  device.traits.type = (first & 0x01) != 0 ? DeviceType::kCdrom : DeviceType::kDisk;
  device.traits.block_shift = static_cast<std::uint8_t>(9 + (first >> 1 & 0x03));
  device.traits.thin_provisioned = (first & 0x08) != 0;
  device.traits.explicit_alua = (first & 0x10) != 0;
  if ((first & 0x20) != 0) device.traits.operations = OperationSet::all();
  device.traits.dif_type = static_cast<std::uint8_t>(second & 0x03);
  device.mode.traits = device.traits;
  device.mode.block_count = 1000;
  device.mode.nv_cache = (second & 0x04) != 0;
  device.mode.saving_possible = (second & 0x08) == 0;
  device.mode.changeable = (second & 0x10) == 0;
  device.inquiry.traits = device.traits;
  device.inquiry.vendor_id = "SCST_FIO";
  device.inquiry.t10_device_id = "15455eef-fileio0";
  if ((second & 0x20) != 0) device.inquiry.vendor_specific = "a text that is longer than twenty";
  if ((second & 0x40) != 0) device.inquiry.naa_id.assign(8, 0x50);
  return device;
}

}  // namespace uscst::scsi::fuzz
