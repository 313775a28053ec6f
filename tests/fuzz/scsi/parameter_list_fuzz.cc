// Input: two bytes that choose a device, six of MODE SELECT(6) or ten of MODE SELECT(10) or UNMAP, then the parameter
// list.
#include "engine/scsi/cdb.h"
#include "engine/scsi/unmap.h"
#include "tests/fuzz/scsi/fuzz_device.h"

namespace uscst::scsi::fuzz {
namespace {

constexpr std::uint64_t kMaxUnmapBlocks = 600;

void select(const DecodedCdb& cdb, base::Bytes list, const Device& device) {
  auto selection = mode_select(cdb, list, device.mode);
  if (!selection) {
    require(selection.error().key == SenseKey::kIllegalRequest);
    if (selection.error().field && !selection.error().field->in_cdb)
      require(selection.error().field->byte < list.size());
    return;
  }
  if (!selection->has_value()) return;
  const ControlState& control = (*selection)->pages.control;
  require(control.tst == device.mode.current.control.tst);
  require(control.qam <= 1 && control.qerr != 2 && control.qerr <= 3);
  require(device.mode.saving_possible || !(*selection)->save || list.size() <= 16);
}

void unmap(const DecodedCdb& cdb, base::Bytes list, const Device& device) {
  auto ranges = parse_unmap(cdb, list, device.mode.block_count, kMaxUnmapBlocks);
  if (!ranges) return;
  std::uint64_t total = 0;
  for (const BlockRange& range : *ranges) {
    require(range.blocks > 0 && range.lba + range.blocks <= device.mode.block_count);
    total += range.blocks;
  }
  require(total <= kMaxUnmapBlocks);
}

void run(base::Bytes bytes) {
  base::Reader input(bytes);
  const Device device = choose_device(input);
  auto cdb = decode_cdb(input.rest(), device.traits);
  if (!cdb) return;
  input.skip(cdb->row->cdb_length);
  if (cdb->operation() == Operation::kModeSelect) select(*cdb, input.rest(), device);
  if (cdb->operation() == Operation::kUnmap) unmap(*cdb, input.rest(), device);
}

}  // namespace
}  // namespace uscst::scsi::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  uscst::scsi::fuzz::run({data, size});
  return 0;
}
