// One iWARP connection in full operation (DDP, RDMAP) as a machine that does no I/O: bytes of the peer go in, requests
// complete and batches for sendmsg(2) come out. Owned by an endpoint, on its reactor.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/base/bytes.h"
#include "engine/fabric/fabric.h"
#include "engine/fabric/iwarp/mpa.h"
#include "engine/fabric/iwarp/receiver.h"
#include "engine/fabric/iwarp/transmitter.h"
#include "engine/fabric/memory.h"

namespace uscst::fabric::iwarp {

enum class Role { kInitiator, kResponder };

class Stream final : private ReceiverEvents {
 public:
  // What a message of the peer is handed to; it may post and stop from within.
  using OnMessage = io::Call<base::Bytes>;

  Stream(Role role, const Negotiated& agreed, std::size_t ulpdu_limit, std::size_t maximum_message_bytes,
         OnMessage on_message);

  // --- posted work
  void post(Request& request) { transmitter_.post(request); }
  bool can_read() const { return transmitter_.can_read(); }
  RemoteBuffer expose(base::MutableBytes memory, Access access) { return exposures_.add(memory, access); }
  // False when the peer is reading that memory at this moment: the connection has to end.
  bool withdraw(std::uint32_t key);

  // --- bytes of the peer: false when the stream has failed (failure() says how; a Terminate, where one is due, is
  // ready to be sent). Requests complete and messages are handed up from within.
  bool consume(base::Bytes bytes);
  const Failure& failure() const { return receiver_.failure(); }
  base::MutableBytes direct_window() const { return receiver_.direct_window(); }
  void placed(std::size_t bytes) { receiver_.placed(bytes); }
  std::size_t wanted_bytes() const { return receiver_.wanted_bytes(); }

  // --- bytes for the peer
  bool prepare() { return transmitter_.prepare(); }
  const msghdr& batch() const { return transmitter_.batch(); }
  // Completes what has left wholly; true when the whole batch has.
  bool sent(std::size_t bytes);
  bool batch_left() const { return transmitter_.batch_left(); }

  // --- the end
  // Nothing is handed up any more and nothing new is begun but a Terminate.
  void stop();
  // Completes every request with false. Only when no memory of theirs is in use any more.
  void fail_all();

 private:
  void opened() override { transmitter_.open(); }
  void message(base::Bytes bytes) override { on_message_(bytes); }
  Request* oldest_read() override { return transmitter_.oldest_read(); }
  void read_done() override;
  bool respond(const ReadResponse& response) override { return transmitter_.respond(response); }

  Exposures exposures_;
  Transmitter transmitter_;
  Receiver receiver_;
  OnMessage on_message_;
};

}  // namespace uscst::fabric::iwarp
