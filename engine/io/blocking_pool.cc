#include "engine/io/blocking_pool.h"

#include <pthread.h>

#include <cassert>
#include <system_error>

#include "engine/io/reactor_thread.h"

namespace uscst::io {

BlockingPool::BlockingPool(unsigned maximum_threads) : maximum_threads_(maximum_threads) {
  assert(maximum_threads > 0);
}

BlockingPool::~BlockingPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void BlockingPool::run(std::move_only_function<void()> call) {
  std::lock_guard lock(mutex_);
  assert(!stopping_);
  queue_.push_back(std::move(call));
  if (queue_.size() > idle_ && threads_.size() < maximum_threads_) grow();
  ready_.notify_one();
}

// With the mutex held.
void BlockingPool::grow() {
  SignalsBlocked for_the_new_thread;
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // Short of threads: those there are will do the work later. Without any, nothing would ever run.
    if (threads_.empty()) throw;
  }
}

void BlockingPool::work() {
  ::pthread_setname_np(::pthread_self(), "uscst-blocking");
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    auto call = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    call();
    call = nullptr;  // what it holds goes before the next is waited for
    lock.lock();
  }
}

}  // namespace uscst::io
