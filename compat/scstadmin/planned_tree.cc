#include "compat/scstadmin/planned_tree.h"

#include <cerrno>
#include <utility>

#include "compat/scstadmin/cached_tree.h"

namespace uscst::scstadmin {
namespace {

constexpr const char* kCopyManagerLuns = "targets/copy_manager/copy_manager_tgt/luns";

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    const std::size_t start = text.find_first_not_of(" \n");
    if (start == std::string_view::npos) return words;
    text.remove_prefix(start);
    const std::size_t end = text.find_first_of(" \n");
    words.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return words;
    text.remove_prefix(end);
  }
}

std::string word(const std::vector<std::string>& words, std::size_t i) {
  return i < words.size() ? words[i] : std::string();
}

std::string parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// "../../../targets/d/t/luns/0" without what leads up.
std::string below_root(std::string link) {
  while (link.starts_with("../")) link.erase(0, 3);
  return link;
}

}  // namespace

bool PlannedTree::is_gone(const std::string& path) const {
  if (gone_.empty()) return false;
  for (std::string at = path; !at.empty(); at = parent(at)) {
    if (gone_.contains(at)) return true;
  }
  return false;
}

bool PlannedTree::is_planned(const std::string& path) const {
  if (made_.empty()) return false;
  for (std::string at = path; !at.empty(); at = parent(at)) {
    const auto made = made_.find(at);
    if (made != made_.end() && made->second.type == EntryType::kDirectory) return true;
  }
  return below_.is_planned(path);
}

base::Result<std::vector<Entry>> PlannedTree::entries(const std::string& path) const {
  std::vector<Entry> out;
  const auto made = made_.find(path);
  if (made == made_.end() && !is_gone(path) && !is_planned(path)) {
    const base::Result<std::vector<Entry>> below = below_.entries(path);
    if (!below) return below;
    for (const Entry& entry : *below) {
      const std::string full = join_path({path, entry.name});
      if (!is_gone(full) && !made_.contains(full)) out.push_back(entry);
    }
  } else if (made == made_.end() && is_gone(path)) {
    return base::fail(ENOENT, path);
  }
  const std::string prefix = path.empty() ? path : path + "/";
  for (auto it = made_.lower_bound(prefix); it != made_.end() && it->first.starts_with(prefix); ++it) {
    const std::string name = it->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) out.push_back({name, it->second.type});
  }
  return out;
}

base::Result<std::vector<std::string>> PlannedTree::list(const std::string& path) const {
  const base::Result<std::vector<Entry>> all = entries(path);
  if (!all) return std::unexpected(all.error());
  std::vector<std::string> names;
  for (const Entry& entry : *all) names.push_back(entry.name);
  return names;
}

std::optional<NodeInfo> PlannedTree::stat(const std::string& path) const {
  const auto made = made_.find(path);
  if (made != made_.end()) {
    const bool is_file = made->second.type == EntryType::kFile;
    return NodeInfo{!is_file, is_file, kOwnerRead | kOwnerWrite};
  }
  return is_gone(path) ? std::nullopt : below_.stat(path);
}

std::optional<std::string> PlannedTree::link(const std::string& path) const {
  const auto made = made_.find(path);
  if (made != made_.end())
    return made->second.type == EntryType::kLink ? std::optional(made->second.text) : std::nullopt;
  return is_gone(path) ? std::nullopt : below_.link(path);
}

base::Result<std::string> PlannedTree::read(const std::string& path) const {
  const auto made = made_.find(path);
  if (made != made_.end()) return made->second.text;
  if (is_gone(path)) return base::fail(ENOENT, path);
  return below_.read(path);
}

base::Status PlannedTree::write(const std::string& path, std::string_view text) {
  steps_.push_back(describe_write(*this, path, text));
  if (path.ends_with("/mgmt")) {
    command(path, words_of(text));
  } else if (path.ends_with("/force_close")) {
    remove(parent(path));
  } else {
    while (text.ends_with('\n')) text.remove_suffix(1);
    make(path, EntryType::kFile, std::string(text) + "\n");
  }
  return {};
}

