// Handlers and drivers that leave while the service goes on, as when a kernel module is unloaded.
#include <algorithm>

#include "engine/target/registry.h"

namespace uscst::target {

void Registry::remove_handler(Handler& handler, Done done) {
  std::erase(handlers_, &handler);  // from now on nobody finds it, so nothing is added to it any more
  remove_devices_of(handler, std::move(done));
}

// One after the other; a SCSI device of this machine stays without a handler. A device that somebody else is deleting
// already is waited for like the others.
void Registry::remove_devices_of(Handler& handler, Done done) {
  auto belongs = [&](const auto& entry) { return entry.second->handler() == &handler; };
  auto found = std::ranges::find_if(devices_, belongs);
  if (found == devices_.end()) return done({});
  auto go_on = [this, &handler, done = std::move(done)](base::Status) mutable {
    remove_devices_of(handler, std::move(done));
  };
  if (found->second->scsi_origin && !found->second->deleting)
    return unassign_device(handler, found->first, std::move(go_on));
  if (!found->second->deleting) return delete_device(handler, found->first, std::move(go_on));
  drain_device(*found->second, std::move(go_on));
}

void Registry::remove_driver(Driver& driver, Done done) {
  std::erase(drivers_, &driver);
  driver.remove_targets(std::move(done));
}

}  // namespace uscst::target
