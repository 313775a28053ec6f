#include "sysfsfs/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "engine/base/numbers.h"
#include "engine/scsi/lun.h"

namespace uscst::sysfsfs {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool ends_word(char c) { return is_blank(c) || c == '='; }
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool equal_over(std::string_view a, std::string_view b, std::size_t length) {
  return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(length), b.begin(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::unexpected<base::Error> unknown_action(std::string_view action, std::string_view known) {
  return base::fail(EINVAL, fmt::format("unknown action '{}'; known: {}", action, known));
}

base::Result<std::uint16_t> parse_lun_number(std::string_view text) {
  auto number = base::parse_unsigned(text);
  if (!number) return std::unexpected(number.error());
  if (*number > scsi::kMaxLun) return base::fail(EINVAL, fmt::format("LUN {} is not in 0..{}", text, scsi::kMaxLun));
  return static_cast<std::uint16_t>(*number);
}

base::Status read_lun_parameters(std::string_view text, LunCommand& command) {
  auto parameters = parse_parameters(text);
  if (!parameters) return std::unexpected(parameters.error());
  for (const auto& [name, value] : *parameters) {
    auto number = base::parse_unsigned(value);
    if (!number) return base::fail(EINVAL, number.error().text);
    if (!equal_without_case(name, "read_only")) {
      return base::fail(EINVAL, fmt::format("unknown LUN parameter '{}'; known: read_only", name));
    }
    command.read_only = *number != 0;
  }
  return {};
}

base::Result<LunCommand> lun_deletion(Lexer lexer) {
  LunCommand command{.action = LunCommand::Action::kDelete};
  auto lun = parse_lun_number(lexer.word());
  if (!lun) return std::unexpected(lun.error());
  command.lun = *lun;
  if (!lexer.word().empty()) return base::fail(EINVAL, "del takes a LUN and nothing else");
  return command;
}

base::Result<LunCommand> lun_mapping(LunCommand::Action action, Lexer lexer) {
  LunCommand command{.action = action};
  command.device = lexer.word();
  if (command.device.empty()) return base::fail(EINVAL, "the name of a device is missing");
  auto lun = parse_lun_number(lexer.word());
  if (!lun) return std::unexpected(lun.error());
  command.lun = *lun;
  if (auto status = read_lun_parameters(lexer.rest(), command); !status) return std::unexpected(status.error());
  return command;
}

}  // namespace

std::string_view Lexer::word() {
  while (!rest_.empty() && ends_word(rest_.front())) rest_.remove_prefix(1);
  auto end = std::find_if(rest_.begin(), rest_.end(), ends_word);
  auto length = static_cast<std::size_t>(end - rest_.begin());
  std::string_view found = rest_.substr(0, length);
  rest_.remove_prefix(std::min(rest_.size(), length + 1));
  return found;
}

bool equal_without_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && equal_over(a, b, a.size());
}

bool matches_word(std::string_view written, std::string_view word) {
  return !written.empty() && equal_over(written, word, std::min(written.size(), word.size()));
}

base::Result<target::Parameters> parse_parameters(std::string_view text) {
  target::Parameters parameters;
  while (true) {
    std::size_t length = std::min(text.find_first_of(";\n"), text.size());
    if (length == 0) return parameters;
    Lexer lexer(text.substr(0, length));
    text.remove_prefix(std::min(text.size(), length + 1));
    std::string name(lexer.word()), value(lexer.word());
    if (name.empty()) return base::fail(EINVAL, "a parameter is blank; write NAME=VALUE;NAME=VALUE");
    if (value.empty()) return base::fail(EINVAL, fmt::format("parameter {} has no value", name));
    if (!lexer.word().empty()) return base::fail(EINVAL, fmt::format("parameter {} has more than one value", name));
    parameters.emplace_back(std::move(name), std::move(value));
  }
}

base::Result<DeviceCommand> parse_device_command(std::string_view text) {
  Lexer lexer(text);
  std::string_view action = lexer.word();
  DeviceCommand command;
  command.name = lexer.word();
  bool add = equal_without_case(action, "add_device");
  if (!add && !equal_without_case(action, "del_device")) return unknown_action(action, "add_device, del_device");
  if (command.name.empty()) return base::fail(EINVAL, fmt::format("{}: the name of a device is missing", action));
  if (add) {
    command.parameters = parse_parameters(lexer.rest());
    return command;
  }
  command.action = DeviceCommand::Action::kDelete;
  if (!lexer.word().empty()) return base::fail(EINVAL, "del_device takes the name of a device and nothing else");
  return command;
}

// As the kernel's sscanf("%u:%u:%u:%llu") reads it: what follows the last number does not count.
std::optional<std::string> scsi_device_name(std::string_view text) {
  std::array<std::uint64_t, 4> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) {
      if (!text.starts_with(':')) return std::nullopt;
      text.remove_prefix(1);
    }
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), numbers[i]);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  return fmt::format("{}:{}:{}:{}", numbers[0], numbers[1], numbers[2], numbers[3]);
}

