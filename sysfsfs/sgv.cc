// sgv/: the statistics of SCST's buffer pools. Their directories are there as SCST has them, one of each kind for all
// processors and one for every processor.
#include <fmt/format.h>

#include "sysfsfs/cpu_mask.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

constexpr std::string_view kKinds[] = {"sgv", "sgv-clust", "sgv-dma"};

std::string pool_statistics(std::string_view pool) {
  std::string text =
      fmt::format("{:<30} {:<11} {:<11} {:<11} {:<11}", "Name", "Hit", "Total", "% merged", "Cached (P/I/O)");
  text += fmt::format("\n{:<30} {:<11} {:<11} {:<11} 0/0/0\n", pool, 0, 0, 0);
  for (unsigned kilobytes = 4; kilobytes <= 4096; kilobytes *= 2) {
    text += fmt::format("  {:<28} {:<11} {:<11} 0\n", fmt::format("{}-{}K", pool, kilobytes), 0, 0);
  }
  return text + fmt::format("  {:<40} 0/{:<9} 0/0\n", "big/other", 0);
}

std::string global_statistics() {
  return fmt::format("{:<42} 0/0\n{:<42} 0/0\n{:<42} 0/0\n{:<42} {:<11}\n", "Inactive/active pages",
                     "Hi/lo watermarks [pages]", "Hi watermark releases/failures", "Other allocs", 0);
}

class PoolDirectory final : public VisitedDirectory {
 public:
  explicit PoolDirectory(std::string name) : name_(std::move(name)) {}
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    entries.file(
        "stats", 0644, [this]() -> base::Result<std::string> { return pool_statistics(name_); },
        [](std::string, target::Done done) { done({}); });
  }

  const std::string name_;
};

class SgvDirectory final : public VisitedDirectory {
  void visit(Entries& entries) override {
    entries.file(
        "global_stats", 0644, []() -> base::Result<std::string> { return global_statistics(); },
        [](std::string, target::Done done) { done({}); });
    for (std::string_view kind : kKinds) {
      add(entries, std::string(kind));
      for (unsigned i = 0; i < possible_processors(); ++i) add(entries, fmt::format("{}-{}", kind, i));
    }
  }

  static void add(Entries& entries, const std::string& name) {
    if (!entries.wants(name, EntryKind::kDirectory)) return;
    entries.give(directory_entry(std::make_unique<PoolDirectory>(name)));
  }
};

}  // namespace

std::unique_ptr<Directory> sgv_directory(Context&) { return std::make_unique<SgvDirectory>(); }

}  // namespace uscst::sysfsfs
