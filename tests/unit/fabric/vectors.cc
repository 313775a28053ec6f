#include "tests/unit/fabric/vectors.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/base/bytes.h"

namespace uscst::fabric::iwarp {

std::vector<std::uint8_t> vector_bytes(const std::string& name) {
  std::ifstream file(std::string(USCST_VECTORS) + "/" + name + ".hex");
  EXPECT_TRUE(file.is_open()) << name;
  std::string hex, line;
  while (std::getline(file, line))
    if (!line.starts_with('#')) hex += line + " ";
  auto bytes = base::parse_hex(hex);
  EXPECT_TRUE(bytes.has_value()) << name;
  return bytes.value_or(std::vector<std::uint8_t>{});
}

}  // namespace uscst::fabric::iwarp
