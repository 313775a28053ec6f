// SRP login (r16a 6.2 to 6.4): the private data of a connection's set-up. Values and bytes only; no state, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/bytes.h"

namespace uscst::srp {

// Opaque to everyone but its maker: never swapped, compared bytewise.
using Tag = std::array<std::uint8_t, 8>;

// Initiator or target port identifier: an extension and a GUID, in this order since r16a.
struct PortId {
  std::array<std::uint8_t, 8> extension{};
  std::array<std::uint8_t, 8> guid{};

  bool all_zero() const { return *this == PortId{}; }
  std::string hex() const;  // 32 lower-case digits
  friend auto operator<=>(const PortId&, const PortId&) = default;
};
static_assert(sizeof(PortId) == 16 && alignof(PortId) == 1);

PortId make_port_id(std::uint64_t extension, std::uint64_t guid);

// Bits of a login's buffer formats.
inline constexpr std::uint16_t kFormatDirect = 0x0002;
inline constexpr std::uint16_t kFormatIndirect = 0x0004;
inline constexpr std::uint16_t kFormatsSupported = kFormatDirect | kFormatIndirect;

// Bounds of the maximum length of an initiator's IU.
inline constexpr std::uint32_t kMinimumIuBytes = 64;
inline constexpr std::uint16_t kCommandBytes = 48;  // SRP_CMD without descriptors: the least immediate data offset

enum class MultiChannel : std::uint8_t { kSingle = 0, kMulti = 1 };

struct LoginRequest {
  Tag tag{};
  std::uint32_t max_it_iu_bytes = 0;
  std::uint16_t formats = kFormatsSupported;
  MultiChannel action = MultiChannel::kSingle;
  bool immediate_requested = false;          // SRP2
  std::uint16_t immediate_offset_bytes = 0;  // valid when requested
  PortId initiator;
  PortId target;

  friend bool operator==(const LoginRequest&, const LoginRequest&) = default;
};

// The IB/CM form (64 bytes or more: r16a 6.2) or the RDMA/CM form (56 to 63 bytes: Linux srp_login_req_rdma), told
// apart by the length. Nothing when shorter, or when the opcode is not SRP_LOGIN_REQ.
std::optional<LoginRequest> parse_login_request(base::Bytes private_data);

inline constexpr std::size_t kLoginRequestBytes = 64;
inline constexpr std::size_t kLoginRequestRdmaBytes = 56;
std::array<std::uint8_t, kLoginRequestBytes> encode_ib(const LoginRequest& request);
std::array<std::uint8_t, kLoginRequestRdmaBytes> encode_rdma(const LoginRequest& request);

enum class MultiChannelResult : std::uint8_t { kNoneExisted = 0, kTerminated = 1, kMaintained = 2 };

// SRP_LOGIN_RSP, r16a 6.3.
struct LoginResponse {
  Tag tag{};
  std::uint32_t request_limit = 0;  // initial credits
  std::uint32_t max_it_iu_bytes = 0;
  std::uint32_t max_ti_iu_bytes = 0;
  std::uint16_t formats = kFormatsSupported;
  MultiChannelResult result = MultiChannelResult::kNoneExisted;
  bool solicited_supported = false;
  bool immediate_supported = false;

  friend bool operator==(const LoginResponse&, const LoginResponse&) = default;
};

inline constexpr std::size_t kLoginResponseBytes = 52;
std::array<std::uint8_t, kLoginResponseBytes> encode(const LoginResponse& response);
std::optional<LoginResponse> parse_login_response(base::Bytes private_data);

// r16a 6.4, table 15; the last one is Linux's.
enum class RejectReason : std::uint32_t {
  kNoDetails = 0x00010000,
  kInsufficientResources = 0x00010001,
  kIuTooLarge = 0x00010002,
  kWrongTargetPort = 0x00010003,
  kUnsupportedFormat = 0x00010004,
  kMultiChannelUnsupported = 0x00010005,
  kChannelLimit = 0x00010006,
};
std::string_view describe(RejectReason reason);

struct LoginReject {
  Tag tag{};
  RejectReason reason = RejectReason::kNoDetails;
  std::uint16_t formats = kFormatsSupported;

  friend bool operator==(const LoginReject&, const LoginReject&) = default;
};

inline constexpr std::size_t kLoginRejectBytes = 32;
std::array<std::uint8_t, kLoginRejectBytes> encode(const LoginReject& reject);
std::optional<LoginReject> parse_login_reject(base::Bytes private_data);

}  // namespace uscst::srp
