// What a write to the tree means, in the words of scst.conf.
#include <fmt/format.h>

#include "compat/scstadmin/cached_tree.h"
#include "compat/scstadmin/planned_tree.h"

namespace uscst::scstadmin {
namespace {

using Kind = Step::Kind;
using Words = std::vector<std::string_view>;

Words split(std::string_view text, char separator) {
  Words parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view at(const Words& words, std::size_t i) { return i < words.size() ? words[i] : std::string_view(); }

// "driver/target" or "driver/target/group" out of "targets/driver/target[/ini_groups/group]...".
std::string owner_label(const Words& path) {
  return join_path({at(path, 1), at(path, 2), at(path, 3) == "ini_groups" ? at(path, 4) : std::string_view()});
}

std::string object_label(std::string_view directory) {
  const Words path = split(directory, '/');
  const std::string_view top = at(path, 0);
  if (directory.empty()) return "SCST";
  if (top == "devices") return fmt::format("device {}", at(path, 1));
  if (top == "handlers") return fmt::format("handler {}", at(path, 1));
  if (top == "device_groups") {
    if (path.size() == 1) return "ALUA";
    if (path.size() == 2) return fmt::format("device group {}", at(path, 1));
    if (path.size() == 4) return fmt::format("target group {}/{}", at(path, 1), at(path, 3));
    return fmt::format("target {} in target group {}/{}", at(path, 4), at(path, 1), at(path, 3));
  }
  if (path.size() == 2) return fmt::format("driver {}", at(path, 1));
  if (path.size() == 3) return fmt::format("target {}", owner_label(path));
  if (path.size() == 5 && at(path, 3) == "ini_groups") return fmt::format("group {}", owner_label(path));
  return fmt::format("LUN {} of {}", path.back(), owner_label(path));
}

// "a=b, c=d" out of "a=b;c=d;", behind a colon; nothing out of nothing.
std::string parameter_list(std::string_view text) {
  std::string out;
  for (std::string_view one : split(text, ';')) {
    while (one.starts_with(' ')) one.remove_prefix(1);
    if (!one.empty()) out += fmt::format("{}{}", out.empty() ? ": " : ", ", one);
  }
  return out;
}

// The text from word `i` on.
std::string_view rest(std::string_view text, std::size_t i) {
  for (; i > 0; --i) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return {};
    text.remove_prefix(blank + 1);
  }
  return text;
}

Step lun_command(const Tree& before, const std::string& luns, std::string_view command) {
  const Words words = split(command, ' ');
  const std::string owner = owner_label(split(luns, '/'));
  if (at(words, 0) == "clear") return {Kind::kRemove, fmt::format("all LUNs of {}", owner), luns, ""};
  const bool is_removed = at(words, 0) == "del";
  const std::string path = join_path({luns, is_removed ? at(words, 1) : at(words, 2)});
  const std::string now = last_part(before.link(join_path({path, "device"})).value_or(""));
  const std::string what = fmt::format("LUN {} of {}", last_part(path), owner);
  if (is_removed) return {Kind::kRemove, fmt::format("{}: {}", what, now), path, ""};
  std::string options = parameter_list(rest(command, 3));
  if (!options.empty()) options = fmt::format(" ({})", options.substr(2));
  if (at(words, 0) == "replace")
    return {Kind::kChange, fmt::format("{}: {} -> {}{}", what, now, at(words, 1), options), path, ""};
  return {Kind::kAdd, fmt::format("{}: {}{}", what, at(words, 1), options), path, ""};
}

Step initiator_command(const std::string& directory, std::string_view command) {
  const Words words = split(command, ' ');
  const Words path = split(directory, '/');
  const std::string group = owner_label(path);
  if (at(words, 0) == "clear") return {Kind::kRemove, fmt::format("all initiators of {}", group), directory, ""};
  const std::string object = join_path({directory, at(words, 1)});
  if (at(words, 0) == "move") {
    return {Kind::kChange,
            fmt::format("initiator {} of {}/{}: {} -> {}", at(words, 1), at(path, 1), at(path, 2), at(path, 4),
                        at(words, 2)),
            object, ""};
  }
  return {at(words, 0) == "add" ? Kind::kAdd : Kind::kRemove, fmt::format("initiator {} in {}", at(words, 1), group),
          object, ""};
}

Step target_command(std::string_view driver, std::string_view command) {
  const Words words = split(command, ' ');
  const std::string_view name = at(words, 0);
  const Kind kind = name.starts_with("add") ? Kind::kAdd : Kind::kRemove;
  const std::string object = commanded_object(join_path({"targets", driver, "mgmt"}), command);
  if (name.ends_with("_target_attribute"))
    return {kind, fmt::format("attribute of target {}/{}: {}", driver, at(words, 1), rest(command, 2)), object, ""};
  if (name.ends_with("_attribute"))
    return {kind, fmt::format("attribute of driver {}: {}", driver, rest(command, 1)), object, ""};
  return {kind, fmt::format("target {}/{}{}", driver, at(words, 1), parameter_list(rest(command, 2))), object, ""};
}

Step device_group_command(const std::string& directory, std::string_view command) {
  const Words words = split(command, ' ');
  const Words path = split(directory, '/');
  const Kind kind = at(words, 0) == "del" ? Kind::kRemove : Kind::kAdd;
  const std::string object = join_path({directory, at(words, 1)});
  if (at(path, 2) == "devices")
    return {kind, fmt::format("device {} in device group {}", at(words, 1), at(path, 1)), object, ""};
  return {kind, object_label(object), object, ""};
}

Step command_step(const Tree& before, const std::string& directory, std::string_view command) {
  const Words path = split(directory, '/');
  if (path.front() == "handlers") {
    const Words words = split(command, ' ');
    const bool is_added = at(words, 0) == "add_device";
    return {is_added ? Kind::kAdd : Kind::kRemove,
            fmt::format("device {} ({}){}", at(words, 1), path.back(), parameter_list(rest(command, 2))),
            join_path({"devices", at(words, 1)}), ""};
  }
  if (path.front() == "device_groups") return device_group_command(directory, command);
  if (path.back() == "luns") return lun_command(before, directory, command);
  if (path.back() == "initiators") return initiator_command(directory, command);
  if (path.back() == "ini_groups" && path.size() == 4) {
    const std::string object = commanded_object(directory + "/mgmt", command);
    return {command.starts_with("del") ? Kind::kRemove : Kind::kAdd, object_label(object), object, ""};
  }
  return target_command(path.back(), command);
}

}  // namespace

Step describe_write(const Tree& before, const std::string& path, std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? std::string() : path.substr(0, slash);
  const std::string name = last_part(path);
  if (name == "mgmt") return command_step(before, directory, text);
  if (name == "force_close") {
    const Words parts = split(directory, '/');
    return {Kind::kRemove, fmt::format("session {} of {}", last_part(directory), owner_label(parts)), directory, ""};
  }
  std::string now;
  if (!before.is_planned(directory)) {
    const std::string value = before.read(path).value_or("");
    now = fmt::format("{} -> ", value.substr(0, value.find('\n')));
  }
  return {Kind::kChange, fmt::format("{}: {} {}{}", object_label(directory), name, now, text), path, std::string(text)};
}

}  // namespace uscst::scstadmin
