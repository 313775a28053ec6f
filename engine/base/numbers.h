// Numbers in the text of management writes, as the Linux kernel's kstrto*() functions read them: base by prefix
// (0x hex, 0 octal), an optional '+' (signed forms also '-'), no blanks, at most one trailing newline.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/base/result.h"

namespace uscst::base {

// EINVAL for text that is no number, ERANGE for one that does not fit 64 bits.
Result<std::uint64_t> parse_unsigned(std::string_view text, int base = 0);
Result<std::int64_t> parse_signed(std::string_view text, int base = 0);

// kstrtobool(): y Y t T 1 on / n N f F 0 off, by the first letters. EINVAL otherwise.
Result<bool> parse_bool(std::string_view text);

}  // namespace uscst::base
