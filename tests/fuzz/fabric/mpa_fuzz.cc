// MPA startup frames from a hostile peer: first byte chooses request or reply, the rest is the frame.
#include <cstdlib>

#include "engine/fabric/iwarp/mpa.h"

using namespace uscst;
using namespace uscst::fabric::iwarp;

namespace {

void check(bool good) {
  if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const FrameKind kind = (data[0] & 1) != 0 ? FrameKind::kReply : FrameKind::kRequest;
  const base::Bytes bytes(data + 1, size - 1);
  const ParsedFrame parsed = parse_frame(kind, bytes);
  if (const auto* need = std::get_if<Need>(&parsed)) check(need->bytes > bytes.size() && need->bytes <= 532);
  const auto* frame = std::get_if<Frame>(&parsed);
  if (frame == nullptr) return 0;
  check(frame->size_bytes <= bytes.size());
  const Limits limits{.require_crc = (data[0] & 2) != 0};
  if (kind == FrameKind::kReply) {
    (void)accept_reply(*frame, limits);
    return 0;
  }
  check(std::holds_alternative<Frame>(parse_frame(FrameKind::kReply, build_reject(*frame, frame->private_data))));
  const auto agreed = negotiate(*frame, limits);
  if (!agreed) return 0;
  check(agreed->inbound_reads <= 128 && agreed->outbound_reads <= 16);
  check(std::holds_alternative<Frame>(parse_frame(FrameKind::kReply, build_reply(*agreed, frame->private_data))));
  return 0;
}
