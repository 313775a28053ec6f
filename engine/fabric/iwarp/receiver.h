// The receiving half of an iWARP stream: bytes in, cut anywhere; placed data and whole messages out. Does no I/O. Part
// of a Stream, on its endpoint's reactor.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/fabric/iwarp/wire.h"
#include "engine/fabric/memory.h"

namespace uscst::fabric::iwarp {

// A read of the peer that was found allowed; `memory` is empty for a read of no bytes.
struct ReadResponse {
  std::uint32_t sink_stag = 0;
  std::uint64_t sink_offset = 0;
  base::Bytes memory;
};

// Why a stream cannot go on.
struct Failure {
  DisconnectReason reason = DisconnectReason::kProtocolError;
  std::vector<std::uint8_t> terminate;  // what stands behind the untagged header of the Terminate to send; may be empty
  std::string text;
};

// Where the receiver hands things to.
class ReceiverEvents {
 public:
  virtual ~ReceiverEvents() = default;
  // The first FPDU of the peer was found good.
  virtual void opened() = 0;
  // A Send of the peer is complete; the bytes are valid during the call only.
  virtual void message(base::Bytes bytes) = 0;
  // The read that waits longest, or null; its done() is the business of read_done().
  virtual Request* oldest_read() = 0;
  virtual void read_done() = 0;
  // False when the peer has more reads outstanding than were agreed.
  virtual bool respond(const ReadResponse& response) = 0;
};

// The STag under which our read number `message_number` (its MSN, from 1) receives: another one for each of 2^24.
constexpr std::uint32_t sink_stag(std::uint32_t message_number) { return message_number << 8 | 1; }

class Receiver {
 public:
  struct Options {
    bool crc = false;
    std::size_t maximum_message_bytes = 0;
    bool accept_rtr = true;  // the responder: the first FPDU may be an empty one (RTR type B)
  };

  Receiver(const Options& options, Exposures& exposures, ReceiverEvents& events)
      : options_(options), exposures_(exposures), events_(events) {}

  // Takes all bytes, unless stop() is called meanwhile or the stream fails: then true is returned and failure() says
  // why.
  bool consume(base::Bytes bytes);
  const Failure& failure() const { return failure_; }
  // Nothing is handed up any more: for an owner that ends the connection from within an event.
  void stop() { stopped_ = true; }

  // A Write into [memory] has come in part.
  bool is_writing_to(base::Bytes memory) const;

  // Memory of a read's sink that the next bytes of the stream belong to, when there is enough of it to be worth a
  // receive of its own; placed() says how much was put there.
  base::MutableBytes direct_window() const;
  void placed(std::size_t bytes);
  // A stated number of bytes to receive at most, so that the payload behind it can be received in place; 0: any.
  std::size_t wanted_bytes() const;

 private:
  enum class Phase { kHead, kPayload, kTrailer };
  enum class Placement { kNothing, kMessage, kRead, kWrite, kSmall };

  std::size_t take_head(base::Bytes in);
  std::size_t take_payload(base::Bytes in);
  std::size_t take_trailer(base::Bytes in);

  bool check_length();
  void begin_segment();
  bool check_versions();
  void begin_tagged(Opcode opcode);
  void begin_untagged(Opcode opcode);
  void begin_write();
  void begin_read_response();
  void begin_send(Opcode opcode);
  void begin_read_request();
  void begin_terminate();
  void begin_placement(Placement placement);

  void end_segment();
  void end_send();
  void end_read_response();
  void end_read_request();
  void end_terminate();

  bool last() const { return (tagged_.ddp & kDdpLast) != 0; }
  void update_crc(base::Bytes bytes);
  void fail(TerminateCode code, std::string text, bool quote = true);

  const Options options_;
  Exposures& exposures_;
  ReceiverEvents& events_;

  // The FPDU being received.
  Phase phase_ = Phase::kHead;
  Placement placement_ = Placement::kNothing;
  std::size_t head_have_ = 0, head_need_ = kLengthBytes;
  std::array<std::uint8_t, sizeof(UntaggedHeader)> head_{};
  TaggedHeader tagged_{};      // its first four bytes are those of either header
  UntaggedHeader untagged_{};  // only of an untagged segment
  std::size_t ulpdu_length_ = 0, payload_length_ = 0, payload_left_ = 0;
  std::size_t trailer_have_ = 0, trailer_need_ = 0;
  std::array<std::uint8_t, kMaximumPad + kCrcBytes> trailer_{};
  std::uint32_t crc_ = 0;

  // Messages that go over several segments.
  std::array<std::uint32_t, 3> next_message_{1, 1, 1};  // by queue
  std::vector<std::uint8_t> message_;                   // the Send being put together
  std::size_t message_length_ = 0;
  base::Bytes view_;  // a Send that lies whole in the bytes being consumed
  Cursor read_sink_;
  std::uint32_t read_number_ = 1, read_received_ = 0;
  bool read_started_ = false, large_responses_ = false;
  base::MutableBytes write_target_;
  std::array<std::uint8_t, kMaximumTerminateBytes> small_{};  // a Read Request or a Terminate
  std::size_t small_have_ = 0;

  bool opened_ = false, stopped_ = false, failed_ = false;
  Failure failure_;
};

}  // namespace uscst::fabric::iwarp
