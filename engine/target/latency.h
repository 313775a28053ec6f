// How long the commands of one session spent in which state (measure_latency). Owned by the session's SessionTasks,
// made and freed on their reactor; nothing of it exists while nobody measures.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/clock.h"
#include "engine/scsi/opcode_table.h"
#include "engine/target/command.h"

namespace uscst::target {

// SCST's word for what a command does in our state; where several of its states are one of ours, the one that waits.
std::string_view scst_name(CommandState state);

class LatencyStatistics {
 public:
  // The powers of two from 512 to 524288.
  static constexpr unsigned kSizes = 11;
  static constexpr std::uint64_t kLeastBytes = 512;
  static constexpr unsigned kDirections = 4;  // none, read, write, both
  // Longer ones count as 0, as a clock that jumped would make them.
  static constexpr base::Duration kLongest = std::chrono::seconds(1);

  // Index of the file for commands of this direction that expect to move so many bytes.
  static unsigned index_of(scsi::Direction direction, std::uint64_t expected_bytes);
  static std::string name_of(unsigned index);  // "r4096"
  static constexpr unsigned kFiles = kDirections * kSizes;
  static constexpr std::string_view kHeader = "state count min max avg stddev\n";

  void add(unsigned index, CommandState state, base::Duration spent);
  void clear() { entries_ = {}; }
  // The content of one file.
  std::string text(unsigned index) const;

 private:
  // Times in tenths of a microsecond.
  struct Entry {
    std::uint64_t count = 0, sum = 0, least = 0, most = 0;
    double sum_of_squares = 0;
  };
  std::array<std::array<Entry, kCommandStates>, kFiles> entries_{};
};

}  // namespace uscst::target
