#include "engine/base/numbers.h"

#include <fmt/format.h>

#include <limits>

namespace uscst::base {
namespace {

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

// Takes the prefix that names the base off `digits`.
int detect_base(std::string_view& digits, int base) {
  bool hex =
      digits.size() > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') && digit_value(digits[2]) < 16;
  if (base == 0) base = hex ? 16 : digits.size() > 1 && digits[0] == '0' ? 8 : 10;
  if (base == 16 && hex) digits.remove_prefix(2);
  return base;
}

Result<std::uint64_t> parse_magnitude(std::string_view digits, int base, std::string_view whole) {
  base = detect_base(digits, base);
  if (digits.ends_with('\n')) digits.remove_suffix(1);
  if (digits.empty()) return fail(EINVAL, fmt::format("'{}' is not a number", whole));
  std::uint64_t value = 0;
  bool overflow = false;
  for (char c : digits) {
    int digit = digit_value(c);
    if (digit >= base) return fail(EINVAL, fmt::format("'{}' is not a number", whole));
    overflow |= __builtin_mul_overflow(value, static_cast<std::uint64_t>(base), &value);
    overflow |= __builtin_add_overflow(value, static_cast<std::uint64_t>(digit), &value);
  }
  if (overflow) return fail(ERANGE, fmt::format("'{}' does not fit 64 bits", whole));
  return value;
}

}  // namespace

Result<std::uint64_t> parse_unsigned(std::string_view text, int base) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  return parse_magnitude(digits, base, text);
}

Result<std::int64_t> parse_signed(std::string_view text, int base) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!text.starts_with('-')) {
    auto value = parse_unsigned(text, base);
    if (!value) return std::unexpected(value.error());
    if (*value > kMax) return fail(ERANGE, fmt::format("'{}' does not fit 63 bits", text));
    return static_cast<std::int64_t>(*value);
  }
  auto magnitude = parse_magnitude(text.substr(1), base, text);
  if (!magnitude) return std::unexpected(magnitude.error());
  if (*magnitude > kMax + 1) return fail(ERANGE, fmt::format("'{}' does not fit 63 bits", text));
  return static_cast<std::int64_t>(0 - *magnitude);
}

Result<bool> parse_bool(std::string_view text) {
  char first = text.empty() ? '\0' : text[0];
  char second = text.size() < 2 ? '\0' : text[1];
  switch (first) {
    case 'y':
    case 'Y':
    case 't':
    case 'T':
    case '1': return true;
    case 'n':
    case 'N':
    case 'f':
    case 'F':
    case '0': return false;
    case 'o':
    case 'O':
      if (second == 'n' || second == 'N') return true;
      if (second == 'f' || second == 'F') return false;
      break;
    default: break;
  }
  return fail(EINVAL, fmt::format("'{}' is neither y, n, 1, 0, on nor off", text));
}

}  // namespace uscst::base
