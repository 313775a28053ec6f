// The top directory.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <limits>

#include "engine/base/numbers.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::KeyRule;
using target::Registry;
using Row = target::Attribute<Registry>;

constexpr std::size_t kMaximumClusterName = 63;  // DLM_LOCKSPACE_LEN less the NUL
constexpr auto kMeasureLatencyLimit = std::chrono::seconds(10);

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
  if (text.ends_with('\n')) text.remove_suffix(1);
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
       r.settings.async_lun_replace = *on;
       return {};
     }},
    {.name = "cluster_name",
     .mode = 0644,
     .key = KeyRule::kAlways,
     .layout = target::Layout::kLineOrNothing,
     .show = [](const Registry& r) -> base::Result<std::string> { return r.settings.cluster_name; },
     .store = store_cluster_name},
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

std::string version_text() {
  utsname system{};
  uname(&system);
  return fmt::format(
      "SCST version: 3.11.0-pre\nSCST build date: \nSCST build number: 0\nSCST git commit sha1: \nSCST kver: {}\n"
      "SCST arch type: {}\nSCST config: TRACING\n",
      system.release, system.machine);
}

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
    entries.file(
        "measure_latency", 0644,
        [&c = context_]() -> base::Result<std::string> { return c.registry.settings.measure_latency ? "1\n" : "0\n"; },
        [this](std::string text, target::Done done) { store_measure_latency(text, std::move(done)); });
    entries.file(
        "suspend", 0644,
        [&c = context_]() -> base::Result<std::string> { return fmt::format("{}\n", c.registry.suspend_depth()); },
        [this](std::string text, target::Done done) { store_suspend(text, std::move(done)); });
    entries.file("trace_cmds", 0444, []() -> base::Result<std::string> { return ""; });
    entries.file("trace_mcmds", 0444, []() -> base::Result<std::string> { return ""; });
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

  void store_suspend(std::string_view text, target::Done done) {
    auto number = base::parse_signed(text);
    if (!number) return done(std::unexpected(number.error()));
    if (*number >= 0) {
      // Beyond what a duration holds there is no difference to for ever, which is what 0 means.
      bool for_ever = *number > std::chrono::duration_cast<std::chrono::seconds>(base::Duration::max()).count();
      return context_.registry.suspend(std::chrono::seconds(for_ever ? 0 : *number), std::move(done));
    }
    context_.registry.resume();
    done({});
  }

  void store_measure_latency(std::string_view text, target::Done done) {
    auto number = base::parse_signed(text);
    if (!number) return done(std::unexpected(number.error()));
    Registry& registry = context_.registry;
    registry.suspend(kMeasureLatencyLimit,
                     [&registry, on = *number != 0, done = std::move(done)](base::Status status) mutable {
                       if (status) {
                         registry.settings.measure_latency = on;
                         registry.resume();
                       }
                       done(std::move(status));
                     });
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<Directory> root_directory(Context& context) { return std::make_unique<RootDirectory>(context); }

}  // namespace uscst::sysfsfs