void PlannedTree::remove(const std::string& path) {
  made_.erase(path);
  const std::string prefix = path + "/";
  for (auto it = made_.lower_bound(prefix); it != made_.end() && it->first.starts_with(prefix);) it = made_.erase(it);
  gone_.insert(path);
}

void PlannedTree::clear(const std::string& directory) {
  for (const Entry& entry : entries(directory).value_or(std::vector<Entry>())) {
    if (entry.name != "mgmt") remove(join_path({directory, entry.name}));
  }
}

void PlannedTree::command(const std::string& path, const Words& words) {
  const std::string directory = parent(path);
  if (directory.starts_with("handlers/")) return handler_command(last_part(directory), words);
  if (directory.ends_with("/luns")) return luns_command(directory, words);
  group_command(directory, words);
}

void PlannedTree::handler_command(const std::string& handler, const Words& words) {
  const std::string device = word(words, 1);
  if (word(words, 0) == "del_device") return remove_device(device);
  if (word(words, 0) != "add_device") return;
  make(join_path({"devices", device}));
  make(join_path({"devices", device, "handler"}), EntryType::kLink, "../../handlers/" + handler);
  make(join_path({"handlers", handler, device}), EntryType::kLink, "../../devices/" + device);
  // The copy manager takes every disk by itself.
  if (!handler.starts_with("vdisk") || !is_directory(kCopyManagerLuns)) return;
  while (stat(join_path({kCopyManagerLuns, std::to_string(next_copy_lun_)}))) ++next_copy_lun_;
  add_lun(kCopyManagerLuns, device, std::to_string(next_copy_lun_));
}

void PlannedTree::remove_device(const std::string& device) {
  const std::string path = join_path({"devices", device});
  const std::string exported = join_path({path, "exported"});
  if (!is_planned(path)) {
    for (const std::string& name : below_.list(exported).value_or(std::vector<std::string>()))
      remove(below_root(below_.link(join_path({exported, name})).value_or("")));
  }
  for (const std::string& lun : made_luns_[device]) remove(lun);
  made_luns_.erase(device);
  const std::string handler = last_part(link(join_path({path, "handler"})).value_or(""));
  remove(join_path({"handlers", handler, device}));
  remove(path);
}

void PlannedTree::add_lun(const std::string& luns, const std::string& device, const std::string& lun) {
  const std::string path = join_path({luns, lun});
  make(path);
  make(join_path({path, "device"}), EntryType::kLink, "../../../../../devices/" + device);
  made_luns_[device].insert(path);
}

void PlannedTree::luns_command(const std::string& luns, const Words& words) {
  const std::string name = word(words, 0);
  if (name == "clear") return clear(luns);
  if (name == "add" || name == "replace") return add_lun(luns, word(words, 1), word(words, 2));
  const std::string path = join_path({luns, word(words, 1)});
  made_luns_[last_part(link(join_path({path, "device"})).value_or(""))].erase(path);
  remove(path);
}

// Directories whose entries are made and removed by name: groups, initiators, targets, device and target groups.
void PlannedTree::group_command(const std::string& directory, const Words& words) {
  const std::string name = word(words, 0);
  const std::string path = join_path({directory, word(words, 1)});
  const bool is_file = directory.ends_with("/initiators");
  if (name == "clear") {
    clear(directory);
  } else if (name == "add" || name == "create" || name == "add_target") {
    make(path, is_file ? EntryType::kFile : EntryType::kDirectory);
  } else if (name == "del" || name == "del_target") {
    remove(path);
  } else if (name == "move") {
    remove(path);
    make(join_path({parent(parent(directory)), word(words, 2), "initiators", word(words, 1)}), EntryType::kFile);
  }
}

}  // namespace uscst::scstadmin
