#include "engine/fabric/iwarp/endpoint.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace uscst::fabric::iwarp {
namespace {

std::size_t ulpdu_limit(const Socket& socket, const Negotiated& agreed, const Config& config) {
  const std::size_t segment = segment_ulpdu_bytes(socket);
  const bool like_siw = agreed.revision == 2 && agreed.enhanced && !agreed.crc && !agreed.peer_to_peer;
  const bool large =
      config.fpdu_size == FpduSize::kLarge || (config.fpdu_size == FpduSize::kLargeForSoftware && like_siw);
  return large ? std::max(segment, Config::kLargeUlpduBytes) : segment;
}

}  // namespace

IwarpEndpoint::IwarpEndpoint(io::Reactor& reactor, Socket socket, Role role, const Negotiated& agreed,
                             const Config& config, EndpointEvents& events)
    : reactor_(reactor),
      socket_(std::move(socket)),
      config_(config),
      events_(events),
      stream_(role, agreed, ulpdu_limit(socket_, agreed, config), config.maximum_message_bytes,
              Stream::OnMessage::to<&IwarpEndpoint::on_message>(this)),
      buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(Config::kReceiveBytes)) {
  receive_more();
}

void IwarpEndpoint::post(Request& request) {
  stream_.post(request);
  if (request.kind == RequestKind::kRead && !stream_.can_read())
    return begin_close(DisconnectReason::kProtocolError, "the peer allows no RDMA Reads", true);
  if (closing_ != Closing::kNo) return;  // fails with the others
  reactor_.defer(flush_);
}

void IwarpEndpoint::withdraw(std::uint32_t key) {
  if (!stream_.withdraw(key))
    begin_close(DisconnectReason::kLocal, fmt::format("STag {:08x} was withdrawn while the peer was using it", key),
                true);
}

// --- receiving

void IwarpEndpoint::receive_more() {
  base::MutableBytes into(buffer_.get(), Config::kReceiveBytes);
  receiving_in_place_ = false;
  if (closing_ == Closing::kNo) {
    const base::MutableBytes window = stream_.direct_window();
    receiving_in_place_ = !window.empty();
    if (receiving_in_place_) {
      into = window;
    } else if (const std::size_t wanted = stream_.wanted_bytes(); wanted > 0) {
      into = into.first(wanted);
    }
  }
  reactor_.receive(receive_, socket_.fd(), into);
}

void IwarpEndpoint::on_received(int result) {
  if (result <= 0) peer_closed_ = true;
  if (closing_ != Closing::kNo) return continue_close();
  if (result == 0) return begin_close(DisconnectReason::kPeerClosed, "the peer closed the connection", false);
  if (result < 0) return end_by_errno(-result, "receiving");

  const auto bytes = static_cast<std::size_t>(result);
  if (receiving_in_place_) {
    stream_.placed(bytes);
  } else if (!stream_.consume(base::Bytes(buffer_.get(), bytes))) {
    const Failure& failure = stream_.failure();
    begin_close(failure.reason, failure.text, true);
  }
  if (closing_ != Closing::kNo) return;
  reactor_.defer(flush_);
  receive_more();
}

// --- sending

void IwarpEndpoint::flush() {
  if (closing_ != Closing::kNo || send_.in_flight()) return;
  if (stream_.prepare()) reactor_.send(send_, socket_.fd(), stream_.batch());
}

void IwarpEndpoint::on_sent(int result) {
  if (result < 0) {
    send_failed_ = true;
    if (closing_ != Closing::kNo) return continue_close();
    return end_by_errno(-result, "sending");
  }
  const bool whole = stream_.sent(static_cast<std::size_t>(result));
  if (closing_ != Closing::kNo) return continue_close();
  if (whole) return flush();
  reactor_.send(send_, socket_.fd(), stream_.batch());
}

// --- the end

void IwarpEndpoint::end_by_errno(int code, const char* what) {
  const DisconnectReason reason = code == ETIMEDOUT                     ? DisconnectReason::kTimeout
                                  : code == ECONNRESET || code == EPIPE ? DisconnectReason::kPeerClosed
                                                                        : DisconnectReason::kTransportError;
  begin_close(reason, fmt::format("{}: {}", what, std::strerror(code)), false);
}

void IwarpEndpoint::begin_close(DisconnectReason reason, std::string detail, bool orderly) {
  if (closing_ != Closing::kNo) return;
  closing_ = Closing::kBatch;
  reason_ = reason;
  detail_ = std::move(detail);
  orderly_ = orderly;
  stream_.stop();
  reactor_.arm_after(close_timer_, config_.close_timeout);
  reactor_.defer(close_);  // not from within a call of the owner's
}

void IwarpEndpoint::on_close_timeout() {
  orderly_ = false;
  continue_close();
}

// Called at every event of the end; each step says whether it is over.
void IwarpEndpoint::continue_close() {
  if (closing_ == Closing::kBatch && batch_is_over()) closing_ = Closing::kTerminate;
  if (closing_ == Closing::kTerminate && terminate_is_over()) closing_ = Closing::kPeer;
  if (closing_ == Closing::kPeer && peer_is_over()) closing_ = Closing::kOperations;
  if (closing_ != Closing::kOperations || !operations_are_over()) return;
  io::Executor::disarm(close_timer_);
  socket_.close();
  stream_.fail_all();
  events_.disconnected(reason_, detail_);  // last: the owner may destroy the endpoint
}

// The batch under way names memory of requests, and so may the receive: both have to end before the requests do.
bool IwarpEndpoint::batch_is_over() {
  if (receive_.in_flight() && receiving_in_place_) reactor_.cancel(receive_);
  if (send_.in_flight()) {
    if (!orderly_) reactor_.cancel(send_);
    return false;
  }
  if (receive_.in_flight() && receiving_in_place_) return false;
  if (orderly_ && !send_failed_ && stream_.batch_left()) {
    reactor_.send(send_, socket_.fd(), stream_.batch());
    return false;
  }
  if (stream_.batch_left()) send_failed_ = true;  // cut within an FPDU: nothing can follow
  stream_.fail_all();
  return true;
}

bool IwarpEndpoint::terminate_is_over() {
  if (send_.in_flight()) {
    if (!orderly_) reactor_.cancel(send_);
    return false;
  }
  if (orderly_ && !send_failed_ && stream_.prepare()) {
    reactor_.send(send_, socket_.fd(), stream_.batch());
    return false;
  }
  ::shutdown(socket_.fd(), SHUT_WR);
  return true;
}

// Closing with unread bytes would send RST, and the peer might lose what we sent last: read to its FIN.
bool IwarpEndpoint::peer_is_over() {
  if (!orderly_ || peer_closed_) return true;
  if (!receive_.in_flight()) receive_more();
  return false;
}

bool IwarpEndpoint::operations_are_over() {
  if (receive_.in_flight()) reactor_.cancel(receive_);
  return !receive_.in_flight();
}

}  // namespace uscst::fabric::iwarp
