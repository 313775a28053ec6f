#include "engine/srp/channel_command.h"

#include <algorithm>
#include <utility>

#include "engine/srp/channel.h"

namespace uscst::srp {
namespace {

scsi::TaskAttribute to_attribute(std::uint8_t sent) {
  switch (sent) {
    case 0: return scsi::TaskAttribute::kSimple;
    case 1: return scsi::TaskAttribute::kHeadOfQueue;
    case 4: return scsi::TaskAttribute::kAca;
    default: return scsi::TaskAttribute::kOrdered;  // the strictest, as SCST takes whatever else is sent
  }
}

}  // namespace

ChannelCommand::ChannelCommand(Channel& channel)
    : target::Command(channel), channel_(channel), response_(io::Call<bool>::to<&ChannelCommand::request_done>(this)) {}

void ChannelCommand::reset() {
  descriptors_.clear();
  immediate_ = {};
  kept_immediate_.clear();
  has_immediate_ = false;
  all_ok_ = true;
  responding_ = false;
  request.cdb.clear();
  request.invalid_fields = false;
  request.expected_length_bytes = 0;
  request.direction = scsi::Direction::kNone;
}

void ChannelCommand::take(const srp::Command& iu) {
  reset();
  request.tag = iu.tag;
  request.lun = iu.lun;
  request.attribute = to_attribute(iu.attribute);
  request.cdb.assign(iu.cdb.begin(), iu.cdb.end());
  const bool in = iu.data_in.format != BufferFormat::kNone, out = iu.data_out.format != BufferFormat::kNone;
  if (!in && !out) return;
  request.invalid_fields = in && out;  // no command here moves data both ways
  const DataBuffer& buffer = in ? iu.data_in : iu.data_out;
  request.direction = in ? scsi::Direction::kIn : scsi::Direction::kOut;
  request.expected_length_bytes = buffer.total_bytes;
  buffer.descriptors.append_to(descriptors_);
  has_immediate_ = buffer.format == BufferFormat::kImmediate;
  immediate_ = buffer.immediate;
}

void ChannelCommand::take(const BadCommand& bad) {
  reset();
  request.tag = bad.tag;
  request.lun = bad.lun;
  request.attribute = scsi::TaskAttribute::kSimple;
  request.cdb.assign(kFixedCdbBytes, 0);  // TEST UNIT READY: refused before it is looked at
  request.invalid_fields = true;
}

void ChannelCommand::keep_immediate() {
  if (!has_immediate_ || immediate_.empty() || state() > target::CommandState::kFetchData) return;
  kept_immediate_.assign(immediate_.begin(), immediate_.end());
  immediate_ = kept_immediate_;
}

void ChannelCommand::fetch_data() {
  if (!has_immediate_) return move(fabric::RequestKind::kRead, data_out_length_bytes());
  std::size_t length = std::min(data_out_length_bytes(), immediate_.size());
  data().copy_in(0, immediate_.first(length));
  data_fetched(true);
}

void ChannelCommand::send_data() { move(fabric::RequestKind::kWrite, data_in_length_bytes()); }

// The descriptors in order, as far as the data go; what is not needed is left alone.
void ChannelCommand::move(fabric::RequestKind kind, std::size_t length_bytes) {
  transfers_used_ = 0;
  std::size_t offset = 0;
  ++moves_;
  outstanding_ = 1;  // held until all are posted: a request may fail at once
  for (const RemoteBuffer& remote : descriptors_) {
    std::size_t part = std::min<std::size_t>(remote.length_bytes, length_bytes - offset);
    if (part > 0) post_transfer(kind, remote, offset, part);
    offset += part;
  }
  if (kind == fabric::RequestKind::kRead) {
    request_done(true);
  } else {
    --outstanding_;  // the response that follows waits for them
  }
}

void ChannelCommand::post_transfer(fabric::RequestKind kind, const RemoteBuffer& remote, std::size_t offset_bytes,
                                   std::size_t length_bytes) {
  if (transfers_used_ == transfers_.size())
    transfers_.emplace_back(io::Call<bool>::to<&ChannelCommand::request_done>(this));
  Transfer& transfer = transfers_[transfers_used_++];
  transfer.parts.clear();
  data().append_parts(offset_bytes, length_bytes, transfer.parts);
  transfer.request.kind = kind;
  transfer.request.remote = {remote.address, remote.key, static_cast<std::uint32_t>(length_bytes)};
  transfer.request.local = {transfer.parts.data(), transfer.parts.size()};
  ++outstanding_;
  channel_.post(transfer.request);
}

void ChannelCommand::request_done(bool ok) {
  all_ok_ = all_ok_ && ok;
  if (--outstanding_ > 0) return;
  if (responding_) {
    status_sent(all_ok_);
  } else if (state() == target::CommandState::kFetchData) {
    data_fetched(all_ok_);
  }
}

void ChannelCommand::send_status(std::int32_t request_limit_delta) {
  Response response;
  response.tag = request.tag;
  response.request_limit_delta = request_limit_delta;
  response.status = static_cast<std::uint8_t>(status());
  response.sense = sense();
  if (request.direction == scsi::Direction::kIn) response.data_in_residual = residual_bytes();
  if (request.direction == scsi::Direction::kOut) response.data_out_residual = residual_bytes();
  responding_ = true;
  std::size_t length_bytes =
      build_response(response, base::MutableBytes(response_.buffer).first(channel_.response_limit_bytes()));
  ++outstanding_;
  channel_.post(response_, length_bytes);
}

bool ChannelCommand::stalled_since_last_asked() {
  bool same = outstanding_ > 0 && std::exchange(moves_seen_, moves_) == moves_;
  return same;
}

}  // namespace uscst::srp
