#include "sysfsfs/tree.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "sysfsfs/names.h"

namespace uscst::sysfsfs {

struct Tree::Node {
  std::shared_ptr<Node> parent;
  std::string name;
  Entry entry;
  ino_t inode = 0;
  NodeId current_id = 0;  // what a lookup gives next; 0 when it has to be made
  unsigned ids = 0;       // ids in use
  bool changed = false;   // has settings that must stick
  NodeSettings settings;
  std::map<std::string, std::shared_ptr<Node>, std::less<>> children;  // those that have ids, changes or such children
};

// One id that the kernel knows.
struct Tree::Id {
  std::shared_ptr<Node> node;
  std::uint64_t references = 0;
  unsigned writers = 0;
  std::set<pid_t> told_stale{};
};

namespace {

timespec now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

// Stable for one object, so that it needs no table: made of the parent's number, the name and the object's identity.
ino_t inode_number(ino_t parent, std::string_view name, std::uint64_t identity) {
  std::uint64_t hash = parent * 0x9E3779B97F4A7C15 ^ identity;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  hash ^= hash >> 29;
  return hash < 16 ? hash + 16 : hash;
}

// The beginning of what was written, on one line.
std::string loggable(std::string_view text) {
  constexpr std::size_t kShownBytes = 200;
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::string shown(text.substr(0, kShownBytes));
  std::replace_if(shown.begin(), shown.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, '?');
  return shown;
}

mode_t type_bits(EntryKind kind) {
  switch (kind) {
    case EntryKind::kDirectory: return S_IFDIR;
    case EntryKind::kLink: return S_IFLNK;
    case EntryKind::kFile: break;
  }
  return S_IFREG;
}

}  // namespace

Tree::Tree(std::unique_ptr<Directory> root, base::Log& log) : log_(log), root_(std::make_shared<Node>()) {
  root_->entry = directory_entry(std::move(root));
  root_->inode = kRoot;
  root_->settings.mode = 0755;
  root_->settings.accessed = root_->settings.modified = root_->settings.changed = now();
  root_->current_id = kRoot;
  root_->ids = 1;
  ids_.emplace(kRoot, Id{.node = root_, .references = 1});
}

Tree::~Tree() {
  // Parents own children and children their parents: take that apart, or it lives for ever.
  for (auto& [id, record] : ids_) record.node->children.clear();
}

std::shared_ptr<Tree::Node> Tree::node_of(NodeId id) const {
  auto found = ids_.find(id);
  return found == ids_.end() ? nullptr : found->second.node;
}

bool Tree::exists(const Node& node) {
  if (node.parent && !exists(*node.parent)) return false;
  switch (node.entry.kind) {
    case EntryKind::kDirectory: return node.entry.directory->exists();
    case EntryKind::kFile: return node.entry.file->exists();
    case EntryKind::kLink: break;
  }
  return true;
}

std::string Tree::path_of(const Node& node) {
  if (!node.parent) return {};
  std::string parent = path_of(*node.parent);
  return parent.empty() ? node.name : parent + '/' + node.name;
}

std::shared_ptr<Tree::Node> Tree::child(const std::shared_ptr<Node>& parent, std::string_view name) {
  auto known = parent->children.find(name);
  auto entry = parent->entry.directory->find(name);
  if (!entry) {
    if (known != parent->children.end()) parent->children.erase(known);
    return nullptr;
  }
  if (known != parent->children.end()) {
    Entry& old = known->second->entry;
    if (old.kind == entry->kind && old.identity == entry->identity && exists(*known->second)) {
      old.link_text = std::move(entry->link_text);
      return known->second;
    }
  }
  auto node = std::make_shared<Node>();
  node->parent = parent;
  node->name = name;
  node->inode = inode_number(parent->inode, name, entry->identity);
  node->settings.mode = entry->mode;
  node->settings.accessed = node->settings.modified = node->settings.changed = root_->settings.changed;
  node->entry = std::move(*entry);
  parent->children[node->name] = node;
  return node;
}

// The kernel lets only one write at a time into one id. A file that someone has open for writing therefore gets a new
// one, or a waiting write could not be released by another process.
NodeId Tree::give_id(const std::shared_ptr<Node>& node) {
  auto current = ids_.find(node->current_id);
  if (current == ids_.end() || current->second.writers > 0) {
    node->current_id = ++last_id_;
    ++node->ids;
    current = ids_.emplace(node->current_id, Id{.node = node}).first;
  }
  ++current->second.references;
  return node->current_id;
}

OrErrno<NodeId> Tree::lookup(NodeId parent_id, std::string_view name) {
  auto parent = node_of(parent_id);
  if (!parent) return std::unexpected(ESTALE);
  if (parent->entry.kind != EntryKind::kDirectory) return std::unexpected(ENOTDIR);
  if (!exists(*parent)) return std::unexpected(ENOENT);
  auto node = child(parent, name);
  if (!node) return std::unexpected(ENOENT);
  return give_id(node);
}

void Tree::forget(NodeId id, std::uint64_t count) {
  auto found = ids_.find(id);
  if (found == ids_.end() || id == kRoot) return;
  Id& record = found->second;
  record.references -= std::min(count, record.references);
  if (record.references > 0 || record.writers > 0) return;
  auto node = std::move(record.node);
  ids_.erase(found);
  if (node->current_id == id) node->current_id = 0;
  --node->ids;
  release(node);
}

// Lets go of nodes that nothing refers to, from this one upwards.
void Tree::release(const std::shared_ptr<Node>& node) {
  auto here = node;
  while (here && here->parent && here->ids == 0) {
    if (!exists(*here)) here->children.clear();
    if (!here->children.empty() || (here->changed && exists(*here))) return;
    auto parent = here->parent;
    auto known = parent->children.find(here->name);
    if (known != parent->children.end() && known->second == here) parent->children.erase(known);
    here = parent;
  }
}

OrErrno<std::string> Tree::read_link(NodeId id) {
  auto node = node_of(id);
  if (!node || node->entry.kind != EntryKind::kLink) return std::unexpected(EINVAL);
  return node->entry.link_text;
}

OrErrno<std::vector<Tree::DirectoryEntry>> Tree::read_directory(NodeId id) {
  auto node = node_of(id);
  if (!node || node->entry.kind != EntryKind::kDirectory) return std::unexpected(ENOTDIR);
  std::vector<DirectoryEntry> entries;
  entries.push_back({".", node->inode, S_IFDIR});
  entries.push_back({"..", node->parent ? node->parent->inode : node->inode, S_IFDIR});
  if (!exists(*node)) return entries;
  std::vector<Listed> listed;
  node->entry.directory->list(listed);
  std::vector<std::pair<std::uint32_t, const Listed*>> order;
  order.reserve(listed.size());
  for (const Listed& one : listed) order.emplace_back(kernfs_hash(one.name), &one);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second->name < b.second->name;
  });
  for (const auto& [hash, one] : order) {
    // An object may be called "." or ".."; nobody can see it then. Nor one whose name the kernel would not take.
    if (one->name == "." || one->name == ".." || one->name.size() > kMaximumNameLength) continue;
    entries.push_back({one->name, inode_number(node->inode, one->name, one->identity), type_bits(one->kind)});
  }
  return entries;
}

