// The iWARP kind of fabric: MPA, DDP and RDMAP over TCP sockets, in user space. Owned by main(), constructed with the
// control thread's reactor; speaks with Linux siw, with iWARP adapters and with itself.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "engine/base/log.h"
#include "engine/fabric/fabric.h"
#include "engine/fabric/iwarp/config.h"
#include "engine/io/reactor.h"

namespace uscst::fabric::iwarp {

// Something that owns itself until the operations it has in flight have ended.
class Ongoing {
 public:
  virtual ~Ongoing() = default;
};

class OngoingSet {
 public:
  void add(std::unique_ptr<Ongoing> one);
  void remove(Ongoing* one);  // destroys it

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Ongoing>> all_;
};

class IwarpFabric final : public Fabric {
 public:
  // Listeners work on `control`. Everything handed in outlives the fabric.
  IwarpFabric(io::Reactor& control, const Config& config, base::Log& log)
      : control_(control), config_(config), log_(log) {}

  base::Result<std::unique_ptr<Listener>> listen(const Address& address, OnConnection on_connection) override;
  // `executor` must be an io::Reactor. Errors: EINVAL (address, executor), those of connect(2), ETIMEDOUT,
  // ECONNREFUSED (also for a reject), EPROTO (the peer does not speak MPA as it should).
  void connect(io::Executor& executor, const Address& to, base::Bytes private_data, EndpointEvents& events,
               OnConnected on_connected) override;

  const Config& config() const { return config_; }

 private:
  io::Reactor& control_;
  const Config config_;
  base::Log& log_;
  OngoingSet ongoing_;
};

}  // namespace uscst::fabric::iwarp
