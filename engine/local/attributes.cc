// What scst_local, its targets and its sessions have in the tree beyond the common attributes.
#include <fmt/format.h>

#include "engine/base/numbers.h"
#include "engine/local/driver.h"

namespace uscst::local {
namespace {

using target::Attribute;
using target::KeyRule;
using target::Target;
using Text = base::Result<std::string>;
using VersionWord = std::atomic<std::uint16_t> Target::*;

constexpr std::uint16_t kSas = 0x0BE0;

const Session& session_of(const target::Session& session) { return static_cast<const Session&>(*session.transport); }
Session& session_of(target::Session& session) { return static_cast<Session&>(*session.transport); }

Text show_statistics(const target::Driver& driver) {
  const Driver::Statistics& s = static_cast<const Driver&>(driver).statistics;
  return fmt::format("Aborts: {}, Device Resets: {}, Target Resets: {}", s.aborts, s.device_resets, s.target_resets);
}

template <VersionWord word>
Text show_version(const Target& target) {
  return fmt::format("{:#x}", (target.*word).load());
}

// 16 bits of what is written, as SCST keeps them.
base::Result<std::uint16_t> parse_version(std::string_view text) {
  auto number = base::parse_unsigned(text);
  if (!number) return std::unexpected(number.error());
  return static_cast<std::uint16_t>(*number);
}

base::Status store_physical(Target& target, std::string_view text) {
  auto version = parse_version(text);
  if (!version) return std::unexpected(version.error());
  target.physical_transport_version = *version;
  return {};
}

// 0 makes it what it was at first.
constexpr std::string_view kProtocolName = "scsi_transport_version";
base::Status store_protocol(Target& target, std::string_view text) {
  auto version = parse_version(text);
  if (!version) return std::unexpected(version.error());
  target.transport_version = *version == 0 ? kSas : *version;
  if (*version == 0) {
    target.written.erase(kProtocolName);
  } else {
    target.written.insert(kProtocolName);
  }
  return {};
}

constexpr Attribute<target::Driver> kDriverAttributes[] = {
    {.name = "stats", .show = show_statistics},
    {.name = "version", .show = [](const target::Driver&) -> Text { return "3.11.0-pre/20110901\nTRACING"; }},
};

constexpr Attribute<Target> kTargetAttributes[] = {
    {.name = "phys_transport_version",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "0x0",
     .show = show_version<&Target::physical_transport_version>,
     .store = store_physical},
    // Also SAS has a key when it was written.
    {.name = kProtocolName,
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .show = show_version<&Target::transport_version>,
     .store = store_protocol,
     .default_of = [](const Target& t) { return std::string(t.written.contains(kProtocolName) ? "" : "0xbe0"); }},
};

constexpr Attribute<target::Session> kSessionAttributes[] = {
    {.name = "host_no",
     .show = [](const target::Session& s) -> Text { return fmt::format("{}", session_of(s).host_number()); }},
    {.name = "transport_id",
     .mode = 0644,
     .layout = target::Layout::kRaw,
     .show = [](const target::Session& s) -> Text { return session_of(s).transport_id; },
     .store = [](target::Session& s, std::string_view text) -> base::Status {
       session_of(s).transport_id = text;
       return {};
     },
     .takes_nuls = true},
};

}  // namespace

std::span<const Attribute<target::Driver>> Driver::attributes() const { return kDriverAttributes; }
std::span<const Attribute<Target>> Driver::target_attributes() const { return kTargetAttributes; }
std::span<const Attribute<target::Session>> Session::attributes() const { return kSessionAttributes; }

}  // namespace uscst::local
