#include "engine/srp/channel.h"

namespace uscst::srp {

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
  state_ = ChannelState::kDisconnected;
  shard_.group().control().post([self = shared_from_this()] { self->ended_(self); });
}

void Channel::received(base::Bytes message) {
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
  if (state() > ChannelState::kLive) return;
  if (free_slots_.empty()) {
    log_.warning("session {}: more commands than the {} credits granted; closing the channel", session_->name(),
                 terms_.credits);
    return disconnect();
  }
  auto command = parse_command(message, {.immediate_offset_bytes = terms_.immediate_offset_bytes});
  if (!command && command.error().error == CommandError::kTooShort) {
    log_.warning("session {}: SRP_CMD of {} bytes, {} are the least; closing the channel", session_->name(),
                 message.size(), static_cast<unsigned>(kCommandBytes));
    return disconnect();
  }
  request_limit_.fetch_sub(1, std::memory_order_relaxed);
  ChannelCommand& free = free_slots_.front();
  free.io::AutoUnlinkList::unlink();
  if (command) {
    free.take(*command);
  } else {
    log_.warning("session {}: SRP_CMD refused: {}", session_->name(), describe(command.error().error));
    free.take(command.error());
  }
  session_->tasks().start(free);
  free.keep_immediate();
}

void Channel::task_management_received(base::Bytes message) {
  auto request = parse_task_management(message);
  if (!request) {
    log_.warning("session {}: SRP_TSK_MGMT of {} bytes, {} are needed; closing the channel", session_->name(),
                 message.size(), static_cast<unsigned>(kTaskManagementBytes));
    return disconnect();
  }
  request_limit_.fetch_sub(1, std::memory_order_relaxed);
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
  if (!endpoint_) return;
  Response response;
  response.tag = tag;
  response.request_limit_delta = take_credits();
  response.code = code;
  Message& message = free_message();
  post(message.iu, build_response(response, message.iu.buffer));
}

void Channel::leave_with(LogoutReason reason) {
  if (!endpoint_ || state() > ChannelState::kLive) return;
  TargetLogout logout;
  logout.reason = reason;
  Message& message = free_message();
  message.last = true;
  ShortIu bytes = encode(logout);
  std::copy(bytes.begin(), bytes.end(), message.iu.buffer.begin());
  post(message.iu, bytes.size());
}

Channel::Message& Channel::free_message() {
  if (free_messages_.empty()) return messages_.emplace_back(*this);
  Message& message = free_messages_.front();
  message.unlink();
  return message;
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
  if (!responded) saved_credits_.fetch_add(1, std::memory_order_relaxed);  // the next response returns its credit
  free_slots_.push_front(slot(command));
}

// The credit of the request that is answered, and those of requests that got no answer (SRP r16a 5, request limit).
std::int32_t Channel::take_credits() {
  std::int32_t credits = 1 + saved_credits_.exchange(0, std::memory_order_relaxed);
  request_limit_.fetch_add(credits, std::memory_order_relaxed);
  return credits;
}

void Channel::post(fabric::Request& request) {
  if (endpoint_) return endpoint_->post(request);
  request.done(false);
}

void Channel::post(OutgoingIu& iu, std::size_t length_bytes) {
  if (endpoint_) return iu.post(*endpoint_, length_bytes);
  iu.request.done(false);
}

}  // namespace uscst::srp
