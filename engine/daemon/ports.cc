#include "engine/daemon/ports.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "engine/base/crc32c.h"
#include "engine/base/numbers.h"

namespace uscst::daemon {
namespace {

using fabric::iwarp::Interface;
using fabric::iwarp::MacAddress;

constexpr std::string_view kServiceGuid = "service_guid";
constexpr std::string_view kMachine = "machine";  // the port of a machine that has no interface to name it by

// One "key value" line for each name given out.
class KeptNames {
 public:
  explicit KeptNames(std::string path) : path_(std::move(path)) {
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string key, value;
      if (line.starts_with('#') || !(words >> key >> value)) continue;
      values_[key] = value;
    }
  }
  // The value kept under the key, or this one from now on.
  std::string keep(std::string_view key, const std::string& fresh) {
    auto [at, added] = values_.try_emplace(std::string(key), fresh);
    changed_ = changed_ || added;
    return at->second;
  }
  // Whole or not at all: written beside, then renamed over.
  base::Status save() const {
    if (!changed_) return {};
    std::string beside = path_ + ".new";
    std::FILE* file = std::fopen(beside.c_str(), "we");
    if (!file) return base::fail(errno, fmt::format("{}: {}", beside, std::strerror(errno)));
    std::string text = "# Names of target ports, kept so that initiators find them again.\n";
    for (const auto& [key, value] : values_) text += fmt::format("{} {}\n", key, value);
    bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0 &&
                   fsync(fileno(file)) == 0;
    int error = errno;
    std::fclose(file);
    if (!written) return base::fail(error, fmt::format("{}: {}", beside, std::strerror(error)));
    if (std::rename(beside.c_str(), path_.c_str()) != 0)
      return base::fail(errno, fmt::format("{}: {}", path_, std::strerror(errno)));
    return {};
  }

 private:
  const std::string path_;
  std::map<std::string, std::string> values_;
  bool changed_ = false;
};

// A locally administered address made of what identifies the machine.
MacAddress machine_address() {
  std::string id;
  std::ifstream("/etc/machine-id") >> id;
  if (id.empty()) {
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    id = host.data();
  }
  std::uint32_t low = base::crc32c(base::as_bytes(id)), high = base::crc32c_update(low, base::as_bytes(id));
  MacAddress mac{};
  mac[0] = 0x02;
  mac[1] = static_cast<std::uint8_t>(high);
  for (std::size_t i = 0; i < 4; ++i) mac[2 + i] = static_cast<std::uint8_t>(low >> (8 * (3 - i)));
  return mac;
}

bool has_mac(const Interface& interface) { return interface.mac != MacAddress{}; }
bool names_a_port(const Interface& interface) {
  return interface.up && !interface.loopback && has_mac(interface) && !interface.addresses.empty();
}
bool is_wildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

bool listens_on(const Options& options, const Interface& interface) {
  if (options.listen.empty()) return true;
  return std::any_of(options.listen.begin(), options.listen.end(), [&](const fabric::Address& address) {
    return is_wildcard(address.host) ||
           std::find(interface.addresses.begin(), interface.addresses.end(), address.host) != interface.addresses.end();
  });
}

bool is_gid(std::string_view name) {
  constexpr std::size_t kGidLength = 39;
  return name.size() == kGidLength && name.find_first_not_of("0123456789abcdef:") == std::string_view::npos;
}

// A port's GID ends with its GUID, which on Ethernet is the device's too: a target that is carried over keeps the
// identifiers that its initiators log in with.
std::optional<std::uint64_t> guid_in(std::string_view name) {
  if (!is_gid(name)) return std::nullopt;
  std::string digits(name.substr(20));
  std::erase(digits, ':');
  auto guid = base::parse_unsigned(digits, 16);
  return guid && *guid != 0 ? std::optional<std::uint64_t>(*guid) : std::nullopt;
}

}  // namespace

base::Result<Ports> decide_ports(const Options& options, const std::vector<Interface>& interfaces, base::Log& log) {
  KeptNames kept(options.state_directory + "/ib_srpt.ports");
  Ports result;
  std::optional<MacAddress> first_mac;
  for (const Interface& interface : interfaces) {
    if (!names_a_port(interface) || !listens_on(options, interface)) continue;
    if (!first_mac) first_mac = interface.mac;
    if (!options.targets.empty()) continue;
    std::string gid = kept.keep(interface.name, fabric::iwarp::gid_text(interface.mac));
    result.ports.push_back({gid, gid, interface.name, "Ethernet", interface.addresses});
  }
  const MacAddress machine = machine_address();
  for (const NamedTarget& target : options.targets) {
    std::string gid = is_gid(target.name) ? target.name : fabric::iwarp::gid_text(first_mac.value_or(machine));
    std::vector<std::string> addresses;
    if (!target.address.empty()) addresses.push_back(target.address);
    result.ports.push_back({target.name, gid, "uscst0", "Ethernet", addresses});
  }
  if (result.ports.empty()) {
    std::string gid = kept.keep(kMachine, fabric::iwarp::gid_text(machine));
    log.info("no network interface to name a target by: the name comes from the machine's identity");
    result.ports.push_back({gid, gid, "uscst0", "Ethernet", {}});
  }
  const auto carried_over = options.targets.empty() ? std::nullopt : guid_in(options.targets.front().name);
  const std::uint64_t fresh = carried_over.value_or(fabric::iwarp::service_guid(first_mac.value_or(machine)));
  std::string guid = kept.keep(kServiceGuid, fmt::format("{:016x}", fresh));
  auto number = base::parse_unsigned(guid, 16);
  if (!number)
    return base::fail(EINVAL, fmt::format("{}/ib_srpt.ports: service_guid '{}' is no hexadecimal number",
                                          options.state_directory, guid));
  result.service_guid = options.srpt.srpt_service_guid.value_or(*number);
  if (auto saved = kept.save(); !saved) return std::unexpected(saved.error());
  return result;
}

}  // namespace uscst::daemon
