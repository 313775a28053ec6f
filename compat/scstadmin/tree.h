// The SCST tree as scstadmin sees it: directories, links and attribute files below one root directory.
//
// An interface with a real kind (SysfsTree: /sys/kernel/scst_tgt or any directory) and, in the tests, one in memory.
// Owned by main(); used from one thread. Paths are relative to the root, without a leading slash; "" is the root
// itself.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace uscst::scstadmin {

struct NodeInfo {
  bool is_directory = false;
  bool is_regular = false;
  unsigned mode = 0;  // permission bits
  bool operator==(const NodeInfo&) const = default;
};

enum class EntryType { kDirectory, kFile, kLink };

struct Entry {
  std::string name;
  EntryType type;
  bool operator==(const Entry&) const = default;
};

// A file as one opening of it shows it.
struct FileContent {
  NodeInfo info;
  std::string text;  // empty when the file is not readable by its owner
};

// What will be asked for soon: the entries of a directory, a link, or an object with all its files and links.
struct Wish {
  enum class What { kEntries, kLink, kObject };
  What what;
  std::string path;
};

class Tree {
 public:
  virtual ~Tree() = default;

  // A hint: a tree that remembers may ask for all of that at once. Only of what exists.
  virtual void prefetch(const std::vector<Wish>&) const {}

  // The directory that paths are relative to, for messages.
  virtual std::string root() const = 0;
  // Names in the order of the file system, without "." and "..". Errno of opendir(3).
  virtual base::Result<std::vector<std::string>> list(const std::string& path) const = 0;
  // The same with what each entry is, itself: a link is a link.
  virtual base::Result<std::vector<Entry>> entries(const std::string& path) const = 0;
  // What stat(2) says (links are followed); nothing when there is no such thing.
  virtual std::optional<NodeInfo> stat(const std::string& path) const = 0;
  // The text of a symbolic link; nothing when it is none.
  virtual std::optional<std::string> link(const std::string& path) const = 0;
  // The whole content of a file. Waits while the tree answers EAGAIN. Errno of open(2) or read(2).
  virtual base::Result<std::string> read(const std::string& path) const = 0;
  // Mode and content at once.
  virtual base::Result<FileContent> inspect(const std::string& path) const;
  // Whether the object is known only by name: it would be made by commands that were not sent (PlannedTree).
  virtual bool is_planned(const std::string&) const { return false; }
  // One write(2) of the whole text. When it answers EAGAIN, waits for the result of the queued work. Errno of open(2),
  // write(2) or of the work itself; ETIMEDOUT when the work did not end in time.
  virtual base::Status write(const std::string& path, std::string_view text) = 0;

  bool is_directory(const std::string& path) const;
};

inline constexpr std::chrono::seconds kMgmtTimeout{300};
inline constexpr std::chrono::seconds kMgmtPollInterval{1};

inline constexpr unsigned kOwnerRead = 0400;
inline constexpr unsigned kOwnerWrite = 0200;

// System calls on the tree. Shared by the trees of a run, which may be on several threads.
struct CallCounts {
  std::atomic<unsigned long> directories_opened = 0;
  std::atomic<unsigned long> attributes_read = 0;
  std::atomic<unsigned long> links_read = 0;
  std::atomic<unsigned long> stats = 0;
  std::atomic<unsigned long> writes = 0;

  void read_attribute(const std::string& path);
  // How many attributes were opened for reading that had been before.
  unsigned long attributes_read_again() const;

 private:
  mutable std::mutex mutex_;
  std::set<std::string> read_;
};

// Walks the tree from open directories, so that each look-up in the file system is of one name. A directory that is
// removed and made again is not noticed behind the back of this class, but any command written through it is.
class SysfsTree final : public Tree {
 public:
  // `pause` waits between two looks at the result of queued work.
  explicit SysfsTree(std::string root, std::function<void()> pause = {});
  ~SysfsTree() override;
  SysfsTree(const SysfsTree&) = delete;
  SysfsTree& operator=(const SysfsTree&) = delete;

  // Counts from now on, unless `counts` is null.
  void count_calls(std::shared_ptr<CallCounts> counts) { counts_ = std::move(counts); }

  std::string root() const override { return root_; }
  base::Result<std::vector<std::string>> list(const std::string& path) const override;
  base::Result<std::vector<Entry>> entries(const std::string& path) const override;
  std::optional<NodeInfo> stat(const std::string& path) const override;
  std::optional<std::string> link(const std::string& path) const override;
  base::Result<std::string> read(const std::string& path) const override;
  base::Result<FileContent> inspect(const std::string& path) const override;
  base::Status write(const std::string& path, std::string_view text) override;

 private:
  std::string full(const std::string& path) const { return path.empty() ? root_ : root_ + "/" + path; }
  // The directory that `path` is in, opened and kept open, and the name in it. -1 when there is no such directory.
  struct Place {
    int directory;
    const char* name;
  };
  Place place(const std::string& path) const;
  int directory(const std::string& path) const;
  void forget_directories() const;
  // Kept open from one command to the next.
  int open_mgmt(const std::string& path) const;
  int open_for_reading(const std::string& path) const;
  base::Result<std::string> read_all(int fd, const std::string& path) const;
  base::Status queued_result() const;

  std::string root_;
  std::function<void()> pause_;
  mutable std::map<std::string, int, std::less<>> directories_;  // descriptors, by path
  mutable std::string mgmt_path_;
  mutable int mgmt_ = -1;
  std::shared_ptr<CallCounts> counts_;
};

// "a/b/c" out of its parts; empty parts are left out.
std::string join_path(std::initializer_list<std::string_view> parts);

// What follows the last slash.
std::string last_part(std::string_view path);

}  // namespace uscst::scstadmin
