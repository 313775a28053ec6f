// Keeps a stated number of reads and writes in flight on every channel of a session. What to transfer, and what to make
// of it, is the Work's business. Lives on the session's reactor; owned by whoever started it.
#pragma once

#include <memory>
#include <vector>

#include "engine/initiator/cdb.h"
#include "engine/initiator/link.h"

namespace uscst::initiator {

struct Transfer {
  Direction direction = Direction::kIn;
  std::uint64_t lba = 0;
  std::uint32_t blocks = 0;
  base::MutableBytes data;  // the slot's whole buffer in next(); what is transferred afterwards
  base::TimePoint started{};
};

class Work {
 public:
  virtual ~Work() = default;
  // The next transfer into `transfer` (its data cut to the length, and filled for a write), or false when there is
  // none.
  virtual bool next(Transfer& transfer) = 0;
  // An error ends the pump.
  virtual base::Status completed(const Transfer& transfer, base::Duration latency) = 0;
};

struct PumpOptions {
  srp::Lun lun{};
  unsigned depth = 1;  // per channel
  std::size_t buffer_bytes = 0;
  bool fua = false;
};

class Pump {
 public:
  // Unit attentions, BUSY and TASK SET FULL are sent again, at most so often in a row.
  static constexpr unsigned kMaximumRetries = 100;

  using OnDone = std::move_only_function<void(base::Status)>;
  Pump(Link& link, Work& work, PumpOptions options);
  ~Pump();

  // Once. Reports the first error when nothing is in flight any more: EIO for a SCSI status, ECONNRESET, ETIMEDOUT, or
  // the Work's. The pump may be destroyed from a job posted then, not from within.
  void start(OnDone on_done);
  std::uint64_t retries() const { return retries_; }

 private:
  struct Slot;
  void issue(Slot& slot, base::TimePoint now);
  void send(Slot& slot);
  void done(Slot& slot);
  void stop(base::Error error);

  Link& link_;
  Work& work_;
  const PumpOptions options_;
  std::vector<std::uint8_t> memory_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::size_t busy_ = 0;
  bool stopped_ = false;
  base::Status status_;
  std::uint64_t retries_ = 0;
  OnDone on_done_;
};

}  // namespace uscst::initiator
