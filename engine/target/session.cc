#include "engine/target/session.h"

#include "engine/target/target.h"

namespace uscst::target {

Session::Session(Target& target, std::uint64_t id, std::string initiator_name, std::string name,
                 std::shared_ptr<Nexus> nexus, Shard& shard)
    : target_(target),
      initiator_name_(std::move(initiator_name)),
      name_(std::move(name)),
      nexus_(std::move(nexus)),
      id_(id),
      tasks_(std::make_shared<SessionTasks>(*this, shard)) {}

Session::~Session() = default;

}  // namespace uscst::target
