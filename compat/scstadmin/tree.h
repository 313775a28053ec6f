// The SCST tree as scstadmin sees it: directories, links and attribute files below one root directory.
//
// An interface with a real kind (SysfsTree: /sys/kernel/scst_tgt or any directory) and, in the tests, one in memory.
// Owned by main(); used from one thread. Paths are relative to the root, without a leading slash; "" is the root
// itself.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace uscst::scstadmin {

struct NodeInfo {
  bool is_directory = false;
  bool is_regular = false;
  unsigned mode = 0;  // permission bits
};

class Tree {
 public:
  virtual ~Tree() = default;

  // The directory that paths are relative to, for messages.
  virtual std::string root() const = 0;
  // Names in the order of the file system, without "." and "..". Errno of opendir(3).
  virtual base::Result<std::vector<std::string>> list(const std::string& path) const = 0;
  // What stat(2) says (links are followed); nothing when there is no such thing.
  virtual std::optional<NodeInfo> stat(const std::string& path) const = 0;
  // The text of a symbolic link; nothing when it is none.
  virtual std::optional<std::string> link(const std::string& path) const = 0;
  // The whole content of a file. Waits while the tree answers EAGAIN. Errno of open(2) or read(2).
  virtual base::Result<std::string> read(const std::string& path) const = 0;
  // One write(2) of the whole text. When it answers EAGAIN, waits for the result of the queued work. Errno of open(2),
  // write(2) or of the work itself; ETIMEDOUT when the work did not end in time.
  virtual base::Status write(const std::string& path, std::string_view text) = 0;

  bool is_directory(const std::string& path) const;
};

inline constexpr std::chrono::seconds kMgmtTimeout{300};
inline constexpr std::chrono::seconds kMgmtPollInterval{1};

class SysfsTree final : public Tree {
 public:
  // `pause` waits between two looks at the result of queued work.
  explicit SysfsTree(std::string root, std::function<void()> pause = {});

  std::string root() const override { return root_; }
  base::Result<std::vector<std::string>> list(const std::string& path) const override;
  std::optional<NodeInfo> stat(const std::string& path) const override;
  std::optional<std::string> link(const std::string& path) const override;
  base::Result<std::string> read(const std::string& path) const override;
  base::Status write(const std::string& path, std::string_view text) override;

 private:
  std::string full(const std::string& path) const { return path.empty() ? root_ : root_ + "/" + path; }
  base::Status queued_result() const;

  std::string root_;
  std::function<void()> pause_;
};

// "a/b/c" out of its parts; empty parts are left out.
std::string join_path(std::initializer_list<std::string_view> parts);

// What follows the last slash.
std::string last_part(std::string_view path);

}  // namespace uscst::scstadmin
