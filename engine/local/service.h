// The service `local` of the control socket: SCSI commands to a target of scst_local from a program on this host.
//
//   local TARGET SESSION   an existing session of that name; where there is none, one of that initiator name is made
//                          and ends with the connection, so that one sees what such an initiator would
//   local TARGET           the same with the name kOwnSessionName
//
// A connection that ends takes its commands along. Control thread; engine/local/wire.h has the frames.
#pragma once

#include "engine/control/control_socket.h"
#include "engine/local/driver.h"

namespace uscst::local {

inline constexpr std::string_view kOwnSessionName = "uscst-initiator";
// Of one connection; what goes beyond waits unread.
inline constexpr std::size_t kMaximumCommands = 32;
inline constexpr std::size_t kMaximumBytesUnderWay = 16 << 20;

// The driver outlives the service.
control::ControlService make_service(Driver& driver);

}  // namespace uscst::local
