// Simulated SCSI hosts: devices in memory that answer CDBs as Linux' scsi_debug does. For tests, and for a daemon that
// shall look as if the machine had such devices (--scsi-host sim:H:C:I:L).
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "engine/base/result.h"
#include "handlers/scsi_host/scsi_host.h"

namespace uscst::handlers {

// "H:C:I:L[,type=N][,size=BYTES]"; size with K, M or G. EINVAL.
struct SimDeviceOptions {
  static constexpr std::uint64_t kDefaultSizeBytes = std::uint64_t{8} << 20;
  static constexpr std::uint64_t kMaximumSizeBytes = std::uint64_t{1} << 30;  // it is memory

  ScsiAddress address;
  int type = 0;
  std::uint64_t size_bytes = kDefaultSizeBytes;
  static base::Result<SimDeviceOptions> parse(std::string_view text);
};

class SimScsiDevice final : public ScsiHostDevice {
 public:
  explicit SimScsiDevice(const SimDeviceOptions& options);

  void execute(ScsiCall& call, io::Reactor* reactor) override;
  void reset() override;

  // --- for tests; any thread
  // The next calls end so, in this order, without reaching the device.
  struct Injected {
    HostOutcome outcome = HostOutcome::kAnswered;
    std::uint8_t status = 0;
    std::vector<std::uint8_t> sense{};
  };
  void inject(Injected injected);
  int resets() const;
  std::vector<std::vector<std::uint8_t>> cdbs() const;  // all that came

 private:
  struct Answer;
  Answer answer(const ScsiCall& call);
  Answer inquiry(const ScsiCall& call) const;
  Answer read_capacity(const ScsiCall& call) const;
  Answer mode_sense(const ScsiCall& call) const;
  Answer request_sense(const ScsiCall& call);
  Answer transfer(const ScsiCall& call, std::uint64_t lba, std::uint64_t blocks);
  Answer answer_medium(const ScsiCall& call);
  std::string serial_number() const;
  std::uint64_t block_count() const { return memory_.size() / block_bytes_; }

  mutable std::mutex mutex_;  // guards all that follows
  const std::uint32_t block_bytes_;
  std::vector<std::uint8_t> memory_;
  std::vector<std::uint8_t> mode_control_page_;
  std::deque<Injected> injected_;
  std::vector<std::vector<std::uint8_t>> cdbs_;
  int resets_ = 0;
};

class SimScsiHost final : public ScsiHost {
 public:
  void show(Arrived arrived, Gone gone) override;
  // Control thread; told to whoever watches. Replacing a device that is there: remove it first.
  std::shared_ptr<SimScsiDevice> add(const SimDeviceOptions& options);
  void remove(const ScsiAddress& address);
  SimScsiDevice* find(const ScsiAddress& address) const;

 private:
  std::map<ScsiAddress, std::shared_ptr<SimScsiDevice>> devices_;
  Arrived arrived_;
  Gone gone_;
};

}  // namespace uscst::handlers
