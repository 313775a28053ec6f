#include "handlers/pass_through/passed_command.h"

#include <algorithm>
#include <vector>

#include "engine/target/device.h"
#include "engine/target/nexus.h"
#include "engine/target/session.h"
#include "engine/target/shard.h"
#include "engine/target/target.h"

namespace uscst::handlers {
namespace {

using scsi::Operation;

// An initiator may take less than the CDB asks the device for; up to so much more is read and left out.
constexpr std::size_t kMaximumUnwanted = std::size_t{1} << 20;
constexpr std::uint8_t kControlPage = 0x0A, kPageMask = 0x3F, kSubpageFormat = 0x40;
constexpr std::uint8_t kDeviceIdentificationPage = 0x83;
constexpr std::uint8_t kWriteProtected = 0x80;
constexpr std::uint8_t kAscReset = 0x29;

void set_bits(io::Buffer& data, std::size_t offset, std::uint8_t bits) {
  std::uint8_t byte = 0;
  if (data.copy_out(offset, base::MutableBytes(&byte, 1)) != 1) return;
  byte = static_cast<std::uint8_t>(byte | bits);
  data.copy_in(offset, base::Bytes(&byte, 1));
}

std::vector<std::uint8_t> beginning_of(const io::Buffer& data, std::size_t length) {
  std::vector<std::uint8_t> bytes(std::min(length, data.length_bytes()));
  data.copy_out(0, bytes);
  return bytes;
}

// What the memory held before may be another initiator's data.
void complete_unmoved(target::Command& command) {
  if (command.decoded().direction != scsi::Direction::kIn) return command.complete();
  command.data().fill_zero();
  command.complete(command.data().length_bytes());
}

bool is_descriptor_format(base::Bytes sense) { return (sense[0] & 0x7F) >= 0x72; }

}  // namespace

scsi::ControlState control_state_of(base::Bytes answer, std::size_t header_length) {
  scsi::ControlState state;
  state.tst = state.qam = 0;
  if (answer.size() < header_length) return state;
  std::size_t descriptors = answer[header_length - 1];
  if (header_length == kHeader10) descriptors |= std::size_t{answer[header_length - 2]} << 8;
  base::Bytes page = answer.subspan(std::min(answer.size(), header_length + descriptors));
  if (page.size() < 6 || (page[0] & kPageMask) != kControlPage || (page[0] & kSubpageFormat) != 0) return state;
  state.tst = page[2] >> 5;
  state.tmf_only = (page[2] & 0x10) != 0;
  state.dpicz = (page[2] & 0x08) != 0;
  state.d_sense = (page[2] & 0x04) != 0;
  state.qam = page[3] >> 4;
  state.qerr = page[3] >> 1 & 0x03;
  state.swp = (page[4] & 0x08) != 0;
  state.tas = (page[5] & 0x40) != 0;
  return state;
}

void make_control_page_request(ScsiCall& call, base::MutableBytes into, const PassThroughKind& kind) {
  constexpr std::uint8_t kModeSense6 = 0x1A, kNoBlockDescriptors = 0x08;
  call.cdb = {kModeSense6, kNoBlockDescriptors, kControlPage, 0, static_cast<std::uint8_t>(into.size()), 0};
  call.cdb_length = 6;
  call.direction = scsi::Direction::kIn;
  call.data.push_back({into.data(), into.size()});
  call.data_length_bytes = into.size();
  call.timeout = kind.short_timeout;
}

void PassThroughUnit::execute(target::Command& command) {
  const Operation operation = command.decoded().operation();
  const bool moves_data = operation == Operation::kRead || operation == Operation::kWrite;
  if (kind().moves_no_data && moves_data) return complete_unmoved(command);
  command.emplace_scratch<PassedCommand>(*this, command).begin();
}

void PassedCommand::begin() { ask_device(); }

void PassedCommand::ask_device() {
  const scsi::DecodedCdb& decoded = command_.decoded();
  call_.emplace(io::Call<>::to<&PassedCommand::answered>(this));
  call_->cdb = decoded.bytes;
  call_->cdb_length = decoded.row->cdb_length;
  call_->direction = decoded.direction;
  const PassThroughKind& kind = unit_.kind();
  switch (decoded.row->timeout) {
    case scsi::TimeoutClass::kShort: call_->timeout = kind.short_timeout; break;
    case scsi::TimeoutClass::kRegular: call_->timeout = kind.regular_timeout; break;
    case scsi::TimeoutClass::kLong: call_->timeout = kind.long_timeout; break;
  }
  if (decoded.direction != scsi::Direction::kNone) {
    io::Buffer& data = command_.data();
    data.append_parts(0, data.length_bytes(), call_->data);
    call_->data_length_bytes = data.length_bytes();
    const std::uint64_t more =
        decoded.direction == scsi::Direction::kIn && !decoded.length_from_transport
            ? decoded.data_length_bytes - std::min<std::uint64_t>(decoded.data_length_bytes, data.length_bytes())
            : 0;
    if (more > 0 && more <= kMaximumUnwanted) {
      io::Buffer& unwanted = command_.second_data();
      if (unwanted.empty() && !command_.allocate_second(more)) return command_.complete(scsi::Status::kBusy);
      unwanted.append_parts(0, more, call_->data);
      call_->data_length_bytes += more;
    }
  }
  if (call_->data_length_bytes == 0) call_->direction = scsi::Direction::kNone;
  unit_.device().execute(*call_, command_.shard().reactor());
}

void PassedCommand::answered() {
  switch (call_->outcome) {
    case HostOutcome::kAnswered: break;
    case HostOutcome::kBusy: return command_.complete(scsi::Status::kBusy);
    case HostOutcome::kTimedOut:
    case HostOutcome::kGone: return command_.complete(scsi::kAborted);
    case HostOutcome::kReset: tell_others(scsi::kUaReset); return command_.complete(scsi::kUaReset);
    case HostOutcome::kMediumError:
      return command_.complete(call_->direction == scsi::Direction::kOut ? scsi::kWriteError : scsi::kReadError);
    case HostOutcome::kFailed: return command_.complete(scsi::kInternalTargetFailure);
  }
  const auto status = static_cast<scsi::Status>(call_->status);
  if (status == scsi::Status::kGood) return good();
  if (status == scsi::Status::kCheckCondition) return check_condition();
  command_.complete(status);
}

void PassedCommand::good() {
  switch (command_.decoded().operation()) {
    case Operation::kInquiry:
    case Operation::kModeSense:
    case Operation::kReadCapacity10:
    case Operation::kReadCapacity16: correct_answer(); break;
    case Operation::kModeSelect: return ask_control_page();
    case Operation::kLogSelect: tell_others(scsi::kUaLogParametersChanged); break;
    default: break;
  }
  command_.complete(command_.decoded().direction == scsi::Direction::kIn
                        ? std::min(call_->moved_bytes, command_.data().length_bytes())
                        : 0);
}

// As the device says it, unless the device speaks the other format than its control page promises.
void PassedCommand::check_condition() {
  const base::Bytes raw = call_->sense_bytes();
  auto sense = scsi::decode_sense(raw);
  // Linux asks for the sense data where an adapter does not: without any, nobody knows what happened.
  if (!sense) return command_.complete(scsi::kInternalTargetFailure);
  if (sense->is_unit_attention()) tell_others(*sense);
  const bool wants_descriptor = unit_.control().sense_format() == scsi::SenseFormat::kDescriptor;
  if (is_descriptor_format(raw) != wants_descriptor) return command_.complete(*sense);
  command_.complete_with_sense(raw);
}

// The device knows one initiator, this machine: what it tells is for everybody.
void PassedCommand::tell_others(const scsi::Sense& attention) {
  target::Device& device = command_.device();
  if (attention.asc == kAscReset) device.release_any();
  device.raise_for_all(attention, command_.nexus_lun()->nexus_id());
}

void PassedCommand::correct_answer() {
  const scsi::DecodedCdb& decoded = command_.decoded();
  io::Buffer& data = command_.data();
  const std::size_t length = std::min(call_->moved_bytes, data.length_bytes());
  switch (decoded.operation()) {
    case Operation::kInquiry:
      if ((decoded.bytes[1] & 1) != 0 && decoded.bytes[2] == kDeviceIdentificationPage) correct_device_identification();
      break;
    case Operation::kModeSense: {
      const std::size_t offset = decoded.row->cdb_length == 6 ? 2 : 3;
      if (command_.read_only_lun() && length > offset) set_bits(data, offset, kWriteProtected);
      break;
    }
    default: unit_.learn_block_size(beginning_of(data, length)); break;
  }
}

// SPC-5 7.7.6.7: the port is ours, not the one between this machine and the device.
void PassedCommand::correct_device_identification() {
  constexpr std::uint8_t kBinary = 1, kTargetPort = 1, kRelativePort = 4;
  io::Buffer& data = command_.data();
  const auto page = beginning_of(data, std::min(call_->moved_bytes, data.length_bytes()));
  const std::uint16_t port = command_.session().target().relative_target_id.load(std::memory_order_relaxed);
  const std::array<std::uint8_t, 4> value{0, 0, static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)};
  for (std::size_t at = 4; at + 4 <= page.size(); at += 4 + std::size_t{page[at + 3]}) {
    const bool binary_port = (page[at] & 0x0F) == kBinary && (page[at + 1] >> 4 & 3) == kTargetPort;
    if (binary_port && (page[at + 1] & 0x0F) == kRelativePort && page[at + 3] == 4) data.copy_in(at + 4, value);
  }
}

// MODE SELECT may have changed what the engine goes by.
void PassedCommand::ask_control_page() {
  tell_others(scsi::kUaModeParametersChanged);
  call_.emplace(io::Call<>::to<&PassedCommand::control_page_came>(this));
  make_control_page_request(*call_, page_, unit_.kind());
  unit_.device().execute(*call_, command_.shard().reactor());
}

void PassedCommand::control_page_came() {
  if (call_->outcome == HostOutcome::kAnswered && static_cast<scsi::Status>(call_->status) == scsi::Status::kGood)
    unit_.set_control(control_state_of(base::Bytes(page_).first(call_->moved_bytes), kHeader6));
  command_.complete();
}

}  // namespace uscst::handlers
