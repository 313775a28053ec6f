#include "sysfsfs/shadow.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <memory>
#include <vector>

#include "sysfsfs/mount.h"

namespace uscst::sysfsfs {
namespace {

constexpr const char* kNothing = nullptr;

base::Status mount_tmpfs(std::string_view source, const std::string& path) {
  if (mount(std::string(source).c_str(), path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") != 0) {
    return failed("mount a tmpfs on", path);
  }
  if (mount(kNothing, path.c_str(), kNothing, MS_PRIVATE, nullptr) != 0) return failed("make private", path);
  return {};
}

base::Status bind_again(const std::string& from, const std::string& to, const Step& step) {
  if (mount(from.c_str(), to.c_str(), kNothing, MS_BIND | MS_REC, nullptr) != 0) return failed("bind", from);
  step("cut what was bound off from the original");
  // What is mounted or unmounted here must not reach the original; the other way round is wanted.
  if (mount(kNothing, to.c_str(), kNothing, MS_SLAVE | MS_REC, nullptr) != 0) return failed("make a slave", to);
  return {};
}

base::Status copy_link(const std::string& from, const std::string& to) {
  std::array<char, PATH_MAX> text{};
  ssize_t length = readlink(from.c_str(), text.data(), text.size() - 1);
  if (length < 0 || symlink(text.data(), to.c_str()) != 0) return failed("copy the link", from);
  return {};
}

base::Status show_entry(const std::string& from, const std::string& to, const Step& step) {
  struct stat attributes{};
  if (lstat(from.c_str(), &attributes) != 0) return failed("look at", from);
  if (S_ISLNK(attributes.st_mode)) return copy_link(from, to);
  if (S_ISDIR(attributes.st_mode)) {
    if (mkdir(to.c_str(), 0755) != 0) return failed("make", to);
  } else {
    int fd = open(to.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) return failed("make", to);
    close(fd);
  }
  return bind_again(from, to, step);
}

base::Result<std::vector<std::string>> names_in(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (!directory) return base::fail(errno, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A mount that somebody made in the shadow, held while the shadow goes.
struct Kept {
  std::string path;
  int fd = -1;
};

bool contains(const std::vector<MountEntry>& mounts, int id) {
  return std::any_of(mounts.begin(), mounts.end(), [&](const MountEntry& mount) { return mount.id == id; });
}

// Mounts of the shadow that have no counterpart below it, those directly on what the shadow itself consists of. The
// tree's own mount is none of them.
std::vector<Kept> keep_foreign_mounts(const std::vector<MountEntry>& all, const std::vector<MountEntry>& shadow) {
  std::vector<std::string> own;
  for (const MountEntry& mount : all) {
    if (!contains(shadow, mount.id)) own.push_back(mount.mount_point);
  }
  auto is_foreign = [&](const MountEntry& mount) {
    bool ours = mount.source == kMountSource || mount.id == shadow.back().id;
    return !ours && std::find(own.begin(), own.end(), mount.mount_point) == own.end() &&
           mount.parent != shadow.back().id;
  };
  std::vector<int> foreign;
  std::vector<Kept> kept;
  for (auto mount = shadow.rbegin(); mount != shadow.rend(); ++mount) {  // parents first
    if (!is_foreign(*mount)) continue;
    foreign.push_back(mount->id);
    if (std::find(foreign.begin(), foreign.end(), mount->parent) != foreign.end()) continue;
    auto fd = syscall(SYS_open_tree, AT_FDCWD, mount->mount_point.c_str(),
                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
    if (fd >= 0) kept.push_back({mount->mount_point, static_cast<int>(fd)});
  }
  return kept;
}

base::Status put_back(const std::vector<Kept>& kept) {
  base::Status status;
  for (const Kept& mount : kept) {
    if (syscall(SYS_move_mount, mount.fd, "", AT_FDCWD, mount.path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      status = failed("keep the mount on", mount.path);
    }
    close(mount.fd);
  }
  return status;
}

}  // namespace

base::Status failed(std::string_view what, const std::string& path) {
  return base::fail(errno, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

base::Status raise_shadow(const std::string& stage, const std::string& parent, const std::string& name,
                          const Step& step, const std::function<base::Status(const std::string& path)>& mount_there) {
  step("make the stage");
  if (mkdir(stage.c_str(), 0700) != 0 && errno != EEXIST) return failed("make", stage);
  step("mount the stage");
  if (auto status = mount_tmpfs(kStageSource, stage); !status) return status;
  // A second mount on the private first one: what sits on a shared mount cannot be moved.
  std::string shadow = stage + "/shadow";
  step("mount the shadow");
  if (mkdir(shadow.c_str(), 0755) != 0) return failed("make", shadow);
  if (auto status = mount_tmpfs(kMountSource, shadow); !status) return status;
  auto names = names_in(parent);
  if (!names) return std::unexpected(names.error());
  for (const std::string& entry : *names) {
    step("bind " + entry);
    if (auto status = show_entry(parent + '/' + entry, shadow + '/' + entry, step); !status) return status;
  }
  step("mount the tree");
  std::string place = shadow + '/' + name;
  if (mkdir(place.c_str(), 0755) != 0) return failed("make", place);
  if (auto status = mount_there(place); !status) return status;
  step("make the shadow read-only");
  unsigned long read_only = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mount(kNothing, shadow.c_str(), kNothing, read_only, nullptr) != 0) return failed("make read-only", shadow);
  step("bring the shadow over");
  if (mount(shadow.c_str(), parent.c_str(), kNothing, MS_MOVE, nullptr) != 0) return failed("shadow", parent);
  step("unmount the stage");
  if (umount2(stage.c_str(), MNT_DETACH) != 0) return failed("unmount", stage);
  step("remove the stage");
  rmdir(stage.c_str());
  return {};
}

base::Status take_shadow_away(const MountEntry& shadow) {
  auto all = read_mountinfo();
  auto ours = subtree(all, shadow.id);
  if (ours.empty()) return {};
  auto kept = keep_foreign_mounts(all, ours);
  base::Status status;
  for (const MountEntry& mount_entry : ours) {
    // A peer of an original would take the original along. There is none unless the daemon died between two calls.
    bool is_peer = mount_entry.peer_group != 0 && std::any_of(all.begin(), all.end(), [&](const MountEntry& other) {
                     return other.peer_group == mount_entry.peer_group && !contains(ours, other.id);
                   });
    const char* path = mount_entry.mount_point.c_str();
    if (is_peer && mount(kNothing, path, kNothing, MS_PRIVATE, nullptr) != 0) status = failed("make private", path);
    // One by one and still shared among each other: so they also go where other namespaces have got them.
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) status = failed("unmount", path);
  }
  auto restored = put_back(kept);
  return status ? restored : status;
}

base::Status take_stage_away(const MountEntry& stage) {
  const char* path = stage.mount_point.c_str();
  // Nobody else has got these mounts, and the originals must stay: cut every tie before letting go of them.
  if (mount(kNothing, path, kNothing, MS_REC | MS_PRIVATE, nullptr) != 0) return failed("make private", path);
  if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return failed("unmount", path);
  rmdir(path);
  return {};
}

}  // namespace uscst::sysfsfs
