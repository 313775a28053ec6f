#include "engine/srp/login.h"

#include <bit>

namespace uscst::srp {
namespace {

constexpr std::uint8_t kRequestType = 0x00, kResponseType = 0xC0, kRejectType = 0xC2;
constexpr std::uint8_t kActionMask = 0x03, kSolicitedSupported = 0x10, kImmediate = 0x80;

struct WireRequest {
  std::uint8_t type = kRequestType;
  std::array<std::uint8_t, 7> reserved1{};
  Tag tag{};
  base::be32 max_it_iu;
  std::array<std::uint8_t, 4> reserved2{};
  base::be16 formats;
  std::uint8_t flags = 0;
  std::uint8_t reserved3 = 0;
  base::be16 immediate_offset;
  std::array<std::uint8_t, 2> reserved4{};
  PortId initiator;
  PortId target;
};
static_assert(sizeof(WireRequest) == kLoginRequestBytes && alignof(WireRequest) == 1);
static_assert(offsetof(WireRequest, max_it_iu) == 16 && offsetof(WireRequest, flags) == 26 &&
              offsetof(WireRequest, immediate_offset) == 28 && offsetof(WireRequest, initiator) == 32);

struct WireRequestRdma {
  Tag tag{};
  base::be16 formats;
  std::uint8_t flags = 0;
  std::uint8_t type = kRequestType;
  base::be32 max_it_iu;
  PortId initiator;
  PortId target;
  base::be16 immediate_offset;
  std::array<std::uint8_t, 6> reserved{};
};
static_assert(sizeof(WireRequestRdma) == kLoginRequestRdmaBytes && alignof(WireRequestRdma) == 1);
static_assert(offsetof(WireRequestRdma, flags) == 10 && offsetof(WireRequestRdma, max_it_iu) == 12 &&
              offsetof(WireRequestRdma, immediate_offset) == 48);

struct WireResponse {
  std::uint8_t type = kResponseType;
  std::array<std::uint8_t, 3> reserved1{};
  base::be32 request_limit;
  Tag tag{};
  base::be32 max_it_iu;
  base::be32 max_ti_iu;
  base::be16 formats;
  std::uint8_t flags = 0;
  std::array<std::uint8_t, 25> reserved2{};
};
static_assert(sizeof(WireResponse) == kLoginResponseBytes && alignof(WireResponse) == 1);
static_assert(offsetof(WireResponse, max_it_iu) == 16 && offsetof(WireResponse, flags) == 26);

struct WireReject {
  std::uint8_t type = kRejectType;
  std::array<std::uint8_t, 3> reserved1{};
  base::be32 reason;
  Tag tag{};
  std::array<std::uint8_t, 8> reserved2{};
  base::be16 formats;
  std::array<std::uint8_t, 6> reserved3{};
};
static_assert(sizeof(WireReject) == kLoginRejectBytes && alignof(WireReject) == 1);
static_assert(offsetof(WireReject, formats) == 24);

template <class Wire>
std::optional<LoginRequest> request_from(base::Bytes bytes) {
  auto wire = base::Reader(bytes).read<Wire>();
  if (!wire || wire->type != kRequestType) return std::nullopt;
  LoginRequest request;
  request.tag = wire->tag;
  request.max_it_iu_bytes = wire->max_it_iu;
  request.formats = wire->formats;
  // Actions 2 and 3 are not assigned; SCST and lio take everything that is not MULTI for SINGLE.
  request.action = (wire->flags & kActionMask) == 1 ? MultiChannel::kMulti : MultiChannel::kSingle;
  request.immediate_requested = (wire->flags & kImmediate) != 0;
  request.immediate_offset_bytes = wire->immediate_offset;
  request.initiator = wire->initiator;
  request.target = wire->target;
  return request;
}

template <class Wire>
Wire wire_from(const LoginRequest& request) {
  Wire wire;
  wire.tag = request.tag;
  wire.max_it_iu = request.max_it_iu_bytes;
  wire.formats = request.formats;
  wire.flags = static_cast<std::uint8_t>(static_cast<unsigned>(request.action) |
                                         (request.immediate_requested ? kImmediate : 0u));
  wire.immediate_offset = request.immediate_offset_bytes;
  wire.initiator = request.initiator;
  wire.target = request.target;
  return wire;
}

template <class Wire>
auto bytes_of(const Wire& wire) {
  return std::bit_cast<std::array<std::uint8_t, sizeof(Wire)>>(wire);
}

}  // namespace

std::string PortId::hex() const { return base::to_hex(extension) + base::to_hex(guid); }

PortId make_port_id(std::uint64_t extension, std::uint64_t guid) {
  return {base::be64{extension}.bytes, base::be64{guid}.bytes};
}

std::optional<LoginRequest> parse_login_request(base::Bytes private_data) {
  if (private_data.size() >= kLoginRequestBytes) return request_from<WireRequest>(private_data);
  return request_from<WireRequestRdma>(private_data);
}

std::array<std::uint8_t, kLoginRequestBytes> encode_ib(const LoginRequest& request) {
  return bytes_of(wire_from<WireRequest>(request));
}
std::array<std::uint8_t, kLoginRequestRdmaBytes> encode_rdma(const LoginRequest& request) {
  return bytes_of(wire_from<WireRequestRdma>(request));
}

std::array<std::uint8_t, kLoginResponseBytes> encode(const LoginResponse& response) {
  WireResponse wire;
  wire.request_limit = response.request_limit;
  wire.tag = response.tag;
  wire.max_it_iu = response.max_it_iu_bytes;
  wire.max_ti_iu = response.max_ti_iu_bytes;
  wire.formats = response.formats;
  wire.flags = static_cast<std::uint8_t>(static_cast<unsigned>(response.result) |
                                         (response.solicited_supported ? kSolicitedSupported : 0u) |
                                         (response.immediate_supported ? kImmediate : 0u));
  return bytes_of(wire);
}

std::optional<LoginResponse> parse_login_response(base::Bytes private_data) {
  auto wire = base::Reader(private_data).read<WireResponse>();
  if (!wire || wire->type != kResponseType) return std::nullopt;
  LoginResponse response;
  response.tag = wire->tag;
  response.request_limit = wire->request_limit;
  response.max_it_iu_bytes = wire->max_it_iu;
  response.max_ti_iu_bytes = wire->max_ti_iu;
  response.formats = wire->formats;
  response.result = static_cast<MultiChannelResult>(wire->flags & kActionMask);
  response.solicited_supported = (wire->flags & kSolicitedSupported) != 0;
  response.immediate_supported = (wire->flags & kImmediate) != 0;
  return response;
}

std::array<std::uint8_t, kLoginRejectBytes> encode(const LoginReject& reject) {
  WireReject wire;
  wire.reason = static_cast<std::uint32_t>(reject.reason);
  wire.tag = reject.tag;
  wire.formats = reject.formats;
  return bytes_of(wire);
}

std::optional<LoginReject> parse_login_reject(base::Bytes private_data) {
  auto wire = base::Reader(private_data).read<WireReject>();
  if (!wire || wire->type != kRejectType) return std::nullopt;
  return LoginReject{wire->tag, static_cast<RejectReason>(wire->reason.value()), wire->formats};
}

std::string_view describe(RejectReason reason) {
  switch (reason) {
    case RejectReason::kNoDetails: return "unable to establish the RDMA channel, no details";
    case RejectReason::kInsufficientResources: return "insufficient RDMA channel resources, or the target is disabled";
    case RejectReason::kIuTooLarge: return "requested maximum IU length out of range";
    case RejectReason::kWrongTargetPort: return "no such target port (wrong id_ext or ioc_guid)";
    case RejectReason::kUnsupportedFormat: return "unsupported data buffer descriptor format";
    case RejectReason::kMultiChannelUnsupported: return "multiple channels per I_T nexus unsupported";
    case RejectReason::kChannelLimit: return "channel limit reached, or initiator not admitted";
  }
  return "unknown reason";
}

}  // namespace uscst::srp
