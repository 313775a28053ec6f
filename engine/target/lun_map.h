// Which devices a session sees under which LUNs: an immutable snapshot, made by the control thread, used by the
// session's reactor.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/scsi/lun.h"
#include "engine/target/nexus.h"

namespace uscst::target {

struct LunMap {
  struct Entry {
    std::uint16_t lun = 0;
    bool read_only = false;  // of the LUN or of the device
    std::shared_ptr<NexusLun> nexus_lun;
  };
  std::vector<Entry> entries;               // ascending by LUN
  std::vector<std::uint16_t> order_mapped;  // the same LUNs as they were added: REPORT LUNS keeps it within a bucket
  scsi::LunAddressing address_method = scsi::LunAddressing::kPeripheral;
  int black_hole = 0;
  std::uint64_t version = 0;  // of all maps ever made: two are equal only if they are the same

  const Entry* find(std::uint16_t lun) const;
};

}  // namespace uscst::target
