// targets/ and targets/DRIVER/.
#include "sysfsfs/names.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

class DriversDirectory final : public VisitedDirectory {
 public:
  explicit DriversDirectory(Context& context) : context_(context) {}
  std::size_t subdirectory_count() override { return context_.registry.drivers().size(); }

 private:
  void visit(Entries& entries) override {
    for (target::Driver* driver : context_.registry.drivers()) {
      if (!entries.wants(driver->name(), EntryKind::kDirectory)) continue;
      entries.give(directory_entry(targets_directory(context_, *driver)));
    }
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<Directory> drivers_directory(Context& context) { return std::make_unique<DriversDirectory>(context); }

}  // namespace uscst::sysfsfs
