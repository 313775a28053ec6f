// Processor masks of the tree.
#pragma once

#include "engine/base/cpu_mask.h"

namespace uscst::sysfsfs {

using base::full_cpu_mask;
using base::parse_cpu_mask;
using base::possible_processors;

}  // namespace uscst::sysfsfs
