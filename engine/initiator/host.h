// A reactor on a thread of its own, for programs that wait for results. Owned by main(); used from the thread that
// waits.
#pragma once

#include <functional>
#include <future>
#include <memory>

#include "engine/base/log.h"
#include "engine/base/result.h"
#include "engine/io/blocking_pool.h"
#include "engine/io/reactor.h"
#include "engine/io/reactor_thread.h"

namespace uscst::initiator {

class Host {
 public:
  template <class T>
  using Answer = std::move_only_function<void(T)>;

  // Errors of io::make_reactor().
  static base::Result<std::unique_ptr<Host>> start(base::Log& log);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  io::Reactor& reactor() { return *reactor_; }

  // Runs `work` on the reactor's thread and waits until it has answered with a T, at once or later.
  template <class T>
  T wait_for(std::move_only_function<void(Answer<T>)> work) {
    // Shared: this thread may go on before set_value() has returned on the other.
    auto promise = std::make_shared<std::promise<T>>();
    std::future<T> future = promise->get_future();
    reactor_->post([work = std::move(work), promise]() mutable {
      work([promise](T value) { promise->set_value(std::move(value)); });
    });
    return future.get();
  }
  // Runs `job` there and waits until it has run.
  void run(io::Job job) { thread_->call(std::move(job)); }
  // Waits (briefly) until closed connections have left nothing with the reactor; then it is stopped. Before a fabric is
  // destroyed.
  void stop();
  ~Host() { stop(); }

 private:
  Host() = default;

  static constexpr unsigned kPoolThreads = 4;
  io::BlockingPool pool_{kPoolThreads};
  std::unique_ptr<io::Reactor> reactor_;
  std::unique_ptr<io::ReactorThread> thread_;
};

}  // namespace uscst::initiator
