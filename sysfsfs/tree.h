// The tree with kernfs's manners, free of FUSE: nodes, attributes, open files. Node ids are what the kernel is given;
// one file can have several, because the kernel serialises the writers of one id (see lookup). Owned by TreeFilesystem;
// control thread, and nothing here ever waits.
#pragma once

#include <sys/stat.h>

#include <expected>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/base/log.h"
#include "sysfsfs/node.h"

namespace uscst::sysfsfs {

// A value, or the errno that the system call fails with.
template <class T>
using OrErrno = std::expected<T, int>;

using NodeId = std::uint64_t;

// What chmod, chown, utimes and setxattr left on a node, in memory as in sysfs.
struct NodeSettings {
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  timespec accessed{}, modified{}, changed{};
  std::map<std::string, std::string, std::less<>> extended;
};

class Tree {
 public:
  static constexpr NodeId kRoot = 1;
  // What FUSE carries; sysfs itself has no limit, so that names of 256 bytes and more can be looked up.
  static constexpr std::size_t kMaximumNameLength = 1024;
  static constexpr std::size_t kMaximumExtendedAttributes = 128, kMaximumExtendedBytes = 128 * 1024;  // kernfs's

  struct Node;
  class OpenFile;

  // Refused writes are logged: the writer only sees an errno.
  Tree(std::unique_ptr<Directory> root, base::Log& log);
  ~Tree();

  // --- names. A successful lookup is one more reference, until forget() takes it back.
  OrErrno<NodeId> lookup(NodeId parent, std::string_view name);
  void forget(NodeId id, std::uint64_t count);
  OrErrno<std::string> read_link(NodeId id);
  struct DirectoryEntry {
    std::string name;
    ino_t inode = 0;
    mode_t type = 0;
  };
  // "." and ".." first, the rest in the order of the names' hashes.
  OrErrno<std::vector<DirectoryEntry>> read_directory(NodeId id);

  // --- attributes; they can be looked at even when the object is gone
  struct stat attributes(NodeId id);
  NodeSettings& change(NodeId id);  // what is changed sticks
  OrErrno<std::string> extended_attribute(NodeId id, std::string_view name);
  int set_extended_attribute(NodeId id, std::string_view name, std::string_view value, int flags);
  int remove_extended_attribute(NodeId id, std::string_view name);
  std::vector<std::string> extended_attribute_names(NodeId id);

  // --- open files
  // ESTALE once, when another open file already writes to this id: the kernel looks the name up again then, and finds
  // another id. `process` tells the second try.
  OrErrno<std::unique_ptr<OpenFile>> open(NodeId id, int flags, pid_t process);
  void close(std::unique_ptr<OpenFile> file);
  // Content is made anew by a read that does not go on where the last one on this open file ended. `done` is called
  // once, now or later; what it is given holds until it returns. The file may have been closed before.
  using ReadDone = std::move_only_function<void(OrErrno<std::string_view>)>;
  void read(OpenFile& file, std::uint64_t offset, std::size_t size, ReadDone done);
  // Takes at most kPageBytes and answers how many; `done` is called once, now or later. `writer` has to stay only until
  // this returns.
  using WriteDone = std::move_only_function<void(OrErrno<std::size_t>)>;
  void write(OpenFile& file, std::string_view data, Writer& writer, WriteDone done);
  bool exists(const OpenFile& file) const;

  std::size_t node_count() const { return ids_.size(); }

 private:
  struct Id;
  std::shared_ptr<Node> node_of(NodeId id) const;
  static bool exists(const Node& node);
  static std::string path_of(const Node& node);
  std::shared_ptr<Node> child(const std::shared_ptr<Node>& parent, std::string_view name);
  NodeId give_id(const std::shared_ptr<Node>& node);
  void release(const std::shared_ptr<Node>& node);

  base::Log& log_;
  std::shared_ptr<Node> root_;
  std::unordered_map<NodeId, Id> ids_;
  NodeId last_id_ = kRoot;
};

class Tree::OpenFile {
 public:
  OpenFile(std::shared_ptr<Node> node, NodeId id, bool writes) : node_(std::move(node)), id_(id), writes_(writes) {}
  NodeId id() const { return id_; }

 private:
  friend class Tree;
  const std::shared_ptr<Node> node_;
  const NodeId id_;
  const bool writes_;
  // Also a load's that is under way.
  struct Content {
    std::string text;
    bool loaded = false;
    std::uint64_t next_offset = 0;
    std::string_view take(std::uint64_t offset, std::size_t size);
  };
  const std::shared_ptr<Content> content_ = std::make_shared<Content>();
};

}  // namespace uscst::sysfsfs
