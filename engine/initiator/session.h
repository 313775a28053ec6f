// A logged-in initiator: N channels of one I_T nexus, the first one SINGLE, the others MULTI. Owned by whoever uses it;
// lives on one reactor.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/initiator/channel.h"

namespace uscst::initiator {

struct LoginOptions {
  ChannelOptions channel;
  unsigned channels = 1;
};

class Session {
 public:
  using OnLogin = std::move_only_function<void(base::Status)>;
  using OnEnd = std::move_only_function<void()>;

  Session(fabric::Fabric& fabric, io::Executor& executor, LoginOptions options);

  // Once. Opens channel after channel; fails with the first one's error (see Channel) after the rest was closed. A
  // channel lost later is only reported by its tasks.
  void login(OnLogin on_login);
  // Closes every channel and reports once none is left. The session may be destroyed then.
  void logout(OnEnd on_end);

  std::size_t channel_count() const { return channels_.size(); }
  Channel& channel(std::size_t index) { return *channels_[index]; }
  // Why the latest channel ended.
  const std::string& why_closed() const { return why_closed_; }

  // On the next open channel in turn. False when none is left.
  bool submit(Task& task);

 private:
  void open_next();
  void opened(base::Status status);
  void closed(const std::string& why);
  void settle();

  fabric::Fabric& fabric_;
  io::Executor& executor_;
  const LoginOptions options_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::size_t open_channels_ = 0;
  std::size_t next_ = 0;
  base::Status login_status_;
  std::string why_closed_;
  OnLogin on_login_;
  OnEnd on_end_;
};

}  // namespace uscst::initiator
