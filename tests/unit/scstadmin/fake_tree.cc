#include "tests/unit/scstadmin/fake_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <sstream>

#include "engine/base/crc32c.h"

namespace uscst::scstadmin {
namespace {

// The order of names in a directory: kernfs sorts by this hash.
std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0;
  for (char c : name) {
    const auto wide = static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<signed char>(c)));
    hash = (hash + (wide << 4) + (wide >> 4)) * 11;
  }
  hash = ((hash * 0x61C8864680B583EBULL) >> 32) & 0x7fffffff;
  return hash < 2 ? hash + 2 : hash;
}

// The text of a Python string literal.
std::string unquote(std::string_view text) {
  if (text.size() < 2 || (text.front() != '\'' && text.front() != '"')) return {};
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    if (text[i] == 'n')
      out += '\n';
    else if (text[i] == 't')
      out += '\t';
    else if (text[i] == 'x') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else
      out += text[i];
  }
  return out;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::vector<std::string> split(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// What keeps its [key] away, and what has it only when it differs from the default.
std::string with_key(const std::string& attribute, const std::string& value, const std::string& old_default) {
  if (attribute == "enabled") return value + "\n";
  if (attribute == "filename") return value + "\n[key]\n\n";
  if (attribute == "preferred") return value == "0" ? "0\n" : value + "\n[key]\n";
  return value == old_default ? value + "\n" : value + "\n[key]\n";
}

}  // namespace

FakeTree::FakeTree(const std::string& dump, const std::string& devices, const std::string& target)
    : nodes_(parse_dump(dump, target)), templates_(parse_dump(devices, target)) {
  add("", 'd', 0755);
}

FakeTree::Nodes FakeTree::parse_dump(const std::string& text, const std::string& target) {
  Nodes nodes;
  std::istringstream in(replaced(text, "{TGT}", target));
  for (std::string line; std::getline(in, line);) {
    if (line.size() < 8) continue;
    const char type = line[0];
    const auto mode = static_cast<unsigned>(std::stoul(line.substr(2, 4), nullptr, 8));
    const std::string rest = line.substr(7);
    if (type == 'd') {
      nodes[rest.substr(0, rest.rfind(" nl="))] = {type, mode, ""};
    } else if (type == 'l') {
      const std::size_t arrow = rest.find(" -> ");
      nodes[rest.substr(0, arrow)] = {type, mode, rest.substr(arrow + 4)};
    } else {
      const std::size_t size = rest.find(" sz=");
      nodes[rest.substr(0, size)] = {type, mode, unquote(std::string_view(rest).substr(rest.find(" = ", size) + 3))};
    }
  }
  return nodes;
}

std::string FakeTree::resolve(const std::string& path) const {
  const auto it = nodes_.find(path);
  if (it == nodes_.end() || it->second.type != 'l') return path;
  std::string at = parent_of(path);
  std::istringstream in(it->second.text);
  for (std::string part; std::getline(in, part, '/');) {
    if (part == "..")
      at = parent_of(at);
    else
      at = at.empty() ? part : at + "/" + part;
  }
  return at;
}

const FakeTree::Node* FakeTree::find(const std::string& path) const {
  const auto it = nodes_.find(resolve(path));
  return it == nodes_.end() ? nullptr : &it->second;
}

std::vector<std::string> FakeTree::below(const std::string& path) const {
  const std::string prefix = path.empty() ? "" : path + "/";
  std::vector<std::string> names;
  for (const auto& [name, node] : nodes_) {
    if (name.empty() || !name.starts_with(prefix) || name.find('/', prefix.size()) != std::string::npos) continue;
    names.push_back(name.substr(prefix.size()));
  }
  return names;
}

void FakeTree::remove(const std::string& path) {
  std::erase_if(nodes_, [&](const auto& item) { return item.first == path || item.first.starts_with(path + "/"); });
}

base::Result<std::vector<std::string>> FakeTree::list(const std::string& path) const {
  const Node* node = find(path);
  if (node == nullptr) return base::fail(ENOENT, "No such file or directory");
  // Perl's opendir of a file leaves EBADF behind; the recordings show that.
  if (node->type != 'd') return base::fail(EBADF, "Bad file descriptor");
  std::vector<std::string> names = below(resolve(path));
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return name_hash(a) < name_hash(b); });
  return names;
}

