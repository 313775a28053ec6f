#include "engine/control/control_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "engine/control/control_connection.h"

namespace uscst::control {
namespace {

constexpr auto kAcceptRetry = std::chrono::milliseconds(100);
constexpr int kBacklog = 16;

// Who may use the socket, whatever became of its mode.
bool may_connect(int fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

base::Status failed(std::string_view what, const std::string& path) {
  const int code = errno;
  return base::fail(code, fmt::format("{} {}: {}", what, path, std::strerror(code)));
}

// bind(2) and connect(2) take the general type.
base::Status bind_to(int fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::fail(ENAMETOOLONG,
                      fmt::format("{}: a socket's path has {} characters at most", path, sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  // The mode goes over to the name, so that there is no moment in which others may connect.
  if (fchmod(fd, 0600) != 0) return failed("fchmod", path);
  if (bind(fd, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address) != 0) {
    return failed("bind", path);
  }
  return {};
}

}  // namespace

ControlSocket::ControlSocket(io::Reactor& reactor, base::Log& log)
    : reactor_(reactor),
      log_(log),
      accept_(io::Call<int>::to<&ControlSocket::accepted>(this)),
      retry_(io::Call<>::to<&ControlSocket::retry>(this)) {}

ControlSocket::~ControlSocket() {
  if (fd_ < 0) return;
  ::close(fd_);
  unlink(path_.c_str());
}

void ControlSocket::add_service(std::string name, ControlService service) {
  services_.emplace_back(std::move(name), std::move(service));
}

const ControlService* ControlSocket::find_service(std::string_view name) const {
  auto found = std::ranges::find_if(services_, [&](const auto& service) { return service.first == name; });
  return found == services_.end() ? nullptr : &found->second;
}

base::Status ControlSocket::listen(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("socket for", path);
  struct stat about{};
  if (lstat(path.c_str(), &about) == 0 && S_ISSOCK(about.st_mode)) unlink(path.c_str());
  auto status = bind_to(fd, path);
  if (status && ::listen(fd, kBacklog) != 0) status = failed("listen", path);
  if (!status) {
    ::close(fd);
    return status;
  }
  fd_ = fd;
  path_ = path;
  return {};
}

void ControlSocket::start() { accept(); }

void ControlSocket::accept() {
  if (!stopping_ && fd_ >= 0) reactor_.accept(accept_, fd_);
}

void ControlSocket::accepted(int result) {
  if (stopping_) {
    if (result >= 0) ::close(result);
    return stopped_if_over();
  }
  if (result < 0) return reactor_.arm_after(retry_, kAcceptRetry);
  if (connections_.size() >= kMaximumConnections || !may_connect(result)) {
    log_.warning("control socket: a connection was refused: {}",
                 connections_.size() >= kMaximumConnections ? "too many" : "not of root");
    ::close(result);
  } else {
    connections_.push_back(std::make_unique<Connection>(*this, result));
    connections_.back()->start();
  }
  accept();
}

void ControlSocket::ended(Connection& connection) {
  connections_.remove_if([&](const auto& one) { return one.get() == &connection; });
  stopped_if_over();
}

void ControlSocket::stop(io::Job done) {
  stopping_ = true;
  stopped_ = std::move(done);
  io::Executor::disarm(retry_);
  if (accept_.in_flight()) reactor_.cancel(accept_);
  for (const auto& connection : connections_) connection->close();
  stopped_if_over();
}

void ControlSocket::stopped_if_over() {
  if (stopping_ && stopped_ && connections_.empty() && !accept_.in_flight()) std::exchange(stopped_, nullptr)();
}

}  // namespace uscst::control
