// Where SCSI devices for pass-through come from: the SCSI hosts of this machine (sg_host.h), or simulated ones
// (sim_host.h). The control thread asks what there is; commands are carried out for any reactor.
#pragma once

#include <sys/uio.h>

#include <array>
#include <boost/container/small_vector.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/io/reactor.h"
#include "engine/scsi/opcode_table.h"
#include "engine/scsi/sense.h"

namespace uscst::handlers {

// H:C:I:L, as Linux names SCSI devices.
struct ScsiAddress {
  std::uint32_t host = 0, channel = 0, id = 0;
  std::uint64_t lun = 0;

  static std::optional<ScsiAddress> parse(std::string_view text);  // nothing in front of it or behind it
  std::string text() const;
  friend auto operator<=>(const ScsiAddress&, const ScsiAddress&) = default;
};

// What the host made of a call, below the device's own answer.
enum class HostOutcome : std::uint8_t {
  kAnswered,  // the device answered: status, sense data, bytes moved
  kBusy,      // try again
  kTimedOut,  // or ended by an abort; the device may have carried it out
  kReset,     // a reset ended it
  kGone,      // there is no such device any more
  kMediumError,
  kFailed,
};

class ScsiHostDevice;

// One command for a device. Owned by whoever asks, who keeps it until `done`; one use.
class ScsiCall {
 public:
  static constexpr std::size_t kMaximumSense = 96;

  // `done` is called once, on the thread that asked, maybe before execute() returns.
  explicit ScsiCall(io::Call<> done) : done_(done) {}

  // --- asked
  std::array<std::uint8_t, scsi::kMaxCdbLength> cdb{};
  std::size_t cdb_length = 0;
  scsi::Direction direction = scsi::Direction::kNone;
  boost::container::small_vector<iovec, 4> data;
  std::size_t data_length_bytes = 0;
  std::chrono::milliseconds timeout{10'000};

  // --- answered
  HostOutcome outcome = HostOutcome::kFailed;
  std::uint8_t status = 0;  // SAM-5 5.3, whatever the device said
  std::array<std::uint8_t, kMaximumSense> sense{};
  std::size_t sense_length = 0;
  std::size_t moved_bytes = 0;
  base::Bytes sense_bytes() const { return base::Bytes(sense).first(sense_length); }

  // --- the host's
  void finish() { done_(); }
  io::Operation operation{io::Call<int>::to<&ScsiCall::ended>(this)};  // of a call on the blocking pool
  ScsiHostDevice* host_device = nullptr;                               // told at its end

 private:
  void ended(int);
  const io::Call<> done_;
};

// One device of a host. Shared by the host and whoever uses it; it may go away while it is used: kGone.
class ScsiHostDevice {
 public:
  ScsiHostDevice(ScsiAddress at, int peripheral_type, std::string path)
      : address(at), type(peripheral_type), sysfs_path(std::move(path)) {}
  virtual ~ScsiHostDevice() = default;
  ScsiHostDevice(const ScsiHostDevice&) = delete;
  ScsiHostDevice& operator=(const ScsiHostDevice&) = delete;

  const ScsiAddress address;
  const int type;                // peripheral device type (SPC-5 6.7.2)
  const std::string sysfs_path;  // of scsi_device/H:C:I:L, below /sys

  // Never blocks. `reactor`: of the calling thread; only a simulated device does without one.
  virtual void execute(ScsiCall& call, io::Reactor* reactor) = 0;
  // A call on the blocking pool has ended; on its reactor, before `done`.
  virtual void call_ended(ScsiCall&) {}
  // LOGICAL UNIT RESET at the device. Blocks: for the blocking pool.
  virtual void reset() = 0;
};

class ScsiHost {
 public:
  using Arrived = std::function<void(std::shared_ptr<ScsiHostDevice>)>;
  using Gone = std::function<void(const ScsiAddress&)>;

  virtual ~ScsiHost() = default;
  // Control thread. Tells of the devices that are there, before it returns, and then, once it watches, of each that
  // comes or goes.
  virtual void show(Arrived arrived, Gone gone) = 0;
};

}  // namespace uscst::handlers
