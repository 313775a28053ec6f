// Gates hold commands back while a part of the configuration changes: all commands, those of a device, or those of one
// LUN of one nexus. Closing is counted; commands that have passed are waited for with a Sweep (sweep.h).
#pragma once

#include <atomic>

namespace uscst::target {

// Closed and opened by the control thread; asked by every reactor.
class Gate {
 public:
  bool closed() const { return closed_.load(std::memory_order_acquire) != 0; }
  int depth() const { return closed_.load(std::memory_order_acquire); }
  void close() { closed_.fetch_add(1, std::memory_order_acq_rel); }
  // True when this was the last closing: held commands may now go on.
  bool open() { return closed_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

 private:
  std::atomic<int> closed_{0};
};

}  // namespace uscst::target
