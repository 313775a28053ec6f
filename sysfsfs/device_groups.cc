// device_groups/, device_groups/G/ with devices/ and target_groups/, target_groups/T/ and targets of other nodes in it.
#include "engine/target/device_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/numbers.h"
#include "sysfsfs/commands.h"
#include "sysfsfs/names.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::DeviceGroup;
using target::DeviceGroups;
using target::KeyRule;
using target::TargetGroup;
using Member = TargetGroup::Member;

constexpr std::string_view kFixedName = "mgmt";
constexpr std::string_view kGroupsUsage =
    "Usage: echo \"create group_name\" >mgmt\n"
    "       echo \"del group_name\" >mgmt\n";
constexpr std::string_view kDevicesUsage =
    "Usage: echo \"add device\" >mgmt\n"
    "       echo \"del device\" >mgmt\n";
constexpr std::string_view kTargetsUsage =
    "Usage: echo \"add target\" >mgmt\n"
    "       echo \"del target\" >mgmt\n";

std::unexpected<base::Error> name_taken(std::string_view name) {
  return base::fail(EEXIST, fmt::format("the directory has an entry '{}' already", name));
}

std::string path_of(const DeviceGroup& group) { return "device_groups/" + shown_name(group.name()); }
std::string path_of(const TargetGroup& group) {
  return path_of(group.device_group()) + "/target_groups/" + shown_name(group.name());
}

template <class Things>
bool shown_among(const Things& things, std::string_view name) {
  return std::ranges::any_of(things, [&](const auto& thing) { return shown_name(thing->name()) == name; });
}

Entries::Show usage(std::string_view text) {
  return [text]() -> base::Result<std::string> { return std::string(text); };
}

// A command of one of these mgmt files, carried out by the queue.
template <class CarryOut>
Entries::Store queued(Context& context, Membership which, CarryOut carry_out) {
  return [&context, which, carry_out](const std::string& text, target::Done done) {
    auto command = parse_membership_command(text, which);
    auto work = [&](target::Done finished) {
      finished(command ? carry_out(*command) : std::unexpected(command.error()));
    };
    context.queue.run(control::Lock::kFree, work, std::move(done));
  };
}

// --- target_groups/T/ and T/TARGET/

// The first seven characters count, as SCST reads them.
base::Result<std::uint16_t> parse_id(std::string_view text) {
  constexpr std::size_t kCharacters = 7;
  auto number = base::parse_unsigned(text.substr(0, kCharacters));
  if (!number) return std::unexpected(number.error());
  if (*number == 0 || *number > 0xFFFF) return base::fail(EINVAL, fmt::format("{} is not in 1..65535", *number));
  return static_cast<std::uint16_t>(*number);
}

template <class Set>
base::Status store_id(std::string_view text, Set set) {
  auto id = parse_id(text);
  if (!id) return std::unexpected(id.error());
  set(*id);
  return {};
}

constexpr target::Attribute<Member> kMemberRows[] = {
    {.name = "rel_tgt_id",
     .mode = 0644,
     .key = KeyRule::kAlways,
     .show = [](const Member& m) -> base::Result<std::string> { return fmt::format("{}", m.relative_target_id); },
     .store = [](Member& m, std::string_view text) -> base::Status {
       return store_id(text, [&](std::uint16_t id) { m.group->device_group().groups().set_relative_target_id(m, id); });
     }},
};

void store_preferred(TargetGroup& group, std::string text, target::Done done) {
  auto number = base::parse_unsigned(text);
  if (!number) return done(std::unexpected(number.error()));
  if (*number > 1) return done(base::fail(EINVAL, "preferred is 0 or 1"));
  group.device_group().groups().set_preferred(group, *number == 1);
  done({});
}

void store_state(TargetGroup& group, std::string text, target::Done done) {
  std::string_view word = std::string_view(text).substr(0, text.find('\n'));
  auto state = target::alua_state_from(word);
  if (!state) {
    return done(base::fail(
        EINVAL, "state is active, nonoptimized, standby, unavailable, offline or transitioning, and nothing else"));
  }
  group.device_group().groups().set_state(group, *state, std::move(done));
}

