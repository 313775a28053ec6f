#include "sysfsfs/mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

#include "sysfsfs/mountinfo.h"
#include "sysfsfs/shadow.h"

namespace uscst::sysfsfs {
namespace {

std::string without_slashes_at_end(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

struct SplitPath {
  std::string parent, name;
};
SplitPath split_path(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

bool is_directory(const std::string& path) {
  struct stat attributes{};
  return stat(path.c_str(), &attributes) == 0 && S_ISDIR(attributes.st_mode);
}

bool is_sysfs(const std::string& path) {
  struct statfs information{};
  return statfs(path.c_str(), &information) == 0 && information.f_type == SYSFS_MAGIC;
}

// A mount of the tree whose daemon is gone. ECONNABORTED: it went while we asked; the kernel takes the rings of a
// killed process down, and with them the last hold of /dev/fuse, a moment after the process.
bool is_dead(const std::string& path) {
  struct stat attributes{};
  return stat(path.c_str(), &attributes) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

bool may_mount() {
  // CAP_SYS_ADMIN, in the namespace that owns the mounts: asked by doing what changes nothing.
  return mount("none", "/", nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0 || errno != EPERM;
}

// --- mounting /dev/fuse

base::Result<int> mount_fuse(const std::string& path) {
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return base::fail(errno,
                      fmt::format("cannot open /dev/fuse: {}; load the fuse module, or give the container the device",
                                  std::strerror(errno)));
  }
  auto options = fmt::format("fd={},rootmode=40000,user_id={},group_id={},allow_other,default_permissions", fd,
                             geteuid(), getegid());
  if (mount(std::string(kMountSource).c_str(), path.c_str(), std::string(kMountType).c_str(),
            MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) != 0) {
    auto status = failed("mount the tree on", path);
    close(fd);
    return std::unexpected(status.error());
  }
  return fd;
}

base::Result<int> receive_descriptor(int socket) {
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0) return base::fail(EPERM, "fusermount3 mounted nothing");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS) return base::fail(EPERM, "fusermount3 sent no descriptor");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return fd;
}

// Runs fusermount3; `socket` is what it talks on, -1 for none.
int run_helper(const std::vector<std::string>& arguments, int socket) {
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    std::vector<char*> pointers;
    for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    if (socket >= 0) setenv("_FUSE_COMMFD", std::to_string(socket).c_str(), 1);
    execvp(pointers[0], pointers.data());
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

base::Result<int> mount_with_helper(const std::string& path) {
  int sockets[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) return base::fail(errno, "cannot make a socket pair");
  fcntl(sockets[0], F_SETFD, FD_CLOEXEC);
  auto options = fmt::format("fsname={},subtype=uscst,default_permissions", kMountSource);
  int exit_status = run_helper({"fusermount3", "-o", options, "--", path}, sockets[1]);
  close(sockets[1]);
  base::Result<int> fd = base::fail(
      EPERM, fmt::format(
                 "cannot mount the tree on {}: CAP_SYS_ADMIN is missing, and fusermount3 (package fuse3) did not mount "
                 "it either. Run with CAP_SYS_ADMIN, or with --private-mount, or let fusermount3 be setuid root with "
                 "/dev/fuse there, and name a directory that you own with --sysfs DIR",
                 path));
  if (exit_status == 0) fd = receive_descriptor(sockets[0]);
  close(sockets[0]);
  return fd;
}

// --- what was left behind

base::Status remove_stale_shadow(const MountEntry& shadow, const std::string& directory, base::Log& log) {
  for (const MountEntry& mount : subtree(read_mountinfo(), shadow.id)) {
    if (mount.type == kMountType && mount.mount_point == directory && !is_dead(directory)) {
      return base::fail(EBUSY, fmt::format("{} is served by another daemon; stop it first", directory));
    }
  }
  log.info("taking away the shadow over {} that a daemon left", shadow.mount_point);
  return take_shadow_away(shadow);
}

// The topmost of our mounts on this path, or null.
const MountEntry* topmost(const std::vector<MountEntry>& mounts, std::string_view mount_point, std::string_view type) {
  const MountEntry* found = nullptr;
  for (const MountEntry& mount : mounts) {
    if (mount.mount_point != mount_point || mount.type != type || mount.source != kMountSource) continue;
    if (!found || mount.parent == found->id) found = &mount;
  }
  return found;
}

base::Status refuse_kernel_scst(const std::string& directory) {
  if (!is_directory("/sys/module/scst") && !(is_directory(directory) && is_sysfs(directory))) return {};
  return base::fail(EBUSY, fmt::format("SCST is loaded as a kernel module: unload it (init.d/scst stop) before {} can "
                                       "be shown by this daemon, or name another directory with --sysfs DIR",
                                       directory));
}

base::Status make_shadowed_mount(const MountOptions& options, const SplitPath& path, const Step& step,
                                 MountedTree& tree) {
  if (!may_mount()) {
    return base::fail(EPERM,
                      fmt::format("showing the tree as {} needs CAP_SYS_ADMIN, which is missing. Run with it, or "
                                  "name a directory that you own with --sysfs DIR: fusermount3 (package fuse3) "
                                  "mounts there without, and --private-mount without either",
                                  tree.directory));
  }
  auto mount_there = [&](const std::string& place) -> base::Status {
    auto fd = mount_fuse(place);
    if (!fd) return std::unexpected(fd.error());
    tree.fuse_fd = *fd;
    return {};
  };
  return raise_shadow(options.stage, path.parent, path.name, step, mount_there);
}

}  // namespace

base::Status remove_stale_mounts(const MountOptions& options, base::Log& log) {
  std::string directory = without_slashes_at_end(options.directory);
  auto is_stage = [](const MountEntry& mount) { return mount.source == kStageSource; };
  while (true) {
    auto mounts = read_mountinfo();
    if (auto stage = std::find_if(mounts.begin(), mounts.end(), is_stage); stage != mounts.end()) {
      log.info("taking away the unfinished shadow on {} that a daemon left", stage->mount_point);
      if (auto status = take_stage_away(*stage); !status) return status;
    } else if (auto* shadow = topmost(mounts, split_path(directory).parent, "tmpfs")) {
      if (auto status = remove_stale_shadow(*shadow, directory, log); !status) return status;
    } else if (auto* mount = topmost(mounts, directory, kMountType)) {
      if (!is_dead(directory)) {
        return base::fail(EBUSY, fmt::format("{} is served by another daemon; stop it first", directory));
      }
      log.info("taking away the mount on {} that a daemon left", directory);
      if (umount2(mount->mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 &&
          run_helper({"fusermount3", "-u", "-z", "--", directory}, -1) != 0) {
        return failed("unmount", directory);
      }
    } else {
      break;
    }
  }
  // The directory of a stage whose mount is gone already.
  rmdir(options.stage.c_str());
  return {};
}

base::Result<MountedTree> mount_tree(const MountOptions& options, base::Log& log) {
  MountedTree tree{.directory = without_slashes_at_end(options.directory)};
  if (!tree.directory.starts_with('/') || tree.directory == "/") {
    return base::fail(EINVAL, fmt::format("'{}' is not the absolute path of a directory", options.directory));
  }
  if (auto status = remove_stale_mounts(options, log); !status) return std::unexpected(status.error());
  int number = 0;
  Step step = [&](std::string_view name) {
    if (options.before_step) options.before_step(++number, name);
  };
  SplitPath path = split_path(tree.directory);
  if (is_sysfs(path.parent)) {
    if (auto status = refuse_kernel_scst(tree.directory); !status) return std::unexpected(status.error());
    tree.is_shadow = true;
    auto status = make_shadowed_mount(options, path, step, tree);
    if (status) return tree;
    if (tree.fuse_fd >= 0) close(tree.fuse_fd);
    (void)remove_stale_mounts(options, log);
    return std::unexpected(status.error());
  }
  step("make the directory");
  if (!is_directory(tree.directory)) {
    if (mkdir(tree.directory.c_str(), 0755) != 0) return std::unexpected(failed("make", tree.directory).error());
    tree.made_directory = true;
  }
  step("mount the tree");
  auto fd = mount_fuse(tree.directory);
  if (!fd && fd.error().code == EPERM) {
    tree.by_helper = true;
    fd = mount_with_helper(tree.directory);
  }
  if (!fd) return std::unexpected(fd.error());
  step("done");
  tree.fuse_fd = *fd;
  return tree;
}

base::Status unmount_tree(const MountedTree& tree, base::Log& log) {
  if (tree.is_shadow) {
    auto mounts = read_mountinfo();
    auto* shadow = topmost(mounts, split_path(tree.directory).parent, "tmpfs");
    return shadow ? take_shadow_away(*shadow) : base::Status{};
  }
  if (tree.by_helper) {
    if (run_helper({"fusermount3", "-u", "-z", "--", tree.directory}, -1) != 0) {
      return base::fail(EIO, fmt::format("fusermount3 could not unmount {}", tree.directory));
    }
  } else if (umount2(tree.directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
    return failed("unmount", tree.directory);
  }
  if (tree.made_directory && rmdir(tree.directory.c_str()) != 0) {
    log.warning("{}: left behind: {}", tree.directory, std::strerror(errno));
  }
  return {};
}

base::Status enter_private_namespace() {
  auto user = geteuid(), group = getegid();
  if (unshare(CLONE_NEWNS) != 0) {
    if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
      return base::fail(errno, fmt::format("cannot make a mount namespace: {}", std::strerror(errno)));
    }
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << fmt::format("0 {} 1\n", user);
    std::ofstream("/proc/self/gid_map") << fmt::format("0 {} 1\n", group);
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return failed("make private", "/");
  return {};
}

}  // namespace uscst::sysfsfs
