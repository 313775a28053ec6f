// A link by the control socket of uscstd on this host: no network, no login. The frames are those of
// engine/local/wire.h. Owned by whoever uses it; lives on one reactor.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/initiator/link.h"
#include "engine/io/reactor.h"

namespace uscst::initiator {

struct LocalOptions {
  std::string socket;   // path
  std::string target;   // of scst_local
  std::string session;  // empty: one of our own
  base::Duration command_timeout = std::chrono::seconds(30);
  base::Duration management_timeout = std::chrono::seconds(5);
};

class LocalLink final : public Link {
 public:
  // Waits for the daemon's answer; any thread. EACCES: the daemon refused; EPROTO: it answered something else;
  // otherwise the errno of the connection attempt.
  static base::Result<std::unique_ptr<LocalLink>> open(io::Reactor& reactor, LocalOptions options);
  // Before begin(), or after logout().
  ~LocalLink() override;

  // --- reactor
  void begin();  // once, before the first task
  void logout(OnEnd on_end) override;
  std::size_t channel_count() const override { return 1; }
  bool submit(std::size_t channel, Task& task) override;
  bool submit(std::size_t channel, ManagementTask& task) override;
  bool submit(Task& task) override { return submit(0, task); }
  const std::string& why_closed() const override { return why_closed_; }

 private:
  static constexpr std::size_t kReceiveBytes = 256 << 10;
  static constexpr auto kWatchPeriod = std::chrono::milliseconds(100);
  struct Running {
    Task* task = nullptr;
    base::TimePoint deadline{};
    bool aborting = false;
  };

  LocalLink(io::Reactor& reactor, LocalOptions options, int fd);
  void send(std::vector<std::uint8_t> bytes);
  void send_more();
  void sent(int result);
  void receive_more();
  void received(int result);
  bool take_answer();
  void answer_task(base::Bytes frame);
  void finish(Running running, Delivery delivery);
  void watch();
  void abort(std::uint64_t tag, Running& running);
  void fail(std::string why);
  void settle();

  io::Reactor& reactor_;
  const LocalOptions options_;
  const int fd_;
  bool closed_ = false;
  std::string why_closed_;
  OnEnd on_end_;
  std::uint64_t last_tag_ = 0;
  std::map<std::uint64_t, Running> running_;
  std::map<std::uint64_t, ManagementTask*> managing_;
  std::map<std::uint64_t, std::pair<std::uint64_t, base::TimePoint>> aborts_;  // the task's tag, and when to give up
  std::deque<std::vector<std::uint8_t>> output_;
  std::size_t first_sent_bytes_ = 0;
  iovec part_{};
  msghdr message_{};
  std::vector<std::uint8_t> room_, input_;
  io::Operation receive_, send_;
  io::Timer watch_;
};

}  // namespace uscst::initiator