base::Result<LunCommand> parse_lun_command(std::string_view text) {
  using Action = LunCommand::Action;
  Lexer lexer(text);
  std::string_view action = lexer.word();
  if (equal_without_case(action, "add")) return lun_mapping(Action::kAdd, lexer);
  if (equal_without_case(action, "replace")) return lun_mapping(Action::kReplace, lexer);
  if (equal_without_case(action, "replace_no_ua")) return lun_mapping(Action::kReplaceWithoutAttention, lexer);
  if (equal_without_case(action, "del")) return lun_deletion(lexer);
  if (!equal_without_case(action, "clear")) return unknown_action(action, "add, del, replace, replace_no_ua, clear");
  if (!lexer.word().empty()) return base::fail(EINVAL, "clear takes nothing else");
  return LunCommand{.action = Action::kClear};
}

base::Result<GroupCommand> parse_group_command(std::string_view text) {
  Lexer lexer(text);
  std::string_view action = lexer.word();
  GroupCommand command;
  if (equal_without_case(action, "del")) {
    command.action = GroupCommand::Action::kDelete;
  } else if (!equal_without_case(action, "create")) {
    return unknown_action(action, "create, del");
  }
  command.name = lexer.word();
  if (command.name.empty()) return base::fail(EINVAL, fmt::format("{}: the name of a group is missing", action));
  return command;
}

base::Result<GroupCommand> parse_membership_command(std::string_view text, Membership which) {
  Lexer lexer(text.substr(0, text.find('\n')));
  const std::string_view action = lexer.word();
  const bool groups = which == Membership::kGroups;
  GroupCommand command;
  if (equal_without_case(action, "del")) {
    command.action = GroupCommand::Action::kDelete;
  } else if (!equal_without_case(action, "add") && !(groups && equal_without_case(action, "create"))) {
    return unknown_action(action, groups ? "create, del" : "add, del");
  }
  command.name = lexer.word();
  if (command.name.empty()) return base::fail(EINVAL, fmt::format("{}: the name is missing", action));
  return command;
}

base::Result<InitiatorCommand> parse_initiator_command(std::string_view text) {
  using Action = InitiatorCommand::Action;
  Lexer lexer(text);
  std::string_view action = lexer.word();
  InitiatorCommand command;
  if (equal_without_case(action, "clear")) {
    command.action = Action::kClear;
    return command;
  }
  if (equal_without_case(action, "del")) {
    command.action = Action::kDelete;
  } else if (equal_without_case(action, "move")) {
    command.action = Action::kMove;
  } else if (!equal_without_case(action, "add")) {
    return unknown_action(action, "add, del, move, clear");
  }
  command.name = lexer.word();
  if (command.name.empty()) return base::fail(EINVAL, fmt::format("{}: the name of an initiator is missing", action));
  if (command.action == Action::kMove) {
    command.destination = lexer.word();
    if (command.destination.empty()) return base::fail(EINVAL, "move: the name of the group to move to is missing");
  }
  return command;
}

base::Result<BlockCommand> parse_block_command(std::string_view text) {
  auto bad = [&] { return base::fail(EINVAL, "write 1 to block, 11 to block without waiting, 0 to unblock"); };
  if (text.empty() || (text.front() != '0' && text.front() != '1')) return bad();
  bool block = text.front() == '1';
  text.remove_prefix(1);
  bool without_waiting = block && text.starts_with('1');
  if (without_waiting) text.remove_prefix(1);
  if (!text.empty() && !is_blank(text.front())) return bad();
  without_waiting |= block && Lexer(text).word() == "1";
  bool more = !std::all_of(text.begin(), text.end(), is_blank);
  if (!block && more) return bad();
  if (!block) return BlockCommand::kUnblock;
  return without_waiting ? BlockCommand::kBlockWithoutWaiting : BlockCommand::kBlock;
}

}  // namespace uscst::sysfsfs
