#include "engine/fabric/sim/sim_endpoint.h"

#include <algorithm>
#include <cstring>

namespace uscst::fabric::sim {
namespace {

std::vector<std::uint8_t> gather(std::span<const iovec> pieces, std::size_t length) {
  std::vector<std::uint8_t> bytes;
  for (Cursor cursor(pieces); bytes.size() < length && !cursor.at_end();) {
    const base::Bytes piece = cursor.piece(length - bytes.size());
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    cursor.advance(piece.size());
  }
  return bytes;
}

void scatter(base::Bytes bytes, std::span<const iovec> pieces) {
  for (Cursor cursor(pieces); !bytes.empty() && !cursor.at_end();) {
    const base::MutableBytes piece = cursor.piece(bytes.size());
    std::memcpy(piece.data(), bytes.data(), piece.size());
    cursor.advance(piece.size());
    bytes = bytes.subspan(piece.size());
  }
}

}  // namespace

void Lane::add(base::TimePoint earliest, base::Duration delay, std::move_only_function<void()> run) {
  last_ = std::max({last_, earliest, executor_.clock().now() + delay});
  steps_.push_back({last_, std::move(run)});
  if (!timer_.armed()) executor_.arm(timer_, steps_.front().at);
}

void Lane::clear() {
  steps_.clear();
  io::Executor::disarm(timer_);
}

void Lane::on_time() {
  auto run = std::move(steps_.front().run);
  steps_.pop_front();
  if (!steps_.empty()) executor_.arm(timer_, steps_.front().at);
  run();  // last: it may destroy the endpoint
}

SimEndpoint::SimEndpoint(SimFabric& fabric, io::Executor& executor, EndpointEvents& events, base::TimePoint begin,
                         bool open)
    : fabric_(fabric),
      events_(events),
      begin_(begin),
      open_(open),
      transmit_(executor),
      inbox_(executor),
      responses_(executor) {}

SimEndpoint::~SimEndpoint() {
  if (peer_ != nullptr) peer_->peer_ = nullptr;
}

void SimEndpoint::join(SimEndpoint& one, SimEndpoint& other) {
  one.peer_ = &other;
  other.peer_ = &one;
}

void SimEndpoint::post(Request& request) {
  queue_.push_back(request);
  if (open_ && !ended_) transmit_.add(begin_, fabric_.delay(), [this] { transmit_next(); });
}

void SimEndpoint::open() {
  if (open_) return;
  open_ = true;
  for ([[maybe_unused]] const Request& request : queue_)
    transmit_.add(begin_, fabric_.delay(), [this] { transmit_next(); });
}

void SimEndpoint::transmit_next() {
  Request& request = queue_.front();
  request.unlink();
  const bool full = outstanding_count_ >= fabric_.config().outstanding_reads;
  if (request.kind == RequestKind::kRead && (full || !waiting_.empty())) return waiting_.push_back(request);
  begin_request(request);
}

void SimEndpoint::begin_request(Request& request) {
  switch (request.kind) {
    case RequestKind::kSend:
      if (peer_ != nullptr)
        peer_->deliver([peer = peer_, bytes = gather(request.local, SIZE_MAX)] { peer->take_send(bytes); });
      return request.done(true);
    case RequestKind::kWrite:
      if (peer_ != nullptr)
        peer_->deliver([peer = peer_, to = request.remote, bytes = gather(request.local, request.remote.length_bytes)] {
          peer->take_write(to, bytes);
        });
      return request.done(true);
    case RequestKind::kRead:
      outstanding_.push_back(request);
      ++outstanding_count_;
      if (peer_ != nullptr) peer_->deliver([peer = peer_, from = request.remote] { peer->take_read(from); });
      return;
  }
}

void SimEndpoint::deliver(std::move_only_function<void()> run) {
  if (ended_) return;
  inbox_.add(begin_, fabric_.delay(), [this, run = std::move(run)]() mutable {
    if (fabric_.counts_as_torn()) return end_both(DisconnectReason::kTransportError, "the connection was torn");
    open();
    run();
  });
}

void SimEndpoint::take_send(const std::vector<std::uint8_t>& bytes) {
  if (bytes.size() > fabric_.config().maximum_message_bytes)
    return end_both(DisconnectReason::kProtocolError, "Send longer than a receive buffer");
  events_.received(bytes);
}

void SimEndpoint::take_write(const RemoteBuffer& to, const std::vector<std::uint8_t>& bytes) {
  if (bytes.empty()) return;
  const auto found =
      exposures_.look_up(to.key, to.address, static_cast<std::uint32_t>(bytes.size()), Access::kRemoteWrite);
  const auto* memory = std::get_if<base::MutableBytes>(&found);
  if (memory == nullptr) return end_both(DisconnectReason::kProtocolError, "RDMA Write to memory that is not exposed");
  std::ranges::copy(bytes, memory->begin());
}

void SimEndpoint::take_read(const RemoteBuffer& from) {
  std::vector<std::uint8_t> bytes;
  if (from.length_bytes > 0) {
    const auto found = exposures_.look_up(from.key, from.address, from.length_bytes, Access::kRemoteRead);
    const auto* memory = std::get_if<base::MutableBytes>(&found);
    if (memory == nullptr) return end_both(DisconnectReason::kProtocolError, "RDMA Read of memory that is not exposed");
    bytes.assign(memory->begin(), memory->end());
  }
  if (peer_ == nullptr || peer_->ended_) return;
  peer_->responses_.add(peer_->begin_, fabric_.delay(),
                        [peer = peer_, bytes = std::move(bytes)] { peer->take_response(bytes); });
}

void SimEndpoint::take_response(const std::vector<std::uint8_t>& bytes) {
  if (fabric_.counts_as_torn()) return end_both(DisconnectReason::kTransportError, "the connection was torn");
  Request& read = outstanding_.front();
  read.unlink();
  --outstanding_count_;
  scatter(bytes, read.local);
  if (!waiting_.empty()) {
    Request& next = waiting_.front();
    next.unlink();
    begin_request(next);
  }
  read.done(true);
}

void SimEndpoint::disconnect() {
  if (ended_) return;
  if (peer_ != nullptr && !peer_->ended_) {
    // Behind what is under way to the peer, as a FIN is.
    peer_->inbox_.add(peer_->begin_, fabric_.delay(),
                      [peer = peer_] { peer->end(DisconnectReason::kPeerClosed, "the peer closed the connection"); });
  }
  end(DisconnectReason::kLocal, "disconnected by this side");
}

void SimEndpoint::end_both(DisconnectReason reason, const std::string& detail) {
  if (peer_ != nullptr) peer_->end(reason, detail);
  end(reason, detail);
}

void SimEndpoint::end(DisconnectReason reason, std::string detail) {
  if (ended_) return;
  ended_ = true;
  reason_ = reason;
  detail_ = std::move(detail);
  for (Lane* lane : {&transmit_, &inbox_, &responses_}) lane->clear();
  inbox_.add(begin_, fabric_.delay(), [this] { finish(); });
}

void SimEndpoint::finish() {
  for (RequestList* list : {&outstanding_, &waiting_, &queue_}) {
    while (!list->empty()) {  // done() may post more, to queue_
      Request& request = list->front();
      request.unlink();
      request.done(false);
    }
  }
  events_.disconnected(reason_, detail_);  // last: the owner may destroy the endpoint
}

}  // namespace uscst::fabric::sim
