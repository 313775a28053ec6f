// sessions/ of a target, sessions/S/ and sessions/S/lunN/.
#include <fmt/format.h>

#include "engine/scsi/lun.h"
#include "engine/target/shard.h"
#include "sysfsfs/names.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {
namespace {

using target::LunMap;
using target::NexusLun;
using target::Session;
using target::SessionCounters;
using target::Target;
using Row = target::Attribute<Session>;
using Direction = SessionCounters::Direction;
using Count = std::atomic<std::uint64_t>;

template <Direction SessionCounters::* direction, Count Direction::* count, int shift = 0>
base::Result<std::string> show_count(const Session& session) {
  return fmt::format("{}", (session.counters().*direction.*count).load() >> shift);
}

// Any write sets all figures of the direction to 0.
template <Direction SessionCounters::* direction>
base::Status clear(Session& session, std::string_view) {
  (session.counters().*direction).clear();
  return {};
}

template <Direction SessionCounters::* direction, Count Direction::* count, int shift = 0>
constexpr Row counter(std::string_view name) {
  return {.name = name, .mode = 0644, .show = show_count<direction, count, shift>, .store = clear<direction>};
}

constexpr auto kWrite = &SessionCounters::write;
constexpr auto kRead = &SessionCounters::read;
constexpr auto kBoth = &SessionCounters::bidirectional;
constexpr auto kCommands = &Direction::commands;
constexpr auto kBytes = &Direction::bytes;
constexpr auto kUnaligned = &Direction::unaligned_commands;
constexpr int kKilobytes = 10;

// The session's share of what is active at its nexus' LUNs, or at one of them; its reactor knows.
void count_active(const Session& session, const std::shared_ptr<NexusLun>& at, target::ShowDone done) {
  auto count = [tasks = session.tasks_pointer(), at, done = std::move(done)]() mutable {
    int active = 0;
    tasks->for_each_command([&](const target::Command& command) {
      active += command.counted() && (!at || command.nexus_lun() == at.get()) ? 1 : 0;
    });
    tasks->shard().group().control().post([active, done = std::move(done)]() mutable { done(std::to_string(active)); });
  };
  session.tasks_pointer()->shard().executor().post(std::move(count));
}

constexpr Row kRows[] = {
    {.name = "active_commands",
     .show_later = [](const Session& s, target::ShowDone done) { count_active(s, nullptr, std::move(done)); }},
    {.name = "commands",
     .show = [](const Session& s) -> base::Result<std::string> {
       return fmt::format("{}", s.counters().commands.load());
     }},
    {.name = "force_close",
     .mode = 0200,
     .store = [](Session& s, std::string_view) -> base::Status {
       s.transport->close();
       return {};
     },
     .present = [](const Session& s) { return s.transport && s.transport->can_close(); }},
    {.name = "initiator_name",
     .show = [](const Session& s) -> base::Result<std::string> { return s.initiator_name(); }},
    counter<kBoth, kCommands>("bidi_cmd_count"),
    counter<kBoth, kBytes, kKilobytes>("bidi_io_count_kb"),
    counter<kBoth, kUnaligned>("bidi_unaligned_cmd_count"),
    counter<&SessionCounters::none, kCommands>("none_cmd_count"),
    counter<kRead, kCommands>("read_cmd_count"),
    counter<kRead, kBytes, kKilobytes>("read_io_count_kb"),
    counter<kRead, kUnaligned>("read_unaligned_cmd_count"),
    counter<&SessionCounters::unknown, kCommands>("unknown_cmd_count"),
    counter<kWrite, kCommands>("write_cmd_count"),
    counter<kWrite, kBytes, kKilobytes>("write_io_count_kb"),
    counter<kWrite, kUnaligned>("write_unaligned_cmd_count"),
};

// From a session's directory to the top of sysfs: five directories of the tree, then /sys/kernel/scst_tgt.
constexpr std::string_view kToSysfs = "../../../../../../../";

class SessionLunDirectory final : public VisitedDirectory {
 public:
  SessionLunDirectory(Session& session, std::uint16_t lun, const std::shared_ptr<NexusLun>& nexus_lun)
      : session_(session), lun_(lun), nexus_lun_(nexus_lun) {}
  bool exists() const override {
    auto map = session_.lun_map();
    const LunMap::Entry* entry = map ? map->find(lun_) : nullptr;
    return entry && entry->nexus_lun == nexus_lun_.lock();
  }
  std::size_t subdirectory_count() override { return 0; }

