// The grammar of `mgmt` files and of other writes that are words (reference: SCST's two tokenisers). Pure functions on
// the text of one write, any thread. Errors are EINVAL but where said.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/target/handler.h"

namespace uscst::sysfsfs {

// Words: blanks and '=' before a word are skipped, it ends at the next of them, which goes with it.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {}
  std::string_view word();  // empty at the end
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

bool equal_without_case(std::string_view a, std::string_view b);

// SCST's comparison of a write with one of its words: without case, over as many characters as the shorter has. Longer
// text matches, an abbreviation only when nothing, not even a newline, follows it.
bool matches_word(std::string_view written, std::string_view word);

// "name=value;name=value": pieces end at ';' or a newline, an empty piece ends the list, a blank one is an error.
base::Result<target::Parameters> parse_parameters(std::string_view text);

// handlers/H/mgmt
struct DeviceCommand {
  enum class Action { kAdd, kDelete };
  Action action = Action::kAdd;
  std::string name;
  // Looked at after the name: a device that exists already is EEXIST, whatever the parameters.
  base::Result<target::Parameters> parameters;
};
base::Result<DeviceCommand> parse_device_command(std::string_view text);
// The name of the SCSI device that "H:C:I:L" says: its numbers without leading zeros.
std::optional<std::string> scsi_device_name(std::string_view text);

// luns/mgmt
struct LunCommand {
  enum class Action { kAdd, kDelete, kReplace, kReplaceWithoutAttention, kClear };
  Action action = Action::kAdd;
  std::string device{};
  std::uint16_t lun = 0;
  bool read_only = false;
};
base::Result<LunCommand> parse_lun_command(std::string_view text);  // ERANGE: beyond 64 bits

// ini_groups/mgmt; further words are ignored.
struct GroupCommand {
  enum class Action { kCreate, kDelete };
  Action action = Action::kCreate;
  std::string name;
};
base::Result<GroupCommand> parse_group_command(std::string_view text);

// The mgmt files below device_groups/. The text ends at the first newline; further words are ignored. Groups are made
// by "create" or "add", members added by "add"; both are taken away by "del".
enum class Membership { kGroups, kMembers };
base::Result<GroupCommand> parse_membership_command(std::string_view text, Membership which);

// initiators/mgmt; further words are ignored.
struct InitiatorCommand {
  enum class Action { kAdd, kDelete, kMove, kClear };
  Action action = Action::kAdd;
  std::string name, destination;
};
base::Result<InitiatorCommand> parse_initiator_command(std::string_view text);

// devices/D/block: "1" waits until no command of the device executes, "1 1 TEXT" and "11 TEXT" do not.
enum class BlockCommand { kBlock, kBlockWithoutWaiting, kUnblock };
base::Result<BlockCommand> parse_block_command(std::string_view text);

}  // namespace uscst::sysfsfs
