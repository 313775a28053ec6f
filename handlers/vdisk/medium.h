// The medium of a vcdrom: the file that `filename` names, put in and taken out while the drive is in use. Control
// thread.
#pragma once

#include <string>

#include "engine/target/device.h"

namespace uscst::handlers {

// A file's path, with blanks around it left out, puts that file in; nothing takes the medium out. EBUSY while an
// initiator prevents medium removal, EINVAL for a path that is not absolute, and the errors of open_store(). After an
// error the drive is as it was.
void change_medium(target::Device& device, std::string text, target::Done done);

}  // namespace uscst::handlers
