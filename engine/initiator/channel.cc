#include "engine/initiator/channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace uscst::initiator {
namespace {

// Tags are opaque to the target: slot and sequence in our own byte order.
struct TagFields {
  std::uint32_t slot = 0;
  std::uint32_t sequence = 0;
};
static_assert(sizeof(TagFields) == sizeof(srp::Tag));
constexpr std::uint32_t kManagementBit = 0x80000000;  // as ib_srp marks its task management tags

srp::Tag make_tag(std::uint32_t slot, std::uint32_t sequence) {
  return std::bit_cast<srp::Tag>(TagFields{slot, sequence});
}

std::string_view describe(fabric::DisconnectReason reason) {
  switch (reason) {
    case fabric::DisconnectReason::kPeerClosed: return "closed by the target";
    case fabric::DisconnectReason::kTransportError: return "transport error";
    case fabric::DisconnectReason::kProtocolError: return "protocol error";
    case fabric::DisconnectReason::kLocal: return "closed";
    case fabric::DisconnectReason::kTimeout: return "timed out";
  }
  return "ended";
}

}  // namespace

void Task::sent(bool ok) {
  Channel& channel = *channel_;
  sending_ = false;
  if (!answered_) return;
  channel.finish(*this);
  if (ok) channel.pump();
}

void ManagementTask::sent(bool) {
  sending_ = false;
  if (answered_) channel_->finish(*this);
}

Channel::Channel(fabric::Fabric& fabric, io::Executor& executor, ChannelOptions options)
    : fabric_(fabric),
      executor_(executor),
      options_(std::move(options)),
      abort_(io::Call<ManagementTask&>::to<&Channel::abort_answered>(this)),
      command_timer_(io::Call<>::to<&Channel::command_overdue>(this)),
      management_timer_(io::Call<>::to<&Channel::management_overdue>(this)),
      reply_(io::Call<bool>::to<&Channel::reply_sent>(this)),
      logout_(io::Call<bool>::to<&Channel::logout_sent>(this)) {}

// --- login and the end ----------------------------------------------------------------------------------------------

void Channel::open(srp::MultiChannel action, OnOpened on_opened, OnClosed on_closed) {
  on_opened_ = std::move(on_opened);
  on_closed_ = std::move(on_closed);
  state_ = State::kConnecting;
  srp::LoginRequest request;
  request.max_it_iu_bytes = options_.max_it_iu_bytes;
  request.action = action;
  request.immediate_requested = options_.immediate;
  request.immediate_offset_bytes = options_.immediate ? kImmediateOffset : std::uint16_t{0};
  request.initiator = options_.initiator;
  request.target = options_.target;
  login_bytes_ = encode_rdma(request);
  fabric_.connect(executor_, options_.to, login_bytes_, *this,
                  [this](fabric::Connected result) { connected(std::move(result)); });
}

void Channel::connected(fabric::Connected result) {
  if (!result.endpoint) {
    state_ = State::kClosed;
    base::Error error = result.endpoint.error();
    if (auto reject = srp::parse_login_reject(result.private_data)) {
      error = {EACCES, fmt::format("login rejected: {} (reason {:#010x})", srp::describe(reject->reason),
                                   static_cast<std::uint32_t>(reject->reason))};
    }
    return on_opened_(std::unexpected(std::move(error)));
  }
  endpoint_ = std::move(*result.endpoint);
  base::Status status = accept_login(result.private_data);
  if (!status) {
    state_ = State::kClosing;
    why_closed_ = status.error().text;
    // disconnected() reports the failed login.
    return endpoint_->disconnect();
  }
  state_ = State::kOpen;
  on_opened_({});
}

base::Status Channel::accept_login(const std::vector<std::uint8_t>& private_data) {
  auto login = srp::parse_login_response(private_data);
  if (!login) return base::fail(EPROTO, "the target accepted the connection without an SRP login response");
  if (login->request_limit == 0) return base::fail(EPROTO, "the target granted no credits");
  if (login->max_it_iu_bytes < srp::kMinimumIuBytes) return base::fail(EPROTO, "the target takes no IU of 64 bytes");
  login_ = *login;
  credits_ = login->request_limit;
  reserved_credits_ = credits_ > 1 ? 1 : 0;
  max_it_iu_bytes_ = std::min(login->max_it_iu_bytes, options_.max_it_iu_bytes);
  const std::uint32_t tasks = std::min(login->request_limit, kMaximumTasks);
  slots_.assign(tasks, nullptr);
  free_slots_.reserve(tasks);
  for (std::uint32_t slot = tasks; slot-- > 0;) free_slots_.push_back(slot);
  return {};
}

