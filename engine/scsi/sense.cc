#include "engine/scsi/sense.h"

#include <algorithm>

namespace uscst::scsi {
namespace {

constexpr std::uint8_t kFixedCurrent = 0x70;
constexpr std::uint8_t kDescriptorCurrent = 0x72;
constexpr std::size_t kFixedLength = 18;

// The three bytes of the sense-key-specific field; SKSV set.
std::array<std::uint8_t, 3> key_specific(const Sense& sense) {
  std::uint8_t first = 0x80;
  std::uint16_t value = 0;
  if (sense.field) {
    if (sense.field->in_cdb) first |= 0x40;
    if (sense.field->bit) first = static_cast<std::uint8_t>(first | 0x08 | (*sense.field->bit & 0x07));
    value = sense.field->byte;
  } else {
    value = sense.progress.value_or(0);
  }
  return {first, static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value & 0xFF)};
}

void encode_fixed(const Sense& sense, base::Writer& out) {
  out.u8(static_cast<std::uint8_t>(kFixedCurrent | (sense.information ? 0x80 : 0)));
  out.u8(0);
  out.u8(static_cast<std::uint8_t>(sense.key));
  out.u32(static_cast<std::uint32_t>(sense.information.value_or(0) & 0xFFFFFFFF));
  out.u8(kFixedLength - 8);
  out.u32(0);
  out.u8(sense.asc);
  out.u8(sense.ascq);
  out.u8(0);
  if (sense.field || sense.progress) {
    out.bytes(key_specific(sense));
  } else {
    out.zeros(3);
  }
}

void encode_descriptor(const Sense& sense, base::Writer& out) {
  bool specific = sense.field || sense.progress;
  out.u8(kDescriptorCurrent);
  out.u8(static_cast<std::uint8_t>(sense.key));
  out.u8(sense.asc);
  out.u8(sense.ascq);
  out.zeros(3);
  out.u8(static_cast<std::uint8_t>((sense.information ? 12 : 0) + (specific ? 8 : 0)));
  if (sense.information) {
    out.bytes(std::array<std::uint8_t, 4>{0x00, 0x0A, 0x80, 0x00});
    out.u64(*sense.information);
  }
  if (specific) {
    out.bytes(std::array<std::uint8_t, 4>{0x02, 0x06, 0x00, 0x00});
    out.bytes(key_specific(sense));
    out.u8(0);
  }
}

bool always_fixed(const Sense& sense) {
  return sense.is_unit_attention() && (sense.asc == 0x29 || (sense.asc == 0x2A && sense.ascq == 0x01));
}

}  // namespace

SenseBytes Sense::encode(SenseFormat format) const {
  SenseBytes encoded;
  base::Writer out{encoded.data_};
  if (format == SenseFormat::kFixed || always_fixed(*this)) {
    encode_fixed(*this, out);
  } else {
    encode_descriptor(*this, out);
  }
  encoded.size_ = out.position();
  return encoded;
}

SenseBytes SenseBytes::copy_of(base::Bytes sense) {
  SenseBytes copy;
  copy.size_ = std::min(sense.size(), kCapacity);
  std::copy_n(sense.begin(), copy.size_, copy.data_.begin());
  return copy;
}

std::optional<Sense> decode_sense(base::Bytes sense) {
  if (sense.empty()) return std::nullopt;
  const int format = sense[0] & 0x7F;
  const bool fixed = format == kFixedCurrent || format == kFixedCurrent + 1;
  const bool descriptor = format == kDescriptorCurrent || format == kDescriptorCurrent + 1;
  if (!fixed && !descriptor) return std::nullopt;
  auto byte = [&](std::size_t index) { return index < sense.size() ? sense[index] : std::uint8_t{0}; };
  const std::size_t key = fixed ? 2 : 1, code = fixed ? 12 : 2;
  return Sense{static_cast<SenseKey>(byte(key) & 0x0F), byte(code), byte(code + 1)};
}

std::string_view name_of(Status status) {
  switch (status) {
    case Status::kGood: return "GOOD";
    case Status::kCheckCondition: return "CHECK CONDITION";
    case Status::kBusy: return "BUSY";
    case Status::kReservationConflict: return "RESERVATION CONFLICT";
    case Status::kTaskSetFull: return "TASK SET FULL";
    case Status::kAcaActive: return "ACA ACTIVE";
    case Status::kTaskAborted: return "TASK ABORTED";
  }
  return {};
}

std::string_view name_of(SenseKey key) {
  switch (key) {
    case SenseKey::kNoSense: return "NO SENSE";
    case SenseKey::kNotReady: return "NOT READY";
    case SenseKey::kMediumError: return "MEDIUM ERROR";
    case SenseKey::kHardwareError: return "HARDWARE ERROR";
    case SenseKey::kIllegalRequest: return "ILLEGAL REQUEST";
    case SenseKey::kUnitAttention: return "UNIT ATTENTION";
    case SenseKey::kDataProtect: return "DATA PROTECT";
    case SenseKey::kCopyAborted: return "COPY ABORTED";
    case SenseKey::kAbortedCommand: return "ABORTED COMMAND";
    case SenseKey::kMiscompare: return "MISCOMPARE";
  }
  return {};
}

}  // namespace uscst::scsi
