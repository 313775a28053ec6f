// The far end of an SRP channel, for tests: an initiator with memory of its own, whose requests complete when the test
// says so. One thread; owned by the test and outlives the channel.
#pragma once

#include <cassert>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/fabric/fabric.h"
#include "engine/srp/iu.h"
#include "engine/srp/login.h"

namespace uscst::srp {

class FakePeer {
 public:
  using Bytes = std::vector<std::uint8_t>;
  static constexpr std::uint64_t kMemoryAddress = 0x10000;
  static constexpr std::uint32_t kMemoryKey = 7;

  explicit FakePeer(std::string host) : address{std::move(host), 40000}, memory(1 << 20) {}

  // --- what the test asks
  std::unique_ptr<fabric::ConnectionRequest> request(base::Bytes private_data);
  void send(base::Bytes message) {
    executor->post([this, bytes = Bytes(message.begin(), message.end())] {
      if (open) events->received(bytes);
    });
  }
  void hang_up() {
    executor->post([this] { end(fabric::DisconnectReason::kPeerClosed); });
  }
  // Completes a held request, in the order they were posted.
  void complete_next(bool ok = true) {
    fabric::Request* next = held.front();
    held.pop_front();
    complete(*next, ok);
  }

  bool hold_reads = false, hold_writes = false, hold_sends = false;
  std::deque<fabric::Request*> held;
  fabric::Address address;
  std::vector<std::uint8_t> memory;
  std::optional<Bytes> accepted, rejected;
  std::vector<Bytes> inbox;
  bool open = false, dropped = false, accept_fails = false;
  int reads = 0, writes = 0;

  // --- the other side
  void post(fabric::Request& request) {
    if (!open) return executor->post([&request] { request.done(false); });
    bool hold = request.kind == fabric::RequestKind::kRead    ? hold_reads
                : request.kind == fabric::RequestKind::kWrite ? hold_writes
                                                              : hold_sends;
    // What is behind a held one waits too, as on the wire.
    if (hold || !held.empty()) return held.push_back(&request);
    complete(request, true);
  }
  void disconnect() {
    executor->post([this] { end(fabric::DisconnectReason::kLocal); });
  }
  fabric::EndpointEvents* events = nullptr;
  io::Executor* executor = nullptr;

 private:
  void end(fabric::DisconnectReason reason) {
    if (!open) return;
    open = false;
    while (!held.empty()) complete_next(false);
    // After what is under way has completed.
    executor->post([this, reason] { events->disconnected(reason, "test"); });
  }

  void complete(fabric::Request& request, bool ok) {
    if (ok) carry_out(request);
    executor->post([&request, ok] { request.done(ok); });
  }

  void carry_out(fabric::Request& request) {
    std::uint64_t at = request.remote.address - kMemoryAddress;
    if (request.kind == fabric::RequestKind::kSend) {
      Bytes message;
      for (const iovec& part : request.local) append(message, part);
      return inbox.push_back(std::move(message));
    }
    assert(request.remote.key == kMemoryKey && at + request.remote.length_bytes <= memory.size());
    ++(request.kind == fabric::RequestKind::kRead ? reads : writes);
    for (const iovec& part : request.local) {
      if (request.kind == fabric::RequestKind::kRead) {
        std::memcpy(part.iov_base, memory.data() + at, part.iov_len);
      } else {
        std::memcpy(memory.data() + at, part.iov_base, part.iov_len);
      }
      at += part.iov_len;
    }
  }

  static void append(Bytes& to, const iovec& part) {
    std::size_t before = to.size();
    to.resize(before + part.iov_len);
    std::memcpy(to.data() + before, part.iov_base, part.iov_len);
  }
};

class FakeEndpoint final : public fabric::Endpoint {
 public:
  explicit FakeEndpoint(FakePeer& peer) : peer_(peer) {}
  ~FakeEndpoint() override { assert(!peer_.open); }
  void post(fabric::Request& request) override { peer_.post(request); }
  void disconnect() override { peer_.disconnect(); }
  fabric::RemoteBuffer expose(base::MutableBytes, fabric::Access) override { return {}; }
  void withdraw(std::uint32_t) override {}

 private:
  FakePeer& peer_;
};

class FakeConnectionRequest final : public fabric::ConnectionRequest {
 public:
  FakeConnectionRequest(FakePeer& peer, base::Bytes data) : peer_(peer), data_(data.begin(), data.end()) {}
  ~FakeConnectionRequest() override {
    if (!peer_.accepted && !peer_.rejected) peer_.dropped = true;
  }
  base::Bytes private_data() const override { return data_; }
  const fabric::Address& peer() const override { return peer_.address; }
  const fabric::Address& local() const override { return local_; }
  base::Result<std::unique_ptr<fabric::Endpoint>> accept(io::Executor& executor, base::Bytes private_data,
                                                         fabric::EndpointEvents& events) override {
    if (peer_.accept_fails) return base::fail(ECONNRESET, "test");
    peer_.accepted.emplace(private_data.begin(), private_data.end());
    peer_.executor = &executor;
    peer_.events = &events;
    peer_.open = true;
    return std::make_unique<FakeEndpoint>(peer_);
  }
  void reject(base::Bytes private_data) override { peer_.rejected.emplace(private_data.begin(), private_data.end()); }

 private:
  FakePeer& peer_;
  FakePeer::Bytes data_;
  fabric::Address local_{"192.0.2.9", 5000};
};

inline std::unique_ptr<fabric::ConnectionRequest> FakePeer::request(base::Bytes private_data) {
  return std::make_unique<FakeConnectionRequest>(*this, private_data);
}

}  // namespace uscst::srp
