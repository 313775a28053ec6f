// Mode pages (SPC-5 7.5, SBC-4 6.5): the values that MODE SELECT may change, and MODE SENSE and MODE SELECT over them.
// Values are part of a device's configuration snapshot; the functions are pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/scsi/cdb.h"
#include "engine/scsi/opcode_table.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

// Control mode page 0Ah (SPC-5 7.5.10).
struct ControlState {
  std::uint8_t tst = 1;   // 0: one task set for all nexuses, 1: one for each
  bool tmf_only = false;  // under an ACA only task management passes
  bool dpicz = false;     // no protection check when the protection field is zero
  bool d_sense = false;   // sense data in descriptor format
  std::uint8_t qam = 1;   // queue algorithm modifier; 0: every command is ordered
  std::uint8_t qerr = 0;  // 0, 1 or 3
  bool swp = false;       // software write protect
  bool tas = false;       // commands aborted by another nexus end with TASK ABORTED
  friend bool operator==(const ControlState&, const ControlState&) = default;

  SenseFormat sense_format() const { return d_sense ? SenseFormat::kDescriptor : SenseFormat::kFixed; }
};

// Caching mode page 08h (SBC-4 6.5.6).
struct CachingState {
  bool wce = true;  // write back
  friend bool operator==(const CachingState&, const CachingState&) = default;
};

struct ModePages {
  ControlState control;
  CachingState caching;
  friend bool operator==(const ModePages&, const ModePages&) = default;
};

// What MODE SENSE and MODE SELECT need to know of a device.
struct ModeDevice {
  DeviceTraits traits;
  std::uint64_t block_count = 0;
  bool read_only = false;              // the LUN, for this nexus
  bool nv_cache = false;               // told to initiators as "no cache"; WCE cannot be changed
  bool saving_possible = true;         // the directory of saved mode pages exists
  bool changeable = true;              // false in cluster mode: nothing is, MODE SELECT is refused
  bool application_tag_owner = false;  // ATO
  ModePages current;
  ModePages saved;
  ModePages defaults;
};

// The answer to MODE SENSE(6) or (10), cut to the allocation length.
SenseResult<std::vector<std::uint8_t>> mode_sense(const DecodedCdb& cdb, const ModeDevice& device);

// A MODE SELECT understood: the values to be in force when it ends. Nothing for an empty list, which changes nothing
// and is not told to other nexuses; any other raises 2A/01 on them, even if all values are the same.
struct ModeSelection {
  ModePages pages;
  bool save = false;  // SP: to be saved as well, and undone if that fails
};
SenseResult<std::optional<ModeSelection>> mode_select(const DecodedCdb& cdb, base::Bytes list,
                                                      const ModeDevice& device);

}  // namespace uscst::scsi
