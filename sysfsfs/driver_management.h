// targets/DRIVER/mgmt of drivers whose targets are made by command: usage text and grammar. Control thread.
#pragma once

#include <string>
#include <string_view>

#include "sysfsfs/views.h"

namespace uscst::sysfsfs {

std::string target_usage(const target::TargetManagement& management);

// One write; goes through the management queue.
void manage_targets(Context& context, target::Driver& driver, std::string_view text, target::Done done);

}  // namespace uscst::sysfsfs
