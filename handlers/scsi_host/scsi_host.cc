#include "handlers/scsi_host/scsi_host.h"

#include <fmt/format.h>

#include <charconv>

namespace uscst::handlers {
namespace {

template <class Number>
bool read_number(std::string_view& text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

template <class Number>
bool read_field(std::string_view& text, Number& number) {
  if (!read_number(text, number) || !text.starts_with(':')) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<ScsiAddress> ScsiAddress::parse(std::string_view text) {
  ScsiAddress address;
  const bool whole = read_field(text, address.host) && read_field(text, address.channel) &&
                     read_field(text, address.id) && read_number(text, address.lun);
  if (!whole || !text.empty()) return std::nullopt;
  return address;
}

void ScsiCall::ended(int) {
  if (host_device) host_device->call_ended(*this);
  done_();
}

std::string ScsiAddress::text() const { return fmt::format("{}:{}:{}:{}", host, channel, id, lun); }

}  // namespace uscst::handlers
