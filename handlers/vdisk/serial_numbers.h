// Which unit serial numbers disks have, so that making one more need not ask each of the others. A disk enters its own
// and takes it out again when it ends, which may be a little after the device has gone from the tree: a number that is
// in here is in use perhaps, one that is not is free. Owned by the VdiskEnvironment; any thread.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace uscst::handlers {

class SerialNumbers {
 public:
  void add(const std::string& number) {
    std::lock_guard lock(mutex_);
    ++disks_[number];
  }
  void remove(const std::string& number) {
    std::lock_guard lock(mutex_);
    if (auto at = disks_.find(number); at != disks_.end() && --at->second == 0) disks_.erase(at);
  }
  bool contains(const std::string& number) const {
    std::lock_guard lock(mutex_);
    return disks_.contains(number);
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> disks_;  // several may have the same: `usn` is not checked
};

}  // namespace uscst::handlers
