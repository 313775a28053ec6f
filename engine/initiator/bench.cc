// bench: a steady load for a stated time; operations, bytes and latency.
#include <algorithm>
#include <random>

#include "engine/initiator/commands.h"
#include "engine/initiator/histogram.h"
#include "engine/initiator/pump.h"

namespace uscst::initiator {
namespace {

class BenchWork final : public Work {
 public:
  BenchWork(const Options& options, const Capacity& capacity, std::uint64_t places)
      : options_(options),
        places_(places),
        blocks_per_place_(static_cast<std::uint32_t>(options.block_size / capacity.block_bytes)),
        end_(base::SteadyClock().now() +
             std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(options.seconds))) {}

  bool next(Transfer& transfer) override {
    if (transfer.started >= end_) return false;
    transfer.direction = random_() % 100 < options_.read_percent ? Direction::kIn : Direction::kOut;
    const std::uint64_t place = options_.sequential ? next_place_++ % places_ : random_() % places_;
    transfer.lba = place * blocks_per_place_;
    transfer.blocks = blocks_per_place_;
    return true;
  }
  base::Status completed(const Transfer& transfer, base::Duration latency) override {
    (transfer.direction == Direction::kIn ? reads_ : writes_)++;
    latencies_.add(latency);
    return {};
  }

  std::uint64_t reads() const { return reads_; }
  std::uint64_t writes() const { return writes_; }
  const Histogram& latencies() const { return latencies_; }

 private:
  const Options& options_;
  const std::uint64_t places_;
  const std::uint32_t blocks_per_place_;
  const base::TimePoint end_;
  std::mt19937_64 random_{1};
  std::uint64_t next_place_ = 0;
  std::uint64_t reads_ = 0, writes_ = 0;
  Histogram latencies_;
};

// A nexus starts with unit attentions; every channel is asked until it has none, so that none is measured.
base::Status clear_attentions(Context& context) {
  for (std::size_t i = 0; i < context.session.link().channel_count(); ++i) {
    for (unsigned attempt = 0; attempt < BlockingSession::kMaximumUnitAttentions; ++attempt) {
      const Outcome outcome = context.session.execute_once(i, context.lun(), test_unit_ready());
      if (outcome.delivery != Delivery::kAnswered) return std::unexpected(error_of(outcome, "TEST UNIT READY"));
      if (outcome.good()) break;
    }
  }
  return {};
}

void report_result(Context& context, const BenchWork& work, double elapsed_s) {
  const Histogram& latencies = work.latencies();
  const double operations = static_cast<double>(latencies.count());
  const double iops = operations / elapsed_s;
  const double mb_s = iops * static_cast<double>(context.options.block_size) / 1e6;
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e3; };
  auto& out = context.report.object();
  out["iops"] = iops;
  out["mb_per_s"] = mb_s;
  out["seconds"] = elapsed_s;
  out["reads"] = work.reads();
  out["writes"] = work.writes();
  out["block_bytes"] = context.options.block_size;
  out["queue_depth"] = context.options.queue_depth;
  out["channels"] = context.options.channels;
  out["latency_us"] = {{"mean", latencies.mean_ns() / 1e3},           {"p50", us(latencies.percentile_ns(0.50))},
                       {"p95", us(latencies.percentile_ns(0.95))},    {"p99", us(latencies.percentile_ns(0.99))},
                       {"p99.9", us(latencies.percentile_ns(0.999))}, {"max", us(latencies.maximum_ns())}};
  context.report.line("{} reads, {} writes of {} bytes in {:.2f} s, queue depth {} on {} channel{}", work.reads(),
                      work.writes(), context.options.block_size, elapsed_s, context.options.queue_depth,
                      context.options.channels, context.options.channels == 1 ? "" : "s");
  context.report.line("{:.0f} IOPS, {:.1f} MB/s", iops, mb_s);
  context.report.line("latency us: mean {:.1f}, p50 {:.1f}, p95 {:.1f}, p99 {:.1f}, p99.9 {:.1f}, max {:.1f}",
                      latencies.mean_ns() / 1e3, us(latencies.percentile_ns(0.50)), us(latencies.percentile_ns(0.95)),
                      us(latencies.percentile_ns(0.99)), us(latencies.percentile_ns(0.999)),
                      us(latencies.maximum_ns()));
}

}  // namespace

base::Status bench(Context& context) {
  const Options& options = context.options;
  auto size = context.session.capacity(context.lun());
  if (!size) return std::unexpected(size.error());
  if (options.block_size == 0 || options.block_size % size->block_bytes != 0 || options.block_size > UINT32_MAX) {
    return base::fail(EINVAL, fmt::format("--block-size must be a multiple of the disk's {}", size->block_bytes));
  }
  std::uint64_t region = size->blocks * size->block_bytes;
  if (options.region_bytes != 0) region = std::min(region, options.region_bytes);
  const std::uint64_t places = region / options.block_size;
  if (places == 0) return base::fail(EINVAL, "the disk (or --size) is smaller than one --block-size");
  if (auto status = clear_attentions(context); !status) return status;
  const base::SteadyClock clock;
  const base::TimePoint started = clock.now();
  BenchWork work(options, *size, places);
  if (auto status = run_pump(context, work, static_cast<std::size_t>(options.block_size)); !status) return status;
  report_result(context, work, std::chrono::duration<double>(clock.now() - started).count());
  return {};
}

}  // namespace uscst::initiator
