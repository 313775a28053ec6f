// The SCSI hosts of this machine: what /sys/class/scsi_device shows, watched for what comes and goes. Owned by main();
// control thread, /sys is read on the blocking pool.
#pragma once

#include <map>

#include "engine/base/log.h"
#include "handlers/scsi_host/sg_device.h"

namespace uscst::handlers {

class SgHost final : public ScsiHost {
 public:
  struct Places {
    std::string sys = "/sys", dev = "/dev";
    bool listen = true;  // to the kernel's events; else every kRescanInterval
  };
  static constexpr auto kRescanInterval = std::chrono::seconds(5);
  // Events come in groups: the device, its disk, its sg node.
  static constexpr auto kSettle = std::chrono::milliseconds(100);

  SgHost(Places places, SgCalls& calls, io::Reactor& control, base::Log& log);
  ~SgHost() override;

  void show(Arrived arrived, Gone gone) override;
  // From now on, until stop(): the reactor has an operation of ours in flight all the time.
  void watch();
  // Watches no more; what was told of stays usable.
  void stop();

 private:
  struct Found {
    int type = 0;
    std::string path, directory;
  };
  using Scan = std::map<ScsiAddress, Found>;
  class Watch;

  static Scan scan(const Places& places);
  void compare(const Scan& now);

  const Places places_;
  SgCalls& calls_;
  io::Reactor& control_;
  base::Log& log_;
  Arrived arrived_;
  Gone gone_;
  std::map<ScsiAddress, std::shared_ptr<SgDevice>> devices_;
  std::shared_ptr<Watch> watch_;
};

}  // namespace uscst::handlers
