// One command slot of a channel: the SCSI command with what moves its data and its response. Owned by the channel, on
// its reactor.
#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <deque>
#include <vector>

#include "engine/fabric/fabric.h"
#include "engine/srp/iu.h"
#include "engine/target/command.h"

namespace uscst::srp {

class Channel;

inline constexpr std::size_t kResponseCapacityBytes = 256;

// An IU on its way to the initiator.
struct OutgoingIu {
  explicit OutgoingIu(io::Call<bool> done) : request(done) {}
  void post(fabric::Endpoint& endpoint, std::size_t length_bytes) {
    part = {buffer.data(), length_bytes};
    request.kind = fabric::RequestKind::kSend;
    request.local = {&part, 1};
    endpoint.post(request);
  }
  std::array<std::uint8_t, kResponseCapacityBytes> buffer{};
  iovec part{};
  fabric::Request request;
};

class ChannelCommand final : public target::Command, public io::AutoUnlinkList {
 public:
  explicit ChannelCommand(Channel& channel);

  // Takes over what the IU says; its immediate data stay in the message until keep_immediate().
  void take(const srp::Command& iu);
  void take(const BadCommand& bad);
  // The message goes away: keeps its immediate data when the command has not fetched them yet.
  void keep_immediate();

  // The parts of CommandTransport that concern this command.
  void fetch_data();
  void send_data();
  void send_status(std::int32_t request_limit_delta);
  // Asked now and then: whether the same transfer was under way the last time too.
  bool stalled_since_last_asked();

 private:
  struct Transfer {
    explicit Transfer(io::Call<bool> done) : request(done) {}
    fabric::Request request;
    boost::container::small_vector<iovec, 4> parts;
  };

  void move(fabric::RequestKind kind, std::size_t length_bytes);
  void post_transfer(fabric::RequestKind kind, const RemoteBuffer& remote, std::size_t offset_bytes,
                     std::size_t length_bytes);
  void request_done(bool ok);
  void reset();

  Channel& channel_;
  boost::container::small_vector<RemoteBuffer, 4> descriptors_;
  base::Bytes immediate_;
  std::vector<std::uint8_t> kept_immediate_;
  bool has_immediate_ = false;
  std::deque<Transfer> transfers_;  // grown once, used again
  std::size_t transfers_used_ = 0;
  OutgoingIu response_;
  unsigned outstanding_ = 0;                  // requests posted and not done
  std::uint64_t moves_ = 0, moves_seen_ = 0;  // transfers begun, now and when last asked
  bool all_ok_ = true, responding_ = false;
};

}  // namespace uscst::srp
