#include "engine/target/handler.h"

#include <fmt/format.h>

namespace uscst::target {

void Handler::attach(Device&, Done done) {
  done(base::fail(EINVAL, fmt::format("handler {} takes no SCSI devices", name())));
}

void Handler::detach(Device&) {}

}  // namespace uscst::target
