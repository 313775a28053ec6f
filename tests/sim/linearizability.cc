#include "tests/sim/linearizability.h"

#include <algorithm>
#include <map>
#include <set>

namespace uscst::sim {
namespace {

// What may be the case: the block's value, and which of the running operations (a bit each) have taken effect.
struct Possible {
  std::uint32_t done = 0;
  std::uint64_t value = 0;
  friend auto operator<=>(const Possible&, const Possible&) = default;
};
using Possibilities = std::set<Possible>;
using Running = std::map<unsigned, Effect>;  // by party

// Adds what is reached when running operations take effect now, in whatever order.
void let_take_effect(Possibilities& all, const Running& running) {
  std::vector<Possible> fresh(all.begin(), all.end());
  while (!fresh.empty()) {
    const Possible from = fresh.back();
    fresh.pop_back();
    for (const auto& [party, effect] : running) {
      const std::uint32_t bit = 1u << party;
      if ((from.done & bit) != 0) continue;
      auto value = effect.after(from.value);
      if (!value) continue;
      const Possible to{from.done | bit, *value};
      if (all.insert(to).second) fresh.push_back(to);
    }
  }
}

// Keeps the possibilities in which the party's operation has taken effect, if it must have.
Possibilities ended(const Possibilities& all, unsigned party, const Effect& effect) {
  const std::uint32_t bit = 1u << party;
  Possibilities kept;
  for (const Possible& possible : all) {
    if ((possible.done & bit) != 0 || !effect.certain()) kept.insert({possible.done & ~bit, possible.value});
  }
  return kept;
}

}  // namespace

std::optional<std::uint64_t> Effect::after(std::uint64_t before) const {
  switch (kind) {
    case Kind::kRead: return before == value ? std::optional(before) : std::nullopt;
    case Kind::kWrite:
    case Kind::kMaybeWrite: return value;
    case Kind::kSwap:
    case Kind::kMaybeSwap: return before == expected ? std::optional(value) : std::nullopt;
    case Kind::kDiffer: return before != expected ? std::optional(before) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<BlockOperation> first_unexplained(std::uint64_t initial_value, std::vector<BlockOperation> operations) {
  struct Event {
    std::uint64_t when;
    bool begins;
    const BlockOperation* operation;
  };
  std::vector<Event> events;
  for (const BlockOperation& operation : operations) {
    events.push_back({operation.begin, true, &operation});
    events.push_back({operation.end, false, &operation});
  }
  std::ranges::sort(events, {}, &Event::when);
  Possibilities all{{0, initial_value}};
  Running running;
  for (const Event& event : events) {
    const BlockOperation& operation = *event.operation;
    if (event.begins) {
      running[operation.party] = operation.effect;
      continue;
    }
    let_take_effect(all, running);
    all = ended(all, operation.party, operation.effect);
    running.erase(operation.party);
    if (all.empty()) return operation;
  }
  return std::nullopt;
}

}  // namespace uscst::sim
