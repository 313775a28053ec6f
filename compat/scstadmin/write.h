// -write_config: the running configuration as the text of an scst.conf.
#pragma once

#include <string>

#include "compat/scstadmin/current.h"
#include "compat/scstadmin/scst.h"

namespace uscst::scstadmin {

inline constexpr std::string_view kConfigurator = "SCST Configurator v3.11.0-pre";

// `nonkey`: also what has its default value. An error when the attributes of SCST itself cannot be read.
base::Result<std::string> write_conf(const Scst& scst, const Current& current, bool nonkey);

}  // namespace uscst::scstadmin
