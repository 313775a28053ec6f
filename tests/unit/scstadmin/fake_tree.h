// A tree in memory that carries out the management commands scstadmin sends, in the way recorded from SCST.
// Starts as a recorded dump; knows just enough of the rules for scstadmin's sake. Owned by a test.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compat/scstadmin/tree.h"

namespace uscst::scstadmin {

class FakeTree final : public Tree {
 public:
  // `dump` is a recorded tree, `devices` the attributes of new devices by handler; {TGT} in them becomes `target`.
  FakeTree(const std::string& dump, const std::string& devices, const std::string& target);

  std::string root() const override { return "/sys/kernel/scst_tgt"; }
  base::Result<std::vector<std::string>> list(const std::string& path) const override;
  base::Result<std::vector<Entry>> entries(const std::string& path) const override;
  std::optional<NodeInfo> stat(const std::string& path) const override;
  std::optional<std::string> link(const std::string& path) const override;
  base::Result<std::string> read(const std::string& path) const override;
  base::Status write(const std::string& path, std::string_view text) override;

  // Every write so far as "PATH < TEXT".
  const std::vector<std::string>& writes() const { return writes_; }

 private:
  struct Node {
    char type = 'f';
    unsigned mode = 0644;
    std::string text;  // content, or where a link leads
  };
  using Nodes = std::map<std::string, Node>;
  using Words = std::vector<std::string>;

  static Nodes parse_dump(const std::string& text, const std::string& target);
  const Node* find(const std::string& path) const;
  std::string resolve(const std::string& path) const;
  void add(const std::string& path, char type, unsigned mode, const std::string& text = "") {
    nodes_[path] = {type, mode, text};
  }
  void remove(const std::string& path);
  std::vector<std::string> below(const std::string& path) const;
  bool exists(const std::string& path) const { return nodes_.contains(path); }

  int command(const std::string& path, const std::string& text);
  int handler_command(const std::string& handler, const Words& words);
  int add_device(const std::string& handler, const std::string& device, const std::string& parameters);
  int remove_device(const std::string& device);
  int luns_command(const std::string& luns, const Words& words);
  void add_lun(const std::string& luns, const std::string& device, const std::string& lun, bool read_only);
  void remove_lun(const std::string& luns, const std::string& lun);
  int groups_command(const std::string& groups, const Words& words);
  int initiators_command(const std::string& initiators, const Words& words);
  int targets_command(const std::string& driver, const Words& words);
  int device_groups_command(const std::string& path, const Words& words);
  int set_attribute(const std::string& path, const std::string& value);
  std::string device_text(const std::string& name, const std::string& attribute, const std::string& text) const;

  Nodes nodes_;
  Nodes templates_;
  std::vector<std::string> writes_;
  int next_export_ = 0;
  int next_copy_lun_ = 0;
};

}  // namespace uscst::scstadmin