base::Result<std::vector<Entry>> FakeTree::entries(const std::string& path) const {
  const base::Result<std::vector<std::string>> names = list(path);
  if (!names) return std::unexpected(names.error());
  std::vector<Entry> out;
  for (const std::string& name : *names) {
    const char type = nodes_.at(join_path({resolve(path), name})).type;
    out.push_back({name, type == 'd' ? EntryType::kDirectory : type == 'l' ? EntryType::kLink : EntryType::kFile});
  }
  return out;
}

std::optional<NodeInfo> FakeTree::stat(const std::string& path) const {
  const Node* node = find(path);
  if (node == nullptr) return std::nullopt;
  return NodeInfo{node->type == 'd', node->type == 'f', node->mode};
}

std::optional<std::string> FakeTree::link(const std::string& path) const {
  const auto it = nodes_.find(path);
  if (it == nodes_.end() || it->second.type != 'l') return std::nullopt;
  return it->second.text;
}

base::Result<std::string> FakeTree::read(const std::string& path) const {
  const Node* node = find(path);
  if (node == nullptr) return base::fail(ENOENT, "No such file or directory");
  if (node->type != 'f' || (node->mode & 0444) == 0) return base::fail(EACCES, "Permission denied");
  return node->text;
}

base::Status FakeTree::write(const std::string& path, std::string_view text) {
  writes_.push_back(fmt::format("{} < {}", path, text));
  const Node* node = find(path);
  if (node == nullptr) return base::fail(ENOENT, "No such file or directory");
  if ((node->mode & 0200) == 0) return base::fail(EACCES, "Permission denied");
  const int code = path.ends_with("/mgmt") ? command(path, std::string(text)) : set_attribute(path, std::string(text));
  if (code != 0) return base::fail(code, std::strerror(code));
  return {};
}

int FakeTree::command(const std::string& path, const std::string& text) {
  const std::string dir = parent_of(path);
  const Words words = split(text);
  if (words.empty()) return EINVAL;
  if (dir.starts_with("handlers/")) return handler_command(last_part(dir), words);
  if (dir.starts_with("device_groups")) return device_groups_command(dir, words);
  if (dir.ends_with("/luns")) return luns_command(dir, words);
  if (dir.ends_with("/ini_groups")) return groups_command(dir, words);
  if (dir.ends_with("/initiators")) return initiators_command(dir, words);
  return targets_command(last_part(dir), words);
}

int FakeTree::handler_command(const std::string& handler, const Words& words) {
  if (words.size() < 2) return EINVAL;
  if (words[0] == "add_device") return add_device(handler, words[1], words.size() > 2 ? words[2] : "");
  return words[0] == "del_device" ? remove_device(words[1]) : EINVAL;
}

// The ids that follow from the name: CRC-32C without inversions, of the name and its NUL.
std::string FakeTree::device_text(const std::string& name, const std::string& attribute,
                                  const std::string& text) const {
  std::vector<std::uint8_t> bytes(name.begin(), name.end());
  bytes.push_back(0);
  std::uint64_t id = base::crc32c_update(0, bytes);
  const unsigned long setup = std::stoul(nodes_.at("setup_id").text, nullptr, 0);
  id |= std::uint64_t{setup} << 32;
  if (attribute == "usn") return fmt::format("{:x}\n", id);
  if (attribute == "t10_dev_id" || attribute == "vend_specific_id")
    return fmt::format("{:x}-{}", id, name).substr(0, 25) + "\n";
  if (attribute == "prod_id") return name.substr(0, 16) + "\n";
  if (attribute == "pr_file_name") return "/var/lib/scst/pr/" + name + "\n";
  return text;
}

