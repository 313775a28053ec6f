#include "engine/io/epoll_reactor.h"
#include "engine/io/uring_reactor.h"

namespace uscst::io {

base::Result<std::unique_ptr<Reactor>> make_reactor(ReactorKind kind, BlockingPool& pool, base::Log& log) {
  if (kind == ReactorKind::kEpoll) return EpollReactor::create(pool);
  auto reactor = UringReactor::create(pool, log);
  if (reactor || kind == ReactorKind::kUring) return reactor;
  log.info("io_uring cannot be used ({}): using epoll and threads", reactor.error().text);
  return EpollReactor::create(pool);
}

}  // namespace uscst::io
