// A blocking call made for one thread: `work` runs on the blocking pool, its result comes back to the thread that
// asked.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "engine/io/reactor.h"

namespace uscst::io {

// Owns itself until it has ended.
template <class Work, class Then>
class BlockingCall {
 public:
  static void begin(Reactor& reactor, Work work, Then then) {
    auto* call = new BlockingCall(std::move(work), std::move(then));  // deleted by ended()
    reactor.block(call->operation_, [call] {
      call->result_.emplace(call->work_());
      return 0;
    });
  }

 private:
  BlockingCall(Work work, Then then) : work_(std::move(work)), then_(std::move(then)) {}
  void ended(int) {
    std::unique_ptr<BlockingCall> keep(this);
    then_(std::move(*result_));
  }

  Work work_;
  Then then_;
  std::optional<std::invoke_result_t<Work>> result_;
  Operation operation_{Call<int>::to<&BlockingCall::ended>(this)};
};

// The reactor's own thread: hands the result of `work` to `then` on that thread.
template <class Work, class Then>
void run_blocking(Reactor& reactor, Work work, Then then) {
  BlockingCall<Work, Then>::begin(reactor, std::move(work), std::move(then));
}

}  // namespace uscst::io
