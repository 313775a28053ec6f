#include "engine/initiator/session.h"

#include <utility>

namespace uscst::initiator {

Session::Session(fabric::Fabric& fabric, io::Executor& executor, LoginOptions options)
    : fabric_(fabric), executor_(executor), options_(std::move(options)) {}

void Session::login(OnLogin on_login) {
  on_login_ = std::move(on_login);
  open_next();
}

void Session::open_next() {
  const auto action = channels_.empty() ? srp::MultiChannel::kSingle : srp::MultiChannel::kMulti;
  channels_.push_back(std::make_unique<Channel>(fabric_, executor_, options_.channel));
  channels_.back()->open(
      action, [this](base::Status status) { opened(std::move(status)); },
      [this](const std::string& why) { closed(why); });
}

// A failed login ends what was opened before it is reported.
void Session::opened(base::Status status) {
  if (status) {
    ++open_channels_;
    if (channels_.size() < options_.channels) return open_next();
    return std::exchange(on_login_, nullptr)(base::Status{});
  }
  login_status_ = std::move(status);
  for (auto& channel : channels_) channel->close();
  settle();
}

void Session::closed(const std::string& why) {
  why_closed_ = why;
  --open_channels_;
  settle();
}

// A report posted, not called: the channel that closed is still on the stack.
void Session::settle() {
  if (open_channels_ != 0) return;
  if (on_login_ && !login_status_) {
    executor_.post([done = std::exchange(on_login_, nullptr), status = std::move(login_status_)]() mutable {
      done(std::move(status));
    });
  } else if (on_end_) {
    executor_.post([done = std::exchange(on_end_, nullptr)]() mutable { done(); });
  }
}

void Session::logout(OnEnd on_end) {
  on_end_ = std::move(on_end);
  for (auto& channel : channels_) channel->close();
  settle();
}

bool Session::submit(Task& task) {
  for (std::size_t tried = 0; tried < channels_.size(); ++tried) {
    Channel& channel = *channels_[next_];
    next_ = (next_ + 1) % channels_.size();
    if (channel.submit(task)) return true;
  }
  return false;
}

}  // namespace uscst::initiator
