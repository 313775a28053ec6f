// The sending half of an iWARP stream: posted requests in, batches of FPDUs out as lists of memory for sendmsg(2); the
// payload stays where it is. Does no I/O. Part of a Stream, on its endpoint's reactor.
#pragma once

#include <sys/socket.h>

#include <array>
#include <boost/circular_buffer.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/fabric/fabric.h"
#include "engine/fabric/iwarp/receiver.h"
#include "engine/fabric/iwarp/wire.h"
#include "engine/fabric/memory.h"

namespace uscst::fabric::iwarp {

using RequestList = io::bi::list<Request, io::bi::constant_time_size<false>>;

class Transmitter {
 public:
  struct Options {
    bool crc = false;
    std::size_t ulpdu_limit = 1442;    // MULPDU: no FPDU carries more
    std::uint16_t outbound_reads = 4;  // reads outstanding at most
    std::uint16_t inbound_reads = 4;   // responses waiting at most
    bool open = true;                  // false: nothing leaves before open() (the responder, RFC 5044 7.1.2)
  };
  static constexpr std::size_t kBatchPieces = 512;  // of memory, headers included; below IOV_MAX
  static constexpr std::size_t kBatchBytes = 256 * 1024;
  static constexpr std::size_t kArenaBytes = 16 * 1024;
  static constexpr std::size_t kInlineBytes = 256;  // payloads up to this are copied behind their header

  explicit Transmitter(const Options& options);

  // Sends and Writes leave in the order posted. Reads keep their order among themselves; those beyond the limit wait
  // without holding up what was posted behind them.
  void post(Request& request);
  bool respond(const ReadResponse& response);  // false: more than inbound_reads
  void open() { options_.open = true; }
  // The last message of the stream: everything not yet begun is left out.
  void terminate(std::vector<std::uint8_t> body) { terminate_ = std::move(body); }

  // Begins nothing more but a Terminate; the message under way is left where it is.
  void close();

  // Fills the batch, unless one is still being sent; false when there is nothing to send.
  bool prepare();
  // What is left of the batch.
  const msghdr& batch() const { return message_; }
  // `bytes` of the batch have left; true when that was all of it. Then the requests in finished() are done.
  bool sent(std::size_t bytes);
  RequestList& finished() { return finished_; }

  Request* oldest_read() { return outstanding_.empty() ? nullptr : &outstanding_.front(); }
  // The oldest read has its data: takes it off and lets the next one go.
  void retire_read();
  bool can_read() const { return options_.outbound_reads > 0; }
  bool batch_left() const { return left_bytes_ > 0; }
  // A response that reads [memory] is waiting or being sent.
  bool is_responding_from(base::Bytes memory) const;
  // Moves every request there is to `out`; the batch is forgotten. Only when none of it is being sent any more.
  void take_all(RequestList& out);

 private:
  enum class Kind { kNone, kRequest, kResponse, kReadRequest, kTerminate };

  bool begin_message();
  void begin_request(Request& request);
  void emit_segment();
  void copy_payload(base::MutableBytes into);
  std::size_t append_payload(std::size_t bytes);
  void write_tagged(base::MutableBytes into, std::size_t ulpdu_length, bool last);
  void write_untagged(base::MutableBytes into, std::size_t ulpdu_length, bool last);
  static std::uint32_t crc_of(base::Bytes front, std::span<const iovec> parts, std::size_t pad);
  void finish_message();

  void append(const void* data, std::size_t bytes);    // memory of the caller
  base::MutableBytes append_arena(std::size_t bytes);  // in the arena
  bool room() const;

  Options options_;
  RequestList queue_;        // posted, not begun; the first may be under way
  RequestList waiting_;      // reads beyond the limit
  RequestList outstanding_;  // reads whose request is in a batch or gone
  RequestList finished_;     // wholly in the batch
  std::uint16_t outstanding_count_ = 0;
  boost::circular_buffer<ReadResponse> responses_;
  std::optional<std::vector<std::uint8_t>> terminate_;
  bool responses_first_ = false, closed_ = false;

  // The message under way.
  Kind kind_ = Kind::kNone;
  Request* request_ = nullptr;
  ReadResponse response_;
  iovec response_piece_{};
  iovec body_piece_{};
  ReadRequestHeader read_request_{};
  Cursor source_;
  std::uint64_t length_ = 0, offset_ = 0;
  std::uint32_t message_number_ = 0;
  std::array<std::uint32_t, 3> next_message_{1, 1, 1};  // by queue

  // The batch.
  std::array<iovec, kBatchPieces> pieces_;
  std::array<std::uint8_t, kArenaBytes> arena_;
  std::size_t piece_count_ = 0, first_piece_ = 0, arena_used_ = 0, batch_bytes_ = 0, left_bytes_ = 0;
  msghdr message_{};
};

}  // namespace uscst::fabric::iwarp
