// The top directory.
#include <fmt/format.h>

#include <limits>

#include "engine/base/numbers.h"
#include "engine/target/trace.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::KeyRule;
using target::Registry;
using Row = target::Attribute<Registry>;

constexpr std::size_t kMaximumClusterName = 63;  // DLM_LOCKSPACE_LEN less the NUL

// The number that the text is, put where `assign` says.
template <class Assign>
base::Status with_number(std::string_view text, Assign assign) {
  auto number = base::parse_unsigned(text);
  if (!number) return std::unexpected(number.error());
  assign(*number);
  return {};
}

base::Result<std::uint64_t> thread_count(std::string_view text) {
  auto number = base::parse_signed(text);
  if (!number) return std::unexpected(number.error());
  if (*number <= 0 || *number > std::numeric_limits<int>::max()) {
    return base::fail(EINVAL, fmt::format("threads: {} is not a number above 0", *number));
  }
  return static_cast<std::uint64_t>(*number);
}

base::Status store_cluster_name(Registry& registry, std::string_view text) {
  // SCST takes the newline at the end of the write for the last character of the text, which a NUL may have ended
  // before.
  const bool newline = text.ends_with('\n');
  text = text.substr(0, text.find('\0'));
  if (newline && !text.empty()) text.remove_suffix(1);
  if (text.size() > kMaximumClusterName) {
    return base::fail(EINVAL, fmt::format("cluster_name: at most {} characters", kMaximumClusterName));
  }
  registry.settings.cluster_name = text;
  return {};
}

constexpr Row kRows[] = {
    {.name = "async_lun_replace",
     .mode = 0644,
     .show = [](const Registry& r) -> base::Result<std::string> { return r.settings.async_lun_replace ? "1" : "0"; },
     .store = [](Registry& r, std::string_view text) -> base::Status {
       auto on = base::parse_bool(text);
       if (!on) return std::unexpected(on.error());
       r.set_async_lun_replace(*on);
       return {};
     }},
    {.name = "cluster_name",
     .mode = 0644,
     .key = KeyRule::kAlways,
     .layout = target::Layout::kLineOrNothing,
     .show = [](const Registry& r) -> base::Result<std::string> { return r.settings.cluster_name; },
     .store = store_cluster_name,
     .takes_nuls = true},
    {.name = "force_global_sgv_pool",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = [](const Registry& r) -> base::Result<std::string> {
       return r.settings.force_global_sgv_pool ? "1" : "0";
     },
     .store =
         [](Registry& r, std::string_view text) {
           return with_number(text, [&](std::uint64_t n) { r.settings.force_global_sgv_pool = n != 0; });
         }},
    {.name = "max_tasklet_cmd",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "10",
     .show = [](const Registry& r) -> base::Result<std::string> {
       return fmt::format("{}", static_cast<int>(r.settings.max_tasklet_cmd));
     },
     .store =
         [](Registry& r, std::string_view text) {
           return with_number(text, [&](std::uint64_t n) { r.settings.max_tasklet_cmd = n; });
         }},
    {.name = "poll_us",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0",
     .show = [](const Registry& r) -> base::Result<std::string> { return fmt::format("{}", r.settings.poll_us); },
     .store =
         [](Registry& r, std::string_view text) {
           return with_number(text, [&](std::uint64_t n) { r.settings.poll_us = n; });
         }},
    {.name = "setup_id",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0x0",
     .show = [](const Registry& r) -> base::Result<std::string> { return fmt::format("{:#x}", r.settings.setup_id); },
     .store =
         [](Registry& r, std::string_view text) {
           return with_number(text, [&](std::uint64_t n) { r.settings.setup_id = static_cast<std::uint32_t>(n); });
         }},
    {.name = "threads",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .show = [](const Registry& r) -> base::Result<std::string> { return fmt::format("{}", r.settings.threads); },
     .store_queued =
         [](Registry& r, std::string text, target::Done done) {
           auto count = thread_count(text);
           if (!count) return done(std::unexpected(count.error()));
           auto change = [&r, count = *count]() -> base::Status {
             r.settings.threads = static_cast<int>(count);
             return {};
           };
           r.while_suspended(change, std::move(done));
         },
     .check = [](const Registry&, std::string_view text) -> base::Status {
       auto count = thread_count(text);
       return count ? base::Status{} : std::unexpected(count.error());
     },
     .default_of = [](const Registry& r) { return fmt::format("{}", r.settings.default_threads); }},
};