struct stat Tree::attributes(NodeId id) {
  struct stat attributes{};
  auto node = node_of(id);
  if (!node) return attributes;
  const NodeSettings& settings = node->settings;
  attributes.st_ino = node->inode;
  attributes.st_mode = type_bits(node->entry.kind) | settings.mode;
  attributes.st_uid = settings.uid;
  attributes.st_gid = settings.gid;
  attributes.st_atim = settings.accessed;
  attributes.st_mtim = settings.modified;
  attributes.st_ctim = settings.changed;
  attributes.st_nlink = 1;
  attributes.st_blksize = kPageBytes;
  if (node->entry.kind == EntryKind::kFile) attributes.st_size = kPageBytes;
  if (node->entry.kind == EntryKind::kDirectory) {
    attributes.st_nlink = 2 + (exists(*node) ? node->entry.directory->subdirectory_count() : 0);
  }
  return attributes;
}

NodeSettings& Tree::change(NodeId id) {
  auto node = node_of(id);
  if (!node) node = root_;
  node->changed = true;
  node->settings.changed = now();
  return node->settings;
}

OrErrno<std::string> Tree::extended_attribute(NodeId id, std::string_view name) {
  auto node = node_of(id);
  if (!node) return std::unexpected(ESTALE);
  auto found = node->settings.extended.find(name);
  if (found == node->settings.extended.end()) return std::unexpected(ENODATA);
  return found->second;
}

int Tree::set_extended_attribute(NodeId id, std::string_view name, std::string_view value, int flags) {
  if (!name.starts_with("trusted.") && !name.starts_with("security.")) return ENOTSUP;
  auto node = node_of(id);
  if (!node) return ESTALE;
  auto& extended = node->settings.extended;
  bool there = extended.contains(name);
  if (there && (flags & XATTR_CREATE)) return EEXIST;
  if (!there && (flags & XATTR_REPLACE)) return ENODATA;
  std::size_t bytes = value.size();
  for (const auto& [known, text] : extended) bytes += text.size();
  if (extended.size() >= kMaximumExtendedAttributes || bytes > kMaximumExtendedBytes) return ENOSPC;
  change(id).extended.insert_or_assign(std::string(name), std::string(value));
  return 0;
}

