// Latencies in logarithmic classes of 1/32: percentiles are right within 3 %. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "engine/base/clock.h"

namespace uscst::initiator {

class Histogram {
 public:
  void add(base::Duration latency) {
    const auto value = static_cast<std::uint64_t>(latency.count() < 0 ? 0 : latency.count());
    ++classes_[class_of(value)];
    ++count_;
    sum_ += value;
    if (value > maximum_) maximum_ = value;
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t maximum_ns() const { return maximum_; }
  double mean_ns() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_); }
  // The upper bound of the class that holds the given part (0..1) of all values; never more than the maximum.
  std::uint64_t percentile_ns(double part) const {
    const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      seen += classes_[i];
      if (seen > wanted || (seen == count_ && seen != 0)) return std::min(upper_bound(i), maximum_);
    }
    return maximum_;
  }

 private:
  static constexpr unsigned kBits = 5;
  static constexpr std::uint64_t kParts = 1u << kBits;

  static std::size_t class_of(std::uint64_t value) {
    if (value < kParts) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return static_cast<std::size_t>(((shift + 1) << kBits) + ((value >> shift) & (kParts - 1)));
  }
  static std::uint64_t upper_bound(std::size_t index) {
    if (index < kParts) return index;
    const unsigned shift = static_cast<unsigned>(index >> kBits) - 1;
    return ((kParts + (index & (kParts - 1)) + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kBits + 1) << kBits> classes_{};
  std::uint64_t count_ = 0, sum_ = 0, maximum_ = 0;
};

}  // namespace uscst::initiator
