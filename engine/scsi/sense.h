// Status codes and sense data (SAM-5 5.3, SPC-5 4.4). Plain values: made anywhere, owned by the command that answers
// with them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "engine/base/bytes.h"

namespace uscst::scsi {

enum class Status : std::uint8_t {
  kGood = 0x00,
  kCheckCondition = 0x02,
  kBusy = 0x08,
  kReservationConflict = 0x18,
  kTaskSetFull = 0x28,
  kAcaActive = 0x30,
  kTaskAborted = 0x40,
};

enum class SenseKey : std::uint8_t {
  kNoSense = 0x0,
  kNotReady = 0x2,
  kMediumError = 0x3,
  kHardwareError = 0x4,
  kIllegalRequest = 0x5,
  kUnitAttention = 0x6,
  kDataProtect = 0x7,
  kCopyAborted = 0xA,
  kAbortedCommand = 0xB,
  kMiscompare = 0xE,
};

// The D_SENSE bit of the control mode page chooses; errors outside any device are in fixed format.
enum class SenseFormat : std::uint8_t { kFixed, kDescriptor };

// Where a wrong field stands: a byte, and the most significant bit of a field that is smaller (SPC-5 4.4.2.4.2).
struct FieldPointer {
  bool in_cdb = true;
  std::uint16_t byte = 0;
  std::optional<std::uint8_t> bit = std::nullopt;
  friend constexpr bool operator==(const FieldPointer&, const FieldPointer&) = default;
};

// Encoded sense data: ours has 18 bytes in fixed format, 8 to 28 in descriptor format; a real device may say more.
class SenseBytes {
 public:
  static constexpr std::size_t kCapacity = 96;
  static SenseBytes copy_of(base::Bytes sense);  // cut at kCapacity
  base::Bytes bytes() const { return base::Bytes(data_).first(size_); }

 private:
  friend struct Sense;
  std::array<std::uint8_t, kCapacity> data_{};
  std::size_t size_ = 0;
};

struct Sense {
  SenseKey key = SenseKey::kNoSense;
  std::uint8_t asc = 0;
  std::uint8_t ascq = 0;
  std::optional<FieldPointer> field = std::nullopt;         // with ILLEGAL REQUEST
  std::optional<std::uint64_t> information = std::nullopt;  // with MISCOMPARE: byte offset of the first difference
  std::optional<std::uint16_t> progress = std::nullopt;     // with 2/04/04: 1/65536 of the format done

  friend constexpr bool operator==(const Sense&, const Sense&) = default;
  constexpr bool is_unit_attention() const { return key == SenseKey::kUnitAttention; }

  // The same sense pointing at a field of the CDB or of the parameter list.
  constexpr Sense at_cdb(std::uint16_t byte, std::optional<std::uint8_t> bit = std::nullopt) const {
    Sense copy = *this;
    copy.field = FieldPointer{true, byte, bit};
    return copy;
  }
  constexpr Sense at_parameter(std::size_t byte, std::optional<std::uint8_t> bit = std::nullopt) const {
    Sense copy = *this;
    copy.field = FieldPointer{false, static_cast<std::uint16_t>(byte), bit};
    return copy;
  }
  constexpr Sense with_information(std::uint64_t value) const {
    Sense copy = *this;
    copy.information = value;
    return copy;
  }

