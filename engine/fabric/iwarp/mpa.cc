#include "engine/fabric/iwarp/mpa.h"

#include <fmt/format.h>

#include <algorithm>

namespace uscst::fabric::iwarp {
namespace {

constexpr std::uint16_t kRevision1Reads = 4;  // revision 1 says nothing about reads; every known peer holds 4

void read_enhanced(const MpaEnhanced& words, Frame& frame) {
  const std::uint16_t ird = words.ird, ord = words.ord;
  frame.enhanced = true;
  frame.ird = ird & kDepthMask;
  frame.ord = ord & kDepthMask;
  frame.peer_to_peer = (ird & kPeerToPeer) != 0;
  frame.rtr_fpdu = (ird & kRtrFpdu) != 0;
  frame.rtr_write = (ord & kRtrWrite) != 0;
  frame.rtr_read = (ord & kRtrRead) != 0;
}

Rtr choose_rtr(const Frame& request) {
  if (!request.peer_to_peer) return Rtr::kNone;
  if (request.rtr_write) return Rtr::kWrite;
  if (request.rtr_read) return Rtr::kRead;
  return request.rtr_fpdu ? Rtr::kFpdu : Rtr::kNone;
}

// A depth of kDepthMask means "no automatic negotiation": the other side's own limit then stands.
std::uint16_t bounded(std::uint16_t asked, std::uint16_t limit) {
  return asked == kDepthMask ? limit : std::min(asked, limit);
}

std::vector<std::uint8_t> build(FrameKind kind, std::uint8_t flags, std::uint8_t revision, const MpaEnhanced* enhanced,
                                base::Bytes private_data) {
  const std::size_t extra = enhanced != nullptr ? sizeof(MpaEnhanced) : 0;
  const std::size_t length = std::min(private_data.size(), kMaximumPrivateData - extra);
  std::vector<std::uint8_t> out(sizeof(MpaHeader) + extra + length);
  base::Writer writer(out);
  writer.bytes(base::as_bytes(kind == FrameKind::kRequest ? kRequestKey : kReplyKey));
  writer.u8(flags);
  writer.u8(revision);
  writer.u16(static_cast<std::uint16_t>(extra + length));
  if (enhanced != nullptr) writer.write(*enhanced);
  writer.bytes(private_data.first(length));
  return out;
}

}  // namespace

ParsedFrame parse_frame(FrameKind kind, base::Bytes bytes) {
  const base::Bytes key = base::as_bytes(kind == FrameKind::kRequest ? kRequestKey : kReplyKey);
  const std::size_t compared = std::min(key.size(), bytes.size());
  if (!std::ranges::equal(bytes.first(compared), key.first(compared)))
    return base::Error{EPROTO, "the peer does not speak MPA: no startup frame"};
  base::Reader reader(bytes);
  const auto header = reader.read<MpaHeader>();
  if (!header) return Need{sizeof(MpaHeader)};

  const std::size_t length = header->private_data_length;
  if (header->revision != 1 && header->revision != 2)
    return base::Error{EPROTO, fmt::format("MPA revision {}, must be 1 or 2", header->revision)};
  if (length > kMaximumPrivateData)
    return base::Error{EPROTO, fmt::format("MPA private data of {} bytes, at most {}", length, kMaximumPrivateData)};
  const bool enhanced = header->revision == 2 && (header->flags & mpa_flag::kEnhanced) != 0;
  if (enhanced && length < sizeof(MpaEnhanced))
    return base::Error{EPROTO, fmt::format("enhanced MPA frame with {} bytes of data, at least 4", length)};
  auto data = reader.bytes(length);
  if (!data) return Need{sizeof(MpaHeader) + length};

  Frame frame;
  frame.flags = header->flags;
  frame.revision = header->revision;
  frame.size_bytes = sizeof(MpaHeader) + length;
  base::Reader rest(*data);
  if (enhanced) read_enhanced(*rest.read<MpaEnhanced>(), frame);
  frame.private_data = rest.rest();
  return frame;
}

base::Result<Negotiated> negotiate(const Frame& request, const Limits& limits) {
  if (request.has(mpa_flag::kMarkers)) return base::fail(EOPNOTSUPP, "the peer requires MPA markers");
  Negotiated agreed;
  agreed.revision = request.revision;
  agreed.enhanced = request.enhanced;
  agreed.crc = limits.require_crc || request.has(mpa_flag::kCrc);
  agreed.outbound_reads = std::min(kRevision1Reads, limits.outbound_reads);
  agreed.inbound_reads = limits.inbound_reads;
  if (!request.enhanced) return agreed;
  agreed.rtr = choose_rtr(request);
  agreed.peer_to_peer = agreed.rtr != Rtr::kNone;
  agreed.outbound_reads = bounded(request.ird, limits.outbound_reads);
  // At least one: the RTR may be a read, and irdma fails on a zero.
  agreed.inbound_reads = std::max<std::uint16_t>(1, bounded(request.ord, limits.inbound_reads));
  return agreed;
}

std::vector<std::uint8_t> build_reply(const Negotiated& agreed, base::Bytes private_data) {
  const std::uint8_t crc = agreed.crc ? mpa_flag::kCrc : 0;
  if (!agreed.enhanced) return build(FrameKind::kReply, crc, agreed.revision, nullptr, private_data);
  std::uint16_t ird = agreed.inbound_reads, ord = agreed.outbound_reads;
  if (agreed.peer_to_peer) ird |= kPeerToPeer;
  if (agreed.rtr == Rtr::kFpdu) ird |= kRtrFpdu;
  if (agreed.rtr == Rtr::kWrite) ord |= kRtrWrite;
  if (agreed.rtr == Rtr::kRead) ord |= kRtrRead;
  const MpaEnhanced words{ird, ord};
  return build(FrameKind::kReply, crc | mpa_flag::kEnhanced, agreed.revision, &words, private_data);
}

std::vector<std::uint8_t> build_reject(const Frame& request, base::Bytes private_data) {
  const std::uint8_t flags = mpa_flag::kReject | (request.has(mpa_flag::kCrc) ? mpa_flag::kCrc : 0);
  if (!request.enhanced) return build(FrameKind::kReply, flags, request.revision, nullptr, private_data);
  const auto ird = std::max<std::uint16_t>(1, request.ord);
  const MpaEnhanced words{ird, request.ird};
  return build(FrameKind::kReply, flags | mpa_flag::kEnhanced, request.revision, &words, private_data);
}

std::vector<std::uint8_t> build_request(const Limits& limits, base::Bytes private_data) {
  const MpaEnhanced words{std::uint16_t(limits.inbound_reads & kDepthMask),
                          std::uint16_t(limits.outbound_reads & kDepthMask)};
  const std::uint8_t crc = limits.require_crc ? mpa_flag::kCrc : 0;
  return build(FrameKind::kRequest, crc | mpa_flag::kEnhanced, 2, &words, private_data);
}

base::Result<Negotiated> accept_reply(const Frame& reply, const Limits& limits) {
  if (reply.has(mpa_flag::kReject)) return base::fail(ECONNREFUSED, "the peer rejected the connection");
  if (reply.has(mpa_flag::kMarkers)) return base::fail(EPROTO, "the reply asks for MPA markers");
  if (!reply.enhanced) return base::fail(EPROTO, "the reply to an enhanced MPA request is not enhanced");
  Negotiated agreed;
  agreed.crc = limits.require_crc || reply.has(mpa_flag::kCrc);
  agreed.outbound_reads = bounded(reply.ird, limits.outbound_reads);
  // siw and others may announce more reads than asked for; the queue that holds them has this side's limit.
  agreed.inbound_reads = limits.inbound_reads;
  return agreed;
}

}  // namespace uscst::fabric::iwarp