void Channel::close() {
  if (state_ != State::kOpen) return;
  state_ = State::kClosing;
  why_closed_ = "logged out";
  logout_bytes_ = srp::encode_plain(srp::IuType::kInitiatorLogout, make_tag(0, ++sequence_));
  logout_part_ = {logout_bytes_.data(), logout_bytes_.size()};
  logout_.kind = fabric::RequestKind::kSend;
  logout_.local = {&logout_part_, 1};
  endpoint_->post(logout_);
}

void Channel::logout_sent(bool ok) {
  if (ok) endpoint_->disconnect();
}

void Channel::protocol_error(std::string what) {
  if (why_closed_.empty()) why_closed_ = std::move(what);
  state_ = State::kClosing;
  endpoint_->disconnect();
}

void Channel::disconnected(fabric::DisconnectReason reason, const std::string& detail) {
  const bool was_login = login_.request_limit == 0;
  state_ = State::kClosed;
  auto endpoint = std::move(endpoint_);
  io::Executor::disarm(command_timer_);
  io::Executor::disarm(management_timer_);
  if (why_closed_.empty()) {
    why_closed_ = fmt::format("{}{}{}", describe(reason), detail.empty() ? "" : ": ", detail);
  }
  overdue_ = nullptr;
  for (TaskList* list : {&running_, &waiting_}) {
    while (!list->empty()) {
      Task& task = list->front();
      if (!task.answered_) task.outcome.delivery = Delivery::kDisconnected;
      task.exposed_.clear();
      finish(task);
    }
  }
  while (!management_.empty()) {
    ManagementTask& task = management_.front();
    task.delivery = Delivery::kDisconnected;
    finish(task);
  }
  if (was_login) return on_opened_(base::fail(EPROTO, why_closed_));
  on_closed_(why_closed_);
}

// --- commands -------------------------------------------------------------------------------------------------------

bool Channel::submit(Task& task) {
  if (state_ != State::kOpen) return false;
  task.channel_ = this;
  task.outcome = {};
  task.sending_ = task.answered_ = false;
  waiting_.push_back(task);
  pump();
  return true;
}

// Task management goes first; commands leave one credit for it.
void Channel::pump() {
  if (state_ != State::kOpen) return;
  if (!management_in_flight_ && !management_.empty() && credits_ > 0) send_management(management_.front());
  while (!waiting_.empty() && credits_ > reserved_credits_ && !free_slots_.empty()) {
    Task& task = waiting_.front();
    waiting_.pop_front();
    send_command(task);
  }
}

bool Channel::fits_immediate(const Task& task) const {
  return task.direction == Direction::kOut && login_.immediate_supported && options_.pieces <= 1 &&
         task.cdb.size() <= srp::kFixedCdbBytes && kImmediateOffset + task.data.size() <= max_it_iu_bytes_;
}

// Exposes the data as one direct descriptor, or cut into several of an indirect list.
void Channel::describe_data(Task& task, srp::CommandSpec& spec, std::span<fabric::RemoteBuffer> pieces) {
  const bool in = task.direction == Direction::kIn;
  srp::DataSpec& data = in ? spec.data_in : spec.data_out;
  const auto access = in ? fabric::Access::kRemoteWrite : fabric::Access::kRemoteRead;
  const fabric::RemoteBuffer whole = endpoint_->expose(task.data, access);
  task.exposed_.push_back(whole.key);
  const std::size_t count = std::min<std::size_t>(pieces.size(), task.data.size());
  const std::size_t step = task.data.size() / count;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t offset = i * step;
    const std::size_t length = i + 1 == count ? task.data.size() - offset : step;
    pieces[i] = {whole.address + offset, whole.key, static_cast<std::uint32_t>(length)};
  }
  data.descriptors = pieces.first(count);
  data.format = pieces.size() == 1 ? srp::BufferFormat::kDirect : srp::BufferFormat::kIndirect;
  if (data.format == srp::BufferFormat::kDirect) return;
  const std::size_t at =
      srp::kCommandBytes + (task.cdb.size() > 16 ? task.cdb.size() - 16 : 0) + srp::kIndirectHeadBytes;
  data.table = endpoint_->expose(base::MutableBytes(task.iu_).subspan(at, count * srp::kDescriptorBytes),
                                 fabric::Access::kRemoteRead);
  task.exposed_.push_back(data.table.key);
}

