// A session: one channel's directory, counters and state. The directory belongs to the control thread; its commands
// (SessionTasks) to the reactor that the channel lives on; counters may be read anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/target/attribute.h"
#include "engine/target/nexus.h"
#include "engine/target/session_tasks.h"

namespace uscst::target {

class AccessGroup;
class Session;
class Target;

// The transport's part of a session.
class SessionTransport {
 public:
  virtual ~SessionTransport() = default;
  // Control thread: rows that this driver's sessions have beyond the common ones.
  virtual std::span<const Attribute<Session>> attributes() const = 0;
  virtual bool can_close() const = 0;  // has force_close
  // Links that the session's directory has: names, and where in the whole of sysfs they lead ("devices/...").
  struct Link {
    std::string_view name;
    std::string to;
  };
  virtual std::vector<Link> links() const { return {}; }
  // Control thread: begins to close; the session goes when its commands have ended.
  virtual void close() = 0;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Target& target, std::uint64_t id, std::string initiator_name, std::string name, std::shared_ptr<Nexus> nexus,
          Shard& shard);
  ~Session();

  // --- fixed, any thread
  Target& target() const { return target_; }
  const std::string& initiator_name() const { return initiator_name_; }
  const std::string& name() const { return name_; }  // unique within the target: the directory
  Nexus& nexus() const { return *nexus_; }
  const std::shared_ptr<Nexus>& nexus_pointer() const { return nexus_; }

  // --- reactor
  SessionTasks& tasks() { return *tasks_; }
  // --- any thread
  const std::shared_ptr<SessionTasks>& tasks_pointer() const { return tasks_; }
  const SessionCounters& counters() const { return tasks_->counters; }
  SessionCounters& counters() { return tasks_->counters; }

  // --- control thread
  AccessGroup& group() const { return *group_; }
  std::shared_ptr<const LunMap> lun_map() const { return lun_map_; }
  SessionTransport* transport = nullptr;  // owned by the driver; outlives the session
  std::uint64_t id() const { return id_; }

 private:
  friend class Registry;
  friend class Target;
  Target& target_;
  const std::string initiator_name_, name_;
  const std::shared_ptr<Nexus> nexus_;
  const std::uint64_t id_;
  std::shared_ptr<SessionTasks> tasks_;
  AccessGroup* group_ = nullptr;
  std::shared_ptr<const LunMap> lun_map_;
};

}  // namespace uscst::target
