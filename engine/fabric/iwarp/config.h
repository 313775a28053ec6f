// What an iWARP fabric can be told; handed down by main().
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "engine/fabric/iwarp/mpa.h"
#include "engine/fabric/iwarp/socket.h"

namespace uscst::fabric::iwarp {

// How much one FPDU carries. kSegment is RFC 5044's rule (one FPDU, one TCP segment), which adapters rely on. siw takes
// any size: kLargeForSoftware uses that for peers that look like it (enhanced revision 2, neither CRC nor peer-to-peer
// mode, which every known adapter asks for). Over loopback segments are 64 KiB anyway.
enum class FpduSize { kSegment, kLargeForSoftware, kLarge };

struct Config {
  std::string source = {};   // address that connect() starts from; empty: the system's choice
  bool require_crc = false;  // false: CRCs only when the peer asks for them
  FpduSize fpdu_size = FpduSize::kSegment;
  std::uint16_t outbound_reads = 16;          // our reads outstanding; the peer's limit counts too (ib_srp: 4)
  std::uint16_t inbound_reads = 16;           // reads of the peer that we hold; adapters' RTR needs one
  std::size_t maximum_message_bytes = 16384;  // a longer Send ends the connection; at least srp_max_req_size

  std::chrono::milliseconds handshake_timeout{10'000};  // from TCP's connection to the MPA request or reply
  std::chrono::milliseconds connect_timeout{10'000};    // initiator: TCP and MPA together
  std::chrono::milliseconds close_timeout{1'000};       // for what is under way and the peer's FIN
  Liveness liveness;

  std::size_t maximum_handshakes = 256;  // per listener; the oldest gives way to a new one
  int backlog = 128;                     // listen(2)

  static constexpr std::size_t kReceiveBytes = 256 * 1024;  // buffer of one endpoint
  static constexpr std::size_t kLargeUlpduBytes = 64'000;   // of an FPDU larger than a segment

  Limits limits() const { return {require_crc, outbound_reads, inbound_reads}; }
};

}  // namespace uscst::fabric::iwarp
