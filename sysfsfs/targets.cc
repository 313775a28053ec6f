// targets/DRIVER/ and targets/DRIVER/TARGET/.
#include <fmt/format.h>

#include "engine/base/numbers.h"
#include "sysfsfs/driver_management.h"
#include "sysfsfs/names.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::KeyRule;
using target::SessionCounters;
using target::Target;
using Row = target::Attribute<Target>;
using Direction = SessionCounters::Direction;
using Count = std::atomic<std::uint64_t>;

// Sums over the sessions that are there now.
template <Direction SessionCounters::* direction, Count Direction::* count, int shift = 0>
base::Result<std::string> show_sum(const Target& target) {
  std::uint64_t sum = 0;
  for (const auto& session : target.sessions()) sum += (session->counters().*direction.*count).load();
  return fmt::format("{}", sum >> shift);
}

// Several attributes look at the first character only.
base::Result<bool> first_character(std::string_view text, std::string_view attribute) {
  if (text.starts_with('0')) return false;
  if (text.starts_with('1')) return true;
  return base::fail(EINVAL, fmt::format("{} is 0 or 1", attribute));
}

template <bool Target::* setting>
base::Result<std::string> show_flag(const Target& target) {
  return target.*setting ? "1" : "0";
}

template <bool Target::* setting>
base::Status store_flag(Target& target, std::string_view text) {
  auto on = first_character(text, "the attribute");
  if (!on) return std::unexpected(on.error());
  target.*setting = *on;
  return {};
}

base::Status store_forward_src(Target& target, std::string_view text) {
  auto number = base::parse_signed(text);
  if (!number || *number < 0 || *number > 1) return base::fail(EINVAL, "forward_src is 0 or 1");
  target.forward_src = *number == 1;
  return {};
}

base::Status store_comment(Target& target, std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  target.comment = text;
  return {};
}

// Whether the number is in range is seen in the queue.
base::Result<std::uint64_t> parse_relative_id(std::string_view text) {
  auto number = base::parse_unsigned(text);
  if (!number) return base::fail(EINVAL, "rel_tgt_id is 0 to 65535");
  return number;
}

constexpr SessionCounters::Direction SessionCounters::* kWrite = &SessionCounters::write;
constexpr SessionCounters::Direction SessionCounters::* kRead = &SessionCounters::read;
constexpr SessionCounters::Direction SessionCounters::* kBoth = &SessionCounters::bidirectional;
constexpr auto kCommands = &Direction::commands;
constexpr auto kBytes = &Direction::bytes;
constexpr auto kUnaligned = &Direction::unaligned_commands;
constexpr int kKilobytes = 10;

constexpr Row kRows[] = {
    {.name = "aen_disabled",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = show_flag<&Target::aen_disabled>,
     .store = store_flag<&Target::aen_disabled>},
    {.name = "comment",
     .mode = 0644,
     .key = KeyRule::kAlways,
     .layout = target::Layout::kLineOrNothing,
     .show = [](const Target& t) -> base::Result<std::string> { return t.comment; },
     .store = store_comment},
    {.name = "enabled",
     .mode = 0644,
     .show = show_flag<&Target::enabled>,
     .store_queued = [](Target& t, std::string text,
                        target::Done done) { t.registry().set_enabled(t, text.starts_with('1'), std::move(done)); },
     .check = [](const Target&, std::string_view text) -> base::Status {
       auto on = first_character(text, "enabled");
       return on ? base::Status{} : std::unexpected(on.error());
     },
     .present = [](const Target& t) { return t.driver().can_enable(); }},
    {.name = "forward_dst",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = show_flag<&Target::forward_dst>,
     .store = store_flag<&Target::forward_dst>},
    {.name = "forward_src",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = show_flag<&Target::forward_src>,
     .store = store_forward_src},
    {.name = "forwarding",  // another name of forward_dst
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = show_flag<&Target::forward_dst>,
     .store = store_flag<&Target::forward_dst>},
    {.name = "rel_tgt_id",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = [](const Target& t) -> base::Result<std::string> {
       return fmt::format("{}", t.relative_target_id.load());
     },
     .store_queued =
         [](Target& t, std::string text, target::Done done) {
           auto id = parse_relative_id(text);
           done(id ? t.registry().set_relative_target_id(t, *id) : std::unexpected(id.error()));
         },
     .check = [](const Target&, std::string_view text) -> base::Status {
       auto id = parse_relative_id(text);
       return id ? base::Status{} : std::unexpected(id.error());
     }},
    {.name = "sg_tablesize",
     .show = [](const Target& t) -> base::Result<std::string> { return fmt::format("{}", t.driver().sg_tablesize()); }},
    {.name = "bidi_cmd_count", .show = show_sum<kBoth, kCommands>},
    {.name = "bidi_io_count_kb", .show = show_sum<kBoth, kBytes, kKilobytes>},
    {.name = "bidi_unaligned_cmd_count", .show = show_sum<kBoth, kUnaligned>},
    {.name = "none_cmd_count", .show = show_sum<&SessionCounters::none, kCommands>},
    {.name = "read_cmd_count", .show = show_sum<kRead, kCommands>},
    {.name = "read_io_count_kb", .show = show_sum<kRead, kBytes, kKilobytes>},
    {.name = "read_unaligned_cmd_count", .show = show_sum<kRead, kUnaligned>},
    {.name = "unknown_cmd_count", .show = show_sum<&SessionCounters::unknown, kCommands>},
    {.name = "write_cmd_count", .show = show_sum<kWrite, kCommands>},
    {.name = "write_io_count_kb", .show = show_sum<kWrite, kBytes, kKilobytes>},
    {.name = "write_unaligned_cmd_count", .show = show_sum<kWrite, kUnaligned>},
};

