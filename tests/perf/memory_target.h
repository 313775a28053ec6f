// The least SRP target over a fabric: one disk in memory, no engine. Tests check the initiator against it over real
// connections; the performance table shows with it what fabric and SRP alone allow. All of it lives on one reactor.
#pragma once

#include <memory>
#include <vector>

#include "engine/fabric/fabric.h"
#include "engine/io/reactor.h"
#include "engine/srp/iu.h"
#include "engine/srp/login.h"

namespace uscst::perf {

class MemoryTarget {
 public:
  struct Options {
    srp::PortId port = srp::make_port_id(0x11, 0x22);
    std::uint32_t credits = 128;
    std::uint64_t disk_bytes = 64 << 20;
    unsigned unit_attentions = 1;  // per channel
  };
  static constexpr std::uint32_t kBlockBytes = 512;
  static constexpr std::uint32_t kMaximumIuBytes = 8276;

  explicit MemoryTarget(Options options);
  ~MemoryTarget();

  // What a listener of the fabric calls; accepts on `reactor`, whose thread this is.
  void connection(io::Reactor& reactor, std::unique_ptr<fabric::ConnectionRequest> request);
  // Ends every channel; they are gone when channel_count() is 0.
  void disconnect_all();
  std::size_t channel_count() const { return channels_.size(); }
  std::uint64_t immediate_writes() const { return immediate_writes_; }

 private:
  class Channel;
  struct Operation;

  const Options options_;
  std::vector<std::uint8_t> disk_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::uint64_t immediate_writes_ = 0;
};

}  // namespace uscst::perf
