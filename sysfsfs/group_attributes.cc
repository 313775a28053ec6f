// The attributes that a target has for its default group and that each initiator group has.
#include <fmt/format.h>

#include <limits>

#include "engine/base/cpu_mask.h"
#include "engine/base/numbers.h"
#include "sysfsfs/commands.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using scsi::LunAddressing;
using target::AccessGroup;
using target::KeyRule;
using Row = target::Attribute<AccessGroup>;

struct AddressWord {
  std::string_view word;
  LunAddressing method;
};
constexpr AddressWord kAddressWords[] = {
    {"PERIPHERAL", LunAddressing::kPeripheral}, {"FLAT", LunAddressing::kFlat}, {"LUN", LunAddressing::kLun}};

struct GroupingWord {
  std::string_view word;
  int value;
};
constexpr GroupingWord kGroupingWords[] = {{"auto", AccessGroup::kGroupingAuto},
                                           {"this_group_only", AccessGroup::kGroupingThisGroupOnly},
                                           {"never", AccessGroup::kGroupingNever}};

base::Result<std::string> show_address_method(const AccessGroup& group) {
  for (const AddressWord& known : kAddressWords) {
    if (known.method == group.address_method) return std::string(known.word);
  }
  return "UNKNOWN";
}

base::Status store_address_method(AccessGroup& group, std::string_view text) {
  for (const AddressWord& known : kAddressWords) {
    if (!matches_word(text, known.word)) continue;
    group.address_method = known.method;
    group.target().registry().republish(group);
    return {};
  }
  return base::fail(EINVAL, "addr_method is PERIPHERAL, FLAT or LUN");
}

base::Status store_black_hole(AccessGroup& group, std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '4') return base::fail(EINVAL, "black_hole is 0 to 4");
  group.black_hole = text.front() - '0';
  group.target().registry().republish(group);
  return {};
}

base::Result<int> parse_grouping(std::string_view text) {
  for (const GroupingWord& known : kGroupingWords) {
    if (matches_word(text, known.word)) return known.value;
  }
  auto number = base::parse_signed(text);
  if (!number || *number <= 0 || *number > std::numeric_limits<int>::max()) {
    return base::fail(EINVAL, "io_grouping_type is auto, this_group_only, never or a number above 0");
  }
  return static_cast<int>(*number);
}

base::Result<std::string> show_grouping(const AccessGroup& group) {
  for (const GroupingWord& known : kGroupingWords) {
    if (known.value == group.io_grouping) return std::string(known.word);
  }
  return fmt::format("{}", group.io_grouping);
}

// The group or its target may be gone when activity is suspended; then there is nothing to do.
AccessGroup* still_there(target::Target* target, std::uint64_t id) {
  if (!target) return nullptr;
  if (id == 0) return &target->default_group();
  for (const auto& group : target->groups()) {
    if (group->id() == id) return group.get();
  }
  return nullptr;
}

void store_grouping(AccessGroup& group, std::string text, target::Done done) {
  auto value = parse_grouping(text);
  if (!value) return done(std::unexpected(value.error()));
  target::Registry& registry = group.target().registry();
  auto change = [&registry, target_id = group.target().id(), id = group.id(), value = *value]() -> base::Status {
    if (AccessGroup* there = still_there(registry.find_target(target_id), id)) there->io_grouping = value;
    return {};
  };
  registry.while_suspended(change, std::move(done));
}

base::Result<std::string> show_cpu_mask(const AccessGroup& group) {
  return group.cpu_mask.empty() ? base::full_cpu_mask(base::possible_processors()) : group.cpu_mask;
}

void store_cpu_mask(AccessGroup& group, std::string text, target::Done done) {
  auto mask = base::parse_cpu_mask(text, base::possible_processors());
  if (mask) group.cpu_mask = *mask;
  done(mask ? base::Status{} : std::unexpected(mask.error()));
}

template <class T>
base::Status status_of(const base::Result<T>& result) {
  return result ? base::Status{} : std::unexpected(result.error());
}

constexpr Row kRows[] = {
    {.name = "addr_method",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "PERIPHERAL",
     .show = show_address_method,
     .store = store_address_method},
    {.name = "black_hole",
     .mode = 0644,
     .show = [](const AccessGroup& g) -> base::Result<std::string> { return fmt::format("{}", g.black_hole); },
     .store = store_black_hole},
    {.name = "cpu_mask",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .show = show_cpu_mask,
     .store_queued = store_cpu_mask,
     .check = [](const AccessGroup&,
                 std::string_view text) { return status_of(base::parse_cpu_mask(text, base::possible_processors())); },
     .default_of = [](const AccessGroup&) { return base::full_cpu_mask(base::possible_processors()); },
     .unchanged =
         [](const AccessGroup& g, std::string_view text) {
           return base::parse_cpu_mask(text, base::possible_processors()).value_or("") == show_cpu_mask(g).value();
         }},
    {.name = "io_grouping_type",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "auto",
     .show = show_grouping,
     .store_queued = store_grouping,
     .check = [](const AccessGroup&, std::string_view text) { return status_of(parse_grouping(text)); },
     .unchanged = [](const AccessGroup& g,
                     std::string_view text) { return parse_grouping(text).value_or(0) == g.io_grouping; }},
};

}  // namespace

std::span<const Row> group_attributes() { return kRows; }

}  // namespace uscst::sysfsfs