bool has_dif(const target::Driver& driver) { return driver.protection_support().supported; }

// The last line, of block sizes, has no newline.
base::Result<std::string> dif_capabilities(const target::Driver& driver) {
  const target::ProtectionSupport support = driver.protection_support();
  std::string text = "dif_supported";
  for (unsigned type = 1; type <= 3; ++type) {
    if ((support.target_types >> type & 1) != 0) text += fmt::format(", hw_dif_type{}_supported", type);
  }
  text += '\n';
  if (!support.block_bytes.empty()) text += fmt::format("Supported blocks: {}", fmt::join(support.block_bytes, ", "));
  return text;
}

class TargetDirectory final : public VisitedDirectory {
 public:
  TargetDirectory(Context& context, Target& target)
      : context_(context), driver_(target.driver()), name_(target.name()), id_(target.id()), target_(target) {}
  bool exists() const override {
    const Target* found = driver_.find_target(name_);
    return found && found->id() == id_;
  }
  std::size_t subdirectory_count() override { return 3; }

 private:
  void visit(Entries& entries) override {
    entries.table(AttributeTable<Target>(target_, kRows, context_.queue));
    entries.table(AttributeTable<target::AccessGroup>(target_.default_group(), group_attributes(), context_.queue));
    entries.table(AttributeTable<Target>(target_, driver_.target_attributes(), context_.queue));
    if (has_dif(driver_)) {
      entries.file("dif_capabilities", 0444, [this] { return dif_capabilities(driver_); });
      add_dif_checks_failed(entries);
    }
    if (entries.wants("ini_groups", EntryKind::kDirectory)) {
      entries.give(directory_entry(ini_groups_directory(context_, target_)));
    }
    if (entries.wants("luns", EntryKind::kDirectory)) {
      entries.give(directory_entry(luns_directory(context_, target_.default_group())));
    }
    if (entries.wants("sessions", EntryKind::kDirectory)) {
      entries.give(directory_entry(sessions_directory(context_, target_)));
    }
  }

  Context& context_;
  target::Driver& driver_;
  const std::string name_;
  const std::uint64_t id_;
  Target& target_;
};

class TargetsDirectory final : public VisitedDirectory {
 public:
  TargetsDirectory(Context& context, target::Driver& driver) : context_(context), driver_(driver) {}
  bool exists() const override { return context_.registry.find_driver(driver_.name()) == &driver_; }
  std::size_t subdirectory_count() override { return driver_.targets().size(); }

 private:
  void visit(Entries& entries) override {
    entries.table(AttributeTable<target::Driver>(driver_, driver_.attributes(), context_.queue));
    if (has_dif(driver_)) entries.file("dif_capabilities", 0444, [this] { return dif_capabilities(driver_); });
    if (const auto* management = driver_.management()) {
      entries.file(
          "mgmt", 0644, [management]() -> base::Result<std::string> { return target_usage(*management); },
          [this](std::string text, target::Done done) { manage_targets(context_, driver_, text, std::move(done)); });
    }
    if (unsigned long* level = driver_.trace_level) {
      entries.file(
          "trace_level", 0644,
          [level]() -> base::Result<std::string> { return show_trace_level(*level, TraceModule::kTargetDriver); },
          [level](std::string text, target::Done done) {
            done(store_trace_level(*level, text, TraceModule::kTargetDriver));
          });
    }
    for (const auto& target : driver_.targets()) {
      if (!entries.wants(shown_name(target->name()), EntryKind::kDirectory, target->id())) continue;
      entries.give(directory_entry(std::make_unique<TargetDirectory>(context_, *target), target->id()));
    }
  }

  Context& context_;
  target::Driver& driver_;
};

}  // namespace

std::unique_ptr<Directory> targets_directory(Context& context, target::Driver& driver) {
  return std::make_unique<TargetsDirectory>(context, driver);
}

}  // namespace uscst::sysfsfs
