// Addresses as text and the network interfaces of the machine, by which iWARP targets are named. Pure functions; any
// thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/fabric/fabric.h"

namespace uscst::fabric::iwarp {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  int family() const { return storage.ss_family; }
  const sockaddr* get() const;
  sockaddr* get();
};

// From text: IPv4, or IPv6 in any form, with %interface for link-local ones. EINVAL for anything else (names are not
// looked up).
base::Result<SocketAddress> parse_address(const Address& address);
// To text: IPv4 dotted, IPv6 as eight groups of four lower-case hex digits (the kernel's %pI4 and %pI6).
Address format_address(const SocketAddress& address);
// The two ends of a connected or listening socket.
Address local_address(int fd);
Address peer_address(int fd);

using MacAddress = std::array<std::uint8_t, 6>;

struct Interface {
  std::string name;
  MacAddress mac{};  // zero where there is none
  bool up = false, loopback = false;
  std::vector<std::string> addresses;  // as format_address() writes them
};
// In the order of the system. The errno of getifaddrs(3).
base::Result<std::vector<Interface>> interfaces();

// GID 0 of an iWARP port: the MAC and ten zero bytes, as SCST names the target by it ("5254:0012:3456:0000:...").
std::string gid_text(const MacAddress& mac);
// The service GUID: EUI-64 of the MAC with the U/L bit flipped and the top byte masked (reference srp.md 4.1).
std::uint64_t service_guid(const MacAddress& mac);

}  // namespace uscst::fabric::iwarp