int FakeTree::add_device(const std::string& handler, const std::string& device, const std::string& parameters) {
  if (exists("devices/" + device)) return EEXIST;
  std::map<std::string, std::string> given;
  std::istringstream in(parameters);
  for (std::string item; std::getline(in, item, ';');) {
    const std::size_t equals = item.find('=');
    const std::string name = item.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == item.size()) return EINVAL;
    if (!templates_.contains(handler + "/" + name)) return EINVAL;
    given[name] = item.substr(equals + 1);
  }
  if (handler == "vdisk_fileio" && !given.contains("filename")) return EINVAL;
  if (given.contains("filename") && given["filename"].find("nosuch") != std::string::npos) return ENOENT;
  for (const auto& [path, node] : templates_) {
    if (path == handler) add("devices/" + device, 'd', 0755);
    if (!path.starts_with(handler + "/")) continue;
    const std::string attribute = path.substr(handler.size() + 1);
    const bool is_set = given.contains(attribute);
    const std::string first = node.text.substr(0, node.text.find('\n'));
    add("devices/" + device + "/" + attribute, node.type, node.mode,
        is_set ? with_key(attribute, given[attribute], first) : device_text(device, attribute, node.text));
  }
  if (given.contains("size_mb")) {
    nodes_["devices/" + device + "/size"].text = fmt::format("{}\n[key]\n", std::stoul(given["size_mb"]) << 20);
    nodes_["devices/" + device + "/size_mb"].text = given["size_mb"] + "\n";
  }
  add("handlers/" + handler + "/" + device, 'l', 0777, "../../devices/" + device);
  add_lun("targets/copy_manager/copy_manager_tgt/luns", device, std::to_string(next_copy_lun_++), handler == "vcdrom");
  const std::string session = "targets/copy_manager/copy_manager_tgt/sessions/copy_manager_sess/";
  const auto count = [&](const char* name, int by) {
    Node& node = nodes_[session + name];
    node.text = fmt::format("{}\n", std::stoi(node.text) + by);
  };
  count("read_cmd_count", 1);
  count("read_io_count_kb", 4);
  return 0;
}

// The vdisk handlers are one: a device goes whichever of them is asked.
int FakeTree::remove_device(const std::string& device) {
  const std::string path = "devices/" + device;
  if (!exists(path + "/handler")) return EINVAL;
  for (const std::string& name : below(path + "/exported")) {
    const std::string lun = resolve(path + "/exported/" + name);
    remove_lun(parent_of(lun), last_part(lun));
  }
  for (const std::string& group : below("device_groups")) remove("device_groups/" + group + "/devices/" + device);
  remove("handlers/" + last_part(nodes_[path + "/handler"].text) + "/" + device);
  remove(path);
  return 0;
}

void FakeTree::add_lun(const std::string& luns, const std::string& device, const std::string& lun, bool read_only) {
  const std::string path = luns + "/" + lun;
  const auto depth = static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) + 1;
  std::string up;
  for (std::size_t i = 0; i < depth; ++i) up += "../";
  add(path, 'd', 0755);
  add(path + "/device", 'l', 0777, up + "devices/" + device);
  add(path + "/read_only", 'f', 0444, read_only ? "1\n[key]\n" : "0\n");
  add(fmt::format("devices/{}/exported/export{}", device, next_export_++), 'l', 0777, "../../../" + path);
}

void FakeTree::remove_lun(const std::string& luns, const std::string& lun) {
  const std::string path = luns + "/" + lun;
  const std::string exported = "devices/" + last_part(nodes_[path + "/device"].text) + "/exported";
  for (const std::string& name : below(exported)) {
    if (resolve(exported + "/" + name) == path) remove(exported + "/" + name);
  }
  remove(path);
}

int FakeTree::luns_command(const std::string& luns, const Words& words) {
  if (words[0] == "clear") {
    for (const std::string& lun : below(luns)) {
      if (lun != "mgmt") remove_lun(luns, lun);
    }
    return 0;
  }
  if (words[0] == "del" && words.size() == 2) {
    if (!exists(luns + "/" + words[1])) return EINVAL;
    remove_lun(luns, words[1]);
    return 0;
  }
  if (words.size() < 3 || !exists("devices/" + words[1]) || !is_number(words[2])) return EINVAL;
  const bool taken = exists(luns + "/" + words[2]);
  if (taken && words[0] == "add") return EEXIST;
  if (words.size() > 3 && !words[3].starts_with("read_only=")) return EINVAL;
  if (taken) remove_lun(luns, words[2]);
  add_lun(luns, words[1], words[2], words.size() > 3 && words[3].starts_with("read_only=1"));
  return 0;
}

int FakeTree::groups_command(const std::string& groups, const Words& words) {
  if (words.size() < 2) return EINVAL;
  const std::string path = groups + "/" + words[1];
  if (words[0] == "del") {
    if (!exists(path)) return EINVAL;
    remove(path);
    return 0;
  }
  if (words[0] != "create") return EINVAL;
  if (exists(path)) return EEXIST;
  add(path, 'd', 0755);
  for (const char* name : {"addr_method", "black_hole", "cpu_mask", "io_grouping_type"}) {
    add(path + "/" + name, 'f', 0644, nodes_[parent_of(groups) + "/" + name].text);
  }
  add(path + "/luns", 'd', 0755);
  add(path + "/luns/mgmt", 'f', 0644, nodes_[parent_of(groups) + "/luns/mgmt"].text);
  add(path + "/initiators", 'd', 0755);
  add(path + "/initiators/mgmt", 'f', 0644, "Usage: echo \"add INITIATOR_NAME\" >mgmt\n");
  return 0;
}

