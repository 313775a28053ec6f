// What targets and sessions of ib_srpt have in the tree beyond the common attributes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

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

// E2BIG from 64 characters on; white space at the end is cut.
base::Status store_port_id(Target& target, std::string_view text) {
  constexpr std::size_t kMaximumLength = 64;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  if (text.size() > kMaximumLength) {
    return base::fail(E2BIG, fmt::format("target {}: port_id of {} characters, {} are the most", target.name(),
                                         text.size(), kMaximumLength));
  }
  port_of(target).port_id = text;
  return {};
}

// As the kernel prints a mask of so many bits: words of 32 bits.
std::string mask_text(std::uint64_t mask, unsigned bits) {
  const unsigned high_bits = bits > 32 ? bits - 32 : 0;
  auto digits = [](unsigned count) { return (count + 3) / 4; };
  if (high_bits == 0) return fmt::format("{:0{}x}", mask, digits(bits));
  return fmt::format("{:0{}x},{:08x}", mask >> 32, digits(high_bits), mask & 0xFFFFFFFF);
}

base::Status store_completion_vectors(Target& target, std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (text.empty() || text.find_first_not_of("0123456789abcdefABCDEF,") != std::string_view::npos) {
    return base::fail(EINVAL, fmt::format("target {}: comp_v_mask '{}' is no bit mask", target.name(), text));
  }
  std::string digits(text);
  std::erase(digits, ',');
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty())
    return base::fail(EINVAL, fmt::format("target {}: comp_v_mask needs one bit at least", target.name()));
  constexpr std::size_t kDigits = 16;
  std::uint64_t mask = 0;
  std::from_chars(digits.data(), digits.data() + std::min(digits.size(), kDigits), mask, 16);
  if (digits.size() > kDigits || (mask & ~driver_of(target).all_completion_vectors()) != 0) {
    return base::fail(EOVERFLOW, fmt::format("target {}: comp_v_mask {}: there are {} vectors", target.name(), text,
                                             driver_of(target).completion_vectors()));
  }
  port_of(target).completion_vectors = mask;
  return {};
}

constexpr std::array<Attribute<Target>, 5> kTargetAttributes{{
    {.name = "comp_v_mask",
     .mode = 0644,
     .key = KeyRule::kAlways,
     .show = [](const Target& t) -> Text {
       return mask_text(port_of(t).completion_vectors, driver_of(t).completion_vectors());
     },
     .store = store_completion_vectors},
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
    {.name = "comp_vector",
     .show = [](const Session& s) -> Text { return std::to_string(channel_of(s).completion_vector()); }},
    {.name = "req_lim", .show = [](const Session& s) -> Text { return std::to_string(channel_of(s).request_limit()); }},
    {.name = "req_lim_delta",
     .show = [](const Session& s) -> Text { return std::to_string(channel_of(s).request_limit_delta()); }},
}};

}  // namespace

std::span<const Attribute<Target>> Driver::target_attributes() const { return kTargetAttributes; }
std::span<const Attribute<Session>> Channel::attributes() const { return kSessionAttributes; }

}  // namespace uscst::srp
