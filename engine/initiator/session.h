// A logged-in initiator: N channels of one I_T nexus, the first one SINGLE, the others MULTI. Owned by whoever uses it;
// lives on one reactor.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/initiator/channel.h"
#include "engine/initiator/link.h"

namespace uscst::initiator {

struct LoginOptions {
  ChannelOptions channel;
  unsigned channels = 1;
};

class Session final : public Link {
 public:
  using OnLogin = std::move_only_function<void(base::Status)>;

  Session(fabric::Fabric& fabric, io::Executor& executor, LoginOptions options);

  // Once. Opens channel after channel; fails with the first one's error (see Channel) after the rest was closed. A
  // channel lost later is only reported by its tasks.
  void login(OnLogin on_login);
  void logout(OnEnd on_end) override;

  std::size_t channel_count() const override { return channels_.size(); }
  Channel& channel(std::size_t index) { return *channels_[index]; }
  const std::string& why_closed() const override { return why_closed_; }

  bool submit(Task& task) override;
  bool submit(std::size_t channel, Task& task) override { return channels_[channel]->submit(task); }
  bool submit(std::size_t channel, ManagementTask& task) override { return channels_[channel]->submit(task); }

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
