#include "engine/fabric/iwarp/fabric.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "engine/fabric/iwarp/address.h"
#include "engine/fabric/iwarp/connecting.h"
#include "engine/fabric/iwarp/listener.h"

namespace uscst::fabric::iwarp {
namespace {

base::Result<Socket> open_socket(int family) {
  Socket socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return base::fail(errno, fmt::format("socket: {}", std::strerror(errno)));
  return socket;
}

// For connecting, from `source` where one is given.
base::Result<Socket> open_connector(int family, const std::string& source) {
  auto socket = open_socket(family);
  if (!socket || source.empty()) return socket;
  const auto from = parse_address({source, 0});
  if (!from) return std::unexpected(from.error());
  if (::bind(socket->fd(), from->get(), from->length) != 0) {
    return base::fail(errno, fmt::format("connecting from {}: {}", source, std::strerror(errno)));
  }
  return socket;
}

base::Result<Socket> open_listener(const Address& address, int backlog) {
  const auto parsed = parse_address(address);
  if (!parsed) return std::unexpected(parsed.error());
  auto socket = open_socket(parsed->family());
  if (!socket) return socket;
  const int on = 1;
  ::setsockopt(socket->fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // So that "::" and "0.0.0.0" can both be listened on.
  if (parsed->family() == AF_INET6) ::setsockopt(socket->fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (::bind(socket->fd(), parsed->get(), parsed->length) != 0 || ::listen(socket->fd(), backlog) != 0)
    return base::fail(errno,
                      fmt::format("listening on {} port {}: {}", address.host, address.port, std::strerror(errno)));
  return socket;
}

}  // namespace

void OngoingSet::add(std::unique_ptr<Ongoing> one) {
  const std::lock_guard lock(mutex_);
  all_.push_back(std::move(one));
}

void OngoingSet::remove(Ongoing* one) {
  std::unique_ptr<Ongoing> gone;  // destroyed after the lock is given back
  const std::lock_guard lock(mutex_);
  const auto at = std::ranges::find(all_, one, &std::unique_ptr<Ongoing>::get);
  if (at == all_.end()) return;
  gone = std::move(*at);
  all_.erase(at);
}

base::Result<std::unique_ptr<Listener>> IwarpFabric::listen(const Address& address, OnConnection on_connection) {
  auto socket = open_listener(address, config_.backlog);
  if (!socket) return std::unexpected(socket.error());
  Address bound = local_address(socket->fd());
  auto core =
      std::make_unique<ListenerCore>(control_, std::move(*socket), config_, log_, std::move(on_connection), ongoing_);
  ListenerCore& reference = *core;
  ongoing_.add(std::move(core));
  reference.start();
  return std::make_unique<IwarpListener>(reference, std::move(bound));
}

void IwarpFabric::connect(io::Executor& executor, const Address& to, base::Bytes private_data, EndpointEvents& events,
                          OnConnected on_connected) {
  const auto refuse = [&](base::Error error) {
    executor.post([call = std::move(on_connected), error = std::move(error)]() mutable {
      call({std::unexpected(std::move(error)), {}});
    });
  };
  auto* reactor = dynamic_cast<io::Reactor*>(&executor);
  if (reactor == nullptr) return refuse({EINVAL, "an iWARP endpoint needs a reactor"});
  const auto address = parse_address(to);
  if (!address) return refuse(address.error());
  auto socket = open_connector(address->family(), config_.source);
  if (!socket) return refuse(socket.error());
  auto connecting = std::make_unique<Connecting>(*reactor, std::move(*socket), *address, private_data, config_, events,
                                                 std::move(on_connected), ongoing_);
  Connecting& reference = *connecting;
  ongoing_.add(std::move(connecting));
  reference.start();
}

}  // namespace uscst::fabric::iwarp
