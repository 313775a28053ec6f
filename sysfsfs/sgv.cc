// sgv/: the statistics of SCST's buffer pools. Their directories are there as SCST has them, one of each kind for all
// processors and one for every processor.
#include <fmt/format.h>

#include <algorithm>

#include "engine/base/cpu_mask.h"
#include "engine/target/shard.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using io::BufferStatistics;
using target::Shard;

// The reactors' pools are what SCST's clustered pools of one processor are; the others are there and unused.
constexpr std::string_view kClustered = "sgv-clust";
constexpr std::string_view kKinds[] = {"sgv", kClustered, "sgv-dma"};

std::uint64_t in_pages(std::uint64_t slices) {
  return slices * (io::BufferPool::kSliceBytes / BufferStatistics::kPageBytes);
}

// Figures of one size of a pool, or of several added up.
struct Figures {
  std::uint64_t hits = 0, total = 0, pages = 0, parts = 0;
  void add(const BufferStatistics::Size& size) {
    hits += size.hits, total += size.total, pages += size.pages, parts += size.parts;
  }
  std::uint64_t merged_percent() const { return pages == 0 ? 0 : (pages - std::min(pages, parts)) * 100 / pages; }
};

std::string pool_statistics(std::string_view pool, const BufferStatistics& statistics) {
  Figures all, larger;
  std::string sizes;
  for (unsigned i = 0; i < BufferStatistics::kSizes; ++i) {
    Figures one;
    one.add(statistics.sizes[i]);
    all.add(statistics.sizes[i]);
    sizes += fmt::format("  {:<28} {:<11} {:<11} {}\n", fmt::format("{}-{}K", pool, 4u << i), one.hits, one.total,
                         one.merged_percent());
  }
  larger.add(statistics.sizes[BufferStatistics::kSizes]);
  std::string text =
      fmt::format("{:<30} {:<11} {:<11} {:<11} {:<11}", "Name", "Hit", "Total", "% merged", "Cached (P/I/O)");
  text += fmt::format("\n{:<30} {:<11} {:<11} {:<11} {}/{}/{}\n", pool, all.hits, all.total, all.merged_percent(),
                      in_pages(statistics.slices), in_pages(statistics.free_slices), statistics.slices.load());
  return text + sizes + fmt::format("  {:<40} {}/{:<9} {}/0\n", "big/other", larger.total, 0, larger.merged_percent());
}

class PoolDirectory final : public VisitedDirectory {
 public:
  // `shard` is null for a pool that nothing is taken from.
  PoolDirectory(std::string name, Shard* shard) : name_(std::move(name)), shard_(shard) {}
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    entries.file(
        "stats", 0644,
        [this]() -> base::Result<std::string> {
          const BufferStatistics unused{};
          return pool_statistics(name_, shard_ ? shard_->buffer_statistics() : unused);
        },
        [this](std::string, target::Done done) {
          if (shard_) shard_->buffer_statistics().clear();
          done({});
        });
  }

  const std::string name_;
  Shard* const shard_;
};

class SgvDirectory final : public VisitedDirectory {
 public:
  explicit SgvDirectory(Context& context) : shards_(context.registry.shards().shards) {}

 private:
  void visit(Entries& entries) override {
    // What a write would set to 0 is not counted here.
    entries.file(
        "global_stats", 0644, [this]() -> base::Result<std::string> { return global_statistics(); },
        [](std::string, target::Done done) { done({}); });
    for (std::string_view kind : kKinds) {
      add(entries, std::string(kind), nullptr);
      for (unsigned i = 0; i < base::possible_processors(); ++i) {
        bool used = kind == kClustered && i < shards_.size();
        add(entries, fmt::format("{}-{}", kind, i), used ? shards_[i] : nullptr);
      }
    }
  }

  std::string global_statistics() const {
    std::uint64_t free_slices = 0;
    for (Shard* shard : shards_) free_slices += shard->buffer_statistics().free_slices;
    return fmt::format("{:<42} {}\n", "Inactive pages", in_pages(free_slices));
  }

  static void add(Entries& entries, const std::string& name, Shard* shard) {
    if (!entries.wants(name, EntryKind::kDirectory)) return;
    entries.give(directory_entry(std::make_unique<PoolDirectory>(name, shard)));
  }

  const std::vector<Shard*>& shards_;
};

}  // namespace

std::unique_ptr<Directory> sgv_directory(Context& context) { return std::make_unique<SgvDirectory>(context); }

}  // namespace uscst::sysfsfs
