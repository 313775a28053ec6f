// Status and sense data in words, for messages to people. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/bytes.h"
#include "engine/initiator/task.h"

namespace uscst::initiator {

// Fixed or descriptor format, SPC-5 4.4.
struct SenseCode {
  std::uint8_t key = 0, asc = 0, ascq = 0;
  friend bool operator==(const SenseCode&, const SenseCode&) = default;
};
std::optional<SenseCode> parse_sense(base::Bytes sense);

// "ILLEGAL REQUEST, logical block address out of range (5/21/00)".
std::string describe(const SenseCode& code);
std::string_view status_name(std::uint8_t status);
// The whole outcome: "CHECK CONDITION: ILLEGAL REQUEST, ...", "no answer in time", ...
std::string describe(const Outcome& outcome);

bool is_unit_attention(const Outcome& outcome);

}  // namespace uscst::initiator
