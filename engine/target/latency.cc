#include "engine/target/latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace uscst::target {
namespace {

using enum CommandState;

// In the order of SCST's numbers, which is the order of the lines.
constexpr std::array kShownOrder{kParsed,    kWaitBuffer, kWaitOrder, kSendData,  kFinished,  kReceived,
                                 kFetchData, kWaitGate,   kChecks,    kExecuting, kSendStatus};
static_assert(kShownOrder.size() == kCommandStates);

std::string in_microseconds(std::uint64_t tenths) { return fmt::format("{}.{}", tenths / 10, tenths % 10); }

std::uint64_t deviation(double sum, double sum_of_squares, double count) {
  double average = sum / count;
  return static_cast<std::uint64_t>(std::sqrt(std::max(0.0, sum_of_squares / count - average * average)));
}

}  // namespace

std::string_view scst_name(CommandState state) {
  switch (state) {
    case kReceived: return "INIT";
    case kParsed: return "PARSE";
    case kWaitBuffer: return "PREPARE_SPACE";
    case kFetchData: return "DATA_WAIT";
    case kWaitOrder: return "EXEC_CHECK_SN";
    case kWaitGate: return "EXEC_CHECK_BLOCKING";
    case kChecks: return "LOCAL_EXEC";
    case kExecuting: return "EXEC_WAIT";
    case kSendData: return "XMIT_RESP";
    case kSendStatus: return "XMIT_WAIT";
    case kFinished: return "FINISHED";
  }
  return "";
}

unsigned LatencyStatistics::index_of(scsi::Direction direction, std::uint64_t expected_bytes) {
  std::uint64_t bytes = std::clamp(expected_bytes, kLeastBytes, kLeastBytes << (kSizes - 1));
  auto size = static_cast<unsigned>(std::bit_width(std::bit_ceil(bytes) / kLeastBytes)) - 1;
  unsigned row = direction == scsi::Direction::kIn ? 1 : direction == scsi::Direction::kOut ? 2 : 0;
  return row * kSizes + size;
}

std::string LatencyStatistics::name_of(unsigned index) {
  constexpr std::string_view kLetters = "nrwb";
  return fmt::format("{}{}", kLetters[index / kSizes], kLeastBytes << (index % kSizes));
}

void LatencyStatistics::add(unsigned index, CommandState state, base::Duration spent) {
  if (spent > kLongest || spent < base::Duration::zero()) spent = {};
  auto tenths = static_cast<std::uint64_t>(spent.count() / 100);
  Entry& entry = entries_[index][static_cast<unsigned>(state)];
  entry.least = entry.count == 0 ? tenths : std::min(entry.least, tenths);
  entry.most = std::max(entry.most, tenths);
  entry.sum += tenths;
  entry.sum_of_squares += static_cast<double>(tenths) * static_cast<double>(tenths);
  ++entry.count;
}

// The last line adds up the states: its count is theirs on average, its times are those of all states together.
std::string LatencyStatistics::text(unsigned index) const {
  std::string text(kHeader);
  Entry all;
  std::uint64_t states = 0;
  for (CommandState state : kShownOrder) {
    const Entry& entry = entries_[index][static_cast<unsigned>(state)];
    if (entry.count == 0) continue;
    ++states;
    all.count += entry.count;
    all.sum += entry.sum;
    all.sum_of_squares += entry.sum_of_squares;
    std::uint64_t spread =
        deviation(static_cast<double>(entry.sum), entry.sum_of_squares, static_cast<double>(entry.count));
    text += fmt::format("{} {} {} {} {} {} us\n", scst_name(state), entry.count, in_microseconds(entry.least),
                        in_microseconds(entry.most), in_microseconds(entry.sum / entry.count), in_microseconds(spread));
  }
  if (states == 0) return text;
  std::uint64_t spread = deviation(static_cast<double>(all.sum), all.sum_of_squares, static_cast<double>(all.count));
  text += fmt::format("total {} - - {} {} us\n", all.count / states, in_microseconds(states * all.sum / all.count),
                      in_microseconds(states * spread));
  return text;
}

}  // namespace uscst::target
