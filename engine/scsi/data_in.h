// A growing data-in buffer: what the builders of INQUIRY, mode pages and the like append to. A value, used by one
// function.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/bytes.h"

namespace uscst::scsi {

class DataIn {
 public:
  void u8(unsigned value) { bytes_.push_back(static_cast<std::uint8_t>(value & 0xFF)); }
  void u16(unsigned value) { number(value, 2); }
  void u24(std::uint32_t value) { number(value, 3); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void zeros(std::size_t count) { bytes_.resize(bytes_.size() + count); }
  void bytes(base::Bytes source) { bytes_.insert(bytes_.end(), source.begin(), source.end()); }
  void text(std::string_view text) { bytes(base::as_bytes(text)); }

  // Exactly `width` bytes: cut, or filled up with `fill`.
  void padded(std::string_view value, std::size_t width, char fill = ' ') {
    text(value.substr(0, width));
    bytes_.resize(bytes_.size() + width - std::min(width, value.size()), static_cast<std::uint8_t>(fill));
  }
  // Zeroes up to an absolute offset: SCSI structures give positions, not gaps.
  void zeros_to(std::size_t offset) {
    if (bytes_.size() < offset) bytes_.resize(offset);
  }

  // Fields whose value is known only once what follows is written.
  void set_u8(std::size_t offset, unsigned value) { bytes_.at(offset) = static_cast<std::uint8_t>(value & 0xFF); }
  void set_u16(std::size_t offset, std::size_t value) {
    set_u8(offset, static_cast<unsigned>(value >> 8) & 0xFF);
    set_u8(offset + 1, static_cast<unsigned>(value) & 0xFF);
  }
  void set_u32(std::size_t offset, std::size_t value) {
    set_u16(offset, value >> 16 & 0xFFFF);
    set_u16(offset + 2, value & 0xFFFF);
  }

  std::size_t size() const { return bytes_.size(); }
  std::vector<std::uint8_t> take() && { return std::move(bytes_); }
  std::vector<std::uint8_t> cut(std::uint64_t allocation_length) && {
    if (bytes_.size() > allocation_length) bytes_.resize(static_cast<std::size_t>(allocation_length));
    return std::move(bytes_);
  }

 private:
  void number(std::uint64_t value, int width) {
    for (int i = width; i-- > 0;) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i) & 0xFF));
  }
  std::vector<std::uint8_t> bytes_;
};

}  // namespace uscst::scsi
