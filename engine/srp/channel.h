// An SRP channel: one RDMA connection of an initiator to a target port, and the session that stands for it. Made on the
// control thread at login; then its endpoint, commands and IUs belong to one reactor. Shared: whoever posts to the
// reactor keeps it alive.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/log.h"
#include "engine/fabric/fabric.h"
#include "engine/srp/channel_command.h"
#include "engine/srp/login.h"
#include "engine/target/session.h"
#include "engine/target/shard.h"

namespace uscst::srp {

enum class ChannelState : std::uint8_t { kConnecting, kLive, kDisconnecting, kDraining, kDisconnected };
std::string_view name_of(ChannelState state);

// What login settled.
struct ChannelTerms {
  std::uint32_t credits = 0;
  std::uint32_t response_limit_bytes = kResponseCapacityBytes;
  std::uint16_t immediate_offset_bytes = 0;  // 0: no immediate data
  unsigned completion_vector = 0;            // the reactor's place
};

// A peer that does not answer an RDMA request holds its command, and whoever waits for that command: after two rounds
// of the watch, so within this time, its channel is closed. SCST waits as long.
inline constexpr auto kRdmaLimit = std::chrono::seconds(80);

class Channel final : public std::enable_shared_from_this<Channel>,
                      public fabric::EndpointEvents,
                      public target::CommandTransport,
                      public target::SessionTransport {
 public:
  using Ended = std::function<void(const std::shared_ptr<Channel>&)>;

  // `ended` is called on the control thread when nothing of the channel is left but its session's directory.
  Channel(const ChannelTerms& terms, target::Shard& shard, base::Log& log, Ended ended);
  ~Channel() override;

  // --- control thread
  void set_session(std::shared_ptr<target::Session> session) { session_ = std::move(session); }
  const std::shared_ptr<target::Session>& session() const { return session_; }
  // Moves to the reactor and answers the login there.
  void start(std::unique_ptr<fabric::ConnectionRequest> request, const LoginResponse& response);
  std::span<const target::Attribute<target::Session>> attributes() const override;
  bool can_close() const override { return true; }
  void close() override;

  // --- any thread
  ChannelState state() const { return state_.load(std::memory_order_relaxed); }
  // Credits the initiator has, and those waiting for a response that returns them.
  int request_limit() const { return request_limit_.load(std::memory_order_relaxed); }
  unsigned completion_vector() const { return terms_.completion_vector; }
  int request_limit_delta() const { return saved_credits_.load(std::memory_order_relaxed); }

  // --- reactor
  void received(base::Bytes message) override;
  void disconnected(fabric::DisconnectReason reason, const std::string& detail) override;
  void fetch_data(target::Command& command) override;
  void send_data(target::Command& command) override;
  void send_status(target::Command& command) override;
  void ended(target::Command& command, bool responded) override;

  // For the channel's commands.
  void post(fabric::Request& request);
  void post(OutgoingIu& iu, std::size_t length_bytes);
  std::size_t response_limit_bytes() const { return terms_.response_limit_bytes; }

 private:
  // A task management response, credits returned by themselves, or a farewell.
  struct Message : io::AutoUnlinkList {
    explicit Message(Channel& owner) : channel(owner), iu(io::Call<bool>::to<&Message::sent>(this)) {}
    void sent(bool ok) { channel.message_sent(*this, ok); }
    Channel& channel;
    OutgoingIu iu;
    bool last = false;  // disconnect behind it
  };

  void start_on_reactor(fabric::ConnectionRequest& request, const LoginResponse& response);
  void command_received(base::Bytes message);
  void task_management_received(base::Bytes message);
  void send_task_management_response(const Tag& tag, ResponseCode code);
  void leave_with(LogoutReason reason);
  void message_sent(Message& message, bool ok);
  Message* free_message();
  ChannelCommand* free_slot();
  bool uses_credit();
  std::int32_t take_credits();
  std::int32_t take_saved_credits();
  void return_credits();
  void disconnect();
  void drained();
  void watch();

  const ChannelTerms terms_;
  target::Shard& shard_;
  base::Log& log_;
  const Ended ended_;
  std::shared_ptr<target::Session> session_;
  std::atomic<ChannelState> state_{ChannelState::kConnecting};
  // Written by the reactor alone: loads and stores do.
  std::atomic<int> request_limit_, saved_credits_{0};

  std::unique_ptr<fabric::Endpoint> endpoint_;
  std::deque<ChannelCommand> slots_;
  boost::intrusive::list<ChannelCommand, boost::intrusive::constant_time_size<false>> free_slots_;
  bool leaving_ = false;  // the farewell is on its way
  io::Timer watch_{io::Call<>::to<&Channel::watch>(this)};
  io::Deferred return_credits_{io::Call<>::to<&Channel::return_credits>(this)};
  std::deque<Message> messages_;
  boost::intrusive::list<Message, boost::intrusive::constant_time_size<false>> free_messages_;
};

}  // namespace uscst::srp
