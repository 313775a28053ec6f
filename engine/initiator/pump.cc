#include "engine/initiator/pump.h"

#include <fmt/format.h>

#include "engine/initiator/blocking_session.h"
#include "engine/initiator/sense_text.h"

namespace uscst::initiator {

struct Pump::Slot {
  Slot(Pump& owner, std::size_t on, base::MutableBytes memory)
      : pump(owner), channel(on), buffer(memory), task(io::Call<Task&>::to<&Slot::task_done>(this)) {}
  void task_done(Task&) { pump.done(*this); }

  Pump& pump;
  const std::size_t channel;
  base::MutableBytes buffer;
  Transfer transfer;
  unsigned attempts = 0;
  Task task;
};

Pump::Pump(Link& link, Work& work, PumpOptions options) : link_(link), work_(work), options_(options) {
  const std::size_t slots = link_.channel_count() * options_.depth;
  memory_.resize(slots * options_.buffer_bytes);
  for (std::size_t i = 0; i < slots; ++i) {
    const auto memory = base::MutableBytes(memory_).subspan(i * options_.buffer_bytes, options_.buffer_bytes);
    slots_.push_back(std::make_unique<Slot>(*this, i % link_.channel_count(), memory));
  }
}

Pump::~Pump() = default;

void Pump::start(OnDone on_done) {
  on_done_ = std::move(on_done);
  busy_ = slots_.size() + 1;  // one more, so that nothing reports before all have started
  for (auto& slot : slots_) issue(*slot, base::SteadyClock().now());
  if (--busy_ == 0) on_done_(std::move(status_));
}

// The slot's next transfer, or its rest. The last slot to rest reports.
void Pump::issue(Slot& slot, base::TimePoint now) {
  slot.transfer.data = slot.buffer;
  slot.transfer.started = now;
  if (stopped_ || !work_.next(slot.transfer)) {
    if (--busy_ == 0) on_done_(std::move(status_));
    return;
  }
  const Transfer& transfer = slot.transfer;
  const bool in = transfer.direction == Direction::kIn;
  slot.task.lun = options_.lun;
  slot.task.direction = transfer.direction;
  slot.task.data = transfer.data;
  slot.task.cdb = in ? read_blocks(transfer.lba, transfer.blocks, options_.fua)
                     : write_blocks(transfer.lba, transfer.blocks, options_.fua);
  slot.attempts = 0;
  send(slot);
}

void Pump::send(Slot& slot) {
  if (link_.submit(slot.channel, slot.task)) return;
  stop({ECONNRESET, fmt::format("connection lost: {}", link_.why_closed())});
  issue(slot, slot.transfer.started);
}

void Pump::done(Slot& slot) {
  const Outcome& outcome = slot.task.outcome;
  const bool again =
      is_unit_attention(outcome) || (outcome.delivery == Delivery::kAnswered &&
                                     (outcome.status == kStatusBusy || outcome.status == kStatusTaskSetFull));
  if (again && !stopped_ && ++slot.attempts <= kMaximumRetries) {
    ++retries_;
    return send(slot);
  }
  const Transfer& transfer = slot.transfer;
  const base::TimePoint now = base::SteadyClock().now();
  if (!outcome.good()) {
    stop(error_of(outcome,
                  fmt::format("{} of {} blocks at LBA {}", transfer.direction == Direction::kIn ? "read" : "write",
                              transfer.blocks, transfer.lba)));
  } else if (outcome.residual != 0) {
    stop(
        {EPROTO, fmt::format("LBA {}: the target moved {} bytes less than asked for", transfer.lba, outcome.residual)});
  } else if (auto status = work_.completed(transfer, now - transfer.started); !status) {
    stop(std::move(status.error()));
  }
  issue(slot, now);
}

void Pump::stop(base::Error error) {
  if (status_) status_ = std::unexpected(std::move(error));
  stopped_ = true;
}

}  // namespace uscst::initiator
