#include "compat/scstadmin/cached_tree.h"

#include <atomic>
#include <iterator>
#include <thread>
#include <utility>

namespace uscst::scstadmin {
namespace {

bool is_mgmt(std::string_view path) { return path.ends_with("/mgmt"); }

// Sessions come and go without a command.
bool is_volatile(std::string_view path) {
  return path == "last_sysfs_mgmt_res" || path.ends_with("/sessions") || path.find("/sessions/") != std::string::npos;
}

constexpr std::size_t kPrefetchers = 4;
constexpr std::size_t kLeastToPrefetch = 32;

std::string_view parent(std::string_view path) { return path.substr(0, path.rfind('/')); }

}  // namespace

std::string commanded_object(std::string_view path, std::string_view command) {
  const std::size_t blank = command.find(' ');
  std::string_view rest = blank == std::string_view::npos ? std::string_view() : command.substr(blank + 1);
  std::string_view where = parent(path);
  if (where.starts_with("handlers/")) where = "devices";
  if (where.ends_with("/luns")) return std::string(where);
  return join_path({where, rest.substr(0, rest.find(' '))});
}

base::Result<std::vector<Entry>> CachedTree::entries(const std::string& path) const {
  if (is_volatile(path)) return below_.entries(path);
  const auto known = entries_.find(path);
  return known != entries_.end() ? known->second : entries_.emplace(path, below_.entries(path)).first->second;
}

base::Result<std::vector<std::string>> CachedTree::list(const std::string& path) const {
  const base::Result<std::vector<Entry>> all = entries(path);
  if (!all) return std::unexpected(all.error());
  std::vector<std::string> names;
  for (const Entry& entry : *all) names.push_back(entry.name);
  return names;
}

std::optional<NodeInfo> CachedTree::stat(const std::string& path) const {
  if (is_volatile(path)) return below_.stat(path);
  const auto file = files_.find(path);
  if (file != files_.end() && file->second) return file->second->info;
  const auto known = stats_.find(path);
  return known != stats_.end() ? known->second : stats_.emplace(path, below_.stat(path)).first->second;
}

std::optional<std::string> CachedTree::link(const std::string& path) const {
  if (is_volatile(path)) return below_.link(path);
  const auto known = links_.find(path);
  return known != links_.end() ? known->second : links_.emplace(path, below_.link(path)).first->second;
}

base::Result<FileContent> CachedTree::inspect(const std::string& path) const {
  if (is_volatile(path)) return below_.inspect(path);
  const auto known = files_.find(path);
  return known != files_.end() ? known->second : files_.emplace(path, below_.inspect(path)).first->second;
}

base::Result<std::string> CachedTree::read(const std::string& path) const {
  if (is_volatile(path)) return below_.read(path);
  const base::Result<FileContent> content = inspect(path);
  if (!content) return std::unexpected(content.error());
  const bool has_text = content->info.is_regular && (content->info.mode & kOwnerRead) != 0;
  return has_text ? base::Result<std::string>(content->text) : below_.read(path);  // else for its error
}

// Runs on several threads, while nothing changes what is known already.
void CachedTree::fetch(const Tree& tree, const Wish& wish, Fetched& out) const {
  if (wish.what == Wish::What::kLink) {
    out.links.emplace(wish.path, tree.link(wish.path));
    return;
  }
  const auto& entries = out.entries.emplace(wish.path, tree.entries(wish.path)).first->second;
  if (wish.what == Wish::What::kEntries || !entries) return;
  for (const Entry& entry : *entries) {
    const std::string path = join_path({wish.path, entry.name});
    if (entry.type == EntryType::kLink && !links_.contains(path)) out.links.emplace(path, tree.link(path));
    if (entry.type == EntryType::kFile && entry.name != "mgmt") out.files.emplace(path, tree.inspect(path));
  }
}

void CachedTree::prefetch(const std::vector<Wish>& all) const {
  std::vector<Wish> wishes;
  for (const Wish& wish : all) {
    const bool known = wish.what == Wish::What::kLink ? links_.contains(wish.path) : entries_.contains(wish.path);
    if (!known && !is_volatile(wish.path)) wishes.push_back(wish);
  }
  if (!another_ || wishes.size() < kLeastToPrefetch) return;
  std::vector<Fetched> fetched(kPrefetchers);
  std::atomic<std::size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (Fetched& out : fetched) {
      threads.emplace_back([&] {
        const std::unique_ptr<Tree> tree = another_();
        for (std::size_t i = next++; i < wishes.size(); i = next++) fetch(*tree, wishes[i], out);
      });
    }
  }
  for (Fetched& one : fetched) {
    entries_.merge(one.entries);
    links_.merge(one.links);
    files_.merge(one.files);
  }
}

base::Status CachedTree::write(const std::string& path, std::string_view text) {
  base::Status written = below_.write(path, text);
  if (is_mgmt(path)) {
    forget_structure();
    forget_below(commanded_object(path, text));
  } else {
    files_.erase(path);
  }
  return written;
}

void CachedTree::forget_structure() {
  entries_.clear();
  stats_.clear();
  links_.clear();
}

void CachedTree::forget_below(const std::string& directory) {
  for (auto it = files_.lower_bound(directory + "/"); it != files_.end() && it->first.starts_with(directory + "/");)
    it = it->first.ends_with("/mgmt") && directory.ends_with("/luns") ? std::next(it) : files_.erase(it);
}

}  // namespace uscst::scstadmin