void Channel::send_command(Task& task) {
  task.slot_ = free_slots_.back();
  free_slots_.pop_back();
  slots_[task.slot_] = &task;
  --credits_;
  task.tag_ = make_tag(task.slot_, ++sequence_);
  srp::CommandSpec spec{
      .tag = task.tag_, .lun = task.lun, .attribute = task.attribute, .cdb = {task.cdb.data(), task.cdb.size()}};
  std::array<fabric::RemoteBuffer, kMaximumPieces> pieces;
  const bool immediate = fits_immediate(task) && !task.data.empty();
  std::size_t length = 0;
  if (immediate) {
    spec.data_out.format = srp::BufferFormat::kImmediate;
    spec.data_out.immediate = task.data;
    spec.immediate_offset_bytes = kImmediateOffset;
    length = srp::build_command_head(spec, task.iu_);
    task.parts_[1] = {task.data.data(), task.data.size()};
  } else {
    if (task.direction != Direction::kNone && !task.data.empty()) {
      describe_data(task, spec, std::span(pieces).first(std::clamp(options_.pieces, 1u, kMaximumPieces)));
    }
    length = srp::build_command(spec, task.iu_);
  }
  task.parts_[0] = {task.iu_.data(), length};
  task.send_.kind = fabric::RequestKind::kSend;
  task.send_.local = std::span(task.parts_).first(immediate ? 2 : 1);
  task.deadline_ = event_time() + options_.command_timeout;
  task.sending_ = true;
  running_.push_back(task);
  arm_command_timer();
  endpoint_->post(task.send_);
}

void Channel::withdraw(Task& task) {
  for (std::uint32_t key : task.exposed_) endpoint_->withdraw(key);
  task.exposed_.clear();
}

void Channel::finish(Task& task) {
  task.unlink();
  if (task.slot_ < slots_.size() && slots_[task.slot_] == &task) {
    slots_[task.slot_] = nullptr;
    free_slots_.push_back(task.slot_);
  }
  task.done_(task);
}

// --- what the target sends ------------------------------------------------------------------------------------------

void Channel::received(base::Bytes message) {
  if (state_ != State::kOpen && state_ != State::kClosing) return;
  const auto type = srp::iu_type(message);
  if (type == srp::IuType::kResponse) {
    on_response(message);
  } else if (type == srp::IuType::kCreditRequest) {
    on_credit_request(message);
  } else if (type == srp::IuType::kEventRequest) {
    on_event_request(message);
  } else if (type == srp::IuType::kTargetLogout) {
    if (auto logout = srp::parse_target_logout(message)) {
      why_closed_ = fmt::format("logged out by the target: {}", srp::describe(logout->reason));
    }
  } else {
    protocol_error("the target sent something that is no SRP message of a target");
  }
}

void Channel::on_response(base::Bytes message) {
  auto response = srp::parse_response(message);
  if (!response) return protocol_error("the target sent an SRP response shorter than its fields say");
  credits_ += response->request_limit_delta;
  const auto fields = std::bit_cast<TagFields>(response->tag);
  if ((fields.slot & kManagementBit) != 0) {
    answer_management(*response);
  } else {
    answer_task(*response);
  }
  pump();
}

// A response for a task that was aborted meanwhile carries credits and nothing else.
void Channel::answer_task(const srp::Response& response) {
  const auto fields = std::bit_cast<TagFields>(response.tag);
  if (fields.slot >= slots_.size() || slots_[fields.slot] == nullptr) return;
  Task& task = *slots_[fields.slot];
  if (task.tag_ != response.tag || task.answered_) return;
  if (overdue_ == &task) overdue_ = nullptr;
  task.answered_ = true;
  task.outcome.status = response.status;
  task.outcome.code = response.code;
  task.outcome.residual = task.direction == Direction::kOut ? response.data_out_residual : response.data_in_residual;
  const std::size_t sense_bytes = std::min(response.sense.size(), task.outcome.sense.capacity());
  task.outcome.sense.assign(response.sense.begin(), response.sense.begin() + static_cast<std::ptrdiff_t>(sense_bytes));
  withdraw(task);
  if (!task.sending_) finish(task);
}

