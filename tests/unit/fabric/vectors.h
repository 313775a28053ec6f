// The worked examples of iWARP as bytes, from tests/vectors/iwarp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace uscst::fabric::iwarp {

// The bytes of NAME.hex; the test fails when there is no such file.
std::vector<std::uint8_t> vector_bytes(const std::string& name);

}  // namespace uscst::fabric::iwarp
