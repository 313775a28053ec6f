// A socket as an owned descriptor, and the options that every connection of the fabric gets.
#pragma once

#include <unistd.h>

#include <chrono>
#include <utility>

#include "engine/base/result.h"

namespace uscst::fabric::iwarp {

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() { close(); }

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

// iWARP itself has no keepalive: without these a dead peer would never be noticed.
struct Liveness {
  std::chrono::seconds keepalive_idle{30};
  std::chrono::seconds keepalive_interval{10};
  int keepalive_probes = 3;
  std::chrono::milliseconds unacknowledged{60'000};  // TCP_USER_TIMEOUT: also ends a peer that never reads
};

// TCP_NODELAY, keepalive, user timeout. Options that the system does not have are left out.
void configure(const Socket& socket, const Liveness& liveness);

// The MULPDU of the connection's TCP segments: EMSS - (6 + EMSS mod 4) (RFC 5044 4.5), within the bounds of an FPDU.
std::size_t segment_ulpdu_bytes(const Socket& socket);

// Sends a frame on a connection that has sent nothing yet: its buffer has room for it. The errno of send(2).
base::Status send_frame(const Socket& socket, const void* bytes, std::size_t size);

}  // namespace uscst::fabric::iwarp
