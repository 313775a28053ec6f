// Bounds-checked reading and writing of byte buffers: the only way that bytes from outside become values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/base/byte_order.h"

namespace uscst::base {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

// Reads forward through a buffer that it does not own. A read past the end yields nothing and leaves the position.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  std::size_t left() const { return bytes_.size() - position_; }
  std::size_t position() const { return position_; }

  // A wire structure of be<> fields and byte arrays.
  template <class T>
    requires(std::is_trivially_copyable_v<T> && alignof(T) == 1)
  std::optional<T> read() {
    if (left() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }
  std::optional<std::uint8_t> u8() { return read<std::uint8_t>(); }
  std::optional<std::uint16_t> u16() { return number<std::uint16_t>(); }
  std::optional<std::uint32_t> u32() { return number<std::uint32_t>(); }
  std::optional<std::uint64_t> u64() { return number<std::uint64_t>(); }
  std::optional<Bytes> bytes(std::size_t length) {
    if (left() < length) return std::nullopt;
    Bytes part = bytes_.subspan(position_, length);
    position_ += length;
    return part;
  }
  bool skip(std::size_t length) { return bytes(length).has_value(); }
  Bytes rest() const { return bytes_.subspan(position_); }

 private:
  template <class T>
  std::optional<T> number() {
    auto field = read<be<T>>();
    if (!field) return std::nullopt;
    return field->value();
  }

  Bytes bytes_;
  std::size_t position_ = 0;
};

// Writes forward into a buffer that it does not own; what does not fit is dropped and remembered in overflowed().
class Writer {
 public:
  explicit Writer(MutableBytes bytes) : bytes_(bytes) {}

  template <class T>
    requires(std::is_trivially_copyable_v<T> && alignof(T) == 1)
  void write(const T& value) {
    if (MutableBytes room = claim(sizeof(T)); !room.empty()) std::memcpy(room.data(), &value, sizeof(T));
  }
  void u8(std::uint8_t value) { write(value); }
  void u16(std::uint16_t value) { write(be16{value}); }
  void u32(std::uint32_t value) { write(be32{value}); }
  void u64(std::uint64_t value) { write(be64{value}); }
  void bytes(Bytes source) {
    if (source.empty()) return;
    if (MutableBytes room = claim(source.size()); !room.empty()) std::memcpy(room.data(), source.data(), source.size());
  }
  void zeros(std::size_t length) {
    if (length == 0) return;
    if (MutableBytes room = claim(length); !room.empty()) std::memset(room.data(), 0, length);
  }

  std::size_t position() const { return position_; }
  bool overflowed() const { return overflowed_; }
  Bytes written() const { return bytes_.first(position_); }

 private:
  MutableBytes claim(std::size_t length) {
    if (bytes_.size() - position_ < length) {
      overflowed_ = true;
      return {};
    }
    MutableBytes room = bytes_.subspan(position_, length);
    position_ += length;
    return room;
  }

  MutableBytes bytes_;
  std::size_t position_ = 0;
  bool overflowed_ = false;
};

// The bytes of a wire structure, to be sent or compared.
template <class T>
  requires(std::is_trivially_copyable_v<T> && alignof(T) == 1)
std::vector<std::uint8_t> to_bytes(const T& value) {
  std::vector<std::uint8_t> out(sizeof(T));
  std::memcpy(out.data(), &value, sizeof(T));
  return out;
}

// Text seen as bytes and the reverse; nothing is copied.
Bytes as_bytes(std::string_view text);
std::string_view as_text(Bytes bytes);

// Lower-case hex without separators; parse_hex takes digits of either case, blanks between them ignored.
std::string to_hex(Bytes bytes);
std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text);

}  // namespace uscst::base
