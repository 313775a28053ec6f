// One SRP channel of an initiator: a connection with its login, credits, commands in flight and time-outs. Owned by a
// Session; lives on one reactor.
//
// Data-in is written by the target into the task's memory, which is exposed for that command only. Data-out travels in
// the IU where immediate data were negotiated and fit, else the target reads it. A command without an answer in time is
// aborted; an abort without an answer ends the connection.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/fabric/fabric.h"
#include "engine/initiator/task.h"
#include "engine/srp/login.h"

namespace uscst::initiator {

struct ChannelOptions {
  fabric::Address to;
  srp::PortId initiator;
  srp::PortId target;
  bool immediate = true;                 // ask for immediate data
  std::uint32_t max_it_iu_bytes = 8260;  // what ib_srp asks for: 68 + 8192
  unsigned pieces = 1;                   // > 1: the data is described by an indirect list of that many parts
  base::Duration command_timeout = std::chrono::seconds(30);
  base::Duration management_timeout = std::chrono::seconds(5);
};

class Channel final : public fabric::EndpointEvents {
 public:
  static constexpr std::uint16_t kImmediateOffset = 68;
  static constexpr std::uint32_t kMaximumTasks = 1024;  // in flight, whatever the target grants

  // Called once. EACCES: the target refused the login; EPROTO: it answered something else; otherwise the errno of the
  // connection attempt.
  using OnOpened = std::move_only_function<void(base::Status)>;
  using OnClosed = std::move_only_function<void(const std::string& why)>;

  Channel(fabric::Fabric& fabric, io::Executor& executor, ChannelOptions options);
  // Only before open(), after a failed open() or after on_closed.
  ~Channel() override = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void open(srp::MultiChannel action, OnOpened on_opened, OnClosed on_closed);
  // SRP_I_LOGOUT, then the end of the connection; on_closed follows.
  void close();

  bool is_open() const { return state_ == State::kOpen; }
  const srp::LoginResponse& login() const { return login_; }
  std::int64_t credits() const { return credits_; }

  // False (and the task untouched) when the channel is not open. done is never called from within.
  bool submit(Task& task);
  bool submit(ManagementTask& task);

  void received(base::Bytes message) override;
  void disconnected(fabric::DisconnectReason reason, const std::string& detail) override;

 private:
  friend class Task;
  friend class ManagementTask;
  enum class State { kIdle, kConnecting, kOpen, kClosing, kClosed };
  using TaskList = io::bi::list<Task, io::bi::constant_time_size<false>>;
  using ManagementList = io::bi::list<ManagementTask, io::bi::constant_time_size<false>>;

  void connected(fabric::Connected result);
  base::Status accept_login(const std::vector<std::uint8_t>& private_data);

  void pump();
  void send_command(Task& task);
  void describe_data(Task& task, srp::CommandSpec& spec, std::span<fabric::RemoteBuffer> pieces);
  bool fits_immediate(const Task& task) const;
  void withdraw(Task& task);
  void finish(Task& task);
  void send_management(ManagementTask& task);
  void finish(ManagementTask& task);

  void on_response(base::Bytes message);
  void answer_task(const srp::Response& response);
  void answer_management(const srp::Response& response);
  void on_credit_request(base::Bytes message);
  void on_event_request(base::Bytes message);
  void reply(srp::IuType type, const srp::Tag& tag);
  void reply_sent(bool ok);
  void logout_sent(bool ok);
  void protocol_error(std::string what);

  base::TimePoint event_time();
  void forget_event_time() { event_time_ = {}; }
  void arm_command_timer();
  void command_overdue();
  void abort_answered(ManagementTask& task);
  void management_overdue();

  fabric::Fabric& fabric_;
  io::Executor& executor_;
  const ChannelOptions options_;
  State state_ = State::kIdle;
  std::unique_ptr<fabric::Endpoint> endpoint_;
  std::array<std::uint8_t, srp::kLoginRequestRdmaBytes> login_bytes_{};
  srp::LoginResponse login_;
  OnOpened on_opened_;
  OnClosed on_closed_;
  std::string why_closed_;

  std::int64_t credits_ = 0;
  std::int64_t reserved_credits_ = 0;  // kept for task management
  std::uint32_t max_it_iu_bytes_ = 0;
  std::uint32_t sequence_ = 0;
  std::vector<Task*> slots_;
  std::vector<std::uint32_t> free_slots_;
  TaskList waiting_;           // for a credit
  TaskList running_;           // sent, earliest deadline first
  ManagementList management_;  // the front one may be in flight
  bool management_in_flight_ = false;
  std::uint32_t management_sequence_ = 0;
  Task* overdue_ = nullptr;  // being aborted
  ManagementTask abort_;
  io::Timer command_timer_, management_timer_;
  base::TimePoint event_time_{};  // read once for all commands of an event
  io::Deferred forget_event_time_{io::Call<>::to<&Channel::forget_event_time>(this)};

  fabric::Request reply_, logout_;
  bool replying_ = false;
  srp::ShortIu reply_bytes_{}, logout_bytes_{};
  iovec reply_part_{}, logout_part_{};
};

}  // namespace uscst::initiator
