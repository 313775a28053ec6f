// The bytes of iWARP on the wire: MPA startup frames (RFC 5044, RFC 6581), FPDUs with DDP and RDMAP headers (RFC 5041,
// RFC 5040), Terminate. Plain aggregates, nothing here has a thread or an owner. Everything is big-endian except the
// CRC, which is stored least significant byte first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/byte_order.h"

namespace uscst::fabric::iwarp {

// --- MPA startup frames (RFC 5044 7.1.1)

inline constexpr std::string_view kRequestKey = "MPA ID Req Frame";
inline constexpr std::string_view kReplyKey = "MPA ID Rep Frame";

struct MpaHeader {
  std::array<std::uint8_t, 16> key;
  std::uint8_t flags;
  std::uint8_t revision;
  base::be16 private_data_length;  // bytes that follow, the enhanced data included
};
static_assert(sizeof(MpaHeader) == 20 && offsetof(MpaHeader, private_data_length) == 18);

namespace mpa_flag {
inline constexpr std::uint8_t kMarkers = 0x80, kCrc = 0x40, kReject = 0x20, kEnhanced = 0x10;
}

// RFC 6581 "Enhanced MPA Request/Reply Frames": the two top bits of each word are flags.
struct MpaEnhanced {
  base::be16 ird;  // inbound reads the sender of the frame can hold; A 0x8000, B 0x4000
  base::be16 ord;  // outbound reads it wants outstanding; C 0x8000, D 0x4000
};
static_assert(sizeof(MpaEnhanced) == 4);

inline constexpr std::uint16_t kPeerToPeer = 0x8000, kRtrFpdu = 0x4000;  // A and B, beside the IRD
inline constexpr std::uint16_t kRtrWrite = 0x8000, kRtrRead = 0x4000;    // C and D, beside the ORD
inline constexpr std::uint16_t kDepthMask = 0x3FFF;                      // and the value "no automatic negotiation"
inline constexpr std::size_t kMaximumPrivateData = 512;                  // with the enhanced data

// --- FPDU (RFC 5044 4): length, ULPDU, pad to 4 bytes, CRC field

inline constexpr std::size_t kLengthBytes = 2, kCrcBytes = 4, kMaximumPad = 3;
inline constexpr std::size_t kMaximumUlpdu = 64768;  // RFC 5044 4.5

constexpr std::size_t pad_bytes(std::size_t ulpdu_length) { return (4 - (kLengthBytes + ulpdu_length) % 4) % 4; }

// DDP segments, with the FPDU's length in front (RFC 5041 4.1, 4.2).
struct TaggedHeader {
  base::be16 ulpdu_length;
  std::uint8_t ddp;
  std::uint8_t rdmap;
  base::be32 stag;
  base::be64 offset;
};
static_assert(sizeof(TaggedHeader) == 16 && offsetof(TaggedHeader, stag) == 4 && offsetof(TaggedHeader, offset) == 8);

struct UntaggedHeader {
  base::be16 ulpdu_length;
  std::uint8_t ddp;
  std::uint8_t rdmap;
  base::be32 invalidate_stag;
  base::be32 queue;
  base::be32 message_number;  // MSN
  base::be32 message_offset;  // MO
};
static_assert(sizeof(UntaggedHeader) == 20 && offsetof(UntaggedHeader, queue) == 8 &&
              offsetof(UntaggedHeader, message_number) == 12 && offsetof(UntaggedHeader, message_offset) == 16);

inline constexpr std::size_t kTaggedHeaderBytes = sizeof(TaggedHeader) - kLengthBytes;      // 14: smallest ULPDU
inline constexpr std::size_t kUntaggedHeaderBytes = sizeof(UntaggedHeader) - kLengthBytes;  // 18

inline constexpr std::uint8_t kDdpTagged = 0x80, kDdpLast = 0x40, kDdpVersionMask = 0x03, kDdpVersion = 1;
inline constexpr std::uint8_t kRdmapVersionMask = 0xC0, kRdmapVersion = 0x40, kRdmapOpcodeMask = 0x0F;

enum class Opcode : std::uint8_t {
  kWrite = 0,
  kReadRequest = 1,
  kReadResponse = 2,
  kSend = 3,
  kSendInvalidate = 4,
  kSendSolicited = 5,
  kSendSolicitedInvalidate = 6,
  kTerminate = 7,
};

enum class Queue : std::uint32_t { kSend = 0, kReadRequest = 1, kTerminate = 2 };

// RFC 5040 4.4: behind the untagged header.
struct ReadRequestHeader {
  base::be32 sink_stag;
  base::be64 sink_offset;
  base::be32 length_bytes;
  base::be32 source_stag;
  base::be64 source_offset;
};
static_assert(sizeof(ReadRequestHeader) == 28 && offsetof(ReadRequestHeader, length_bytes) == 12 &&
              offsetof(ReadRequestHeader, source_stag) == 16 && offsetof(ReadRequestHeader, source_offset) == 20);

// --- Terminate (RFC 5040 4.8, codes RFC 6580): behind the untagged header, then with M the length of the offending
// segment, with D its DDP header, with R its Read Request header.
struct TerminateHeader {
  std::uint8_t layer_and_type;
  std::uint8_t code;
  std::uint8_t flags;
  std::uint8_t reserved;
};
static_assert(sizeof(TerminateHeader) == 4);

inline constexpr std::uint8_t kTerminateLength = 0x80, kTerminateDdp = 0x40, kTerminateRdmap = 0x20;
inline constexpr std::size_t kMaximumTerminateBytes =
    sizeof(TerminateHeader) + 2 + kUntaggedHeaderBytes + sizeof(ReadRequestHeader);

struct TerminateCode {
  std::uint8_t layer = 0, type = 0, code = 0;
  friend constexpr bool operator==(const TerminateCode&, const TerminateCode&) = default;
};

namespace terminate {
// RDMAP, remote protection
inline constexpr TerminateCode kReadStag{0, 1, 0}, kReadBounds{0, 1, 1}, kAccess{0, 1, 2}, kReadWrap{0, 1, 4};
inline constexpr TerminateCode kNotInvalidatable{0, 1, 9};
// RDMAP, remote operation
inline constexpr TerminateCode kRdmapVersion{0, 2, 5}, kOpcode{0, 2, 6}, kUnspecified{0, 2, 0xFF};
// DDP, tagged buffer
inline constexpr TerminateCode kTaggedStag{1, 1, 0}, kTaggedBounds{1, 1, 1}, kTaggedWrap{1, 1, 3},
    kTaggedVersion{1, 1, 4};
// DDP, untagged buffer
inline constexpr TerminateCode kQueue{1, 2, 1}, kNoBuffer{1, 2, 2}, kMessageNumber{1, 2, 3}, kMessageOffset{1, 2, 4},
    kTooLong{1, 2, 5}, kUntaggedVersion{1, 2, 6};
// LLP
inline constexpr TerminateCode kCrc{2, 0, 2}, kLength{2, 0, 3};
}  // namespace terminate

}  // namespace uscst::fabric::iwarp
