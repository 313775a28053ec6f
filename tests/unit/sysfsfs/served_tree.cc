#include "tests/unit/sysfsfs/served_tree.h"

#include <fcntl.h>
#include <unistd.h>

namespace uscst::sysfsfs {

std::string prepare_mounts() {
  static const std::string why_not = []() -> std::string {
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0) return "/dev/fuse cannot be opened";
    close(fd);
    auto status = enter_private_namespace();
    return status ? "" : status.error().text;
  }();
  return why_not;
}

ServedTree::ServedTree(MountOptions options)
    : options_(std::move(options)), log_([](base::LogLevel, std::string_view) {}) {
  control_ = *io::make_reactor(io::ReactorKind::kAutomatic, pool_, log_);
  engine_ = std::make_unique<FakeEngine>(*control_);
  filesystem_ = std::make_unique<TreeFilesystem>(*control_, engine_->registry, engine_->queue, engine_->log);
  thread_ = std::make_unique<io::ReactorThread>(*control_);
  tree_ = mount_tree(options_, log_);
  if (tree_) thread_->call([this] { (void)filesystem_->attach(tree_->fuse_fd); });
}

ServedTree::~ServedTree() {
  if (tree_) (void)unmount();
  thread_->call([this] { filesystem_->detach(); });
  // The end of the wait for requests is seen before the loop stops.
  for (int i = 0; i < 3; ++i) thread_->call([] {});
  thread_->stop();
}

base::Status ServedTree::unmount() {
  auto status = unmount_tree(*tree_, log_);
  tree_ = base::fail(ENOENT, "unmounted");
  return status;
}

}  // namespace uscst::sysfsfs
