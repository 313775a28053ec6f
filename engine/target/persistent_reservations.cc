#include "engine/target/persistent_reservations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <limits>

namespace uscst::target {
namespace {

using base::Bytes;

constexpr std::uint8_t kProtocolMask = 0x0F, kProtocolIscsi = 0x05, kFormatMask = 0xC0, kFormatWithSession = 0x40;
constexpr std::size_t kIscsiHeaderBytes = 4;
constexpr std::uint32_t kTextVersion = 1;
constexpr std::uint64_t kMaximumTextTransportIdBytes = 512;
constexpr std::size_t kMaximumShownLine = 80;

bool is_iscsi(Bytes id) { return (id[0] & kProtocolMask) == kProtocolIscsi; }

// The name of the initiator in an iSCSI TransportID of a known format, or nothing.
std::optional<std::string_view> iscsi_name(Bytes id, bool without_session) {
  const std::uint8_t format = id[0] & kFormatMask;
  if (format != 0 && format != kFormatWithSession) return std::nullopt;
  std::string_view name = base::as_text(id.subspan(kIscsiHeaderBytes));
  if (format != 0 && without_session) {
    const std::size_t comma = name.find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    return name.substr(0, comma);
  }
  return name.substr(0, name.find('\0'));
}

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// Reads a line as the kernel's sscanf() does: blanks in a pattern stand for any number of blanks, numbers may have
// blanks before them and are cut to their type.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool literal(std::string_view expected) {
    for (char c : expected) {
      if (c == ' ') {
        blanks();
      } else if (text_.starts_with(c)) {
        text_.remove_prefix(1);
      } else {
        return false;
      }
    }
    return true;
  }
  void blanks() {
    while (!text_.empty() && std::isspace(static_cast<unsigned char>(text_[0])) != 0) text_.remove_prefix(1);
  }
  template <class T>
  bool number(unsigned base, T& into, std::size_t width = std::string_view::npos) {
    blanks();
    if (text_.empty() || digit(text_[0]) >= base) return false;
    if (base == 16 && (text_.starts_with("0x") || text_.starts_with("0X"))) {
      text_.remove_prefix(2);
      width = width == std::string_view::npos ? width : width - 2;
    }
    std::uint64_t value = 0;
    for (; width > 0 && !text_.empty() && digit(text_[0]) < base; --width, text_.remove_prefix(1))
      value = value * base + digit(text_[0]);
    into = static_cast<T>(value);
    return true;
  }
  std::string_view rest() const { return text_; }

 private:
  static unsigned digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
    return std::numeric_limits<unsigned>::max();
  }
  std::string_view text_;
};

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

// "registrant PORT KEY HOLDER LENGTH TRANSPORTID"
struct RegistrantLine {
  Registrant registrant;
  std::uint32_t holder = 0, length = 0;
  std::string_view transport_id_hex;

  bool scan(std::string_view line) {
    Scanner scanner(line);
    std::uint32_t port = 0;
    if (!scanner.literal("registrant ") || !scanner.number(10, port) || !scanner.literal(" ") ||
        !scanner.number(16, registrant.key, 16) || !scanner.number(10, holder) || !scanner.number(10, length))
      return false;
    scanner.blanks();
    registrant.relative_port = static_cast<std::uint16_t>(port);
    transport_id_hex = scanner.rest();
    return true;
  }

  base::Status read_transport_id() {
    if (length == 0 || length > kMaximumTextTransportIdBytes)
      return base::fail(EINVAL, fmt::format("pr_state: a TransportID of {} bytes", length));
    if (transport_id_hex.size() < std::size_t{length} * 2)
      return base::fail(EINVAL, "pr_state: a TransportID is shorter than its line says");
    std::vector<std::uint8_t>& id = registrant.transport_id;
    for (std::uint32_t i = 0; i < length; ++i) {
      std::uint8_t byte = 0;
      if (!Scanner(transport_id_hex.substr(std::size_t{i} * 2)).number(16, byte, 2))
        return base::fail(EINVAL, fmt::format("pr_state: byte {} of a TransportID is not hex", i));
      id.push_back(byte);
    }
    auto own_length = transport_id_length(id);
    if (!own_length) return base::fail(EINVAL, "pr_state: a TransportID is longer than its line says");
    id.resize(*own_length);
    return {};
  }
};

// What the lines say that takes effect when all of them have been read.
struct Parsed {
  std::uint32_t generation = 0;
  bool reserved = false;
  std::uint8_t type = 0, scope = 0;
  std::optional<std::size_t> holder;
};

base::Status parse_line(std::string_view line, ReservationState& state, Parsed& parsed,
                        std::vector<std::string>& ignored) {
  if (Scanner scanner(line); scanner.literal("generation ") && scanner.number(10, parsed.generation)) return {};
  if (Scanner scanner(line); scanner.literal("reservation ") && scanner.number(16, parsed.type) &&
                             scanner.literal(" ") && scanner.number(16, parsed.scope)) {
    parsed.reserved = true;
    return {};
  }
  RegistrantLine found;
  if (!found.scan(line)) {
    ignored.emplace_back(line.substr(0, kMaximumShownLine));
    return {};
  }
  if (auto status = found.read_transport_id(); !status) return status;
  if (!state.add(std::move(found.registrant))) return base::fail(ENOMEM, "pr_state: a nexus is registered twice");
  if (found.holder != 0) parsed.holder = state.registrants.size() - 1;
  return {};
}

}  // namespace

