// ini_groups/ of a target, ini_groups/G/ and its initiators/.
#include <fmt/format.h>

#include <algorithm>

#include "sysfsfs/commands.h"
#include "sysfsfs/names.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::AccessGroup;
using target::Target;

constexpr std::string_view kFixedName = "mgmt";

constexpr std::string_view kGroupsUsage =
    "Usage: echo \"create GROUP_NAME\" >mgmt\n"
    "       echo \"del GROUP_NAME\" >mgmt\n";
constexpr std::string_view kInitiatorsUsage =
    "Usage: echo \"add INITIATOR_NAME\" >mgmt\n"
    "       echo \"del INITIATOR_NAME\" >mgmt\n"
    "       echo \"move INITIATOR_NAME DEST_GROUP_NAME\" >mgmt\n"
    "       echo \"clear\" >mgmt\n";

std::unexpected<base::Error> name_taken(std::string_view name) {
  return base::fail(EEXIST, fmt::format("the directory has an entry '{}' already", name));
}

// --- initiators/

// One name or pattern; gone when it is no longer in the group.
class InitiatorFile final : public File {
 public:
  InitiatorFile(const AccessGroup& group, std::string_view name) : group_(group), name_(name) {}
  base::Result<std::string> content() override { return name_ + '\n'; }
  bool exists() const override {
    return std::find(group_.initiators.begin(), group_.initiators.end(), name_) != group_.initiators.end();
  }

 private:
  const AccessGroup& group_;
  const std::string name_;
};

void change_initiators(target::Registry& registry, AccessGroup& group, const InitiatorCommand& command,
                       target::Done done) {
  using Action = InitiatorCommand::Action;
  switch (command.action) {
    case Action::kAdd:
      if (command.name == kFixedName) return done(name_taken(command.name));
      return registry.add_initiator(group, command.name, std::move(done));
    case Action::kDelete: return registry.delete_initiator(group, command.name, std::move(done));
    case Action::kMove: return registry.move_initiator(group, command.name, command.destination, std::move(done));
    case Action::kClear: return registry.clear_initiators(group, std::move(done));
  }
}

class InitiatorsDirectory final : public VisitedDirectory {
 public:
  InitiatorsDirectory(Context& context, AccessGroup& group) : context_(context), group_(group) {}
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    entries.file(
        "mgmt", 0644, []() -> base::Result<std::string> { return std::string(kInitiatorsUsage); },
        [this](std::string text, target::Done done) { manage(text, std::move(done)); });
    for (const std::string& name : group_.initiators) {
      if (!entries.wants(name, EntryKind::kFile)) continue;
      entries.give(file_entry(0444, std::make_unique<InitiatorFile>(group_, name)));
    }
  }

  void manage(std::string_view text, target::Done done) {
    auto command = parse_initiator_command(text);
    auto work = [&](target::Done finished) {
      if (!command) return finished(std::unexpected(command.error()));
      change_initiators(context_.registry, group_, *command, std::move(finished));
    };
    context_.queue.run(control::Lock::kFree, work, std::move(done));
  }

  Context& context_;
  AccessGroup& group_;
};

// --- ini_groups/G/

class GroupDirectory final : public VisitedDirectory {
 public:
  GroupDirectory(Context& context, AccessGroup& group)
      : context_(context), target_(group.target()), group_(group), id_(group.id()) {}
  bool exists() const override {
    const auto& groups = target_.groups();
    return std::any_of(groups.begin(), groups.end(), [&](const auto& group) { return group->id() == id_; });
  }
  std::size_t subdirectory_count() override { return 2; }

 private:
  void visit(Entries& entries) override {
    entries.table(AttributeTable<AccessGroup>(group_, group_attributes(), context_.queue));
    if (entries.wants("initiators", EntryKind::kDirectory)) {
      entries.give(directory_entry(std::make_unique<InitiatorsDirectory>(context_, group_)));
    }
    if (entries.wants("luns", EntryKind::kDirectory)) entries.give(directory_entry(luns_directory(context_, group_)));
  }

  Context& context_;
  Target& target_;
  AccessGroup& group_;
  const std::uint64_t id_;
};

class GroupsDirectory final : public VisitedDirectory {
 public:
  GroupsDirectory(Context& context, Target& target) : context_(context), target_(target) {}
  std::size_t subdirectory_count() override { return target_.groups().size(); }

 private:
  void visit(Entries& entries) override {
    entries.file(
        "mgmt", 0644, []() -> base::Result<std::string> { return std::string(kGroupsUsage); },
        [this](std::string text, target::Done done) { manage(text, std::move(done)); });
    for (const auto& group : target_.groups()) {
      if (!entries.wants(shown_name(group->name()), EntryKind::kDirectory, group->id())) continue;
      entries.give(directory_entry(std::make_unique<GroupDirectory>(context_, *group), group->id()));
    }
  }

  void manage(std::string_view text, target::Done done) {
    auto command = parse_group_command(text);
    auto work = [&](target::Done finished) {
      if (!command) return finished(std::unexpected(command.error()));
      if (command->action == GroupCommand::Action::kDelete) {
        return context_.registry.delete_group(target_, command->name, std::move(finished));
      }
      if (shown_as_taken(command->name)) return finished(name_taken(command->name));
      context_.registry.create_group(target_, command->name, std::move(finished));
    };
    context_.queue.run(control::Lock::kFree, work, std::move(done));
  }

  // "a/b" and "a!b" are two groups to the engine, but have one directory.
  bool shown_as_taken(std::string_view name) const {
    std::string shown = shown_name(name);
    const auto& groups = target_.groups();
    return shown == kFixedName ||
           std::any_of(groups.begin(), groups.end(), [&](const auto& g) { return shown_name(g->name()) == shown; });
  }

  Context& context_;
  Target& target_;
};

}  // namespace

std::unique_ptr<Directory> ini_groups_directory(Context& context, Target& target) {
  return std::make_unique<GroupsDirectory>(context, target);
}

}  // namespace uscst::sysfsfs