constexpr target::Attribute<TargetGroup> kTargetGroupRows[] = {
    {.name = "group_id",
     .mode = 0644,
     .key = KeyRule::kAlways,
     .show = [](const TargetGroup& g) -> base::Result<std::string> { return fmt::format("{}", g.group_id()); },
     .store = [](TargetGroup& g, std::string_view text) -> base::Status {
       return store_id(text, [&](std::uint16_t id) { g.device_group().groups().set_group_id(g, id); });
     }},
    {.name = "preferred",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = [](const TargetGroup& g) -> base::Result<std::string> { return g.preferred() ? "1" : "0"; },
     .store_queued = store_preferred},
    {.name = "state",
     .mode = 0644,
     .key = KeyRule::kAlways,
     .show = [](const TargetGroup& g) -> base::Result<std::string> { return std::string(target::name_of(g.state())); },
     .store_queued = store_state},
};

class RemoteTargetDirectory final : public VisitedDirectory {
 public:
  RemoteTargetDirectory(Context& context, TargetGroup& group, Member& member)
      : context_(context), group_(group), member_(member), id_(member.id) {}
  bool exists() const override {
    return std::ranges::any_of(group_.members(), [&](const auto& member) { return member->id == id_; });
  }

 private:
  void visit(Entries& entries) override { entries.table(AttributeTable<Member>(member_, kMemberRows, context_.queue)); }

  Context& context_;
  TargetGroup& group_;
  Member& member_;
  const std::uint64_t id_;
};

class TargetGroupDirectory final : public VisitedDirectory {
 public:
  TargetGroupDirectory(Context& context, TargetGroup& group)
      : context_(context), device_group_(group.device_group()), group_(group), id_(group.id()) {}
  bool exists() const override {
    return std::ranges::any_of(device_group_.target_groups(), [&](const auto& group) { return group->id() == id_; });
  }

 private:
  void visit(Entries& entries) override {
    entries.table(AttributeTable<TargetGroup>(group_, kTargetGroupRows, context_.queue));
    entries.file(kFixedName, 0644, usage(kTargetsUsage),
                 queued(context_, Membership::kMembers, [this](const GroupCommand& c) { return manage(c); }));
    for (const auto& member : group_.members()) {
      if (member->target) {
        entries.link(
            member->name, [&] { return link_text(path_of(group_), sysfsfs::path_of(*member->target)); }, member->id);
      } else if (entries.wants(shown_name(member->name), EntryKind::kDirectory, member->id)) {
        entries.give(directory_entry(std::make_unique<RemoteTargetDirectory>(context_, group_, *member), member->id));
      }
    }
  }

  base::Status manage(const GroupCommand& command) {
    DeviceGroups& groups = device_group_.groups();
    if (command.action == GroupCommand::Action::kDelete) return groups.remove_target(group_, command.name);
    if (shown_here(shown_name(command.name))) return name_taken(command.name);
    return groups.add_target(group_, command.name);
  }

  bool shown_here(std::string_view name) const {
    return name == kFixedName ||
           std::ranges::any_of(kTargetGroupRows, [&](const auto& row) { return row.name == name; }) ||
           std::ranges::any_of(group_.members(), [&](const auto& member) {
             return (member->target ? member->name : shown_name(member->name)) == name;
           });
  }

  Context& context_;
  DeviceGroup& device_group_;
  TargetGroup& group_;
  const std::uint64_t id_;
};

// --- device_groups/G/target_groups/ and G/devices/

class TargetGroupsDirectory final : public VisitedDirectory {
 public:
  TargetGroupsDirectory(Context& context, DeviceGroup& group) : context_(context), group_(group) {}
  std::size_t subdirectory_count() override { return group_.target_groups().size(); }

 private:
  void visit(Entries& entries) override {
    entries.file(kFixedName, 0644, usage(kGroupsUsage),
                 queued(context_, Membership::kGroups, [this](const GroupCommand& c) { return manage(c); }));
    for (const auto& target_group : group_.target_groups()) {
      if (!entries.wants(shown_name(target_group->name()), EntryKind::kDirectory, target_group->id())) continue;
      entries.give(
          directory_entry(std::make_unique<TargetGroupDirectory>(context_, *target_group), target_group->id()));
    }
  }

