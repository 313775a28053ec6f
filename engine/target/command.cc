#include "engine/target/command.h"

#include <algorithm>
#include <cassert>

#include "engine/target/command_states.h"
#include "engine/target/device.h"
#include "engine/target/latency.h"
#include "engine/target/session.h"
#include "engine/target/shard.h"
#include "engine/target/target.h"

namespace uscst::target {

using enum CommandState;

namespace {
constexpr base::Duration kTransitionWait = std::chrono::milliseconds(500);
}  // namespace

Command::~Command() {
  assert(state_ == kFinished);
  drop_scratch();
}

Session& Command::session() const { return tasks_->session(); }
Device& Command::device() const { return nexus_lun_->device(); }

void Command::start(SessionTasks& tasks) {
  tasks_ = &tasks;
  shard_ = &tasks.shard();
  state_ = kReceived;
  started_ = shard_->executor().clock().recently();
  state_since_ = {};
  if (tasks.latency()) {
    state_since_ = shard_->executor().clock().now();
    latency_index_ = LatencyStatistics::index_of(request.direction, request.expected_length_bytes);
  }
  tasks.counters.add_active(1);
  advance();
}

// Takes steps until one has to wait. An event that comes while a step runs is seen here, not in a nested call.
void Command::advance() {
  if (in_step_) return;
  in_step_ = true;
  while (state_ != kFinished) {
    Step next = aborted() && !awaits_event_ && state_ != kSendStatus ? end_aborted() : step();
    if (!next) {
      in_step_ = false;
      return;
    }
    if (LatencyStatistics* latency = tasks_->latency()) measure(*latency);
    state_ = *next;
  }
  in_step_ = false;
  end(status_handed_over_);
}

void Command::measure(LatencyStatistics& latency) {
  // It was on its way already when measuring began: the time is not known and counts as 0.
  if (state_since_ == base::TimePoint{})
    latency_index_ = LatencyStatistics::index_of(request.direction, request.expected_length_bytes);
  base::TimePoint now = shard_->executor().clock().now();
  latency.add(latency_index_, state_, now - state_since_);
  state_since_ = now;
}

Command::Step Command::step() {
  switch (state_) {
    case kReceived: return received();
    case kParsed: return parsed();
    case kWaitBuffer: return wait_buffer();
    case kFetchData: return fetch_data();
    case kWaitOrder: return wait_order();
    case kWaitGate: return wait_gate();
    case kChecks: return checks();
    case kExecuting: return execute();
    case kSendData: return send_data();
    case kSendStatus: return send_status();
    case kFinished: break;
  }
  return std::nullopt;
}

// --- the steps

Command::Step Command::received() {
  using scsi::TaskAttribute;
  if (request.attribute > TaskAttribute::kUntagged) return refuse(scsi::kInvalidMessage, go<kReceived, kSendStatus>());
  auto lun = scsi::decode_lun(request.lun);
  const LunMap::Entry* entry = lun ? tasks_->lun_map()->find(*lun) : nullptr;
  if (!entry || !entry->nexus_lun->device().has_handler) return receive_without_lun();
  nexus_lun_ = entry->nexus_lun;
  read_only_lun_ = entry->read_only;
  lun_map_version_ = tasks_->lun_map()->version;
  if (over_limit()) return refuse(full_status(), go<kReceived, kSendStatus>());
  auto decoded = scsi::decode_cdb(cdb(), device().unit().traits());
  if (!decoded) return refuse(decoded.error(), go<kReceived, kSendStatus>());
  decoded_ = *decoded;
  if (decoded_.operation() == scsi::Operation::kPassed) {
    decoded_.direction = request.direction;
    decoded_.data_length_bytes = request.expected_length_bytes;
  }
  return go<kReceived, kParsed>();
}

// A LUN that maps to nothing answers INQUIRY, REQUEST SENSE and REPORT LUNS (SPC-5 6.7.2, SAM-5 4.7.3).
Command::Step Command::receive_without_lun() {
  auto decoded = scsi::decode_cdb(cdb(), scsi::DeviceTraits{});
  bool answers = decoded && (decoded->operation() == scsi::Operation::kInquiry ||
                             decoded->operation() == scsi::Operation::kRequestSense ||
                             decoded->operation() == scsi::Operation::kReportLuns);
  if (request.invalid_fields) return refuse(scsi::kInvalidFieldInCdb, go<kReceived, kSendStatus>());
  if (!answers) return refuse(scsi::kLunNotSupported, go<kReceived, kSendStatus>());
  if (auto sense = scsi::check_direction(*decoded, request.direction))
    return refuse(*sense, go<kReceived, kSendStatus>());
  decoded_ = *decoded;
  return go<kReceived, kWaitBuffer>();
}

Command::Step Command::parsed() {
  if (request.invalid_fields) return refuse(scsi::kInvalidFieldInCdb, go<kParsed, kSendStatus>());
  // Nothing establishes an ACA here, so no command can belong to one (SAM-5 5.9.4).
  if (request.attribute == scsi::TaskAttribute::kAca) return refuse(scsi::kInvalidMessage, go<kParsed, kSendStatus>());
  if (auto sense = scsi::check_direction(decoded_, request.direction))
    return refuse(*sense, go<kParsed, kSendStatus>());
  // What the decoder knows only to tell a wrong data direction first.
  if (decoded_.operation() == scsi::Operation::kRefused)
    return refuse(scsi::kInvalidOpcode, go<kParsed, kSendStatus>());
  return go<kParsed, kWaitBuffer>();
}

Command::Step Command::wait_buffer() {
  std::uint64_t wanted = decoded_.direction == scsi::Direction::kNone ? 0
                         : decoded_.length_from_transport             ? request.expected_length_bytes
                                                                      : decoded_.data_length_bytes;
  std::uint64_t length = std::min(wanted, request.expected_length_bytes);
  if (!shard_->may_ever_allocate(length)) return refuse(full_status(), go<kWaitBuffer, kSendStatus>());
  if (length > 0 && data_.empty() && !shard_->allocate_in_turn(*this, length, data_)) return std::nullopt;
  if (decoded_.direction == scsi::Direction::kOut) {
    residual_bytes_ = static_cast<std::int64_t>(request.expected_length_bytes) - static_cast<std::int64_t>(wanted);
  }
  if (!nexus_lun_) return go<kWaitBuffer, kExecuting>();
  if (length == 0 || decoded_.direction != scsi::Direction::kOut) return go<kWaitBuffer, kWaitOrder>();
  data_out_length_bytes_ = length;
  event_ = false;
  awaits_event_ = true;
  return go<kWaitBuffer, kFetchData>();
}

Command::Step Command::fetch_data() {
  if (awaits_event_ && !event_) {
    if (data_fetch_begun_) return std::nullopt;
    data_fetch_begun_ = true;
    transport_.fetch_data(*this);
    if (!event_) return std::nullopt;
  }
  awaits_event_ = false;
  if (aborted()) return end_aborted();
  if (!event_ok_) return refuse(scsi::kWriteError, go<kFetchData, kSendStatus>());
  return go<kFetchData, kWaitOrder>();
}

Command::Step Command::wait_order() {
  if (!in_order_ && !awaits_event_) {
    auto attribute = scsi::effective_attribute(request.attribute, decoded_, device().unit().control().qam);
    event_ = false;
    if (!nexus_lun_->order.enter(*this, attribute == scsi::TaskAttribute::kOrdered,
                                 attribute == scsi::TaskAttribute::kHeadOfQueue)) {
      awaits_event_ = true;
      return std::nullopt;
    }
  } else if (!event_) {
    return std::nullopt;
  }
  awaits_event_ = false;
  in_order_ = true;
  if (aborted()) return end_aborted();
  return go<kWaitOrder, kWaitGate>();
}

// A LUN that is gone is told at once, except by a device that is blocked: as with SCST, it has its commands until then.
Command::Step Command::wait_gate() {
  if (held_by_device_ && device().gate.closed()) return std::nullopt;
  switch (look_again()) {
    case StillMapped::kYes: break;
    case StillMapped::kNo: return refuse(scsi::kLunNotSupported, go<kWaitGate, kSendStatus>());
    case StillMapped::kOther: return refuse(scsi::Status::kBusy, go<kWaitGate, kSendStatus>());
  }
  scsi::Sense sense;
  switch (check_access_state(sense)) {
    case Access::kGranted: break;
    case Access::kRefused: return refuse(sense, go<kWaitGate, kSendStatus>());
    case Access::kWait: return std::nullopt;
  }
  drop_scratch();  // the wait is over
  // Suspension waits for what a device holds, so it must not hold it as well.
  if (shard_->group().suspend_gate.closed() && !held_by_device_) return std::nullopt;
  held_by_device_ = device().gate.closed() && !request.own;
  if (device().gate.closed() || nexus_lun_->gate.closed()) return std::nullopt;
  if (!device().has_handler) return refuse(scsi::kLunNotSupported, go<kWaitGate, kSendStatus>());
  return go<kWaitGate, kChecks>();
}

// SAM-5 5.3.3: reservations, then unit attentions, then what the command itself may not do.
Command::Step Command::checks() {
  std::uint64_t holder = device().reservation_holder.load(std::memory_order_acquire);
  if (holder != 0 && holder != nexus_lun_->nexus_id() && !scsi::passes_foreign_reservation(decoded_)) {
    return refuse(scsi::Status::kReservationConflict, go<kChecks, kSendStatus>());
  }
  if (auto attention = deliverable_attention()) {
    return refuse(*attention, go<kChecks, kSendStatus>());
  }
  if (decoded_.has(scsi::Flag::kWrites) && (read_only_lun_ || device().unit().control().swp)) {
    return refuse(scsi::kWriteProtected, go<kChecks, kSendStatus>());
  }
  event_ = false;
  awaits_event_ = true;
  execution_begun_ = false;
  return go<kChecks, kExecuting>();
}

Command::Step Command::execute() {
  if (!execution_begun_) {
    execution_begun_ = true;
    awaits_event_ = true;
    event_ = false;
    if (!nexus_lun_ || decoded_.has(scsi::Flag::kByEngine)) {
      carry_out(*this);
    } else {
      device().unit().execute(*this);
    }
  }
  if (!event_) return std::nullopt;
  awaits_event_ = false;
  if (aborted()) return end_aborted();
  return go<kExecuting, kSendData>();
}

Command::Step Command::send_data() {
  leave_order();  // what comes behind may run while the answer travels
  if (data_in_length_bytes_ > 0) transport_.send_data(*this);
  return go<kSendData, kSendStatus>();
}

Command::Step Command::send_status() {
  if (!status_handed_over_) {
    status_handed_over_ = true;
    leave_order();
    count_no_more();  // the initiator may send the next before this end knows that it has the response
    event_ = false;
    awaits_event_ = true;
    transport_.send_status(*this);
  }
  if (!event_) return std::nullopt;
  awaits_event_ = false;
  return kFinished;
}

// SAM-5 5.3.1 TASK ABORTED: only where another nexus asked, and the device wants it told.
Command::Step Command::end_aborted() {
  bool tell = abort_reason_ == AbortReason::kOtherNexus && nexus_lun_ && device().unit().control().tas;
  status_ = tell ? scsi::Status::kTaskAborted : scsi::Status::kGood;
  data_in_length_bytes_ = 0;
  residual_bytes_ = static_cast<std::int64_t>(request.expected_length_bytes);
  sense_ = {};
  return tell ? kSendStatus : kFinished;
}

// --- what the steps rest on

// The limit is one of each session and LUN, while the count is the nexus': a channel may use what others leave.
bool Command::over_limit() {
  counted_ = true;
  int active = nexus_lun_->active_commands.fetch_add(1, std::memory_order_relaxed) + 1;
  int sessions = std::max(1, session().nexus().sessions.load(std::memory_order_relaxed));
  return active > device().maximum_commands.load(std::memory_order_relaxed) * sessions;
}

void Command::count_no_more() {
  if (counted_) nexus_lun_->active_commands.fetch_sub(1, std::memory_order_relaxed);
  counted_ = false;
}

// SAM-5 5.3.1: BUSY where no other command of the nexus could end and so make room.
scsi::Status Command::full_status() const {
  return nexus_lun_ && nexus_lun_->active_commands.load() > 1 ? scsi::Status::kTaskSetFull : scsi::Status::kBusy;
}

// The map may have changed while the command waited. Where its LUN is another device now, what was decoded no longer
// holds: the initiator sends it again.
Command::StillMapped Command::look_again() {
  const LunMap& map = *tasks_->lun_map();
  if (map.version == lun_map_version_) return StillMapped::kYes;
  const LunMap::Entry* entry = map.find(nexus_lun_->lun());
  if (!entry) return StillMapped::kNo;
  if (entry->nexus_lun != nexus_lun_) return StillMapped::kOther;
  lun_map_version_ = map.version;
  read_only_lun_ = entry->read_only;
  return StillMapped::kYes;
}

// What lets a command wait for the end of a transition; in its scratch memory, since it does not execute yet.
struct Command::TransitionWait {
  explicit TransitionWait(Command& waiting) : command(waiting), limit(io::Call<>::to<&TransitionWait::over>(this)) {}
  void over() {
    command.transition_waited_ = true;
    command.advance();
  }
  Command& command;
  io::Timer limit;
};

// SPC-5 5.16.2. One look at the state: whoever changes it sweeps what has passed under the former one. Most transitions
// are short: half a second is waited, once, before the initiator is told to come again.
Command::Access Command::check_access_state(scsi::Sense& sense) {
  const scsi::AluaState state = nexus_lun_->alua_state.load(std::memory_order_acquire);
  if (state == scsi::AluaState::kActiveOptimized) [[likely]]
    return Access::kGranted;
  const auto refused = scsi::check_alua(decoded_, state);
  if (!refused) return Access::kGranted;
  sense = *refused;
  if (state != scsi::AluaState::kTransitioning || transition_waited_) return Access::kRefused;
  if (!destroy_scratch_) shard_->executor().arm_after(emplace_scratch<TransitionWait>(*this).limit, kTransitionWait);
  return Access::kWait;
}

std::optional<scsi::Sense> Command::deliverable_attention() {
  if (!nexus_lun_->has_attention() || decoded_.has(scsi::Flag::kUnitAttentionExempt)) return std::nullopt;
  return take_attention();
}

// The first unit attention, which comes back if the response is not sent. REPORTED LUNS DATA HAS CHANGED is one event
// of the whole session.
std::optional<scsi::Sense> Command::take_attention() {
  delivered_attention_ = nexus_lun_->take_attention();
  if (delivered_attention_ == scsi::kUaReportedLunsChanged) {
    for (const LunMap::Entry& entry : tasks_->lun_map()->entries)
      entry.nexus_lun->drop_attention(scsi::kUaReportedLunsChanged);
  }
  return delivered_attention_;
}

void Command::give_attention_back() {
  if (delivered_attention_ == scsi::kUaReportedLunsChanged) {
    for (const LunMap::Entry& entry : tasks_->lun_map()->entries) entry.nexus_lun->raise(scsi::kUaReportedLunsChanged);
  }
  nexus_lun_->raise_first(*delivered_attention_);
}

Command::Step Command::refuse(const scsi::Sense& sense, CommandState next) {
  set_sense(sense);
  return next;
}

Command::Step Command::refuse(scsi::Status status, CommandState next) {
  status_ = status;
  residual_bytes_ = static_cast<std::int64_t>(request.expected_length_bytes);
  return next;
}

void Command::set_sense(const scsi::Sense& sense) {
  sense_ = sense.encode(nexus_lun_ ? device().unit().control().sense_format() : scsi::SenseFormat::kFixed);
  status_ = scsi::Status::kCheckCondition;
  data_in_length_bytes_ = 0;
  residual_bytes_ = static_cast<std::int64_t>(request.expected_length_bytes);
}

// --- events

void Command::data_fetched(bool ok) {
  event_ = true;
  event_ok_ = ok;
  advance();
}

void Command::status_sent(bool ok) {
  event_ = true;
  if (!ok && delivered_attention_) give_attention_back();
  advance();
}

void Command::buffer_came() { advance(); }
void Command::gate_opened() { advance(); }

void Command::order_came() {
  shard_->executor().post([this] {
    event_ = true;
    advance();
  });
}

void Command::abort(AbortReason reason) {
  if (state_ == kFinished || aborted()) return;
  abort_reason_ = reason;
  if (state_ == kSendStatus) return;  // too late: the response is on its way
  if (state_ == kWaitBuffer && CommandWaitHook::is_linked()) {
    CommandWaitHook::unlink();
    shard_->buffer_returned();  // who waited behind it may have enough now
  }
  if (state_ == kWaitOrder && awaits_event_ && nexus_lun_->order.forget(*this)) awaits_event_ = false;
  if (state_ == kExecuting && tell_abort_) return std::exchange(tell_abort_, {})();
  advance();
}

// --- the logical unit's answers

void Command::complete(std::size_t data_in_length_bytes) {
  assert(data_in_length_bytes <= data_.length_bytes());
  if (decoded_.direction == scsi::Direction::kIn) {
    bool whole = data_in_length_bytes == data_.length_bytes();
    set_data_in(data_in_length_bytes, whole ? decoded_.data_length_bytes : data_in_length_bytes);
  } else if (decoded_.direction == scsi::Direction::kNone) {
    residual_bytes_ = static_cast<std::int64_t>(request.expected_length_bytes);
  }
  execution_ended();
}

void Command::complete_with(base::Bytes bytes) {
  std::uint64_t wanted = std::min<std::uint64_t>(bytes.size(), decoded_.data_length_bytes);
  set_data_in(data_.copy_in(0, bytes.first(std::min(bytes.size(), data_.length_bytes()))), wanted);
  execution_ended();
}

void Command::set_data_in(std::size_t length_bytes, std::uint64_t wanted_bytes) {
  data_in_length_bytes_ = length_bytes;
  residual_bytes_ = static_cast<std::int64_t>(request.expected_length_bytes) - static_cast<std::int64_t>(wanted_bytes);
}

void Command::complete(const scsi::Sense& sense) {
  set_sense(sense);
  execution_ended();
}

void Command::complete_with_sense(base::Bytes sense) {
  set_sense(scsi::kNoSense);
  sense_ = scsi::SenseBytes::copy_of(sense);
  execution_ended();
}

void Command::complete(scsi::Status status) {
  status_ = status;
  data_in_length_bytes_ = 0;
  residual_bytes_ = static_cast<std::int64_t>(request.expected_length_bytes);
  execution_ended();
}

void Command::execution_ended() {
  assert(state_ == kExecuting && !event_);
  event_ = true;
  tell_abort_ = {};
  advance();
}

bool Command::allocate_second(std::size_t length_bytes) {
  return shard_->buffers().allocate(length_bytes, second_data_);
}

// --- the end

void Command::leave_order() {
  if (!in_order_) return;
  in_order_ = false;
  nexus_lun_->order.leave(ordered_);
}

void Command::count() {
  SessionCounters& counters = tasks_->counters;
  counters.add_active(-1);
  count_no_more();
  constexpr std::uint64_t kAligned = 4096;
  // An error instead of the data makes it a command without data, whatever it wanted.
  bool moved = data_fetch_begun_ || data_in_length_bytes_ > 0 || status_ == scsi::Status::kGood;
  auto& direction = !moved ? counters.none : decoded_.row ? counters.of(decoded_.direction) : counters.unknown;
  direction.commands.fetch_add(1, std::memory_order_relaxed);
  if (!moved || !decoded_.row || decoded_.direction == scsi::Direction::kNone) return;
  direction.bytes.fetch_add(decoded_.data_length_bytes, std::memory_order_relaxed);
  std::uint64_t start = decoded_.has(scsi::Flag::kHasRange) ? decoded_.lba << device().unit().traits().block_shift : 0;
  if (start % kAligned != 0 || decoded_.data_length_bytes % kAligned != 0) {
    direction.unaligned_commands.fetch_add(1, std::memory_order_relaxed);
  }
}

void Command::end(bool responded) {
  leave_order();
  count();
  SessionTasks& tasks = *tasks_;
  bool had_memory = !data_.empty() || !second_data_.empty();
  clear();
  auto sweeps = std::move(sweeps_);
  sweeps_.clear();
  if (had_memory) tasks.shard().buffer_returned();
  tasks.finished(*this, responded);
  // Whoever swept goes on only now that the command is the transport's again.
}

void Command::clear() {
  drop_scratch();
  data_.reset();
  second_data_.reset();
  nexus_lun_.reset();
  decoded_ = {};
  data_in_length_bytes_ = data_out_length_bytes_ = 0;
  residual_bytes_ = 0;
  sense_ = {};
  status_ = scsi::Status::kGood;
  abort_reason_ = AbortReason::kNone;
  read_only_lun_ = counted_ = ordered_ = event_ = event_ok_ = awaits_event_ = false;
  transition_waited_ = waits_for_configuration_ = data_fetch_begun_ = execution_begun_ = status_handed_over_ = false;
  delivered_attention_.reset();
}

void Command::drop_scratch() {
  if (destroy_scratch_) std::exchange(destroy_scratch_, nullptr)(scratch_.data());
}

}  // namespace uscst::target
