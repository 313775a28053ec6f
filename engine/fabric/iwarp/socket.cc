#include "engine/fabric/iwarp/socket.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "engine/fabric/iwarp/wire.h"

namespace uscst::fabric::iwarp {
namespace {

// A Read Request must fit one FPDU, whatever segment size the peer has announced.
constexpr std::size_t kMinimumUlpdu = 128;

void set(const Socket& socket, int level, int name, int value) {
  ::setsockopt(socket.fd(), level, name, &value, sizeof(value));
}

}  // namespace

void configure(const Socket& socket, const Liveness& liveness) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(liveness.keepalive_idle.count()));
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(liveness.keepalive_interval.count()));
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, liveness.keepalive_probes);
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(liveness.unacknowledged.count()));
}

std::size_t segment_ulpdu_bytes(const Socket& socket) {
  int value = 0;
  socklen_t length = sizeof(value);
  if (::getsockopt(socket.fd(), IPPROTO_TCP, TCP_MAXSEG, &value, &length) != 0 || value <= 0) value = 536;
  const auto segment = static_cast<std::size_t>(value);
  const std::size_t around = 6 + segment % 4;
  return std::clamp(segment - std::min(around, segment), kMinimumUlpdu, kMaximumUlpdu);
}

base::Status send_frame(const Socket& socket, const void* bytes, std::size_t size) {
  const ssize_t sent = ::send(socket.fd(), bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(size)) return {};
  const int code = sent < 0 ? errno : EPIPE;
  return base::fail(code, fmt::format("sending the MPA frame: {}", std::strerror(code)));
}

}  // namespace uscst::fabric::iwarp
