// A tree as it would be after commands that are not sent: what is written to it is kept as steps of a plan, and what
// the commands would make, remove and move is shown on top of the real tree below.
//
// It models structure only (devices, LUNs, groups, initiators, targets, device groups), as far as scstadmin looks at it
// again; every command is taken to succeed. What an object that does not exist yet will look like inside is unknown:
// is_planned() says so. Owned by make_plan(); one thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compat/scstadmin/tree.h"

namespace uscst::scstadmin {

// One write of the plan.
struct Step {
  enum class Kind { kAdd, kRemove, kChange };
  Kind kind;
  std::string what;    // for people: "LUN 0 of ib_srpt/t/g: disk1"
  std::string object;  // the directory it is about, or the attribute
  std::string value;   // of an attribute
};

class PlannedTree final : public Tree {
 public:
  explicit PlannedTree(const Tree& below) : below_(below) {}

  const std::vector<Step>& steps() const { return steps_; }

  std::string root() const override { return below_.root(); }
  void prefetch(const std::vector<Wish>& wishes) const override { below_.prefetch(wishes); }
  base::Result<std::vector<std::string>> list(const std::string& path) const override;
  base::Result<std::vector<Entry>> entries(const std::string& path) const override;
  std::optional<NodeInfo> stat(const std::string& path) const override;
  std::optional<std::string> link(const std::string& path) const override;
  base::Result<std::string> read(const std::string& path) const override;
  bool is_planned(const std::string& path) const override;
  base::Status write(const std::string& path, std::string_view text) override;

 private:
  struct Node {
    EntryType type;
    std::string text;
  };
  using Words = std::vector<std::string>;

  bool is_gone(const std::string& path) const;
  void make(const std::string& path, EntryType type = EntryType::kDirectory, const std::string& text = "") {
    made_[path] = {type, text};
  }
  void remove(const std::string& path);
  void command(const std::string& path, const Words& words);
  void handler_command(const std::string& handler, const Words& words);
  void luns_command(const std::string& luns, const Words& words);
  void group_command(const std::string& directory, const Words& words);
  void clear(const std::string& directory);
  void add_lun(const std::string& luns, const std::string& device, const std::string& lun);
  void remove_device(const std::string& device);

  const Tree& below_;
  std::map<std::string, Node> made_;
  std::set<std::string> gone_;                              // with all below them
  std::map<std::string, std::set<std::string>> made_luns_;  // of a device: directories that add_lun() made
  unsigned next_copy_lun_ = 0;
  std::vector<Step> steps_;
};

// What a write would mean, for people. `before` is the tree it would be written to.
Step describe_write(const Tree& before, const std::string& path, std::string_view text);

}  // namespace uscst::scstadmin
