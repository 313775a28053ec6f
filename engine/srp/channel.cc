#include "engine/srp/channel.h"

namespace uscst::srp {

// What an initiator may keep for task management alone.
static constexpr int kFewCredits = 2;

std::string_view name_of(ChannelState state) {
  switch (state) {
    case ChannelState::kConnecting: return "connecting";
    case ChannelState::kLive: return "live";
    case ChannelState::kDisconnecting: return "disconnecting";
    case ChannelState::kDraining: return "draining";
    case ChannelState::kDisconnected: return "disconnected";
  }
  return "";
}

Channel::Channel(const ChannelTerms& terms, target::Shard& shard, base::Log& log, Ended ended)
    : terms_(terms),
      shard_(shard),
      log_(log),
      ended_(std::move(ended)),
      request_limit_(static_cast<int>(terms.credits)) {
  for (std::uint32_t i = 0; i < terms_.credits; ++i) free_slots_.push_back(slots_.emplace_back(*this));
}

Channel::~Channel() = default;

// --- control thread

void Channel::start(std::unique_ptr<fabric::ConnectionRequest> request, const LoginResponse& response) {
  shard_.executor().post([self = shared_from_this(), request = std::move(request), response] {
    self->start_on_reactor(*request, response);
  });
}

void Channel::close() {
  shard_.executor().post([self = shared_from_this()] { self->disconnect(); });
}

// --- reactor

void Channel::start_on_reactor(fabric::ConnectionRequest& request, const LoginResponse& response) {
  shard_.attach(session_->tasks());
  auto endpoint = request.accept(shard_.executor(), encode(response), *this);
  if (!endpoint) return disconnected(fabric::DisconnectReason::kTransportError, endpoint.error().text);
  endpoint_ = std::move(*endpoint);
  if (state() == ChannelState::kConnecting) state_ = ChannelState::kLive;
}

void Channel::disconnect() {
  if (state() >= ChannelState::kDisconnecting) return;
  state_ = ChannelState::kDisconnecting;
  if (endpoint_) endpoint_->disconnect();
}

void Channel::disconnected(fabric::DisconnectReason reason, const std::string& detail) {
  using enum fabric::DisconnectReason;
  state_ = ChannelState::kDraining;
  if (reason == kPeerClosed || reason == kLocal) {
    log_.info("session {}: closed {}", session_->name(), reason == kLocal ? "by the target" : "by the initiator");
  } else {
    log_.warning("session {}: connection lost: {}", session_->name(), detail);
  }
  // The endpoint is calling: it goes when this event is over.
  shard_.executor().post(
      [self = shared_from_this(), endpoint = std::shared_ptr<fabric::Endpoint>(std::move(endpoint_))]() mutable {
        endpoint.reset();
        self->session_->tasks().close([self] { self->drained(); });
      });
}

void Channel::drained() {
  io::Executor::disarm(watch_);  // the channel may go on another thread
  state_ = ChannelState::kDisconnected;
  shard_.group().control().post([self = shared_from_this()] { self->ended_(self); });
}

void Channel::received(base::Bytes message) {
  if (state() > ChannelState::kLive || leaving_) return;
  auto type = iu_type(message);
  if (type == IuType::kCommand) return command_received(message);
  if (type == IuType::kTaskManagement) return task_management_received(message);
  if (type == IuType::kCreditResponse || type == IuType::kEventResponse) return;
  if (type == IuType::kInitiatorLogout) {
    log_.info("session {}: the initiator logged out", session_->name());
    return disconnect();
  }
  log_.warning("session {}: message of {} bytes with unknown type {:#04x}; closing the channel", session_->name(),
               message.size(), message.empty() ? 0 : message[0]);
  leave_with(LogoutReason::kInvalidIuType);
}

void Channel::command_received(base::Bytes message) {
  auto command = parse_command(message, {.immediate_offset_bytes = terms_.immediate_offset_bytes});
  if (!command && command.error().error == CommandError::kTooShort) {
    log_.warning("session {}: SRP_CMD of {} bytes, {} are the least; closing the channel", session_->name(),
                 message.size(), static_cast<unsigned>(kCommandBytes));
    return disconnect();
  }
  if (!uses_credit()) return;
  ChannelCommand* free = free_slot();
  if (!free) return;
  if (command) {
    free->take(*command);
  } else {
    log_.warning("session {}: SRP_CMD refused: {}", session_->name(), describe(command.error().error));
    free->take(command.error());
  }
  session_->tasks().start(*free);
  free->keep_immediate();
}

bool Channel::uses_credit() {
  if (const int limit = request_limit(); limit > 0) {
    request_limit_.store(limit - 1, std::memory_order_relaxed);
    return true;
  }
  log_.warning("session {}: more requests than the {} credits granted; closing the channel", session_->name(),
               terms_.credits);
  disconnect();
  return false;
}

// A response gives its credit back before this end knows that it has arrived: so there may be more commands than
// credits. One that lets its responses pile up does not read them.
ChannelCommand* Channel::free_slot() {
  if (free_slots_.empty()) {
    if (slots_.size() < 2 * terms_.credits) return &slots_.emplace_back(*this);
    log_.warning("session {}: {} responses wait to be read; closing the channel", session_->name(), terms_.credits);
    disconnect();
    return nullptr;
  }
  ChannelCommand& free = free_slots_.front();
  free.io::AutoUnlinkList::unlink();
  return &free;
}

void Channel::task_management_received(base::Bytes message) {
  auto request = parse_task_management(message);
  if (!request) {
    log_.warning("session {}: SRP_TSK_MGMT of {} bytes, {} are needed; closing the channel", session_->name(),
                 message.size(), static_cast<unsigned>(kTaskManagementBytes));
    return disconnect();
  }
  if (!uses_credit()) return;
  auto answer = [self = shared_from_this(), tag = request->tag](target::TaskManagementResult result) {
    using enum target::TaskManagementResult;
    self->send_task_management_response(tag, result == kComplete ? ResponseCode::kComplete
                                             : result == kFailed ? ResponseCode::kFailed
                                                                 : ResponseCode::kNotSupported);
  };
  log_.info("session {}: task management function {:#04x}, LUN {}", session_->name(), request->function,
            base::to_hex(request->lun));
  session_->tasks().manage(static_cast<target::TaskManagementFunction>(request->function), request->lun,
                           request->task_tag, answer);
}

void Channel::send_task_management_response(const Tag& tag, ResponseCode code) {
  Message* message = endpoint_ ? free_message() : nullptr;
  if (!message) return;
  Response response;
  response.tag = tag;
  response.request_limit_delta = take_credits();
  response.code = code;
  post(message->iu, build_response(response, message->iu.buffer));
}

void Channel::leave_with(LogoutReason reason) {
  Message* message = endpoint_ && state() <= ChannelState::kLive ? free_message() : nullptr;
  if (!message) return;
  leaving_ = true;
  TargetLogout logout;
  logout.reason = reason;
  message->last = true;
  ShortIu bytes = encode(logout);
  std::copy(bytes.begin(), bytes.end(), message->iu.buffer.begin());
  post(message->iu, bytes.size());
}

Channel::Message* Channel::free_message() {
  if (free_messages_.empty()) {
    if (messages_.size() < 2 * terms_.credits) return &messages_.emplace_back(*this);
    log_.warning("session {}: {} answers wait to be read; closing the channel", session_->name(), messages_.size());
    disconnect();
    return nullptr;
  }
  Message& message = free_messages_.front();
  message.unlink();
  return &message;
}

void Channel::message_sent(Message& message, bool ok) {
  if (message.last && ok) disconnect();
  message.last = false;
  free_messages_.push_front(message);
}

// --- commands

namespace {
// Every command of a channel is one of its slots.
ChannelCommand& slot(target::Command& command) { return static_cast<ChannelCommand&>(command); }
}  // namespace

void Channel::fetch_data(target::Command& command) { slot(command).fetch_data(); }
void Channel::send_data(target::Command& command) { slot(command).send_data(); }
void Channel::send_status(target::Command& command) { slot(command).send_status(take_credits()); }

void Channel::ended(target::Command& command, bool responded) {
  free_slots_.push_front(slot(command));
  if (responded) return;
  saved_credits_.store(request_limit_delta() + 1, std::memory_order_relaxed);  // the next response returns its credit
  if (request_limit() <= kFewCredits) shard_.executor().defer(return_credits_);
}

// An initiator that has lost its commands to a function of another channel has no credits left to get a response with.
void Channel::return_credits() {
  if (!endpoint_ || state() != ChannelState::kLive || request_limit() > kFewCredits || request_limit_delta() == 0)
    return;
  Message* message = free_message();
  if (!message) return;
  CreditRequest request;
  request.request_limit_delta = take_saved_credits();
  ShortIu bytes = encode(request);
  std::copy(bytes.begin(), bytes.end(), message->iu.buffer.begin());
  post(message->iu, bytes.size());
}

// The credit of the request that is answered, and those of requests that got no answer (SRP r16a 5, request limit).
std::int32_t Channel::take_credits() {
  saved_credits_.store(request_limit_delta() + 1, std::memory_order_relaxed);
  return take_saved_credits();
}

std::int32_t Channel::take_saved_credits() {
  const std::int32_t credits = request_limit_delta();
  saved_credits_.store(0, std::memory_order_relaxed);
  request_limit_.store(request_limit() + credits, std::memory_order_relaxed);
  return credits;
}

void Channel::post(fabric::Request& request) {
  if (!watch_.armed()) shard_.executor().arm_after(watch_, kRdmaLimit / 2);
  if (endpoint_) return endpoint_->post(request);
  request.done(false);
}

void Channel::watch() {
  bool stalled = false, busy = false;
  for (ChannelCommand& command : slots_) {
    stalled = command.stalled_since_last_asked() || stalled;
    busy = busy || command.state() != target::CommandState::kFinished;
  }
  if (stalled) {
    log_.warning("session {}: an RDMA request was not answered for {} s; closing the channel", session_->name(),
                 std::chrono::seconds(kRdmaLimit / 2).count());
    return disconnect();
  }
  if (busy) shard_.executor().arm_after(watch_, kRdmaLimit / 2);
}

void Channel::post(OutgoingIu& iu, std::size_t length_bytes) {
  if (endpoint_) return iu.post(*endpoint_, length_bytes);
  iu.request.done(false);
}

}  // namespace uscst::srp
