// What carries SRP channels: iWARP, verbs or the simulated kind behind one interface. Fabric, Listener and
// ConnectionRequest live on the control thread; an Endpoint lives on the reactor it was accepted on (or connected
// from), its events come there.
//
// Rules for all kinds: RDMA Writes and the Send posted behind them arrive in order; the accepting side never sends
// before the first message of the connecting side; reads outstanding stay within the negotiated limit (the endpoint
// queues); a receive is posted again before the message is handed up; requests posted during one event leave in one
// batch.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/io/executor.h"

namespace uscst::fabric {

// Memory of the other side, as an SRP memory descriptor names it.
struct RemoteBuffer {
  std::uint64_t address = 0;
  std::uint32_t key = 0;  // R_Key, STag
  std::uint32_t length_bytes = 0;
};

enum class RequestKind { kSend, kWrite, kRead };

// One posted request. Owned by the caller, who keeps it and the memory it names until it has completed. Completes
// exactly once: done(true) when the memory may be used again (and, for a read, holds the data), done(false) when the
// connection ended first.
class Request : public io::AutoUnlinkList {
 public:
  explicit Request(io::Call<bool> on_done) : done(on_done) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  io::Call<bool> done;
  RequestKind kind = RequestKind::kSend;
  RemoteBuffer remote;           // for kWrite and kRead; its length is the length of the transfer
  std::span<const iovec> local;  // Send: the message. Write: the source. Read: the sink. Caller's memory.
};

enum class DisconnectReason { kPeerClosed, kTransportError, kProtocolError, kLocal, kTimeout };

// What an endpoint reports to its owner; on the endpoint's reactor.
class EndpointEvents {
 public:
  virtual ~EndpointEvents() = default;
  // One message of the peer. The bytes are the endpoint's and valid during the call only.
  virtual void received(base::Bytes message) = 0;
  // Exactly once, last: every posted request has completed before. The endpoint may be destroyed from within or after,
  // never before.
  virtual void disconnected(DisconnectReason reason, const std::string& detail) = 0;
};

// Access of the peer to memory registered on an endpoint (initiator's side).
enum class Access { kRemoteRead, kRemoteWrite, kRemoteReadWrite };

class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual void post(Request& request) = 0;
  // Ends the connection; disconnected() follows (kLocal). Calling it again does nothing.
  virtual void disconnect() = 0;
  // Lets the peer reach `memory` by RDMA until it is withdrawn or the connection ends. The returned buffer names it.
  virtual RemoteBuffer expose(base::MutableBytes memory, Access access) = 0;
  // Withdrawing memory that the peer is reading or writing at that moment ends the connection; the memory must then
  // stay until disconnected().
  virtual void withdraw(std::uint32_t key) = 0;
};

// Both ends of a connection in text: IPv4 dotted ("192.168.71.1") or IPv6 as eight groups of four lower-case hex
// digits.
struct Address {
  std::string host;
  std::uint16_t port = 0;
};

// A connection that asks to be let in, with its private data (the SRP login). Answer it exactly once; destroying it
// unanswered closes it.
class ConnectionRequest {
 public:
  virtual ~ConnectionRequest() = default;
  virtual base::Bytes private_data() const = 0;
  virtual const Address& peer() const = 0;
  virtual const Address& local() const = 0;
  // Called on the thread of `executor`, where the endpoint will live. EINVAL when the executor is not of the kind the
  // fabric works with (iwarp, verbs: an io::Reactor); otherwise an errno of the connection, which is gone.
  virtual base::Result<std::unique_ptr<Endpoint>> accept(io::Executor& executor, base::Bytes private_data,
                                                         EndpointEvents& events) = 0;
  // Called on the control thread. Sends the refusal and closes.
  virtual void reject(base::Bytes private_data) = 0;
};

// Destroying it stops listening and drops the connections whose login has not been handed up; others go on.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual const Address& address() const = 0;  // with the port in use, also when 0 was asked for
};

using OnConnection = std::function<void(std::unique_ptr<ConnectionRequest>)>;
// The connection's endpoint with the peer's private data, or why there is none (ECONNREFUSED: rejected, private data
// kept).
struct Connected {
  base::Result<std::unique_ptr<Endpoint>> endpoint;
  std::vector<std::uint8_t> private_data;
};
using OnConnected = std::move_only_function<void(Connected)>;

// Outlives its listeners, connection requests and endpoints, and the operations they leave with the reactors.
class Fabric {
 public:
  virtual ~Fabric() = default;
  // Control thread. host "0.0.0.0" or "::" (without IPv4) for all addresses. Errors of socket(2), bind(2), listen(2).
  virtual base::Result<std::unique_ptr<Listener>> listen(const Address& address, OnConnection on_connection) = 0;
  // On the thread of `executor`: opens a connection (initiator's side) and calls back there, never from within.
  virtual void connect(io::Executor& executor, const Address& to, base::Bytes private_data, EndpointEvents& events,
                       OnConnected on_connected) = 0;
};

}  // namespace uscst::fabric
