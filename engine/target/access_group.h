// Who sees what: the LUNs of a target's default group or of one of its initiator groups, with the names that select it.
// Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/scsi/lun.h"

namespace uscst::target {

class Device;
class Target;

// SCST's patterns: '*' any run, '?' one character, without case; the first '!' inverts the result of what follows it.
bool name_matches(std::string_view pattern, std::string_view name);

struct Lun {
  std::uint16_t number = 0;
  std::shared_ptr<Device> device;
  bool read_only = false;      // of the LUN alone
  std::uint64_t sequence = 0;  // order of mapping
};

class AccessGroup {
 public:
  AccessGroup(Target& target, std::string name, std::uint64_t id = 0)
      : target_(target), name_(std::move(name)), id_(id) {}
  Target& target() const { return target_; }
  const std::string& name() const { return name_; }  // empty for the default group
  bool is_default() const { return name_.empty(); }
  std::uint64_t id() const { return id_; }  // tells it from an earlier group of the same name; 0 for default groups

  std::map<std::uint16_t, Lun> luns;
  std::vector<std::string> initiators;  // in the order added
  scsi::LunAddressing address_method = scsi::LunAddressing::kPeripheral;
  int black_hole = 0;
  int io_grouping = kGroupingAuto;  // > 0: the number given
  std::string cpu_mask;             // empty: all processors
  bool deleting = false;            // its sessions are being closed; it gets no others
  static constexpr int kGroupingAuto = 0, kGroupingThisGroupOnly = -1, kGroupingNever = -2;

  bool selects(std::string_view initiator_name) const;

 private:
  Target& target_;
  const std::string name_;
  const std::uint64_t id_;
};

}  // namespace uscst::target
