#include "engine/scsi/mode_page_layout.h"
#include "engine/scsi/mode_pages.h"

namespace uscst::scsi {
namespace {

using namespace mode_layout;

constexpr std::uint8_t kPageFormat = 0x10;
constexpr std::uint8_t kSavePages = 0x01;

// One page of the list; `at` is the offset of its first byte, for field pointers.
struct Page {
  base::Bytes bytes;  // code and length byte included
  std::size_t at;
};

SenseResult<void> apply_caching(const Page& page, bool save, const ModeDevice& device, ModePages& pages) {
  if (save && (device.nv_cache || !device.saving_possible)) return bad_cdb(1, 0);
  if (!device.nv_cache) pages.caching.wce = (page.bytes[2] & kWce) != 0;
  return {};
}

SenseResult<void> apply_control(const Page& page, bool save, const ModeDevice& device, ModePages& pages) {
  if (save && !device.saving_possible) return bad_cdb(1, 0);
  const std::uint8_t tst = page.bytes[2] >> 5;
  const std::uint8_t qam = page.bytes[3] >> 4;
  const std::uint8_t qerr = page.bytes[3] >> 1 & 0x03;
  if (tst != device.current.control.tst) return bad_parameter(page.at + 2, 5);
  if (qam > 1) return bad_parameter(page.at + 3, 4);
  if (qerr == 2) return bad_parameter(page.at + 3, 1);
  ControlState& state = pages.control;
  state.tmf_only = (page.bytes[2] & kTmfOnly) != 0;
  state.dpicz = (page.bytes[2] & kDpicz) != 0;
  state.d_sense = (page.bytes[2] & kDSense) != 0;
  state.qam = qam;
  state.qerr = qerr;
  state.swp = (page.bytes[4] & kSwp) != 0;
  state.tas = (page.bytes[5] & kTas) != 0;
  return {};
}

// The header's length and the block descriptor, whose content is ignored as SCST does.
SenseResult<void> skip_header(base::Reader& list, bool six) {
  auto header = list.bytes(six ? 4 : 8);
  if (!header) return refuse(kParameterListLengthError);
  const unsigned length = six ? (*header)[3] : static_cast<unsigned>((*header)[6] << 8 | (*header)[7]);
  if (length != 0 && length != kBlockDescriptorLength) return bad_parameter(list.position() - 1);
  if (!list.skip(length)) return refuse(kParameterListLengthError);
  return {};
}

// The next page, its code and length known to be right for the device.
SenseResult<Page> next_page(base::Reader& list, DeviceType type) {
  const std::size_t at = list.position();
  const base::Bytes rest = list.rest();
  if (rest.size() < 2) return refuse(kParameterListLengthError);
  if ((rest[0] & kSavable) != 0) return bad_parameter(at, 7);
  std::uint8_t length = 0;
  switch (rest[0]) {
    case kCachingPage:
      if (type != DeviceType::kDisk) return bad_parameter(at, 0);
      length = kCachingLength;
      break;
    case kControlPage: length = kControlLength; break;
    default: return bad_parameter(at, 0);
  }
  if (rest[1] != length) return bad_parameter(at + 1);
  auto bytes = list.bytes(std::size_t{length} + 2);
  if (!bytes) return refuse(kParameterListLengthError);
  return Page{*bytes, at};
}

}  // namespace

SenseResult<std::optional<ModeSelection>> mode_select(const DecodedCdb& cdb, base::Bytes bytes,
                                                      const ModeDevice& device) {
  if (!device.changeable) return refuse(kInvalidFieldInCdb);
  if (bytes.empty()) return std::optional<ModeSelection>();
  if ((cdb.bytes[1] & kPageFormat) == 0) return bad_cdb(1);
  ModeSelection selection{device.current, (cdb.bytes[1] & kSavePages) != 0};
  base::Reader list(bytes);
  if (auto header = skip_header(list, cdb.row->cdb_length == 6); !header) return refuse(header.error());
  // SCST steps by the length byte alone and loses every page behind the first; here each page is read (SPC-5 7.5.7).
  while (list.left() > 0) {
    auto page = next_page(list, device.traits.type);
    if (!page) return refuse(page.error());
    auto apply = page->bytes[0] == kCachingPage ? apply_caching : apply_control;
    if (auto done = apply(*page, selection.save, device, selection.pages); !done) return refuse(done.error());
  }
  return selection;
}

}  // namespace uscst::scsi
