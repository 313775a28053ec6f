// The commands and task management functions of one session. Lives on the session's reactor; the control thread reaches
// it by posting to the shard's executor.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>

#include "engine/io/executor.h"
#include "engine/target/command.h"
#include "engine/target/latency.h"
#include "engine/target/lun_map.h"

namespace uscst::target {

class Session;
class Shard;
class SweepToken;

// Written by the session's reactor, read and set to 0 anywhere.
struct SessionCounters {
  struct Direction {
    std::atomic<std::uint64_t> commands{0}, bytes{0}, unaligned_commands{0};
    void clear() { commands = 0, bytes = 0, unaligned_commands = 0; }
  };
  Direction unknown, write, read, bidirectional, none;
  std::atomic<int> commands{0};  // not ended yet; never set from elsewhere
  void add_active(int change) {
    commands.store(commands.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }
  Direction& of(scsi::Direction direction);
};

// SAM-5 clause 7; the values are SRP's (SRP r16a 6.7).
enum class TaskManagementFunction : std::uint8_t {
  kAbortTask = 0x01,
  kAbortTaskSet = 0x02,
  kClearTaskSet = 0x04,
  kLogicalUnitReset = 0x08,
  kClearAca = 0x40,
};
enum class TaskManagementResult { kComplete, kNotSupported, kFailed };
std::string_view scst_name(TaskManagementFunction function);
using TaskManagementDone = std::move_only_function<void(TaskManagementResult)>;

class SessionTasks
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // The session outlives its tasks.
  SessionTasks(Session& session, Shard& shard) : session_(session), shard_(shard) {}

  // --- any thread
  Session& session() const { return session_; }
  Shard& shard() const { return shard_; }
  SessionCounters counters;

  // --- own thread
  void set_lun_map(std::shared_ptr<const LunMap> map);
  const std::shared_ptr<const LunMap>& lun_map() const { return lun_map_; }

  // A command came in; `command` is the transport's and filled in up to its expected data.
  void start(Command& command);
  // SAM-5 7. `tag` for ABORT TASK only. Done when no affected command touches the medium or the initiator's memory any
  // more.
  void manage(TaskManagementFunction function, const scsi::LunBytes& lun, const CommandTag& tag,
              TaskManagementDone done);
  // Functions that have no answer yet, in the order they came; for whoever looks on.
  struct Management {
    TaskManagementFunction function;
    scsi::LunBytes lun;
    CommandTag tag;
    std::weak_ptr<SweepToken> affected{};  // what its commands hold
  };
  using Managements = std::list<std::shared_ptr<Management>>;
  const Managements& managements() const { return *managements_; }
  // Begins with zeroed statistics, or frees them. Null while nobody measures.
  void measure_latency(bool on) { latency_ = on ? std::make_unique<LatencyStatistics>() : nullptr; }
  LatencyStatistics* latency() const { return latency_.get(); }
  // The channel is gone: aborts everything; `ended` runs, never from within, when the last command has ended and the
  // shard no longer knows the session.
  void close(io::Job ended);
  bool closing() const { return closing_; }

  template <class Visit>
  void for_each_command(Visit visit) {
    for (auto i = commands_.begin(); i != commands_.end();) visit(*i++);
  }

 private:
  friend class Command;
  void finished(Command& command, bool responded);
  // What the affected commands hold, if any.
  using Affected = std::weak_ptr<SweepToken>;
  Affected carry_out(const Management& management, TaskManagementDone done);
  Affected abort_task(const scsi::LunBytes& lun, const CommandTag& tag, TaskManagementDone done);
  Affected abort_task_set(const LunMap::Entry& entry, TaskManagementDone done);
  Affected clear_task_set(const LunMap::Entry& entry, TaskManagementDone done);
  Affected reset_logical_unit(const LunMap::Entry& entry, TaskManagementDone done);
  Affected abort_all_of_device(const LunMap::Entry& entry, bool tell, io::Job done);
  void end_session();

  Session& session_;
  Shard& shard_;
  std::shared_ptr<const LunMap> lun_map_;
  boost::intrusive::list<Command, boost::intrusive::base_hook<CommandListHook>,
                         boost::intrusive::constant_time_size<false>>
      commands_;
  const std::shared_ptr<Managements> managements_ = std::make_shared<Managements>();
  std::unique_ptr<LatencyStatistics> latency_;
  bool closing_ = false;
  io::Job ended_;
};

}  // namespace uscst::target
