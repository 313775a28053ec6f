// Mounting the tree. All of it runs on the main thread (or any other but the control thread, which serves the tree:
// these calls look paths up that lead through it).
//
// /sys/kernel cannot be added to. For a directory there, what /sys/kernel holds is bound once more below a tmpfs,
// the tree is mounted beside it, and the whole is brought over /sys/kernel: the shadow. It and the place where it is
// put together are known by their source names in /proc/self/mountinfo, so that whatever a killed daemon left is found.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/base/log.h"
#include "engine/base/result.h"

namespace uscst::sysfsfs {

inline constexpr std::string_view kDefaultTree = "/sys/kernel/scst_tgt";
inline constexpr std::string_view kMountSource = "uscst", kStageSource = "uscst-stage", kMountType = "fuse.uscst";

struct MountOptions {
  std::string directory{kDefaultTree};
  // Where the shadow is put together; a directory that can be written to.
  std::string stage = "/run/uscst-stage";
  // Called before each step that changes something, with a number from 1: tests end the process there.
  std::function<void(int step, std::string_view name)> before_step{};
};

struct MountedTree {
  int fuse_fd = -1;             // for TreeFilesystem::attach()
  std::string directory;        // absolute
  bool is_shadow = false;       // its parent directory was shadowed
  bool made_directory = false;  // to be removed again
  bool by_helper = false;       // fusermount3 made it and takes it away
};

// Takes away what was left by a daemon that died, then mounts. Until somebody serves fuse_fd, whoever looks waits.
// EBUSY: a kernel SCST is loaded, or a living daemon serves the directory. EPERM: CAP_SYS_ADMIN is missing, with what
// to use instead in the text.
base::Result<MountedTree> mount_tree(const MountOptions& options, base::Log& log);
// Afterwards /proc/self/mountinfo is as it was before, but for mounts that others made below the shadowed directory
// meanwhile: they are kept.
base::Status unmount_tree(const MountedTree& tree, base::Log& log);
// Only the first half of mount_tree().
base::Status remove_stale_mounts(const MountOptions& options, base::Log& log);

// Gives the calling thread, and those it starts later, mounts of their own that nobody else sees; with a user namespace
// where privileges are missing.
base::Status enter_private_namespace();

}  // namespace uscst::sysfsfs
