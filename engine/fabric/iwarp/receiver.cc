#include "engine/fabric/iwarp/receiver.h"

#include <fmt/format.h>

#include "engine/base/crc32c.h"

namespace uscst::fabric::iwarp {
namespace {

// Below this a copy costs less than a receive of its own.
constexpr std::size_t kDirectMinimum = 16 * 1024;

bool is_tagged(Opcode opcode) { return opcode == Opcode::kWrite || opcode == Opcode::kReadResponse; }

bool invalidates(Opcode opcode) {
  return opcode == Opcode::kSendInvalidate || opcode == Opcode::kSendSolicitedInvalidate;
}

}  // namespace

bool Receiver::consume(base::Bytes bytes) {
  while (!bytes.empty() && !failed_ && !stopped_) {
    std::size_t taken = 0;
    switch (phase_) {
      case Phase::kHead: taken = take_head(bytes); break;
      case Phase::kPayload: taken = take_payload(bytes); break;
      case Phase::kTrailer: taken = take_trailer(bytes); break;
    }
    bytes = bytes.subspan(taken);
  }
  return failed_;
}

std::size_t Receiver::take_head(base::Bytes in) {
  const std::size_t taken = std::min(in.size(), head_need_ - head_have_);
  std::memcpy(head_.data() + head_have_, in.data(), taken);
  head_have_ += taken;
  if (head_have_ < head_need_) return taken;
  if (head_need_ == kLengthBytes) {
    check_length();
  } else if (head_need_ == sizeof(TaggedHeader) && (head_[2] & kDdpTagged) == 0) {
    if (ulpdu_length_ < kUntaggedHeaderBytes)
      fail(terminate::kLength, fmt::format("untagged segment of {} bytes, at least 18", ulpdu_length_), false);
    head_need_ = sizeof(UntaggedHeader);
  } else {
    begin_segment();
  }
  return taken;
}

// After the first two bytes: how much more of a header there has to be.
bool Receiver::check_length() {
  ulpdu_length_ = static_cast<std::size_t>(head_[0]) << 8 | head_[1];
  head_need_ = sizeof(TaggedHeader);
  if (ulpdu_length_ >= kTaggedHeaderBytes) return true;
  if (ulpdu_length_ == 0 && options_.accept_rtr && !opened_) {
    payload_length_ = payload_left_ = 0;
    crc_ = ~std::uint32_t{0};
    update_crc(base::Bytes(head_).first(kLengthBytes));
    begin_placement(Placement::kNothing);
    return true;
  }
  fail(terminate::kLength, fmt::format("FPDU with {} bytes of payload, at least 14", ulpdu_length_), false);
  return false;
}

void Receiver::begin_segment() {
  placement_ = Placement::kNothing;
  crc_ = ~std::uint32_t{0};
  update_crc(base::Bytes(head_).first(head_have_));
  base::Reader reader(base::Bytes(head_).first(head_have_));
  if (head_have_ == sizeof(UntaggedHeader)) untagged_ = *reader.read<UntaggedHeader>();
  base::Reader again(head_);
  tagged_ = *again.read<TaggedHeader>();
  payload_length_ = payload_left_ = ulpdu_length_ + kLengthBytes - head_have_;

  if (!check_versions()) return;
  const auto opcode = static_cast<Opcode>(tagged_.rdmap & kRdmapOpcodeMask);
  const bool tagged = (tagged_.ddp & kDdpTagged) != 0;
  if (opcode > Opcode::kTerminate)
    return fail(terminate::kOpcode, fmt::format("unknown RDMAP opcode {}", static_cast<unsigned>(opcode)));
  if (tagged != is_tagged(opcode))
    return fail(terminate::kOpcode, fmt::format("RDMAP opcode {} in {} segment", static_cast<unsigned>(opcode),
                                                tagged ? "a tagged" : "an untagged"));
  tagged ? begin_tagged(opcode) : begin_untagged(opcode);
}

bool Receiver::check_versions() {
  const bool tagged = (tagged_.ddp & kDdpTagged) != 0;
  if ((tagged_.ddp & kDdpVersionMask) != kDdpVersion) {
    fail(tagged ? terminate::kTaggedVersion : terminate::kUntaggedVersion,
         fmt::format("DDP version {}, must be 1", tagged_.ddp & kDdpVersionMask));
    return false;
  }
  if ((tagged_.rdmap & kRdmapVersionMask) != kRdmapVersion) {
    fail(terminate::kRdmapVersion, fmt::format("RDMAP version {}, must be 1", tagged_.rdmap >> 6));
    return false;
  }
  return true;
}

void Receiver::begin_tagged(Opcode opcode) { opcode == Opcode::kWrite ? begin_write() : begin_read_response(); }

void Receiver::begin_untagged(Opcode opcode) {
  switch (opcode) {
    case Opcode::kReadRequest: return begin_read_request();
    case Opcode::kTerminate: return begin_terminate();
    default: return begin_send(opcode);
  }
}

void Receiver::begin_write() {
  // An operation of no bytes touches nothing: STag and offset must not be looked at (RTR, RFC 6581).
  if (payload_length_ == 0) return begin_placement(Placement::kNothing);
  const auto found = exposures_.look_up(tagged_.stag, tagged_.offset, static_cast<std::uint32_t>(payload_length_),
                                        Access::kRemoteWrite);
  if (const auto* memory = std::get_if<base::MutableBytes>(&found)) {
    write_target_ = *memory;
    return begin_placement(Placement::kWrite);
  }
  const std::string text = fmt::format("RDMA Write of {} bytes to STag {:08x} offset {:x}", payload_length_,
                                       tagged_.stag.value(), tagged_.offset.value());
  switch (std::get<AccessFault>(found)) {
    case AccessFault::kNoSuchKey: return fail(terminate::kTaggedStag, text + ": no such STag");
    case AccessFault::kOutOfBounds: return fail(terminate::kTaggedBounds, text + ": out of bounds");
    case AccessFault::kWrap: return fail(terminate::kTaggedWrap, text + ": offset wraps");
    case AccessFault::kNotAllowed: return fail(terminate::kAccess, text + ": not writable");
  }
}

// Responses come in the order of the requests and fill the sink without a gap (RFC 5040 5.5).
void Receiver::begin_read_response() {
  Request* read = events_.oldest_read();
  if (read == nullptr || tagged_.stag.value() != sink_stag(read_number_))
    return fail(terminate::kTaggedStag,
                fmt::format("Read Response for STag {:08x}, which no read waits for", tagged_.stag.value()));
  if (!read_started_) {
    read_started_ = true;
    read_sink_ = Cursor(read->local);
    read_received_ = 0;
  }
  if (tagged_.offset.value() != read_received_ || payload_length_ > read->remote.length_bytes - read_received_)
    return fail(terminate::kTaggedBounds,
                fmt::format("Read Response with {} bytes at offset {:x}, expected {} more at {:x}", payload_length_,
                            tagged_.offset.value(), read->remote.length_bytes - read_received_, read_received_));
  if (last() != (payload_length_ == read->remote.length_bytes - read_received_))
    return fail(terminate::kUnspecified,
                fmt::format("Read Response {} its last byte", last() ? "ends before" : "goes on after"));
  large_responses_ = payload_length_ >= kDirectMinimum || (large_responses_ && last());
  begin_placement(Placement::kRead);
}

void Receiver::begin_send(Opcode opcode) {
  const std::uint32_t queue = untagged_.queue, number = untagged_.message_number, offset = untagged_.message_offset;
  if (queue != static_cast<std::uint32_t>(Queue::kSend))
    return fail(terminate::kQueue, fmt::format("Send on queue {}", queue));
  if (number != next_message_[0])
    return fail(terminate::kMessageNumber, fmt::format("Send number {}, expected {}", number, next_message_[0]));
  if (offset != message_length_)
    return fail(terminate::kMessageOffset, fmt::format("Send goes on at {}, expected {}", offset, message_length_));
  if (payload_length_ > options_.maximum_message_bytes - message_length_)
    return fail(terminate::kTooLong, fmt::format("Send of more than {} bytes", options_.maximum_message_bytes));
  if (invalidates(opcode) && last() && !exposures_.remove(untagged_.invalidate_stag))
    return fail(terminate::kNotInvalidatable,
                fmt::format("Send invalidates STag {:08x}, which is not exposed", untagged_.invalidate_stag.value()));
  begin_placement(Placement::kMessage);
}

void Receiver::begin_read_request() {
  const std::uint32_t queue = untagged_.queue, number = untagged_.message_number, offset = untagged_.message_offset;
  if (queue != static_cast<std::uint32_t>(Queue::kReadRequest))
    return fail(terminate::kQueue, fmt::format("Read Request on queue {}", queue));
  if (number != next_message_[1])
    return fail(terminate::kMessageNumber,
                fmt::format("Read Request number {}, expected {}", number, next_message_[1]));
  if (offset != 0) return fail(terminate::kMessageOffset, fmt::format("Read Request at offset {}", offset));
  if (payload_length_ < sizeof(ReadRequestHeader))
    return fail(terminate::kLength, fmt::format("Read Request of {} bytes, must be 28", payload_length_), false);
  if (payload_length_ > sizeof(ReadRequestHeader) || !last())
    return fail(terminate::kTooLong, fmt::format("Read Request of {} bytes, must be 28", payload_length_));
  begin_placement(Placement::kSmall);
}

void Receiver::begin_terminate() {
  if (payload_length_ < sizeof(TerminateHeader) || payload_length_ > small_.size()) {
    fail({}, "the peer sent a Terminate of a wrong length");
    failure_.terminate.clear();  // never an answer to a Terminate
    return;
  }
  begin_placement(Placement::kSmall);
}

void Receiver::begin_placement(Placement placement) {
  placement_ = placement;
  small_have_ = 0;
  view_ = {};
  trailer_have_ = 0;
  trailer_need_ = pad_bytes(ulpdu_length_) + kCrcBytes;
  phase_ = payload_left_ > 0 ? Phase::kPayload : Phase::kTrailer;
}

std::size_t Receiver::take_payload(base::Bytes in) {
  base::Bytes part = in.first(std::min(in.size(), payload_left_));
  switch (placement_) {
    case Placement::kNothing: break;
    case Placement::kMessage:
      // The usual Send is one FPDU that arrived whole: hand it up where it lies.
      if (message_length_ == 0 && last() && part.size() == payload_length_ &&
          in.size() - part.size() >= trailer_need_) {
        view_ = part;
        break;
      }
      if (message_.empty()) message_.resize(options_.maximum_message_bytes);
      std::memcpy(message_.data() + message_length_, part.data(), part.size());
      message_length_ += part.size();
      break;
    case Placement::kRead: {
      const base::MutableBytes target = read_sink_.piece(part.size());
      part = part.first(target.size());
      std::memcpy(target.data(), part.data(), part.size());
      read_sink_.advance(part.size());
      break;
    }
    case Placement::kWrite:
      std::memcpy(write_target_.data(), part.data(), part.size());
      write_target_ = write_target_.subspan(part.size());
      break;
    case Placement::kSmall:
      std::memcpy(small_.data() + small_have_, part.data(), part.size());
      small_have_ += part.size();
      break;
  }
  update_crc(part);
  payload_left_ -= part.size();
  if (payload_left_ == 0) phase_ = Phase::kTrailer;
  return part.size();
}

bool Receiver::is_writing_to(base::Bytes memory) const {
  return placement_ == Placement::kWrite && phase_ == Phase::kPayload && !write_target_.empty() &&
         write_target_.data() >= memory.data() && write_target_.data() < memory.data() + memory.size();
}

base::MutableBytes Receiver::direct_window() const {
  if (failed_ || stopped_ || phase_ != Phase::kPayload || placement_ != Placement::kRead) return {};
  const base::MutableBytes piece = read_sink_.piece(payload_left_);
  return piece.size() >= kDirectMinimum ? piece : base::MutableBytes{};
}

void Receiver::placed(std::size_t bytes) {
  update_crc(read_sink_.piece(bytes));
  read_sink_.advance(bytes);
  payload_left_ -= bytes;
  if (payload_left_ == 0) phase_ = Phase::kTrailer;
}

std::size_t Receiver::wanted_bytes() const {
  if (!large_responses_ || failed_ || stopped_) return 0;
  if (phase_ == Phase::kTrailer) return trailer_need_ - trailer_have_ + (read_started_ ? sizeof(TaggedHeader) : 0);
  if (phase_ != Phase::kHead || !read_started_) return 0;
  return sizeof(TaggedHeader) - head_have_;
}

std::size_t Receiver::take_trailer(base::Bytes in) {
  const std::size_t taken = std::min(in.size(), trailer_need_ - trailer_have_);
  std::memcpy(trailer_.data() + trailer_have_, in.data(), taken);
  trailer_have_ += taken;
  if (trailer_have_ == trailer_need_) end_segment();
  return taken;
}

void Receiver::end_segment() {
  const base::Bytes trailer = base::Bytes(trailer_).first(trailer_need_);
  if (options_.crc) {
    update_crc(trailer.first(trailer_need_ - kCrcBytes));
    const base::Bytes field = trailer.last(kCrcBytes);
    const std::uint32_t sent = std::uint32_t{field[3]} << 24 | std::uint32_t{field[2]} << 16 |
                               std::uint32_t{field[1]} << 8 | std::uint32_t{field[0]};
    if (sent != ~crc_)
      return fail(terminate::kCrc, fmt::format("wrong CRC {:08x}, must be {:08x}", sent, ~crc_), false);
  }
  phase_ = Phase::kHead;
  head_have_ = 0;
  head_need_ = kLengthBytes;
  if (!opened_) {
    opened_ = true;
    events_.opened();
    if (ulpdu_length_ == 0) return;
  }
  switch (static_cast<Opcode>(tagged_.rdmap & kRdmapOpcodeMask)) {
    case Opcode::kWrite: return;
    case Opcode::kReadResponse: return end_read_response();
    case Opcode::kReadRequest: return end_read_request();
    case Opcode::kTerminate: return end_terminate();
    default: return end_send();
  }
}

void Receiver::end_send() {
  if (!last()) return;
  ++next_message_[0];
  const base::Bytes whole = view_.empty() ? base::Bytes(message_).first(message_length_) : view_;
  message_length_ = 0;
  // An empty Send can only be an RTR (type B as qed reads it): it takes no buffer and says nothing.
  if (!whole.empty()) events_.message(whole);
}

void Receiver::end_read_response() {
  read_received_ += static_cast<std::uint32_t>(payload_length_);
  if (!last()) return;
  ++read_number_;
  read_started_ = false;
  events_.read_done();
}

void Receiver::end_read_request() {
  ++next_message_[1];
  base::Reader reader(small_);
  const auto request = *reader.read<ReadRequestHeader>();
  ReadResponse response{request.sink_stag, request.sink_offset, {}};
  if (request.length_bytes.value() != 0) {
    const auto found =
        exposures_.look_up(request.source_stag, request.source_offset, request.length_bytes, Access::kRemoteRead);
    if (const auto* fault = std::get_if<AccessFault>(&found)) {
      const std::string text =
          fmt::format("RDMA Read of {} bytes from STag {:08x} offset {:x}", request.length_bytes.value(),
                      request.source_stag.value(), request.source_offset.value());
      switch (*fault) {
        case AccessFault::kNoSuchKey: return fail(terminate::kReadStag, text + ": no such STag");
        case AccessFault::kOutOfBounds: return fail(terminate::kReadBounds, text + ": out of bounds");
        case AccessFault::kWrap: return fail(terminate::kReadWrap, text + ": offset wraps");
        case AccessFault::kNotAllowed: return fail(terminate::kAccess, text + ": not readable");
      }
    }
    response.memory = std::get<base::MutableBytes>(found);
  }
  if (!events_.respond(response)) fail(terminate::kNoBuffer, "more RDMA Reads outstanding than agreed");
}

void Receiver::end_terminate() {
  base::Reader reader(small_);
  const auto header = *reader.read<TerminateHeader>();
  fail({}, fmt::format("the peer sent Terminate: layer {}, type {}, code {} (little-endian siw: layer {}, type {})",
                       header.layer_and_type >> 4, header.layer_and_type & 0xF, header.code,
                       header.layer_and_type & 0xF, header.layer_and_type >> 4));
  failure_.terminate.clear();
}

void Receiver::update_crc(base::Bytes bytes) {
  if (options_.crc) crc_ = base::crc32c_update(crc_, bytes);
}

// Builds the Terminate with what it quotes of the offending segment (RFC 5040 4.8).
void Receiver::fail(TerminateCode code, std::string text, bool quote) {
  if (failed_) return;
  failed_ = true;
  failure_.text = std::move(text);
  const bool read_request = quote && placement_ == Placement::kSmall && small_have_ == sizeof(ReadRequestHeader);
  const std::size_t header = (tagged_.ddp & kDdpTagged) != 0 ? kTaggedHeaderBytes : kUntaggedHeaderBytes;
  failure_.terminate.resize(sizeof(TerminateHeader) + (quote ? 2 + header : 0) +
                            (read_request ? sizeof(ReadRequestHeader) : 0));
  std::uint8_t flags = quote ? kTerminateLength | kTerminateDdp : 0;
  if (read_request) flags |= kTerminateRdmap;
  base::Writer writer(failure_.terminate);
  writer.write(TerminateHeader{static_cast<std::uint8_t>(code.layer << 4 | code.type), code.code, flags, 0});
  if (!quote) return;
  writer.u16(static_cast<std::uint16_t>(ulpdu_length_));
  writer.bytes(base::Bytes(head_).subspan(kLengthBytes, header));
  if (read_request) writer.bytes(base::Bytes(small_).first(sizeof(ReadRequestHeader)));
}

}  // namespace uscst::fabric::iwarp
