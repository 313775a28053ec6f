// A SCSI device of this machine: commands through SG_IO at its sg node, on the blocking pool. Made by SgHost; any
// thread.
#pragma once

#include <deque>
#include <mutex>

#include "engine/base/log.h"
#include "handlers/scsi_host/scsi_host.h"
#include "handlers/scsi_host/sg_calls.h"

namespace uscst::handlers {

class SgDevice final : public ScsiHostDevice {
 public:
  // Calls under way at once; more wait here. So no device that hangs takes the whole blocking pool.
  static constexpr unsigned kMaximumCalls = 16;

  // `directory`: the device's in /sys, whose scsi_generic/ names the node below `dev`, /dev.
  SgDevice(ScsiAddress at, int peripheral_type, std::string path, std::string directory, std::string dev,
           SgCalls& calls, base::Log& log);
  ~SgDevice() override;

  void execute(ScsiCall& call, io::Reactor* reactor) override;
  void call_ended(ScsiCall& call) override;
  void reset() override;

 private:
  struct Waiting {
    ScsiCall* call;
    io::Reactor* reactor;
  };
  void begin(ScsiCall& call, io::Reactor& reactor);
  void ask_kernel(ScsiCall& call);
  int descriptor();  // opened at the first use; a negative errno

  const std::string directory_, dev_;
  SgCalls& calls_;
  base::Log& log_;
  std::mutex mutex_;  // guards what follows
  int fd_ = -1;
  unsigned running_ = 0;
  std::deque<Waiting> waiting_;
};

// What SG_IO answered, in terms of a ScsiCall. `error`: 0, or the negative errno of the call itself.
void take_answer(const sg_io_hdr& header, int error, ScsiCall& call);

}  // namespace uscst::handlers