int FakeTree::initiators_command(const std::string& initiators, const Words& words) {
  if (words[0] == "clear") {
    for (const std::string& name : below(initiators)) {
      if (name != "mgmt") remove(initiators + "/" + name);
    }
    return 0;
  }
  if (words.size() < 2) return EINVAL;
  const std::string path = initiators + "/" + words[1];
  if (words[0] == "add") {
    if (exists(path)) return EEXIST;
    add(path, 'f', 0444, words[1] + "\n");
    return 0;
  }
  if (!exists(path)) return EINVAL;
  if (words[0] == "move") {
    const std::string other =
        parent_of(parent_of(initiators)) + "/" + (words.size() > 2 ? words[2] : "") + "/initiators";
    if (!exists(other)) return EINVAL;
    add(other + "/" + words[1], 'f', 0444, words[1] + "\n");
  }
  remove(path);
  return 0;
}

int FakeTree::targets_command(const std::string& driver, const Words& words) {
  if (words.size() < 2) return EINVAL;
  const std::string path = "targets/" + driver + "/" + words[1];
  if (words[0] == "del_target") {
    if (!exists(path)) return ENOENT;
    remove(path);
    return 0;
  }
  if (words[0] != "add_target") return EINVAL;
  if (exists(path)) return EFAULT;
  for (const char* name : {"", "/luns", "/ini_groups", "/sessions"}) add(path + name, 'd', 0755);
  for (const char* name : {"/luns/mgmt", "/ini_groups/mgmt", "/rel_tgt_id", "/addr_method", "/cpu_mask"}) {
    add(path + name, 'f', 0644, nodes_[std::string("targets/copy_manager/copy_manager_tgt") + name].text);
  }
  return 0;
}

int FakeTree::device_groups_command(const std::string& path, const Words& words) {
  if (words.size() < 2) return EINVAL;
  const std::string& name = words[1];
  const std::string full = path + "/" + name;
  if (words[0] == "del") {
    if (!exists(full)) return EINVAL;
    remove(full);
    return 0;
  }
  if (exists(full)) return EEXIST;
  if (path.ends_with("/devices")) {
    if (!exists("devices/" + name)) return EINVAL;
    add(full, 'l', 0777, "../../../devices/" + name);
  } else if (path == "device_groups") {
    add(full, 'd', 0755);
    for (const char* part : {"/devices", "/target_groups"}) {
      add(full + part, 'd', 0755);
      add(full + part + "/mgmt", 'f', 0644);
    }
  } else if (path.ends_with("/target_groups")) {
    add(full, 'd', 0755);
    add(full + "/mgmt", 'f', 0644);
    add(full + "/group_id", 'f', 0644, "0\n[key]\n");
    add(full + "/preferred", 'f', 0644, "0\n");
    add(full + "/state", 'f', 0644, "active\n[key]\n");
  } else {
    for (const std::string& driver : below("targets")) {
      if (exists("targets/" + driver + "/" + name)) {
        add(full, 'l', 0777, "../../../../targets/" + driver + "/" + name);
        return 0;
      }
    }
    add(full, 'd', 0755);
    add(full + "/rel_tgt_id", 'f', 0644, "0\n[key]\n");
  }
  return 0;
}

int FakeTree::set_attribute(const std::string& path, const std::string& text) {
  const std::string value = text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
  const std::string name = last_part(path);
  if (name == "threads" && !is_number(value)) return EINVAL;
  if (name == "state" && value != "active" && value != "nonoptimized" && value != "standby") return EINVAL;
  if (name == "resync_size" || name == "trace_level") return 0;
  Node& node = nodes_[resolve(path)];
  node.text = with_key(name, value, "");
  // A target that is enabled without a number gets the first.
  const auto number = nodes_.find(path.substr(0, path.rfind('/')) + "/rel_tgt_id");
  if (name == "enabled" && value == "1" && number != nodes_.end() && number->second.text.starts_with("0\n"))
    number->second.text = "1\n[key]\n";
  return 0;
}

}  // namespace uscst::scstadmin
