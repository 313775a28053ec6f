// The tree as a file system: carries the kernel's FUSE requests to the Tree. Owned by main(); every function, and every
// request, runs on the control thread, which owns the whole configuration: no locks, and nothing here waits. A request
// that must wait is kept and answered later; an interrupt answers EINTR while the work goes on.
#pragma once

#include <functional>
#include <memory>

#include "engine/base/log.h"
#include "engine/base/result.h"
#include "engine/control/management_queue.h"
#include "engine/io/reactor.h"
#include "engine/target/registry.h"

namespace uscst::sysfsfs {

class TreeFilesystem {
 public:
  // `control` is the control thread's reactor; all four outlive the file system.
  TreeFilesystem(io::Reactor& control, target::Registry& registry, control::ManagementQueue& queue, base::Log& log);
  ~TreeFilesystem();
  TreeFilesystem(const TreeFilesystem&) = delete;
  TreeFilesystem& operator=(const TreeFilesystem&) = delete;

  // Serves the mount that `fuse_fd` (of /dev/fuse, see mount.h) belongs to, and takes the descriptor over. Requests
  // that came before are answered now. Fails with libfuse's errno, EBUSY when it serves already.
  base::Status attach(int fuse_fd);
  // Called once when somebody has unmounted the tree.
  void on_unmounted(std::function<void()> call);
  // Stops serving; waiting requests fail. The mount itself is taken away with unmount_tree(), on another thread, before
  // or after: whoever looks at a mount that nobody serves gets ENOTCONN.
  void detach();

 private:
  class Session;
  io::Reactor& control_;
  target::Registry& registry_;
  control::ManagementQueue& queue_;
  base::Log& log_;
  std::function<void()> unmounted_;
  std::unique_ptr<Session> session_;
};

}  // namespace uscst::sysfsfs
