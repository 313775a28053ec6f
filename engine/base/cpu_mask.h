// Masks of processors (and of other things that are counted) as the kernel writes and reads them: words of 32 bits in
// hex, the highest first, joined by commas. Values only; any thread.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace uscst::base {

unsigned possible_processors();
// The mask of all of `processors`.
std::string full_cpu_mask(unsigned processors);
// The mask in `text` in the form that it is shown in. Blanks around words are allowed, an empty line is no processor.
// EINVAL for what is no mask, EOVERFLOW for bits beyond `processors`.
Result<std::string> parse_cpu_mask(std::string_view text, unsigned processors);
// Is the bit set? `mask` as returned by the two above.
bool in_cpu_mask(std::string_view mask, unsigned processor);

}  // namespace uscst::base
