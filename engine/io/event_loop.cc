#include "engine/io/event_loop.h"

namespace uscst::io {

EventLoop::EventLoop(int event_fd, BlockingPool& pool)
    : pool_(pool), inbox_(event_fd), own_thread_(std::this_thread::get_id()) {}

EventLoop::~EventLoop() { assert(operations_ == 0); }

void EventLoop::stop() {
  stopping_.store(true);
  inbox_.wake();
}

void EventLoop::run() {
  own_thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  enter();
  while (!stopping()) {
    run_posted();
    run_timers();
    deferred_.run_round();  // what was deferred while deferred work ran
    wait();
    dispatch();
  }
  stopping_.store(false);
}

void EventLoop::block(Operation& op, std::move_only_function<int()> call) {
  started(op);
  pool_.run([this, &op, call = std::move(call)]() mutable { inbox_.complete(op, call()); });
}

void EventLoop::run_posted() {
  if (jobs_.empty() && results_.empty()) {
    if (!inbox_.posted()) return;
    inbox_.take(jobs_, results_);
  }
  while (next_job_ < jobs_.size()) {
    if (stopping()) return;
    Job job = std::move(jobs_[next_job_++]);
    job();
    deferred_.run_round();
  }
  while (next_result_ < results_.size()) {
    if (stopping()) return;
    PoolResult done = results_[next_result_++];
    finish(*done.operation, done.result);
  }
  jobs_.clear();
  results_.clear();
  next_job_ = next_result_ = 0;
}

void EventLoop::run_timers() {
  if (timers_.empty()) return;
  base::TimePoint now = clock_.now();
  timers_.begin_round();
  while (!stopping() && timers_.fire_one(now)) deferred_.run_round();
}

void EventLoop::wait() {
  if (stopping() || !deferred_.empty() || !inbox_.fall_asleep()) return collect(std::nullopt);
  Sleep sleep;
  if (auto deadline = timers_.next_deadline()) sleep.limit = *deadline - clock_.now();
  if (sleep.limit && *sleep.limit <= base::Duration::zero()) {
    collect(std::nullopt);
  } else {
    collect(sleep);
  }
  inbox_.wake_up();
}

}  // namespace uscst::io
