// Threads for calls that cannot be made asynchronously (SG_IO, BLKDISCARD, open(2) of a path that may hang, files where
// io_uring is not permitted). Grown as needed up to a stated cap, never shrunk. Owned by main().
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace uscst::io {

class BlockingPool {
 public:
  static constexpr unsigned kDefaultMaximumThreads = 64;

  explicit BlockingPool(unsigned maximum_threads = kDefaultMaximumThreads);
  ~BlockingPool();  // waits for the calls that run; queued ones are run first

  // Any thread. `call` runs on a pool thread; how its result travels back is its own business.
  void run(std::move_only_function<void()> call);

 private:
  void work();
  void grow();

  const unsigned maximum_threads_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::move_only_function<void()>> queue_;
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  bool stopping_ = false;
};

}  // namespace uscst::io
