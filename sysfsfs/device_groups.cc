// device_groups/. The engine has no ALUA groups yet: the directory is there, groups cannot be made.
#include "sysfsfs/commands.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

class DeviceGroupsDirectory final : public VisitedDirectory {
 public:
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    entries.file(
        "mgmt", 0644,
        []() -> base::Result<std::string> {
          return "Usage: echo \"create group_name\" >mgmt\n       echo \"del group_name\" >mgmt\n";
        },
        manage);
  }

  // Not queued, unlike every other mgmt file.
  static void manage(const std::string& text, target::Done done) {
    auto command = parse_group_command(text);
    if (!command) return done(std::unexpected(command.error()));
    if (command->action == GroupCommand::Action::kDelete) {
      return done(base::fail(EINVAL, "there is no device group '" + command->name + "'"));
    }
    done(base::fail(EOPNOTSUPP, "device groups cannot be made"));
  }
};

}  // namespace

std::unique_ptr<Directory> device_groups_directory(Context&) { return std::make_unique<DeviceGroupsDirectory>(); }

}  // namespace uscst::sysfsfs
