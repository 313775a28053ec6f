// The service `modules` of the control socket, for uscst-modprobe. One request a connection, in its first line:
//
//   modules load NAME [PARAMETER=VALUE ...]     "ok", or "error ERRNO TEXT"
//   modules unload NAME                         the same, when its devices or targets have gone
//   modules list                                "ok", then a line "NAME loaded" or "NAME unloaded" for each
//
// A client that goes away does not stop what it began. Control thread.
#pragma once

#include "engine/control/control_socket.h"
#include "engine/daemon/modules.h"

namespace uscst::daemon {

// The modules outlive the service.
control::ControlService make_modules_service(Modules& modules);

}  // namespace uscst::daemon
