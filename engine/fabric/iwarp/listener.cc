#include "engine/fabric/iwarp/listener.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "engine/fabric/iwarp/address.h"
#include "engine/fabric/iwarp/endpoint.h"

namespace uscst::fabric::iwarp {
namespace {

constexpr std::chrono::milliseconds kAcceptRetry{100};
constexpr std::chrono::seconds kReportPeriod{10};
constexpr unsigned kReportsInPeriod = 20;

// Errors that mean "not now": accepting again at once would only spin.
bool is_shortage(int code) { return code == EMFILE || code == ENFILE || code == ENOMEM || code == ENOBUFS; }

}  // namespace

// --- Handshake

Handshake::Handshake(ListenerCore& listener, Socket socket) : listener_(listener), socket_(std::move(socket)) {}

void Handshake::start() {
  listener_.reactor().arm_after(timer_, listener_.config().handshake_timeout);
  judge();
}

void Handshake::give_up() {
  given_up_ = true;
  listener_.reactor().cancel(receive_);
}

// Logged for debugging only: anyone can open connections, and must not fill the log by it.
void Handshake::on_timeout() {
  listener_.report(fmt::format("iwarp: {} sent no MPA request within {} ms", peer_address(socket_.fd()).host,
                               listener_.config().handshake_timeout.count()));
  give_up();
}

void Handshake::on_received(int result) {
  if (given_up_ || result <= 0) return listener_.ended(*this, nullptr);
  have_ += static_cast<std::size_t>(result);
  judge();
}

void Handshake::judge() {
  const ParsedFrame parsed = parse_frame(FrameKind::kRequest, base::Bytes(bytes_).first(have_));
  if (const auto* need = std::get_if<Need>(&parsed)) {
    // No byte more than the frame: what follows belongs to the endpoint.
    const base::MutableBytes into = base::MutableBytes(bytes_).first(need->bytes).subspan(have_);
    return listener_.reactor().receive(receive_, socket_.fd(), into);
  }
  if (const auto* error = std::get_if<base::Error>(&parsed)) {
    listener_.report(fmt::format("iwarp: {} is refused: {}", peer_address(socket_.fd()).host, error->text));
    return listener_.ended(*this, nullptr);
  }
  const Frame& frame = std::get<Frame>(parsed);
  auto agreed = negotiate(frame, listener_.config().limits());
  if (!agreed) {
    listener_.report(fmt::format("iwarp: {} is refused: {}", peer_address(socket_.fd()).host, agreed.error().text));
    const auto reply = build_reject(frame, {});
    (void)send_frame(socket_, reply.data(), reply.size());  // a courtesy: the connection ends either way
    return listener_.ended(*this, nullptr);
  }
  auto request = std::make_unique<IwarpRequest>(std::move(socket_), frame, *agreed, listener_.config());
  // A peer that has reset the connection meanwhile has no address any more, and nobody waits for an answer.
  if (request->peer().host.empty()) request.reset();
  listener_.ended(*this, std::move(request));
}

// --- ListenerCore

ListenerCore::ListenerCore(io::Reactor& reactor, Socket socket, const Config& config, base::Log& log,
                           OnConnection on_connection, OngoingSet& ongoing)
    : reactor_(reactor),
      socket_(std::move(socket)),
      config_(config),
      log_(log),
      on_connection_(std::move(on_connection)),
      ongoing_(ongoing) {}

void ListenerCore::start() { reactor_.accept(accept_, socket_.fd()); }

void ListenerCore::on_accepted(int result) {
  if (stopping_) {
    Socket unwanted(result);
    return finish();
  }
  if (result < 0) {
    if (is_shortage(-result)) {
      log_.warning("iwarp: cannot accept connections: {}; trying again", std::strerror(-result));
      return reactor_.arm_after(retry_, kAcceptRetry);
    }
    return start();
  }
  make_room();
  handshakes_.push_back(std::make_unique<Handshake>(*this, Socket(result)));
  handshakes_.back()->self = std::prev(handshakes_.end());
  start();
  handshakes_.back()->start();
}

// Whoever can connect can make these: enough to see what goes on, not enough to fill a disk.
void ListenerCore::report(const std::string& text) {
  const base::TimePoint now = reactor_.clock().now();
  if (now - reports_since_ >= kReportPeriod) {
    if (reports_ > kReportsInPeriod) log_.info("iwarp: {} more like it were not logged", reports_ - kReportsInPeriod);
    reports_since_ = now;
    reports_ = 0;
  }
  if (++reports_ <= kReportsInPeriod) {
    log_.info("{}", text);
  } else {
    log_.debug("{}", text);
  }
}

void ListenerCore::on_retry() { start(); }

// Honest peers send their request at once, so the oldest handshake is the one least worth keeping.
void ListenerCore::make_room() {
  const auto open = std::ranges::count_if(handshakes_, [](const auto& one) { return !one->given_up(); });
  if (static_cast<std::size_t>(open) < config_.maximum_handshakes) return;
  const auto oldest = std::ranges::find_if(handshakes_, [](const auto& one) { return !one->given_up(); });
  if (oldest != handshakes_.end()) (*oldest)->give_up();
}

void ListenerCore::ended(Handshake& handshake, std::unique_ptr<ConnectionRequest> request) {
  handshakes_.erase(handshake.self);
  if (stopping_) return finish();
  if (request) on_connection_(std::move(request));  // may destroy the listener: stop() leaves the rest for later
}

void ListenerCore::stop() {
  stopping_ = true;
  io::Executor::disarm(retry_);
  ::shutdown(socket_.fd(), SHUT_RD);  // new connections are refused from here on
  reactor_.cancel(accept_);
  for (const auto& handshake : handshakes_) handshake->give_up();
  reactor_.defer(finish_);
}

void ListenerCore::finish() {
  if (!accept_.in_flight() && handshakes_.empty()) ongoing_.remove(this);
}

// --- IwarpRequest

IwarpRequest::IwarpRequest(Socket socket, const Frame& frame, const Negotiated& agreed, const Config& config)
    : socket_(std::move(socket)),
      private_data_(frame.private_data.begin(), frame.private_data.end()),
      frame_(frame),
      agreed_(agreed),
      config_(config),
      peer_(peer_address(socket_.fd())),
      local_(local_address(socket_.fd())) {
  frame_.private_data = private_data_;
}

base::Result<std::unique_ptr<Endpoint>> IwarpRequest::accept(io::Executor& executor, base::Bytes private_data,
                                                             EndpointEvents& events) {
  auto* reactor = dynamic_cast<io::Reactor*>(&executor);
  if (reactor == nullptr) return base::fail(EINVAL, "an iWARP endpoint needs a reactor");
  configure(socket_, config_.liveness);
  const auto reply = build_reply(agreed_, private_data);
  if (auto sent = send_frame(socket_, reply.data(), reply.size()); !sent) {
    socket_.close();
    return std::unexpected(sent.error());
  }
  return std::make_unique<IwarpEndpoint>(*reactor, std::move(socket_), Role::kResponder, agreed_, config_, events);
}

void IwarpRequest::reject(base::Bytes private_data) {
  const auto reply = build_reject(frame_, private_data);
  (void)send_frame(socket_, reply.data(), reply.size());  // whether it arrives or not, the connection ends
  socket_.close();
}

}  // namespace uscst::fabric::iwarp
