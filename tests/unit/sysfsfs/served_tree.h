// A fake engine whose tree is mounted and served by a thread of its own, as the daemon does it.
#pragma once

#include <memory>
#include <string>

#include "engine/io/blocking_pool.h"
#include "engine/io/reactor_thread.h"
#include "sysfsfs/mount.h"
#include "sysfsfs/tree_filesystem.h"
#include "tests/unit/sysfsfs/fake_engine.h"

namespace uscst::sysfsfs {

// Puts the process into a mount namespace of its own, once; empty, or why tests that mount must be skipped.
std::string prepare_mounts();

class ServedTree {
 public:
  explicit ServedTree(MountOptions options);
  ~ServedTree();

  bool mounted() const { return tree_.has_value(); }
  const base::Result<MountedTree>& tree() const { return tree_; }
  std::string path(std::string_view name) const { return options_.directory + '/' + std::string(name); }
  // Runs on the control thread.
  void call(io::Job job) { thread_->call(std::move(job)); }
  FakeEngine& engine() { return *engine_; }
  base::Status unmount();

 private:
  const MountOptions options_;
  io::BlockingPool pool_;
  base::Log log_;
  std::unique_ptr<io::Reactor> control_;
  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<TreeFilesystem> filesystem_;
  std::unique_ptr<io::ReactorThread> thread_;
  base::Result<MountedTree> tree_;
};

}  // namespace uscst::sysfsfs
