// The daemon's control socket: a Unix stream socket for programs of root on the same host. The first line of a
// connection names a service and gives it words; what follows belongs to the service. Owned by the service of the
// daemon; lives on the control reactor, whose thread never waits for a peer.
//
//   client: "local TARGET [SESSION]\n"      daemon: "ok\n", or "error ERRNO TEXT\n" and the end of the connection
//
// Limits: peers are root or the daemon's own user; kMaximumConnections; a first line of kMaximumLineBytes within
// kLineLimit; kMaximumInputBytes unread by the service; it does not read on while kMaximumUnsentBytes wait to be sent.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/log.h"
#include "engine/base/result.h"
#include "engine/io/reactor.h"

namespace uscst::control {

class ControlConnection;

// A service's side of one connection; destroyed with it. Control thread. Never destroyed from within its own calls.
class Conversation {
 public:
  virtual ~Conversation() = default;
  // Bytes that it has not taken yet; gives how many it takes now. Called again when more came, room was made for
  // sending, or ControlConnection::look_again() was called. An error ends the connection.
  virtual base::Result<std::size_t> received(base::Bytes bytes) = 0;
};

class ControlConnection {
 public:
  virtual ~ControlConnection() = default;
  virtual void send(std::vector<std::uint8_t> bytes) = 0;
  virtual std::size_t unsent_bytes() const = 0;
  // Calls received() again soon.
  virtual void look_again() = 0;
  // Ends the connection when everything was sent; nothing is read any more.
  virtual void close_when_sent() = 0;

  void send_text(std::string_view text) { send({text.begin(), text.end()}); }
  // "ok\n" or "error ERRNO TEXT\n".
  void send_status(const base::Status& status);
};

// What a service does with a connection whose first line named it. `words`: what stood behind the name. The connection
// outlives the conversation. An error is told to the client.
using ControlService = std::function<base::Result<std::unique_ptr<Conversation>>(
    ControlConnection& connection, const std::vector<std::string>& words)>;

class ControlSocket {
 public:
  static constexpr std::size_t kMaximumConnections = 32;
  static constexpr std::size_t kMaximumLineBytes = 4096;
  static constexpr auto kLineLimit = std::chrono::seconds(10);
  static constexpr std::size_t kMaximumInputBytes = 5 << 20;
  static constexpr std::size_t kMaximumUnsentBytes = 16 << 20;

  ControlSocket(io::Reactor& reactor, base::Log& log);
  // Only before listen(), or when stop() is done.
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // Before listen().
  void add_service(std::string name, ControlService service);
  // Any thread, before the reactor runs; accepting begins with start(). Takes the place of a socket that an ended
  // daemon left there. The errno of the call that failed.
  base::Status listen(const std::string& path);
  void start();
  // Ends every connection; `done` when nothing is left with the reactor. The socket's name is gone then.
  void stop(io::Job done);

 private:
  class Connection;
  friend class Connection;
  void accept();
  void accepted(int result);
  void retry() { accept(); }
  void ended(Connection& connection);
  void stopped_if_over();
  const ControlService* find_service(std::string_view name) const;

  io::Reactor& reactor_;
  base::Log& log_;
  std::string path_;
  int fd_ = -1;
  bool stopping_ = false;
  io::Job stopped_;
  std::vector<std::pair<std::string, ControlService>> services_;
  std::list<std::unique_ptr<Connection>> connections_;
  io::Operation accept_;
  io::Timer retry_;
};

}  // namespace uscst::control
