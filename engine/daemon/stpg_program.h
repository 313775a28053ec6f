// What SET TARGET PORT GROUPS is handed to: a program of the administrator's, called as SCST's stpgd calls its own.
#pragma once

#include <chrono>
#include <string>

#include "engine/io/reactor.h"
#include "engine/target/explicit_alua.h"

namespace uscst::daemon {

// As stpgd's; afterwards what the program began is ended with it.
inline constexpr auto kStpgProgramLimit = std::chrono::seconds(17);

// Runs `program` once for each target port group, all at the same time, with five arguments: device, former state, new
// state, device group, target group; the same stand in SCST_DEVICE_NAME, SCST_PREV_ALUA_STATE, SCST_ALUA_STATE,
// SCST_DEVICE_GROUP and SCST_TARGET_GROUP. Exit status 0 of all is success, ETIMEDOUT when one takes too long. A thread
// of the blocking pool does the waiting for `control`, the control thread's reactor, which outlives the listener.
target::AccessStateListener stpg_listener(std::string program, io::Reactor& control,
                                          std::chrono::milliseconds limit = kStpgProgramLimit);

}  // namespace uscst::daemon
