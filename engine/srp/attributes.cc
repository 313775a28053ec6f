// What targets and sessions of ib_srpt have in the tree beyond the common attributes.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/base/cpu_mask.h"
#include "engine/srp/driver.h"

namespace uscst::srp {
namespace {

using target::Attribute;
using target::KeyRule;
using target::Session;
using target::Target;
using Text = base::Result<std::string>;

const Driver& driver_of(const Target& target) { return static_cast<const Driver&>(target.driver()); }
const Driver::Port& port_of(const Target& target) { return driver_of(target).port_of(target); }
Driver::Port& port_of(Target& target) { return static_cast<Driver&>(target.driver()).port_of(target); }
const Channel& channel_of(const Session& session) { return static_cast<const Channel&>(*session.transport); }

Text show_login_info(const Target& target) {
  std::uint64_t guid = driver_of(target).service_guid();
  std::string dgid = port_of(target).info.gid;
  std::erase(dgid, ':');
  return fmt::format("tid_ext={0:016x},ioc_guid={0:016x},pkey=ffff,dgid={1},service_id={0:016x}", guid, dgid);
}

// E2BIG from 65 characters on, the newline among them; white space at the end is cut.
base::Status store_port_id(Target& target, std::string_view text) {
  constexpr std::size_t kMaximumLength = 64;
  if (text.size() > kMaximumLength) {
    return base::fail(E2BIG, fmt::format("target {}: port_id of {} characters, {} are the most", target.name(),
                                         text.size(), kMaximumLength));
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  port_of(target).port_id = text;
  return {};
}

// Which shards new channels go to, as SCST's go to completion vectors. EOVERFLOW for vectors that are not there.
base::Status store_vectors(Target& target, std::string_view text) {
  auto mask = base::parse_cpu_mask(text, driver_of(target).vectors());
  if (!mask) return std::unexpected(mask.error());
  if (mask->find_first_not_of("0,") == std::string::npos) {
    return base::fail(EINVAL, fmt::format("target {}: comp_v_mask needs one bit at least", target.name()));
  }
  port_of(target).vectors = *mask;
  return {};
}

Text show_vector(const Session& session) {
  const auto& shards = driver_of(session.target()).shards();
  const auto at = std::ranges::find(shards, &channel_of(session).shard());
  return std::to_string(at - shards.begin());
}

constexpr std::array<Attribute<Target>, 5> kTargetAttributes{{
    {.name = "comp_v_mask",
     .mode = 0644,
     .key = KeyRule::kAlways,
     .show = [](const Target& t) -> Text { return port_of(t).vectors; },
     .store = store_vectors},
    {.name = "device", .show = [](const Target& t) -> Text { return port_of(t).info.device; }},
    {.name = "link_layer", .show = [](const Target& t) -> Text { return port_of(t).info.link_layer; }},
    {.name = "login_info", .show = show_login_info},
    {.name = "port_id",
     .mode = 0644,
     .key = KeyRule::kWhenNotDefault,
     .default_value = "SCST SRP target",
     .show = [](const Target& t) -> Text { return port_of(t).port_id; },
     .store = store_port_id},
}};

constexpr std::array<Attribute<Session>, 4> kSessionAttributes{{
    {.name = "ch_state", .show = [](const Session& s) -> Text { return std::string(name_of(channel_of(s).state())); }},
    {.name = "comp_vector", .show = show_vector},
    {.name = "req_lim", .show = [](const Session& s) -> Text { return std::to_string(channel_of(s).request_limit()); }},
    {.name = "req_lim_delta",
     .show = [](const Session& s) -> Text { return std::to_string(channel_of(s).request_limit_delta()); }},
}};

}  // namespace

std::span<const Attribute<Target>> Driver::target_attributes() const { return kTargetAttributes; }
std::span<const Attribute<Session>> Channel::attributes() const { return kSessionAttributes; }

}  // namespace uscst::srp
