// A tree that asks the one below for each thing at most once, until a command that was written through it may have
// changed the answer.
//
// What is forgotten: with a command to a `mgmt` file all structure (directories, links, what things are) and the
// attributes of the object the command names; with any other write that attribute. Texts of `mgmt` files are usage
// texts and stay. Owned by main(), below it the SysfsTree; one thread. What others change meanwhile is not seen, so it
// lives no longer than one run of scstadmin. `last_sysfs_mgmt_res` and sessions are always asked for.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compat/scstadmin/tree.h"

namespace uscst::scstadmin {

class CachedTree final : public Tree {
 public:
  // `another` makes further trees like the one below, for the threads that fetch ahead; without it nothing is.
  explicit CachedTree(Tree& below, std::function<std::unique_ptr<Tree>()> another = {})
      : below_(below), another_(std::move(another)) {}

  // Asks from several threads: an answer comes from another process, and this one need not wait for each by itself.
  void prefetch(const std::vector<Wish>& wishes) const override;

  std::string root() const override { return below_.root(); }
  base::Result<std::vector<std::string>> list(const std::string& path) const override;
  base::Result<std::vector<Entry>> entries(const std::string& path) const override;
  std::optional<NodeInfo> stat(const std::string& path) const override;
  std::optional<std::string> link(const std::string& path) const override;
  base::Result<std::string> read(const std::string& path) const override;
  base::Result<FileContent> inspect(const std::string& path) const override;
  bool is_planned(const std::string& path) const override { return below_.is_planned(path); }
  base::Status write(const std::string& path, std::string_view text) override;

 private:
  template <class Value>
  using Known = std::map<std::string, Value, std::less<>>;

  // What one thread brought.
  struct Fetched {
    Known<base::Result<std::vector<Entry>>> entries;
    Known<std::optional<std::string>> links;
    Known<base::Result<FileContent>> files;
  };
  void fetch(const Tree& tree, const Wish& wish, Fetched& out) const;

  void forget_below(const std::string& directory);
  void forget_structure();

  Tree& below_;
  std::function<std::unique_ptr<Tree>()> another_;
  mutable Known<base::Result<std::vector<Entry>>> entries_;
  mutable Known<std::optional<NodeInfo>> stats_;
  mutable Known<std::optional<std::string>> links_;
  mutable Known<base::Result<FileContent>> files_;  // with what they are
};

// The directory of the object that a command written to the mgmt file `path` is about.
std::string commanded_object(std::string_view path, std::string_view command);

}  // namespace uscst::scstadmin
