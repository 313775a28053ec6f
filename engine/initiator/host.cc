#include "engine/initiator/host.h"

namespace uscst::initiator {

base::Result<std::unique_ptr<Host>> Host::start(base::Log& log) {
  std::unique_ptr<Host> host(new Host);
  auto reactor = io::make_reactor(io::ReactorKind::kAutomatic, host->pool_, log);
  if (!reactor) return std::unexpected(reactor.error());
  host->reactor_ = std::move(*reactor);
  host->thread_ =
      std::make_unique<io::ReactorThread>(*host->reactor_, io::ReactorThread::Options{.name = "initiator", .cpu = {}});
  return host;
}

}  // namespace uscst::initiator
