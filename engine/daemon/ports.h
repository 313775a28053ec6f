// Which target ports there are and what they are called: as told, or one for each network interface, with names that
// stay the same over restarts and changes of hardware because they are kept in the state directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/log.h"
#include "engine/base/result.h"
#include "engine/daemon/options.h"
#include "engine/fabric/iwarp/address.h"
#include "engine/srp/driver.h"

namespace uscst::daemon {

struct Ports {
  std::vector<srp::PortInfo> ports;
  std::uint64_t service_guid = 0;
};

// Reads and, where something is new, rewrites `state_directory`/ib_srpt.ports. Errors: those of writing it.
base::Result<Ports> decide_ports(const Options& options, const std::vector<fabric::iwarp::Interface>& interfaces,
                                 base::Log& log);

}  // namespace uscst::daemon
