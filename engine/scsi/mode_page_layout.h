// Positions and bits of the two mode pages that can be changed, shared by MODE SENSE and MODE SELECT (SPC-5 7.5.10,
// SBC-4 6.5.6).
#pragma once

#include <array>
#include <cstdint>

namespace uscst::scsi::mode_layout {

inline constexpr std::uint8_t kSavable = 0x80;  // PS
inline constexpr std::uint8_t kSubPageFormat = 0x40;
inline constexpr std::uint8_t kBlockDescriptorLength = 8;

inline constexpr std::uint8_t kCachingPage = 0x08;
inline constexpr std::uint8_t kCachingLength = 0x12;
inline constexpr std::uint8_t kWce = 0x04;  // byte 2

inline constexpr std::uint8_t kControlPage = 0x0A;
inline constexpr std::uint8_t kControlLength = 0x0A;
inline constexpr std::uint8_t kTmfOnly = 0x10;  // byte 2; TST above it
inline constexpr std::uint8_t kDpicz = 0x08;
inline constexpr std::uint8_t kDSense = 0x04;
inline constexpr std::uint8_t kSwp = 0x08;  // byte 4
inline constexpr std::uint8_t kAto = 0x80;  // byte 5
inline constexpr std::uint8_t kTas = 0x40;
inline constexpr std::array<std::uint8_t, 4> kControlChangeable{0x1C, 0xF6, 0x08, 0x40};  // bytes 2 to 5

}  // namespace uscst::scsi::mode_layout
