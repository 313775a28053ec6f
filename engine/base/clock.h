// Time as the engine sees it: monotonic, in nanoseconds, with a real and a simulated kind.
#pragma once

#include <time.h>

#include <chrono>

namespace uscst::base {

using Duration = std::chrono::nanoseconds;

// A point of the monotonic clock. Only differences mean anything.
struct TimePoint {
  Duration since_start{};
  friend constexpr auto operator<=>(const TimePoint&, const TimePoint&) = default;
  friend constexpr TimePoint operator+(TimePoint t, Duration d) { return {t.since_start + d}; }
  friend constexpr Duration operator-(TimePoint a, TimePoint b) { return a.since_start - b.since_start; }
};

// Any thread may ask.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  // Cheaper, and up to some milliseconds old.
  virtual TimePoint recently() const { return now(); }
};

class SteadyClock final : public Clock {
 public:
  TimePoint now() const override { return {std::chrono::steady_clock::now().time_since_epoch()}; }
  TimePoint recently() const override {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);  // the same clock as steady_clock, as of the last tick
    return {std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)};
  }
};

// Stands still until it is told to move. One thread.
class SimulatedClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  void advance(Duration by) { now_ = now_ + by; }

 private:
  TimePoint now_{};
};

}  // namespace uscst::base
