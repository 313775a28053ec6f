// The accepting side: a listening socket, the MPA requests being received on fresh connections, and the requests handed
// up. A ListenerCore owns itself (in the fabric's OngoingSet) until its last operation has ended; on the control
// thread.
#pragma once

#include <array>
#include <list>
#include <memory>

#include "engine/base/log.h"
#include "engine/fabric/fabric.h"
#include "engine/fabric/iwarp/config.h"
#include "engine/fabric/iwarp/fabric.h"
#include "engine/fabric/iwarp/mpa.h"
#include "engine/fabric/iwarp/socket.h"
#include "engine/io/reactor.h"

namespace uscst::fabric::iwarp {

class ListenerCore;

// A connection whose MPA request is being received.
class Handshake {
 public:
  Handshake(ListenerCore& listener, Socket socket);
  void start();
  void give_up();  // ends it at its next completion
  bool given_up() const { return given_up_; }
  std::list<std::unique_ptr<Handshake>>::iterator self;

 private:
  void on_received(int result);
  void on_timeout();
  // What the bytes so far call for.
  void judge();

  ListenerCore& listener_;
  Socket socket_;
  std::array<std::uint8_t, sizeof(MpaHeader) + kMaximumPrivateData> bytes_{};
  std::size_t have_ = 0;
  bool given_up_ = false;
  io::Operation receive_{io::Call<int>::to<&Handshake::on_received>(this)};
  io::Timer timer_{io::Call<>::to<&Handshake::on_timeout>(this)};
};

class ListenerCore final : public Ongoing {
 public:
  ListenerCore(io::Reactor& reactor, Socket socket, const Config& config, base::Log& log, OnConnection on_connection,
               OngoingSet& ongoing);
  void start();
  void stop();

  io::Reactor& reactor() { return reactor_; }
  const Config& config() const { return config_; }
  base::Log& log() { return log_; }
  // A handshake has ended: with a request to hand up, or with nothing. Destroys the handshake.
  // A line about a connection that came to nothing; not all of them when there are many.
  void report(const std::string& text);
  void ended(Handshake& handshake, std::unique_ptr<ConnectionRequest> request);

 private:
  void on_accepted(int result);
  void on_retry();
  void finish();
  void make_room();

  io::Reactor& reactor_;
  Socket socket_;
  const Config& config_;
  base::Log& log_;
  OnConnection on_connection_;
  OngoingSet& ongoing_;
  std::list<std::unique_ptr<Handshake>> handshakes_;  // oldest first
  bool stopping_ = false;
  base::TimePoint reports_since_{};
  unsigned reports_ = 0;
  io::Operation accept_{io::Call<int>::to<&ListenerCore::on_accepted>(this)};
  io::Timer retry_{io::Call<>::to<&ListenerCore::on_retry>(this)};
  io::Deferred finish_{io::Call<>::to<&ListenerCore::finish>(this)};
};

class IwarpListener final : public Listener {
 public:
  IwarpListener(ListenerCore& core, Address address) : core_(core), address_(std::move(address)) {}
  ~IwarpListener() override { core_.stop(); }
  const Address& address() const override { return address_; }

 private:
  ListenerCore& core_;
  const Address address_;
};

class IwarpRequest final : public ConnectionRequest {
 public:
  // `frame`'s private data is copied.
  IwarpRequest(Socket socket, const Frame& frame, const Negotiated& agreed, const Config& config);
  base::Bytes private_data() const override { return private_data_; }
  const Address& peer() const override { return peer_; }
  const Address& local() const override { return local_; }
  base::Result<std::unique_ptr<Endpoint>> accept(io::Executor& executor, base::Bytes private_data,
                                                 EndpointEvents& events) override;
  void reject(base::Bytes private_data) override;

 private:
  Socket socket_;
  std::vector<std::uint8_t> private_data_;
  Frame frame_;
  const Negotiated agreed_;
  const Config& config_;
  const Address peer_, local_;
};

}  // namespace uscst::fabric::iwarp
