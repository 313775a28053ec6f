// Reads the recorded answers under tests/vectors/scsi.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/scsi/sense.h"

namespace uscst::scsi::test {

// One program run or CDB of a recording: what was asked, the bytes received, and the status and sense in words.
struct Answer {
  std::string request;
  std::vector<std::uint8_t> bytes;
  std::optional<Sense> sense;  // nothing: GOOD
};

// tests/vectors/scsi/<file>: runs of sg3_utils ("$ ...") and of sg_raw ("CDB: ...").
std::vector<Answer> read_recording(std::string_view file);

// The bytes of the answer to exactly this request; the test fails if there is none.
std::vector<std::uint8_t> recorded(std::string_view file, std::string_view request);

// One line of opcode-sweep.tsv.
struct SweptOpcode {
  std::uint8_t opcode = 0;
  std::size_t cdb_length = 0;
  std::optional<Sense> sense;
};
std::vector<SweptOpcode> read_sweep(std::string_view file);

}  // namespace uscst::scsi::test
