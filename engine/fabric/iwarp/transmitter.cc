#include "engine/fabric/iwarp/transmitter.h"

#include <algorithm>
#include <cassert>

#include "engine/base/crc32c.h"

namespace uscst::fabric::iwarp {
namespace {

constexpr std::size_t kLargestInArena = sizeof(UntaggedHeader) + Transmitter::kInlineBytes + kMaximumPad + kCrcBytes;
// A segment takes a header, at least one piece of payload and a trailer.
constexpr std::size_t kPiecesOfSegment = 3;

std::uint64_t total_bytes(std::span<const iovec> pieces) {
  std::uint64_t sum = 0;
  for (const iovec& piece : pieces) sum += piece.iov_len;
  return sum;
}

constexpr std::uint8_t rdmap(Opcode opcode) {
  return static_cast<std::uint8_t>(kRdmapVersion | static_cast<std::uint8_t>(opcode));
}

}  // namespace

Transmitter::Transmitter(const Options& options) : options_(options), responses_(options.inbound_reads) {
  assert(options_.ulpdu_limit > kUntaggedHeaderBytes + sizeof(ReadRequestHeader) &&
         options_.ulpdu_limit <= kMaximumUlpdu);
}

void Transmitter::post(Request& request) {
  assert(request.kind == RequestKind::kSend || total_bytes(request.local) >= request.remote.length_bytes);
  queue_.push_back(request);
}

bool Transmitter::respond(const ReadResponse& response) {
  if (responses_.full()) return false;
  responses_.push_back(response);
  return true;
}

void Transmitter::close() {
  options_.open = false;
  kind_ = Kind::kNone;
  offset_ = 0;
}

void Transmitter::retire_read() {
  outstanding_.pop_front();
  --outstanding_count_;
}

bool Transmitter::is_responding_from(base::Bytes memory) const {
  const auto within = [&](const void* data, std::size_t bytes) {
    const auto* at = static_cast<const std::uint8_t*>(data);
    return bytes > 0 && at >= memory.data() && at < memory.data() + memory.size();
  };
  if (std::ranges::any_of(responses_, [&](const ReadResponse& r) { return within(r.memory.data(), r.memory.size()); }))
    return true;
  if (kind_ == Kind::kResponse && within(response_.memory.data(), response_.memory.size())) return true;
  if (left_bytes_ == 0) return false;
  return std::ranges::any_of(std::span(pieces_).subspan(first_piece_, piece_count_ - first_piece_),
                             [&](const iovec& piece) { return within(piece.iov_base, piece.iov_len); });
}

void Transmitter::take_all(RequestList& out) {
  for (RequestList* list : {&finished_, &outstanding_, &waiting_, &queue_}) out.splice(out.end(), *list);
  outstanding_count_ = 0;
  responses_.clear();
  kind_ = Kind::kNone;
  left_bytes_ = 0;
}

// --- what comes next

bool Transmitter::begin_message() {
  if (closed_) return false;
  if (terminate_) {
    kind_ = Kind::kTerminate;
    body_piece_ = {terminate_->data(), terminate_->size()};
    source_ = Cursor(std::span(&body_piece_, 1));
    length_ = terminate_->size();
    message_number_ = next_message_[2]++;
    return true;
  }
  if (!options_.open) return false;
  // Turn and turn about, so that neither the peer's reads nor our own requests wait for ever.
  responses_first_ = !responses_first_;
  if (!responses_.empty() && (responses_first_ || queue_.empty())) {
    kind_ = Kind::kResponse;
    response_ = responses_.front();
    responses_.pop_front();
    response_piece_ = {const_cast<std::uint8_t*>(response_.memory.data()), response_.memory.size()};
    source_ = Cursor(std::span(&response_piece_, 1));
    length_ = response_.memory.size();
    return true;
  }
  if (!waiting_.empty() && outstanding_count_ < options_.outbound_reads) {
    begin_request(waiting_.front());
    return true;
  }
  while (!queue_.empty()) {
    Request& request = queue_.front();
    if (request.kind != RequestKind::kRead || outstanding_count_ < options_.outbound_reads) {
      begin_request(request);
      return true;
    }
    request.unlink();
    waiting_.push_back(request);
  }
  if (responses_.empty()) return false;
  return begin_message();
}

void Transmitter::begin_request(Request& request) {
  request_ = &request;
  if (request.kind == RequestKind::kRead) {
    kind_ = Kind::kReadRequest;
    message_number_ = next_message_[1]++;
    read_request_ = {sink_stag(message_number_), 0, request.remote.length_bytes, request.remote.key,
                     request.remote.address};
    body_piece_ = {&read_request_, sizeof(read_request_)};
    source_ = Cursor(std::span(&body_piece_, 1));
    length_ = sizeof(read_request_);
    return;
  }
  kind_ = Kind::kRequest;
  source_ = Cursor(request.local);
  if (request.kind == RequestKind::kSend) {
    message_number_ = next_message_[0]++;
    length_ = total_bytes(request.local);
  } else {
    length_ = request.remote.length_bytes;
  }
}

void Transmitter::finish_message() {
  switch (kind_) {
    case Kind::kRequest:
      request_->unlink();
      finished_.push_back(*request_);
      break;
    case Kind::kReadRequest:
      request_->unlink();
      outstanding_.push_back(*request_);
      ++outstanding_count_;
      break;
    case Kind::kTerminate:
      terminate_.reset();
      closed_ = true;
      break;
    case Kind::kResponse:
    case Kind::kNone: break;
  }
  kind_ = Kind::kNone;
  offset_ = 0;
}

// --- the batch

bool Transmitter::prepare() {
  if (left_bytes_ > 0) return true;
  piece_count_ = first_piece_ = arena_used_ = batch_bytes_ = 0;
  while (room()) {
    if (kind_ == Kind::kNone && !begin_message()) break;
    emit_segment();
  }
  left_bytes_ = batch_bytes_;
  message_.msg_iov = pieces_.data();
  message_.msg_iovlen = piece_count_;
  return left_bytes_ > 0;
}

bool Transmitter::room() const {
  return batch_bytes_ < kBatchBytes && piece_count_ + kPiecesOfSegment <= kBatchPieces &&
         arena_used_ + kLargestInArena <= kArenaBytes;
}

void Transmitter::append(const void* data, std::size_t bytes) {
  pieces_[piece_count_++] = {const_cast<void*>(data), bytes};
  batch_bytes_ += bytes;
}

base::MutableBytes Transmitter::append_arena(std::size_t bytes) {
  std::uint8_t* at = arena_.data() + arena_used_;
  if (piece_count_ > 0) {
    iovec& previous = pieces_[piece_count_ - 1];
    if (static_cast<std::uint8_t*>(previous.iov_base) + previous.iov_len == at) {
      previous.iov_len += bytes;
      batch_bytes_ += bytes;
      arena_used_ += bytes;
      return {at, bytes};
    }
  }
  append(at, bytes);
  arena_used_ += bytes;
  return {at, bytes};
}

// One FPDU: header, as much payload as fits segment and batch, pad, CRC.
void Transmitter::emit_segment() {
  const bool tagged = kind_ == Kind::kResponse || (kind_ == Kind::kRequest && request_->kind == RequestKind::kWrite);
  const std::size_t header_bytes = tagged ? sizeof(TaggedHeader) : sizeof(UntaggedHeader);
  const std::size_t most = options_.ulpdu_limit + kLengthBytes - header_bytes;
  auto payload = static_cast<std::size_t>(std::min<std::uint64_t>(most, length_ - offset_));
  const bool copied = payload <= kInlineBytes;

  const base::MutableBytes front = append_arena(header_bytes + (copied ? payload : 0));
  const std::size_t first = piece_count_;
  if (copied) {
    copy_payload(front.subspan(header_bytes));
  } else {
    payload = append_payload(payload);
  }
  const std::size_t ulpdu_length = header_bytes - kLengthBytes + payload;
  const bool last = offset_ + payload == length_;
  tagged ? write_tagged(front, ulpdu_length, last) : write_untagged(front, ulpdu_length, last);
  offset_ += payload;

  const std::size_t pad = pad_bytes(ulpdu_length);
  const std::span<const iovec> parts = std::span(pieces_).subspan(first, piece_count_ - first);
  const std::uint32_t crc = options_.crc ? crc_of(front, parts, pad) : 0;
  base::MutableBytes trailer = append_arena(pad + kCrcBytes);
  for (std::size_t i = 0; i < pad; ++i) trailer[i] = 0;
  for (std::size_t i = 0; i < kCrcBytes; ++i) trailer[pad + i] = static_cast<std::uint8_t>(crc >> 8 * i);
  if (last) finish_message();
}

void Transmitter::copy_payload(base::MutableBytes into) {
  while (!into.empty()) {
    const base::MutableBytes piece = source_.piece(into.size());
    std::memcpy(into.data(), piece.data(), piece.size());
    source_.advance(piece.size());
    into = into.subspan(piece.size());
  }
}

// Less than `bytes` when the caller's memory is in so many pieces that the batch is full; a trailer always fits behind.
std::size_t Transmitter::append_payload(std::size_t bytes) {
  std::size_t taken = 0;
  while (taken < bytes && piece_count_ + 1 < kBatchPieces) {
    const base::MutableBytes piece = source_.piece(bytes - taken);
    append(piece.data(), piece.size());
    source_.advance(piece.size());
    taken += piece.size();
  }
  return taken;
}

void Transmitter::write_tagged(base::MutableBytes into, std::size_t ulpdu_length, bool last) {
  TaggedHeader header;
  header.ulpdu_length = static_cast<std::uint16_t>(ulpdu_length);
  header.ddp = static_cast<std::uint8_t>(kDdpTagged | (last ? kDdpLast : 0) | kDdpVersion);
  const bool response = kind_ == Kind::kResponse;
  header.rdmap = rdmap(response ? Opcode::kReadResponse : Opcode::kWrite);
  header.stag = response ? response_.sink_stag : request_->remote.key;
  header.offset = (response ? response_.sink_offset : request_->remote.address) + offset_;
  base::Writer(into).write(header);
}

void Transmitter::write_untagged(base::MutableBytes into, std::size_t ulpdu_length, bool last) {
  const auto [opcode, queue] = kind_ == Kind::kReadRequest ? std::pair{Opcode::kReadRequest, Queue::kReadRequest}
                               : kind_ == Kind::kTerminate ? std::pair{Opcode::kTerminate, Queue::kTerminate}
                                                           : std::pair{Opcode::kSend, Queue::kSend};
  UntaggedHeader header;
  header.ulpdu_length = static_cast<std::uint16_t>(ulpdu_length);
  header.ddp = static_cast<std::uint8_t>((last ? kDdpLast : 0) | kDdpVersion);
  header.rdmap = rdmap(opcode);
  header.queue = static_cast<std::uint32_t>(queue);
  header.message_number = message_number_;
  header.message_offset = static_cast<std::uint32_t>(offset_);
  base::Writer(into).write(header);
}

std::uint32_t Transmitter::crc_of(base::Bytes front, std::span<const iovec> parts, std::size_t pad) {
  constexpr std::array<std::uint8_t, kMaximumPad> kZeros{};
  std::uint32_t crc = base::crc32c_update(~std::uint32_t{0}, front);
  for (const iovec& part : parts)
    crc = base::crc32c_update(crc, {static_cast<const std::uint8_t*>(part.iov_base), part.iov_len});
  return ~base::crc32c_update(crc, base::Bytes(kZeros).first(pad));
}

bool Transmitter::sent(std::size_t bytes) {
  assert(bytes <= left_bytes_);
  left_bytes_ -= bytes;
  if (left_bytes_ == 0) return true;
  while (bytes > 0) {
    iovec& piece = pieces_[first_piece_];
    const std::size_t part = std::min(bytes, piece.iov_len);
    piece.iov_base = static_cast<std::uint8_t*>(piece.iov_base) + part;
    piece.iov_len -= part;
    bytes -= part;
    if (piece.iov_len == 0) ++first_piece_;
  }
  message_.msg_iov = pieces_.data() + first_piece_;
  message_.msg_iovlen = piece_count_ - first_piece_;
  return false;
}

}  // namespace uscst::fabric::iwarp
