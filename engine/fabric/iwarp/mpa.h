// MPA connection setup (RFC 5044 7.1, RFC 6581): the request and reply frames and what two sides agree on by them.
// Pure functions over bytes; the endpoints feed them.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/fabric/iwarp/wire.h"

namespace uscst::fabric::iwarp {

// The frame can be judged further once `bytes` of it, counted from its start, are there.
struct Need {
  std::size_t bytes = 0;
};

enum class FrameKind { kRequest, kReply };
enum class Rtr { kNone, kWrite, kRead, kFpdu };

// A startup frame as it was received. The private data (without the enhanced words) points into the parsed bytes.
struct Frame {
  std::uint8_t flags = 0;
  std::uint8_t revision = 1;
  bool enhanced = false;  // revision 2 with S: the following words were there
  std::uint16_t ird = 0, ord = 0;
  bool peer_to_peer = false;
  bool rtr_fpdu = false, rtr_write = false, rtr_read = false;
  base::Bytes private_data;
  std::size_t size_bytes = 0;

  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

// EPROTO for a frame that cannot become valid: refused as soon as the first wrong byte is there.
using ParsedFrame = std::variant<Need, Frame, base::Error>;
ParsedFrame parse_frame(FrameKind kind, base::Bytes bytes);

// What this side is ready for.
struct Limits {
  bool require_crc = false;           // else CRCs are used only when the peer asks for them
  std::uint16_t outbound_reads = 16;  // our reads outstanding
  std::uint16_t inbound_reads = 128;  // their reads that we hold
};

// What holds for the connection.
struct Negotiated {
  std::uint8_t revision = 2;
  bool enhanced = true;
  bool crc = false;
  bool peer_to_peer = false;
  Rtr rtr = Rtr::kNone;
  std::uint16_t outbound_reads = 4;  // reads this side may have outstanding
  std::uint16_t inbound_reads = 4;   // reads the peer may have outstanding
};

// Responder: what to answer a request with (the rules of RFC 6581; RTR: Write if offered, else Read, else an empty
// FPDU). EOPNOTSUPP when the peer requires markers: reject.
base::Result<Negotiated> negotiate(const Frame& request, const Limits& limits);
std::vector<std::uint8_t> build_reply(const Negotiated& agreed, base::Bytes private_data);
// The refusal in the form of the request: same revision, enhanced words when it had them.
std::vector<std::uint8_t> build_reject(const Frame& request, base::Bytes private_data);

// Initiator: revision 2, enhanced, without peer-to-peer mode.
std::vector<std::uint8_t> build_request(const Limits& limits, base::Bytes private_data);
// ECONNREFUSED when the reply is a reject, EPROTO when it breaks the rules.
base::Result<Negotiated> accept_reply(const Frame& reply, const Limits& limits);

}  // namespace uscst::fabric::iwarp