 private:
  void visit(Entries& entries) override {
    entries.slow_file("active_commands", 0444, [this](target::ShowDone done) {
      auto with_newline = [done = std::move(done)](base::Result<std::string> count) mutable {
        done(count ? *count + '\n' : std::move(count));
      };
      count_active(session_, nexus_lun_.lock(), std::move(with_newline));
    });
    entries.file("thread_index", 0444, [this]() -> base::Result<std::string> {
      auto map = session_.lun_map();
      const LunMap::Entry* entry = map ? map->find(lun_) : nullptr;
      return fmt::format("{}\n", entry && has_own_threads(entry->nexus_lun->device()) ? entry->thread_index : -1);
    });
    // The reactor that carries the session's commands out; the pool of blocking calls is everybody's.
    entries.file("thread_pid", 0444, [this]() -> base::Result<std::string> {
      int thread = session_.tasks_pointer()->shard().thread_id();
      return thread == 0 ? std::string() : fmt::format("{}\n", thread);
    });
    auto nexus_lun = nexus_lun_.lock();
    const bool protects = session_.target().driver().protection_support().supported;
    if (protects && nexus_lun && nexus_lun->device().unit().protection().type != 0) add_dif_checks_failed(entries);
  }

  // threads_num above 0 and not one pool for all initiators.
  static bool has_own_threads(const target::Device& device) { return device.threads_num > 0 && !device.threads_shared; }

  Session& session_;
  const std::uint16_t lun_;
  const std::weak_ptr<NexusLun> nexus_lun_;
};

class SessionDirectory final : public VisitedDirectory {
 public:
  SessionDirectory(Context& context, Target& target, const std::shared_ptr<Session>& session)
      : context_(context), target_(target), session_pointer_(session), session_(*session) {}
  bool exists() const override {
    auto session = session_pointer_.lock();
    return session && target_.find_session(session->name()) == session.get();
  }
  // Asked for at each step into the directory, which may have a LUN for every device.
  std::size_t subdirectory_count() override {
    auto map = session_.lun_map();
    return 1 + (map ? map->entries.size() : 0);  // latency/
  }

 private:
  void visit(Entries& entries) override {
    entries.table(AttributeTable<Session>(session_, kRows, context_.queue));
    if (session_.transport) {
      entries.table(AttributeTable<Session>(session_, session_.transport->attributes(), context_.queue));
      for (const auto& link : session_.transport->links()) {
        entries.link(link.name, [&] { return std::string(kToSysfs) + link.to; });
      }
    }
    if (target_.driver().protection_support().supported) add_dif_checks_failed(entries);
    entries.link("luns", [this] {
      std::string here = path_of(target_) + "/sessions/" + shown_name(session_.name());
      return link_text(here, path_of(session_.group()) + "/luns");
    });
    if (entries.wants("latency", EntryKind::kDirectory))
      entries.give(directory_entry(latency_directory(context_, session_pointer_.lock())));
    visit_luns(entries);
  }

  void visit_luns(Entries& entries) {
    auto map = session_.lun_map();
    if (!map) return;
    if (auto name = entries.looking_for()) {
      std::uint64_t number = 0;
      if (!name->starts_with("lun") || !parse_decimal_name(name->substr(3), scsi::kMaxLun, number)) return;
      if (const LunMap::Entry* entry = map->find(static_cast<std::uint16_t>(number))) add(entries, *entry);
      return;
    }
    for (const LunMap::Entry& entry : map->entries) add(entries, entry);
  }

  void add(Entries& entries, const LunMap::Entry& entry) {
    // The entry is a new one when another device took the LUN's place.
    std::uint64_t identity = entry.nexus_lun->device().id();
    if (!entries.wants(fmt::format("lun{}", entry.lun), EntryKind::kDirectory, identity)) return;
    entries.give(
        directory_entry(std::make_unique<SessionLunDirectory>(session_, entry.lun, entry.nexus_lun), identity));
  }

  Context& context_;
  Target& target_;
  const std::weak_ptr<Session> session_pointer_;
  Session& session_;
};

class SessionsDirectory final : public VisitedDirectory {
 public:
  SessionsDirectory(Context& context, Target& target) : context_(context), target_(target) {}
  std::size_t subdirectory_count() override { return target_.sessions().size(); }

 private:
  void visit(Entries& entries) override {
    for (const auto& session : target_.sessions()) {
      if (!entries.wants(shown_name(session->name()), EntryKind::kDirectory, session->id())) continue;
      entries.give(directory_entry(std::make_unique<SessionDirectory>(context_, target_, session), session->id()));
    }
  }

  Context& context_;
  Target& target_;
};

}  // namespace

std::unique_ptr<Directory> sessions_directory(Context& context, Target& target) {
  return std::make_unique<SessionsDirectory>(context, target);
}

}  // namespace uscst::sysfsfs