  base::Status manage(const GroupCommand& command) {
    if (command.action == GroupCommand::Action::kDelete)
      return group_.groups().remove_target_group(group_, command.name);
    const std::string shown = shown_name(command.name);
    if (shown == kFixedName || shown_among(group_.target_groups(), shown)) return name_taken(command.name);
    return group_.groups().create_target_group(group_, command.name);
  }

  Context& context_;
  DeviceGroup& group_;
};

class GroupDevicesDirectory final : public VisitedDirectory {
 public:
  GroupDevicesDirectory(Context& context, DeviceGroup& group) : context_(context), group_(group) {}
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    entries.file(kFixedName, 0644, usage(kDevicesUsage),
                 queued(context_, Membership::kMembers, [this](const GroupCommand& c) { return manage(c); }));
    for (const auto& device : group_.devices()) {
      entries.link(
          shown_name(device->name()),
          [&] { return link_text(path_of(group_) + "/devices", sysfsfs::path_of(*device)); }, device->id());
    }
  }

  base::Status manage(const GroupCommand& command) {
    if (command.action == GroupCommand::Action::kDelete) return group_.groups().remove_device(group_, command.name);
    if (command.name == kFixedName && context_.registry.find_device(command.name)) return name_taken(command.name);
    return group_.groups().add_device(group_, command.name);
  }

  Context& context_;
  DeviceGroup& group_;
};

// --- device_groups/

class DeviceGroupDirectory final : public VisitedDirectory {
 public:
  DeviceGroupDirectory(Context& context, DeviceGroup& group) : context_(context), group_(group), id_(group.id()) {}
  bool exists() const override {
    return std::ranges::any_of(context_.registry.device_groups().groups(),
                               [&](const auto& group) { return group->id() == id_; });
  }
  std::size_t subdirectory_count() override { return 2; }

 private:
  void visit(Entries& entries) override {
    if (entries.wants("devices", EntryKind::kDirectory)) {
      entries.give(directory_entry(std::make_unique<GroupDevicesDirectory>(context_, group_)));
    }
    if (entries.wants("target_groups", EntryKind::kDirectory)) {
      entries.give(directory_entry(std::make_unique<TargetGroupsDirectory>(context_, group_)));
    }
  }

  Context& context_;
  DeviceGroup& group_;
  const std::uint64_t id_;
};

class DeviceGroupsDirectory final : public VisitedDirectory {
 public:
  explicit DeviceGroupsDirectory(Context& context) : context_(context), groups_(context.registry.device_groups()) {}
  std::size_t subdirectory_count() override { return groups_.groups().size(); }

 private:
  void visit(Entries& entries) override {
    entries.file(kFixedName, 0644, usage(kGroupsUsage),
                 [this](const std::string& text, target::Done done) { manage(text, std::move(done)); });
    for (const auto& group : groups_.groups()) {
      if (!entries.wants(shown_name(group->name()), EntryKind::kDirectory, group->id())) continue;
      entries.give(directory_entry(std::make_unique<DeviceGroupDirectory>(context_, *group), group->id()));
    }
  }

  // Not queued, unlike every other mgmt file.
  void manage(std::string_view text, target::Done done) {
    auto command = parse_membership_command(text, Membership::kGroups);
    if (!command) return done(std::unexpected(command.error()));
    if (command->action == GroupCommand::Action::kDelete) return groups_.remove(command->name, std::move(done));
    const std::string shown = shown_name(command->name);
    if (shown == kFixedName || shown_among(groups_.groups(), shown)) return done(name_taken(command->name));
    done(groups_.create(command->name));
  }

  Context& context_;
  DeviceGroups& groups_;
};

}  // namespace

std::unique_ptr<Directory> device_groups_directory(Context& context) {
  return std::make_unique<DeviceGroupsDirectory>(context);
}

}  // namespace uscst::sysfsfs
