#include "engine/fabric/iwarp/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace uscst::fabric::iwarp {
namespace {

std::string groups_text(std::span<const std::uint8_t, 16> bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    text += fmt::format("{}{:02x}{:02x}", i == 0 ? "" : ":", bytes[i], bytes[i + 1]);
  return text;
}

template <class T>
T as(const SocketAddress& address) {
  T out{};
  std::memcpy(&out, &address.storage, sizeof(T));
  return out;
}

template <class T>
SocketAddress from(const T& specific) {
  SocketAddress address;
  std::memcpy(&address.storage, &specific, sizeof(T));
  address.length = sizeof(T);
  return address;
}

Address name_of(int fd, int (*ask)(int, sockaddr*, socklen_t*)) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  if (ask(fd, address.get(), &address.length) != 0) return {};
  return format_address(address);
}

void add_entry(const ifaddrs& entry, Interface& into) {
  into.up = (entry.ifa_flags & IFF_UP) != 0;
  into.loopback = (entry.ifa_flags & IFF_LOOPBACK) != 0;
  if (entry.ifa_addr == nullptr) return;
  switch (entry.ifa_addr->sa_family) {
    case AF_PACKET: {
      sockaddr_ll link;
      std::memcpy(&link, entry.ifa_addr, sizeof(link));
      if (link.sll_halen == into.mac.size()) std::copy_n(link.sll_addr, into.mac.size(), into.mac.begin());
      break;
    }
    case AF_INET:
    case AF_INET6: {
      SocketAddress address;
      address.length = entry.ifa_addr->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
      std::memcpy(&address.storage, entry.ifa_addr, address.length);
      into.addresses.push_back(format_address(address).host);
      break;
    }
    default: break;
  }
}

}  // namespace

const sockaddr* SocketAddress::get() const { return static_cast<const sockaddr*>(static_cast<const void*>(&storage)); }
sockaddr* SocketAddress::get() { return static_cast<sockaddr*>(static_cast<void*>(&storage)); }

base::Result<SocketAddress> parse_address(const Address& address) {
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    return from(v4);
  }
  const std::size_t percent = address.host.find('%');
  sockaddr_in6 v6{};
  if (percent != std::string::npos) {
    v6.sin6_scope_id = ::if_nametoindex(address.host.c_str() + percent + 1);
    if (v6.sin6_scope_id == 0) return base::fail(ENODEV, fmt::format("address {}: no such interface", address.host));
  }
  if (::inet_pton(AF_INET6, address.host.substr(0, percent).c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    return from(v6);
  }
  return base::fail(EINVAL, fmt::format("address {}: neither IPv4 nor IPv6", address.host));
}

Address format_address(const SocketAddress& address) {
  if (address.family() == AF_INET) {
    const auto v4 = as<sockaddr_in>(address);
    const std::uint32_t host = ntohl(v4.sin_addr.s_addr);
    return {fmt::format("{}.{}.{}.{}", host >> 24, host >> 16 & 0xFF, host >> 8 & 0xFF, host & 0xFF),
            ntohs(v4.sin_port)};
  }
  if (address.family() != AF_INET6) return {};
  const auto v6 = as<sockaddr_in6>(address);
  return {groups_text(std::span<const std::uint8_t, 16>(v6.sin6_addr.s6_addr)), ntohs(v6.sin6_port)};
}

Address local_address(int fd) { return name_of(fd, ::getsockname); }
Address peer_address(int fd) { return name_of(fd, ::getpeername); }

base::Result<std::vector<Interface>> interfaces() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return base::fail(errno, fmt::format("getifaddrs: {}", std::strerror(errno)));
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(first, ::freeifaddrs);
  std::vector<Interface> found;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    auto at = std::ranges::find(found, std::string_view(entry->ifa_name), &Interface::name);
    if (at == found.end()) {
      Interface fresh;
      fresh.name = entry->ifa_name;
      at = found.insert(found.end(), std::move(fresh));
    }
    add_entry(*entry, *at);
  }
  return found;
}

std::string gid_text(const MacAddress& mac) {
  std::array<std::uint8_t, 16> gid{};
  std::ranges::copy(mac, gid.begin());
  return groups_text(gid);
}

std::uint64_t service_guid(const MacAddress& mac) {
  const std::array<std::uint8_t, 8> eui{
      static_cast<std::uint8_t>(mac[0] ^ 0x02), mac[1], mac[2], 0xFF, 0xFE, mac[3], mac[4], mac[5]};
  std::uint64_t guid = 0;
  for (std::uint8_t byte : eui) guid = guid << 8 | byte;
  return guid & 0x00FF'FFFF'FFFF'FFFF;  // IB CM refuses service ids whose top byte is 2
}

}  // namespace uscst::fabric::iwarp
