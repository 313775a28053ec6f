// luns/ of a target or of an initiator group, and luns/N/.
#include <fmt/format.h>

#include "engine/scsi/lun.h"
#include "sysfsfs/commands.h"
#include "sysfsfs/names.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::AccessGroup;
using target::Lun;

constexpr std::string_view kUsage =
    "Usage: echo \"add H:C:I:L lun [parameters]\" >mgmt\n"
    "       echo \"add VNAME lun [parameters]\" >mgmt\n"
    "       echo \"del lun\" >mgmt\n"
    "       echo \"replace H:C:I:L lun [parameters]\" >mgmt\n"
    "       echo \"replace VNAME lun [parameters]\" >mgmt\n"
    "       echo \"replace_no_ua H:C:I:L lun [parameters]\" >mgmt\n"
    "       echo \"replace_no_ua VNAME lun [parameters]\" >mgmt\n"
    "       echo \"clear\" >mgmt\n"
    "\n"
    "where parameters are one or more param_name=value pairs separated by ';'\n"
    "\n"
    "The following parameters available: read_only\n";

void carry_out(target::Registry& registry, AccessGroup& group, const LunCommand& command, target::Done done) {
  using Action = LunCommand::Action;
  using Replace = target::Registry::Replace;
  switch (command.action) {
    case Action::kAdd: return registry.add_lun(group, command.device, command.lun, command.read_only, std::move(done));
    case Action::kDelete: return registry.delete_lun(group, command.lun, std::move(done));
    case Action::kClear: return registry.clear_luns(group, std::move(done));
    case Action::kReplace:
    case Action::kReplaceWithoutAttention: break;
  }
  auto how = command.action == Action::kReplace ? Replace::kWithAttention : Replace::kWithoutAttention;
  registry.replace_lun(group, command.device, command.lun, command.read_only, how, std::move(done));
}

void manage(Context& context, AccessGroup& group, std::string_view text, target::Done done) {
  auto command = parse_lun_command(text);
  bool opens_store = command && command->action == LunCommand::Action::kAdd;
  auto work = [&](target::Done finished) {
    if (!command) return finished(std::unexpected(command.error()));
    carry_out(context.registry, group, *command, std::move(finished));
  };
  context.queue.run(opens_store ? control::Lock::kHeld : control::Lock::kFree, work, std::move(done));
}

class LunDirectory final : public VisitedDirectory {
 public:
  LunDirectory(AccessGroup& group, const Lun& lun) : group_(group), number_(lun.number), sequence_(lun.sequence) {}
  bool exists() const override {
    auto found = group_.luns.find(number_);
    return found != group_.luns.end() && found->second.sequence == sequence_;
  }
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    const Lun& lun = group_.luns.at(number_);
    entries.link("device",
                 [&] { return link_text(fmt::format("{}/luns/{}", path_of(group_), number_), path_of(*lun.device)); });
    entries.file("read_only", 0444, [this]() -> base::Result<std::string> {
      const Lun& shown = group_.luns.at(number_);
      bool read_only = shown.read_only || shown.device->unit().read_only();
      return render(read_only ? "1" : "0", target::Layout::kLine, read_only);
    });
  }

  AccessGroup& group_;
  const std::uint16_t number_;
  const std::uint64_t sequence_;
};

class LunsDirectory final : public VisitedDirectory {
 public:
  LunsDirectory(Context& context, AccessGroup& group) : context_(context), group_(group) {}
  std::size_t subdirectory_count() override { return group_.luns.size(); }

 private:
  void visit(Entries& entries) override {
    entries.file(
        "mgmt", 0644, []() -> base::Result<std::string> { return std::string(kUsage); },
        [this](std::string text, target::Done done) { manage(context_, group_, text, std::move(done)); });
    if (auto name = entries.looking_for()) {
      std::uint64_t number = 0;
      if (!parse_decimal_name(*name, scsi::kMaxLun, number)) return;
      auto found = group_.luns.find(static_cast<std::uint16_t>(number));
      if (found != group_.luns.end()) add(entries, found->second);
      return;
    }
    for (const auto& [number, lun] : group_.luns) add(entries, lun);
  }

  void add(Entries& entries, const Lun& lun) {
    if (!entries.wants(fmt::format("{}", lun.number), EntryKind::kDirectory, lun.sequence)) return;
    entries.give(directory_entry(std::make_unique<LunDirectory>(group_, lun), lun.sequence));
  }

  Context& context_;
  AccessGroup& group_;
};

}  // namespace

std::unique_ptr<Directory> luns_directory(Context& context, AccessGroup& group) {
  return std::make_unique<LunsDirectory>(context, group);
}

}  // namespace uscst::sysfsfs
