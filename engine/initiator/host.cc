#include "engine/initiator/host.h"

#include <chrono>
#include <thread>

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

void Host::stop() {
  if (!thread_) return;
  std::size_t left = 1;
  for (int attempt = 0; attempt < 400 && left != 0; ++attempt) {
    run([&] { left = reactor_->operations_in_flight(); });
    if (left != 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  thread_->stop();
  thread_.reset();
}

}  // namespace uscst::initiator
