#include "engine/local/session.h"

#include <fmt/format.h>

#include <algorithm>

namespace uscst::local {
namespace {

// SPC-5 7.6.4.9 with SCST's address of no vendor, 5feede40 xfade050: `x` is the session's number.
std::string make_transport_id(unsigned number) {
  std::string id("\x06\0\0\0\x5F\xEE\xDE\0\0\xAD\xE0\x50", 12);
  id[7] = static_cast<char>(0x40 | (number >> 4 & 0xF));
  id[8] = static_cast<char>(0x0F | (number << 4 & 0xF0));
  id.resize(24, '\0');
  return id;
}

}  // namespace

Session::Session(target::Shard& shard, unsigned number, unsigned host_number)
    : LocalSession(shard), transport_id(make_transport_id(number)), host_number_(host_number) {}

// Where the SCSI host of the session would be. There is none: initiators on this host use the control socket.
std::vector<target::SessionTransport::Link> Session::links() const {
  if (!session()) return {};
  std::string device = session()->name();
  std::ranges::replace(device, '/', '!');
  return {{"host", fmt::format("devices/scst_local/{0}/host{1}/scsi_host/host{1}", device, host_number_)}};
}

}  // namespace uscst::local