  // Unit attentions with ASC 29h and 2A/01 are always fixed: a new nexus or changed mode page may not know D_SENSE yet.
  SenseBytes encode(SenseFormat format) const;
};

// Key and codes out of sense data in either format (SPC-5 4.4.2, 4.4.3); nothing when it is neither.
std::optional<Sense> decode_sense(base::Bytes sense);

// A value, or the sense data to end the command with.
template <class T>
using SenseResult = std::expected<T, Sense>;

constexpr std::unexpected<Sense> refuse(const Sense& sense) { return std::unexpected(sense); }

inline constexpr Sense kNoSense{};
inline constexpr Sense kFormatInProgress{SenseKey::kNotReady, 0x04, 0x04};
inline constexpr Sense kAluaTransition{SenseKey::kNotReady, 0x04, 0x0A};
inline constexpr Sense kAluaStandby{SenseKey::kNotReady, 0x04, 0x0B};
inline constexpr Sense kAluaUnavailable{SenseKey::kNotReady, 0x04, 0x0C};
inline constexpr Sense kNoMedium{SenseKey::kNotReady, 0x3A, 0x00};

inline constexpr Sense kWriteError{SenseKey::kMediumError, 0x03, 0x00};
inline constexpr Sense kReadError{SenseKey::kMediumError, 0x11, 0x00};
inline constexpr Sense kHardwareFailure{SenseKey::kHardwareError, 0x44, 0x00};
inline constexpr Sense kSetTargetPortGroupsFailed{SenseKey::kHardwareError, 0x67, 0x0A};

inline constexpr Sense kOperationInProgress{SenseKey::kIllegalRequest, 0x00, 0x16};
inline constexpr Sense kInvalidFieldInCiu{SenseKey::kIllegalRequest, 0x0E, 0x03};
inline constexpr Sense kParameterListLengthError{SenseKey::kIllegalRequest, 0x1A, 0x00};
inline constexpr Sense kInvalidOpcode{SenseKey::kIllegalRequest, 0x20, 0x00};
inline constexpr Sense kLbaOutOfRange{SenseKey::kIllegalRequest, 0x21, 0x00};
inline constexpr Sense kInvalidFieldInCdb{SenseKey::kIllegalRequest, 0x24, 0x00};
inline constexpr Sense kLunNotSupported{SenseKey::kIllegalRequest, 0x25, 0x00};
inline constexpr Sense kInvalidFieldInParameterList{SenseKey::kIllegalRequest, 0x26, 0x00};
inline constexpr Sense kParameterValueInvalid{SenseKey::kIllegalRequest, 0x26, 0x02};
inline constexpr Sense kInvalidReleaseOfReservation{SenseKey::kIllegalRequest, 0x26, 0x04};
inline constexpr Sense kTooManyTargetDescriptors{SenseKey::kIllegalRequest, 0x26, 0x06};
inline constexpr Sense kUnsupportedTargetDescriptor{SenseKey::kIllegalRequest, 0x26, 0x07};
inline constexpr Sense kTooManySegmentDescriptors{SenseKey::kIllegalRequest, 0x26, 0x08};
inline constexpr Sense kUnsupportedSegmentDescriptor{SenseKey::kIllegalRequest, 0x26, 0x09};
inline constexpr Sense kInlineDataLengthExceeded{SenseKey::kIllegalRequest, 0x26, 0x0B};
inline constexpr Sense kSavingParametersNotSupported{SenseKey::kIllegalRequest, 0x39, 0x00};
inline constexpr Sense kInvalidMessage{SenseKey::kIllegalRequest, 0x49, 0x00};

inline constexpr Sense kUaMediumChanged{SenseKey::kUnitAttention, 0x28, 0x00};
inline constexpr Sense kUaReset{SenseKey::kUnitAttention, 0x29, 0x00};
inline constexpr Sense kUaNexusLoss{SenseKey::kUnitAttention, 0x29, 0x07};
inline constexpr Sense kUaModeParametersChanged{SenseKey::kUnitAttention, 0x2A, 0x01};
inline constexpr Sense kUaLogParametersChanged{SenseKey::kUnitAttention, 0x2A, 0x02};
inline constexpr Sense kUaReservationsPreempted{SenseKey::kUnitAttention, 0x2A, 0x03};
inline constexpr Sense kUaReservationsReleased{SenseKey::kUnitAttention, 0x2A, 0x04};
inline constexpr Sense kUaRegistrationsPreempted{SenseKey::kUnitAttention, 0x2A, 0x05};
inline constexpr Sense kUaAluaStateChanged{SenseKey::kUnitAttention, 0x2A, 0x06};
inline constexpr Sense kUaCapacityChanged{SenseKey::kUnitAttention, 0x2A, 0x09};
inline constexpr Sense kUaCommandsCleared{SenseKey::kUnitAttention, 0x2F, 0x00};
inline constexpr Sense kUaThinThresholdReached{SenseKey::kUnitAttention, 0x38, 0x07};
inline constexpr Sense kUaInquiryDataChanged{SenseKey::kUnitAttention, 0x3F, 0x03};
inline constexpr Sense kUaReportedLunsChanged{SenseKey::kUnitAttention, 0x3F, 0x0E};

// SCST answers 7/00/00; the standard's code tells the administrator what is wrong, and no initiator reads the zero.
inline constexpr Sense kWriteProtected{SenseKey::kDataProtect, 0x27, 0x00};
inline constexpr Sense kSpaceAllocationFailed{SenseKey::kDataProtect, 0x27, 0x07};

inline constexpr Sense kCopySegmentError{SenseKey::kCopyAborted, 0x00, 0x00};
inline constexpr Sense kCopyTargetUnreachable{SenseKey::kCopyAborted, 0x0D, 0x02};
inline constexpr Sense kAborted{SenseKey::kAbortedCommand, 0x00, 0x00};
inline constexpr Sense kGuardCheckFailed{SenseKey::kAbortedCommand, 0x10, 0x01};
inline constexpr Sense kApplicationTagCheckFailed{SenseKey::kAbortedCommand, 0x10, 0x02};
inline constexpr Sense kReferenceTagCheckFailed{SenseKey::kAbortedCommand, 0x10, 0x03};
inline constexpr Sense kInternalTargetFailure{SenseKey::kAbortedCommand, 0x44, 0x00};
inline constexpr Sense kMiscompare{SenseKey::kMiscompare, 0x1D, 0x00};

// The short forms that the checks of a CDB and of a parameter list answer with.
constexpr std::unexpected<Sense> bad_cdb(std::uint16_t byte, std::optional<std::uint8_t> bit = std::nullopt) {
  return refuse(kInvalidFieldInCdb.at_cdb(byte, bit));
}
constexpr std::unexpected<Sense> bad_parameter(std::size_t byte, std::optional<std::uint8_t> bit = std::nullopt) {
  return refuse(kInvalidFieldInParameterList.at_parameter(byte, bit));
}

// Names for logs and metrics; empty for a code that is not used here.
std::string_view name_of(Status status);
std::string_view name_of(SenseKey key);

}  // namespace uscst::scsi