class RootDirectory final : public VisitedDirectory {
 public:
  explicit RootDirectory(Context& context) : context_(context) {}
  std::size_t subdirectory_count() override { return std::size(kDirectories); }

 private:
  struct Subdirectory {
    std::string_view name;
    std::unique_ptr<Directory> (*make)(Context&);
  };
  static constexpr Subdirectory kDirectories[] = {{"device_groups", device_groups_directory},
                                                  {"devices", devices_directory},
                                                  {"handlers", handlers_directory},
                                                  {"sgv", sgv_directory},
                                                  {"targets", drivers_directory}};

  void visit(Entries& entries) override {
    for (const Subdirectory& directory : kDirectories) {
      if (entries.wants(directory.name, EntryKind::kDirectory)) entries.give(directory_entry(directory.make(context_)));
    }
    entries.table(AttributeTable<Registry>(context_.registry, kRows, context_.queue));
    entries.file("last_sysfs_mgmt_res", 0444, [&c = context_]() -> base::Result<std::string> {
      if (c.queue.pending() > 0) return base::fail(EAGAIN, "management work is going on");
      return fmt::format("{}\n", c.queue.last_result());
    });
    entries.slow_file(
        "measure_latency", 0644,
        [&c = context_](target::ShowDone done) { done(c.registry.settings.measure_latency ? "1\n" : "0\n"); },
        [this](Writer& writer, std::string text, target::Done done) {
          store_measure_latency(writer, text, std::move(done));
        });
    entries.slow_file(
        "suspend", 0644,
        [&c = context_](target::ShowDone done) { done(fmt::format("{}\n", c.registry.suspend_depth())); },
        [this](Writer& writer, std::string text, target::Done done) { store_suspend(writer, text, std::move(done)); });
    entries.slow_file("trace_cmds", 0444, [&c = context_](target::ShowDone done) {
      auto gather = [&c](target::ShowDone gathered) {
        target::trace_commands(c.registry.shards(), kContentBytes, std::move(gathered));
      };
      c.queue.read(gather, std::move(done));
    });
    entries.slow_file("trace_mcmds", 0444, [&c = context_](target::ShowDone done) {
      auto gather = [&c](target::ShowDone gathered) {
        target::trace_managements(c.registry.shards(), kContentBytes, std::move(gathered));
      };
      c.queue.read(gather, std::move(done));
    });
    entries.file(
        "trace_level", 0644,
        [&c = context_]() -> base::Result<std::string> {
          return show_trace_level(c.root_trace_level, TraceModule::kRoot);
        },
        [&c = context_](std::string text, target::Done done) {
          done(store_trace_level(c.root_trace_level, text, TraceModule::kRoot));
        });
    entries.file("version", 0444, []() -> base::Result<std::string> { return version_text(); });
  }

  // A writer that leaves takes its request along.
  static void set_give_up(Writer& writer, Registry::EndWait end) {
    writer.give_up = [end = std::move(end)] { end(base::fail(EINTR, "the writer left")); };
  }

  void store_suspend(Writer& writer, std::string_view text, target::Done done) {
    auto number = base::parse_signed(text);
    if (!number) return done(std::unexpected(number.error()));
    if (*number >= 0) {
      // Beyond what a duration holds there is no difference to for ever, which is what 0 means.
      bool for_ever = *number > std::chrono::duration_cast<std::chrono::seconds>(base::Duration::max()).count();
      set_give_up(writer,
                  context_.registry.suspend_by_user(std::chrono::seconds(for_ever ? 0 : *number), std::move(done)));
      return;
    }
    context_.registry.resume_by_user();
    done({});
  }

  void store_measure_latency(Writer& writer, std::string_view text, target::Done done) {
    auto number = base::parse_signed(text);
    if (!number) return done(std::unexpected(number.error()));
    set_give_up(writer, context_.registry.set_measure_latency(*number != 0, std::move(done)));
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<Directory> root_directory(Context& context) { return std::make_unique<RootDirectory>(context); }

}  // namespace uscst::sysfsfs
