#include "engine/scsi/mode_pages.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#include "engine/scsi/data_in.h"
#include "engine/scsi/mode_page_layout.h"

namespace uscst::scsi {
namespace {

using namespace mode_layout;

enum class PageControl : std::uint8_t { kCurrent, kChangeable, kDefault, kSaved };

constexpr std::uint8_t kAllPages = 0x3F;
constexpr std::uint8_t kWriteProtectedBit = 0x80;
constexpr std::uint8_t kDpoFua = 0x10;
constexpr std::uint32_t kHeads = 255;
constexpr std::uint32_t kSectors = 56;

constexpr std::array<std::uint8_t, 7> kDiskPages{0x01, 0x02, 0x03, kCachingPage, kControlPage, 0x1C, 0x04};
constexpr std::array<std::uint8_t, 3> kCdromPages{0x01, kControlPage, 0x1C};

std::span<const std::uint8_t> pages_of(DeviceType type) {
  if (type == DeviceType::kDisk) return kDiskPages;
  return kCdromPages;
}

const ModePages& values(const ModeDevice& device, PageControl control) {
  switch (control) {
    case PageControl::kDefault: return device.defaults;
    case PageControl::kSaved: return device.saved;
    default: return device.current;
  }
}

// A page that nobody can change: its bytes, or zeroes behind the header as changeable mask.
void fixed_page(DataIn& data, PageControl control, std::uint8_t page, std::uint8_t length,
                std::initializer_list<std::uint8_t> content) {
  const std::size_t start = data.size();
  data.u8(page);
  data.u8(length);
  if (control != PageControl::kChangeable) data.bytes({content.begin(), content.size()});
  data.zeros_to(start + 2 + length);
}

// 03h, obsolete, but read by old partitioning tools.
void format_device_page(DataIn& data, PageControl control, const DeviceTraits& traits) {
  const std::uint32_t size = traits.block_size();
  fixed_page(data, control, 0x03, 0x16,
             {0, 0, 0, 0, 0, 0, 0, 0, 0, kSectors, static_cast<std::uint8_t>(size >> 8),
              static_cast<std::uint8_t>(size & 0xFF), 0, 0, 0, 0, 0, 0, 0x40});
}

void geometry_page(DataIn& data, PageControl control, std::uint64_t block_count) {
  constexpr std::uint64_t kPerCylinder = std::uint64_t{kHeads} * kSectors;
  const std::uint64_t cylinders = block_count / kPerCylinder + (block_count % kPerCylinder != 0 ? 1 : 0);
  auto byte = [cylinders](int shift) { return static_cast<std::uint8_t>(cylinders >> shift & 0xFF); };
  fixed_page(data, control, 0x04, 0x16,
             {byte(16), byte(8), byte(0), kHeads, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3A, 0x98});
}

void caching_page(DataIn& data, PageControl control, const ModeDevice& device) {
  const std::size_t start = data.size();
  data.u8(kCachingPage | (device.saving_possible && !device.nv_cache ? kSavable : 0u));
  data.u8(kCachingLength);
  if (control == PageControl::kChangeable) {
    data.u8(device.changeable && !device.nv_cache ? kWce : 0u);
  } else {
    data.u8(values(device, control).caching.wce && !device.nv_cache ? kWce : 0u);
    data.zeros_to(start + 12);
    data.u8(0x80);  // FSW
    data.u8(0x14);  // cache segments
  }
  data.zeros_to(start + 2 + kCachingLength);
}

void control_page(DataIn& data, PageControl control, const ModeDevice& device) {
  const std::size_t start = data.size();
  data.u8(kControlPage | (device.saving_possible ? kSavable : 0u));
  data.u8(kControlLength);
  if (control == PageControl::kChangeable) {
    if (device.changeable) data.bytes(kControlChangeable);
  } else {
    const ControlState& state = values(device, control).control;
    data.u8(unsigned{state.tst} << 5 | (state.tmf_only ? kTmfOnly : 0u) | (state.dpicz ? kDpicz : 0u) |
            (state.d_sense ? kDSense : 0u));
    data.u8(unsigned{state.qam} << 4 | unsigned{state.qerr} << 1);
    data.u8(state.swp ? kSwp : 0u);
    data.u8((device.application_tag_owner ? kAto : 0u) | (state.tas ? kTas : 0u));
    data.zeros_to(start + 10);
    data.u16(0x024B);  // extended self-test completion time
  }
  data.zeros_to(start + 2 + kControlLength);
}

void append_page(DataIn& data, std::uint8_t page, PageControl control, const ModeDevice& device) {
  switch (page) {
    case 0x01: fixed_page(data, control, page, 0x0A, {0xC0, 0x01, 0, 0, 0, 0, 0x01, 0, 0xFF, 0xFF}); break;
    case 0x02: fixed_page(data, control, page, 0x0E, {0x80, 0x80, 0, 0x0A}); break;
    case 0x03: format_device_page(data, control, device.traits); break;
    case 0x04: geometry_page(data, control, device.block_count); break;
    case kCachingPage: caching_page(data, control, device); break;
    case kControlPage: control_page(data, control, device); break;
    case 0x1C: fixed_page(data, control, page, 0x0A, {0x08}); break;
    default: break;
  }
}

// The header, with the mode data length left 0, and the block descriptor.
void append_header(DataIn& data, const ModeDevice& device, bool six, bool with_descriptor) {
  const bool disk = device.traits.type == DeviceType::kDisk;
  const bool protect = device.read_only || (disk && device.current.control.swp);
  const unsigned specific = (protect ? kWriteProtectedBit : 0u) | (disk ? kDpoFua : 0u);
  const unsigned descriptor_length = with_descriptor ? kBlockDescriptorLength : 0u;
  data.zeros(six ? 1 : 2);
  data.u8(static_cast<unsigned>(device.traits.type));  // medium type
  data.u8(specific);
  if (six) {
    data.u8(descriptor_length);
  } else {
    data.zeros(2);
    data.u16(descriptor_length);
  }
  if (!with_descriptor) return;
  data.u32(static_cast<std::uint32_t>(std::min<std::uint64_t>(device.block_count, 0xFFFFFFFF)));
  data.u8(0);
  data.u24(device.traits.block_size());
}

}  // namespace

SenseResult<std::vector<std::uint8_t>> mode_sense(const DecodedCdb& cdb, const ModeDevice& device) {
  if (cdb.data_length_bytes == 0) return std::vector<std::uint8_t>();  // GOOD, whatever page is asked for
  const bool six = cdb.row->cdb_length == 6;
  const auto control = static_cast<PageControl>(cdb.bytes[2] >> 6);
  const std::uint8_t page = cdb.bytes[2] & 0x3F;
  const auto pages = pages_of(device.traits.type);
  if (cdb.bytes[3] != 0) return bad_cdb(3);  // no sub-pages
  if (page != kAllPages && std::find(pages.begin(), pages.end(), page) == pages.end()) return bad_cdb(2, 0);
  if (control == PageControl::kSaved && !device.saving_possible) return refuse(kSavingParametersNotSupported);
  DataIn data;
  append_header(data, device, six, (cdb.bytes[1] & 0x08) == 0);
  for (std::uint8_t each : pages) {
    if (page == kAllPages || page == each) append_page(data, each, control, device);
  }
  if (six) {
    data.set_u8(0, static_cast<unsigned>(data.size() - 1));
  } else {
    data.set_u16(0, data.size() - 2);
  }
  return std::move(data).cut(cdb.data_length_bytes);
}

}  // namespace uscst::scsi
