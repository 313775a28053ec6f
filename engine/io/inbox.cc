#include "engine/io/inbox.h"

#include <unistd.h>

#include <cassert>
#include <cstdint>

namespace uscst::io {

Inbox::~Inbox() {
  {
    std::lock_guard lock(mutex_);
  }  // a stop() on another thread may still hold it
  ::close(event_fd_);
}

void Inbox::post(Job job) {
  std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  announce();
}

void Inbox::complete(Operation& operation, int result) {
  std::lock_guard lock(mutex_);
  results_.push_back({&operation, result});
  announce();
}

void Inbox::wake() {
  std::lock_guard lock(mutex_);
  announce();
}

// Under the mutex also for the eventfd's sake: once take() has it, the poster is done with the inbox, which may then be
// destroyed.
void Inbox::announce() {
  if (state_.exchange(State::kPosted) != State::kAsleep) return;
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(event_fd_, &one, sizeof(one));
  assert(written == sizeof(one));
}

void Inbox::take(std::vector<Job>& jobs, std::vector<PoolResult>& results) {
  std::lock_guard lock(mutex_);
  state_.store(State::kAwake);
  jobs.swap(jobs_);
  results.swap(results_);
}

bool Inbox::fall_asleep() {
  State awake = State::kAwake;
  return state_.compare_exchange_strong(awake, State::kAsleep);
}

void Inbox::wake_up() {
  State asleep = State::kAsleep;
  state_.compare_exchange_strong(asleep, State::kAwake);
}

}  // namespace uscst::io
