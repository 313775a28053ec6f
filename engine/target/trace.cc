#include "engine/target/trace.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>

#include "engine/target/session.h"
#include "engine/target/sweep.h"
#include "engine/target/target.h"

namespace uscst::target {
namespace {

// What a reactor says about one command or function. Names are the control thread's, so they are added there.
struct Traced {
  std::weak_ptr<Session> session;
  std::string begin;
  bool translated = true;  // its LUN was looked up
  std::int64_t lun = 0;
  std::string end;
};
using TracedByShard = std::vector<std::vector<Traced>>;

constexpr std::size_t kShortestLineBytes = 64;

// SCST prints pointers hashed, sixteen digits of which eight are zero: an object is told from another, its place is
// not.
std::string hashed(const void* object) {
  auto value = std::hash<const void*>{}(object) * 0x9E3779B97F4A7C15;
  return fmt::format("{:016x}", value >> 32);
}

std::int64_t number_of(const scsi::LunBytes& lun) {
  auto number = scsi::decode_lun(lun);
  return number ? static_cast<std::int64_t>(*number) : -1;
}

std::string cdb_text(base::Bytes cdb) {
  std::string text;
  for (std::uint8_t byte : cdb) text += fmt::format("{}{:02x}", text.empty() ? "" : " ", byte);
  return text;
}

Traced traced(const Command& command, base::TimePoint now) {
  const scsi::OpcodeRow* row = command.decoded().row;
  base::Bytes cdb = row ? command.decoded().cdb() : command.cdb();
  auto age = std::chrono::duration_cast<std::chrono::seconds>(now - command.started()).count();
  return {.session = command.session().weak_from_this(),
          .begin = fmt::format("cmd {}: state {}; op {}; proc time {} sec; ", hashed(&command),
                               scst_name(command.state()), row ? row->name : "unknown", age),
          .translated = command.nexus_lun() != nullptr,
          .lun = number_of(command.request.lun),
          .end = "cdb " + cdb_text(cdb)};
}

Traced traced(Session& session, const SessionTasks::Management& management) {
  std::int64_t tag = 0;
  std::memcpy(&tag, management.tag.data(), sizeof(tag));
  auto affected = management.affected.use_count();
  return {.session = session.weak_from_this(),
          .begin = fmt::format("mcmd {}: state {}; ", hashed(&management),
                               affected > 0 ? "WAITING_AFFECTED_CMDS_DONE" : "EXEC"),
          .end = fmt::format("fn {}; LUN {}; tag {}; cmd_done_wait_count {}", scst_name(management.function),
                             number_of(management.lun), tag, affected)};
}

std::string names_of(const Session& session) {
  const Target& target = session.target();
  return fmt::format("tgtt {}; tgt {}; session {}; ", target.driver().name(), target.name(), session.name());
}

std::string group_name(const Session& session, bool translated) {
  if (!translated) return "?";
  const AccessGroup& group = session.group();
  return group.is_default() ? session.target().name() : group.name();
}

std::string lines(const TracedByShard& all, bool commands) {
  std::string text;
  for (const auto& shard : all) {
    for (const Traced& one : shard) {
      auto session = one.session.lock();
      if (!session) continue;
      text += one.begin + names_of(*session);
      if (commands) {
        text += fmt::format("grp {}; LUN {}; ini {}; ", group_name(*session, one.translated), one.lun,
                            session->initiator_name());
      }
      text += one.end + '\n';
    }
  }
  return text;
}

void trace(ShardGroup& shards, std::function<void(Shard&, std::vector<Traced>&)> look, bool commands, ShowDone done) {
  auto found = std::make_shared<TracedByShard>(shards.shards.size());
  auto visit = [found, look = std::move(look)](Shard& shard, std::size_t index) { look(shard, (*found)[index]); };
  visit_shards(shards, shards.control(), std::move(visit),
               [found, commands, done = std::move(done)]() mutable { done(lines(*found, commands)); });
}

}  // namespace

void trace_commands(ShardGroup& shards, std::size_t limit_bytes, ShowDone done) {
  auto look = [most = limit_bytes / kShortestLineBytes](Shard& shard, std::vector<Traced>& into) {
    const base::TimePoint now = shard.executor().clock().now();
    shard.for_each_command([&](const Command& command) {
      if (into.size() < most) into.push_back(traced(command, now));
    });
  };
  trace(shards, look, true, std::move(done));
}

void trace_managements(ShardGroup& shards, std::size_t limit_bytes, ShowDone done) {
  auto look = [most = limit_bytes / kShortestLineBytes](Shard& shard, std::vector<Traced>& into) {
    shard.for_each_session([&](SessionTasks& tasks) {
      for (const auto& management : tasks.managements()) {
        if (into.size() < most) into.push_back(traced(tasks.session(), *management));
      }
    });
  };
  trace(shards, look, false, std::move(done));
}

}  // namespace uscst::target