void Channel::answer_management(const srp::Response& response) {
  if (!management_in_flight_ || management_.front().tag_ != response.tag) return;
  ManagementTask& task = management_.front();
  task.code = response.code.value_or(srp::ResponseCode::kFailed);
  task.answered_ = true;
  if (!task.sending_) finish(task);
}

void Channel::on_credit_request(base::Bytes message) {
  auto request = srp::parse_credit_request(message);
  if (!request) return protocol_error("the target sent a short SRP_CRED_REQ");
  credits_ += request->request_limit_delta;
  reply(srp::IuType::kCreditResponse, request->tag);
  pump();
}

void Channel::on_event_request(base::Bytes message) {
  auto request = srp::parse_event_request(message);
  if (!request) return protocol_error("the target sent a short SRP_AER_REQ");
  credits_ += request->request_limit_delta;
  reply(srp::IuType::kEventResponse, request->tag);
  pump();
}

// Costs no credit; the target has one request outstanding at a time.
void Channel::reply(srp::IuType type, const srp::Tag& tag) {
  if (state_ != State::kOpen) return;
  if (replying_) return protocol_error("the target sent a request before the answer to its last one");
  replying_ = true;
  reply_bytes_ = srp::encode_plain(type, tag);
  reply_part_ = {reply_bytes_.data(), reply_bytes_.size()};
  reply_.kind = fabric::RequestKind::kSend;
  reply_.local = {&reply_part_, 1};
  endpoint_->post(reply_);
}

void Channel::reply_sent(bool) { replying_ = false; }

// --- task management and time-outs ----------------------------------------------------------------------------------

bool Channel::submit(ManagementTask& task) {
  if (state_ != State::kOpen) return false;
  task.channel_ = this;
  task.delivery = Delivery::kAnswered;
  task.sending_ = task.answered_ = false;
  management_.push_back(task);
  pump();
  return true;
}

void Channel::send_management(ManagementTask& task) {
  management_in_flight_ = true;
  --credits_;
  task.tag_ = make_tag(++management_sequence_ | kManagementBit, 0);
  const srp::TaskManagement request{.tag = task.tag_,
                                    .lun = task.lun,
                                    .function = static_cast<std::uint8_t>(task.function),
                                    .task_tag = task.task_tag};
  task.iu_ = srp::encode(request);
  task.part_ = {task.iu_.data(), task.iu_.size()};
  task.send_.kind = fabric::RequestKind::kSend;
  task.send_.local = {&task.part_, 1};
  task.sending_ = true;
  executor_.arm_after(management_timer_, options_.management_timeout);
  endpoint_->post(task.send_);
}

void Channel::finish(ManagementTask& task) {
  task.unlink();
  management_in_flight_ = false;
  io::Executor::disarm(management_timer_);
  task.done_(task);
  pump();
}

void Channel::management_overdue() { protocol_error("no answer to a task management function"); }

base::TimePoint Channel::event_time() {
  if (event_time_ == base::TimePoint{}) {
    event_time_ = executor_.clock().now();
    executor_.defer(forget_event_time_);
  }
  return event_time_;
}

void Channel::arm_command_timer() {
  if (!command_timer_.armed() && !abort_.is_linked() && !running_.empty()) {
    executor_.arm(command_timer_, running_.front().deadline_);
  }
}

// Aborts one command at a time: the first one that is overdue.
void Channel::command_overdue() {
  if (state_ != State::kOpen || abort_.is_linked() || running_.empty()) return;
  Task& task = running_.front();
  if (task.answered_) return executor_.arm_after(command_timer_, std::chrono::seconds(1));  // its Send is still leaving
  if (task.deadline_ > executor_.clock().now()) return executor_.arm(command_timer_, task.deadline_);
  overdue_ = &task;
  abort_.function = srp::TaskFunction::kAbortTask;
  abort_.lun = task.lun;
  abort_.task_tag = task.tag_;
  submit(abort_);
}

// After the answer the target must not touch the command's memory any more.
void Channel::abort_answered(ManagementTask& abort) {
  Task* task = overdue_;
  overdue_ = nullptr;
  if (task != nullptr && abort.delivery == Delivery::kAnswered) {
    task->answered_ = true;
    task->outcome.delivery = Delivery::kTimedOut;
    withdraw(*task);
    if (!task->sending_) finish(*task);
  }
  arm_command_timer();
}

}  // namespace uscst::initiator