int Tree::remove_extended_attribute(NodeId id, std::string_view name) {
  auto node = node_of(id);
  if (!node) return ESTALE;
  auto found = node->settings.extended.find(name);
  if (found == node->settings.extended.end()) return ENODATA;
  node->settings.extended.erase(found);
  return 0;
}

std::vector<std::string> Tree::extended_attribute_names(NodeId id) {
  std::vector<std::string> names;
  if (auto node = node_of(id)) {
    for (const auto& [name, value] : node->settings.extended) names.push_back(name);
  }
  return names;
}

OrErrno<std::unique_ptr<Tree::OpenFile>> Tree::open(NodeId id, int flags, pid_t process) {
  auto found = ids_.find(id);
  if (found == ids_.end()) return std::unexpected(ESTALE);
  Id& record = found->second;
  Node& node = *record.node;
  bool reads = (flags & O_ACCMODE) != O_WRONLY, writes = (flags & O_ACCMODE) != O_RDONLY;
  // The mode bits hold even for root, whom the kernel lets pass.
  if (writes && !(node.settings.mode & 0222)) return std::unexpected(EACCES);
  if (reads && !(node.settings.mode & 0444)) return std::unexpected(EACCES);
  if (!exists(node)) return std::unexpected(ENODEV);
  if (flags & O_DIRECT) return std::unexpected(EINVAL);
  if (writes && record.writers > 0 && record.told_stale.insert(process).second) return std::unexpected(ESTALE);
  record.told_stale.erase(process);
  if (flags & O_TRUNC) node.settings.modified = node.settings.changed = now();
  if (writes) ++record.writers;
  return std::make_unique<OpenFile>(record.node, id, writes);
}

void Tree::close(std::unique_ptr<OpenFile> file) {
  auto found = ids_.find(file->id());
  if (!file->writes_ || found == ids_.end()) return;
  if (--found->second.writers == 0) found->second.told_stale.clear();
  if (found->second.references == 0) forget(file->id(), 0);
}

bool Tree::exists(const OpenFile& file) const { return exists(*file.node_); }

std::string_view Tree::OpenFile::Content::take(std::uint64_t offset, std::size_t size) {
  std::string_view piece = text;
  piece = offset < piece.size() ? piece.substr(offset, size) : std::string_view{};
  next_offset = offset + piece.size();
  return piece;
}

void Tree::read(OpenFile& file, std::uint64_t offset, std::size_t size, ReadDone done) {
  auto& content = *file.content_;
  bool goes_on = content.loaded && offset != 0 && offset == content.next_offset;
  bool has_more = goes_on && offset < content.text.size();
  if (!has_more && !exists(*file.node_)) return done(std::unexpected(ENODEV));
  if (goes_on) return done(content.take(offset, size));
  content.loaded = false;
  // The node stays while the file loads, and so does what the open file has read.
  auto loaded = [node = file.node_, keep = file.content_, offset, size,
                 done = std::move(done)](base::Result<std::string> text) mutable {
    if (!text) return done(std::unexpected(text.error().code));
    keep->text = std::move(*text);
    if (keep->text.size() > kContentBytes) keep->text.resize(kContentBytes);
    keep->loaded = true;
    done(keep->take(offset, size));
  };
  file.node_->entry.file->load(std::move(loaded));
}

void Tree::write(OpenFile& file, std::string_view data, Writer& writer, WriteDone done) {
  if (!exists(*file.node_)) return done(std::unexpected(ENODEV));
  if (data.empty()) return done(std::size_t{0});
  data = data.substr(0, kPageBytes);
  std::size_t taken = data.size();
  // Only the text up to a NUL counts, yet the whole write is taken.
  std::string text(file.node_->entry.file->takes_nuls() ? data : data.substr(0, data.find('\0')));
  auto answer = [taken, &log = log_, node = file.node_, shown = loggable(text),
                 done = std::move(done)](base::Status status) mutable {
    if (!status) log.warning("{}: '{}' was refused: {}", path_of(*node), shown, status.error().text);
    done(status ? OrErrno<std::size_t>(taken) : std::unexpected(status.error().code));
  };
  file.node_->entry.file->store_for(writer, std::move(text), std::move(answer));
}

}  // namespace uscst::sysfsfs