std::optional<std::size_t> transport_id_length(Bytes bytes) {
  if (bytes.empty()) return std::nullopt;
  std::size_t length = kCommonTransportIdBytes;
  if (is_iscsi(bytes)) {
    if (bytes.size() < kIscsiHeaderBytes) return std::nullopt;
    length = kIscsiHeaderBytes + (std::size_t{bytes[2]} << 8 | bytes[3]);
  }
  if (bytes.size() < length) return std::nullopt;
  return length;
}

bool same_transport_id(Bytes a, Bytes b) {
  auto length_a = transport_id_length(a), length_b = transport_id_length(b);
  if (!length_a || !length_b || (a[0] & kProtocolMask) != (b[0] & kProtocolMask)) return false;
  a = a.first(*length_a);
  b = b.first(*length_b);
  if (!is_iscsi(a)) return std::ranges::equal(a, b);
  const bool formats_differ = (a[0] & kFormatMask) != (b[0] & kFormatMask);
  auto name_a = iscsi_name(a, formats_differ), name_b = iscsi_name(b, formats_differ);
  return name_a && name_b && equal_without_case(*name_a, *name_b);
}

std::optional<std::size_t> ReservationState::find(Bytes transport_id, std::uint16_t relative_port) const {
  for (std::size_t i = 0; i < registrants.size(); ++i) {
    if (registrants[i].relative_port == relative_port && same_transport_id(registrants[i].transport_id, transport_id))
      return i;
  }
  return std::nullopt;
}

bool ReservationState::is_holder(std::size_t registrant) const {
  return reserved && registrant < registrants.size() && (is_all_registrants(type) || holder == registrant);
}

bool ReservationState::add(Registrant registrant) {
  if (registrants.size() >= kMaximumRegistrants) return false;
  if (find(registrant.transport_id, registrant.relative_port)) return false;
  registrants.push_back(std::move(registrant));
  return true;
}

void ReservationState::remove(std::size_t registrant) {
  registrants.erase(registrants.begin() + static_cast<std::ptrdiff_t>(registrant));
  if (holder == registrant || registrants.empty()) return release();
  if (holder && *holder > registrant) --*holder;
}

void ReservationState::clear() {
  registrants.clear();
  release();
}

void ReservationState::reserve(std::uint8_t new_type, std::uint8_t new_scope, std::size_t registrant) {
  reserved = true;
  type = new_type;
  scope = new_scope;
  holder = is_all_registrants(new_type) ? std::nullopt : std::optional(registrant);
}

void ReservationState::release() {
  reserved = false;
  type = kReservationTypeNone;
  scope = 0;
  holder.reset();
}

std::string format_reservation_state(const ReservationState& state) {
  std::string text = fmt::format("version {}\ngeneration {}", kTextVersion, state.generation);
  if (state.reserved) text += fmt::format("\nreservation {:02x} {:02x}", state.type, state.scope);
  for (std::size_t i = 0; i < state.registrants.size(); ++i) {
    const Registrant& one = state.registrants[i];
    text += fmt::format("\nregistrant {} {:016x} {} {} {}", one.relative_port, one.key, state.is_holder(i) ? 1 : 0,
                        one.transport_id.size(), base::to_hex(one.transport_id));
  }
  return text;
}

base::Status parse_reservation_state(std::string_view text, ReservationState& state,
                                     std::vector<std::string>& ignored) {
  std::uint32_t version = 0;
  Scanner first(take_line(text));
  if (!first.literal("version ") || !first.number(10, version) || version != kTextVersion)
    return base::fail(EINVAL, "pr_state: the first line is not 'version 1'");
  state.clear();
  Parsed parsed;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty()) continue;
    if (auto status = parse_line(line, state, parsed, ignored); !status) return status;
  }
  state.generation = parsed.generation;
  if (!parsed.reserved) return {};
  if (!is_all_registrants(parsed.type) && !parsed.holder)
    return base::fail(EINVAL, "pr_state: a reservation, but no registrant holds it");
  state.reserve(parsed.type, parsed.scope, parsed.holder.value_or(0));
  return {};
}

std::vector<std::string> describe(const ReservationState& state, std::string_view device) {
  std::vector<std::string> lines{fmt::format("Persistent reservations for device {}:", device)};
  if (state.registrants.empty()) lines.emplace_back("  No registrants");
  for (std::size_t i = 0; i < state.registrants.size(); ++i) {
    const Registrant& one = state.registrants[i];
    lines.push_back(fmt::format("  [{}] registrant {}/{}, key {:016x}{}", i, base::to_hex(one.transport_id),
                                one.relative_port, one.key, state.is_holder(i) ? ", holder" : ""));
  }
  if (!state.reserved) {
    lines.emplace_back("Not reserved");
  } else if (state.holder) {
    lines.push_back(
        fmt::format("Reservation holder is [{}] (scope {:x}, type {:x})", *state.holder, state.scope, state.type));
  } else {
    lines.push_back(
        fmt::format("All registrants are reservation holders (scope {:x}, type {:x})", state.scope, state.type));
  }
  return lines;
}

std::shared_ptr<const ReservationState> PersistentReservations::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void PersistentReservations::replace(ReservationState state) {
  std::lock_guard lock(mutex_);
  publish(std::make_shared<ReservationState>(std::move(state)));
}

// With the mutex held.
void PersistentReservations::publish(std::shared_ptr<const ReservationState> state) {
  state_ = std::move(state);
  reserved_.store(state_->reserved, std::memory_order_release);
}

}  // namespace uscst::target
