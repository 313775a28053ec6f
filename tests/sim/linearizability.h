// A checker of histories: whether what the operations on one block answered can be explained by an order in which each
// took effect at one moment between its begin and its end. Exact, by following all states that can be: few operations
// run at a time. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace uscst::sim {

// What one operation did to a block, as far as its answer tells.
struct Effect {
  enum class Kind : std::uint8_t {
    kRead,        // saw `value`
    kWrite,       // wrote `value`
    kSwap,        // saw `expected` and wrote `value`
    kDiffer,      // saw something else than `expected`
    kMaybeWrite,  // without an answer: as kWrite, or nothing
    kMaybeSwap,   // as kSwap, or nothing
  };
  Kind kind = Kind::kRead;
  std::uint64_t value = 0, expected = 0;

  bool certain() const { return kind != Kind::kMaybeWrite && kind != Kind::kMaybeSwap; }
  // The block's value afterwards; nothing where it cannot have held `before`.
  std::optional<std::uint64_t> after(std::uint64_t before) const;
};

// Times are any numbers that grow, no two the same. Of each `party` (0 .. 15) one operation runs at a time.
struct BlockOperation {
  unsigned party = 0;
  std::uint64_t begin = 0, end = 0;
  Effect effect;
};

// The first operation whose answer no order explains; nothing where all is well.
std::optional<BlockOperation> first_unexplained(std::uint64_t initial_value, std::vector<BlockOperation> operations);

}  // namespace uscst::sim
