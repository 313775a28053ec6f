#include "engine/local/wire.h"

#include <algorithm>

namespace uscst::local {
namespace {

using base::be32;
using base::be64;

struct RequestFrame {
  std::uint8_t kind = 0, attribute = 0, cdb_length = 0, reserved = 0;
  be64 tag;
  std::array<std::uint8_t, 8> lun{};
  be64 task_tag;
  be32 data_in_bytes, data_out_bytes;
  std::array<std::uint8_t, kMaximumCdbBytes> cdb{};
};
static_assert(sizeof(RequestFrame) == kRequestBytes && alignof(RequestFrame) == 1);
static_assert(offsetof(RequestFrame, task_tag) == 20 && offsetof(RequestFrame, cdb) == 36);

struct AnswerFrame {
  std::uint8_t kind = 0, answered = 0, status = 0, sense_length = 0;
  be64 tag, residual;
  be32 data_in_bytes;
};
static_assert(sizeof(AnswerFrame) == kAnswerBytes && alignof(AnswerFrame) == 1);

bool is_kind(std::uint8_t kind) { return kind == 1 || kind == 2; }

std::unexpected<base::Error> wrong(std::string_view what) {
  return base::fail(EPROTO, "frame with an impossible " + std::string(what));
}

template <class Frame>
base::Result<Frame> read(base::Bytes bytes) {
  auto frame = base::Reader(bytes).read<Frame>();
  if (!frame) return base::fail(EAGAIN, "more bytes are needed");
  return *frame;
}

}  // namespace

std::array<std::uint8_t, kRequestBytes> encode(const Request& request) {
  RequestFrame frame{.kind = static_cast<std::uint8_t>(request.kind),
                     .attribute = request.attribute,
                     .cdb_length = static_cast<std::uint8_t>(request.cdb.size()),
                     .reserved = 0,
                     .tag = request.tag,
                     .lun = request.lun,
                     .task_tag = request.task_tag,
                     .data_in_bytes = request.data_in_bytes,
                     .data_out_bytes = request.data_out_bytes,
                     .cdb = {}};
  std::ranges::copy(request.cdb, frame.cdb.begin());
  return std::bit_cast<std::array<std::uint8_t, kRequestBytes>>(frame);
}

std::array<std::uint8_t, kAnswerBytes> encode(const Answer& answer) {
  const AnswerFrame frame{.kind = static_cast<std::uint8_t>(answer.kind),
                          .answered = answer.answered,
                          .status = answer.status,
                          .sense_length = answer.sense_bytes,
                          .tag = answer.tag,
                          .residual = static_cast<std::uint64_t>(answer.residual),
                          .data_in_bytes = answer.data_in_bytes};
  return std::bit_cast<std::array<std::uint8_t, kAnswerBytes>>(frame);
}

base::Result<Request> parse_request(base::Bytes bytes) {
  auto frame = read<RequestFrame>(bytes);
  if (!frame) return std::unexpected(frame.error());
  if (!is_kind(frame->kind)) return wrong("kind");
  const bool is_command = frame->kind == static_cast<std::uint8_t>(FrameKind::kCommand);
  if (frame->reserved != 0) return wrong("reserved byte");
  if (frame->cdb_length > kMaximumCdbBytes || (frame->cdb_length != 0) != is_command) return wrong("CDB length");
  if (is_command && frame->attribute != 0 && frame->attribute != 1 && frame->attribute != 2 && frame->attribute != 4) {
    return wrong("task attribute");
  }
  if (is_command && frame->task_tag.value() != 0) return wrong("task tag");
  const std::uint32_t in = frame->data_in_bytes, out = frame->data_out_bytes;
  if (in > kMaximumDataBytes || out > kMaximumDataBytes) return wrong("data length");
  if (!is_command && (in != 0 || out != 0)) return wrong("data length");
  if (in != 0 && out != 0) return wrong("data direction");
  if (std::any_of(frame->cdb.begin() + frame->cdb_length, frame->cdb.end(), [](std::uint8_t b) { return b != 0; })) {
    return wrong("CDB");
  }
  Request request{.kind = static_cast<FrameKind>(frame->kind),
                  .attribute = frame->attribute,
                  .tag = frame->tag,
                  .task_tag = frame->task_tag,
                  .lun = frame->lun,
                  .data_in_bytes = in,
                  .data_out_bytes = out,
                  .cdb = {}};
  request.cdb.assign(frame->cdb.begin(), frame->cdb.begin() + frame->cdb_length);
  return request;
}

base::Result<Answer> parse_answer(base::Bytes bytes) {
  auto frame = read<AnswerFrame>(bytes);
  if (!frame) return std::unexpected(frame.error());
  if (!is_kind(frame->kind)) return wrong("kind");
  if (frame->answered > 1) return wrong("flag");
  if (frame->sense_length > kMaximumSenseBytes) return wrong("sense length");
  if (frame->data_in_bytes > kMaximumDataBytes) return wrong("data length");
  return Answer{.kind = static_cast<FrameKind>(frame->kind),
                .answered = frame->answered == 1,
                .status = frame->status,
                .sense_bytes = frame->sense_length,
                .tag = frame->tag,
                .residual = static_cast<std::int64_t>(frame->residual.value()),
                .data_in_bytes = frame->data_in_bytes};
}

}  // namespace uscst::local
