#include "sysfsfs/tree_filesystem.h"

#define FUSE_USE_VERSION 35
#include <fcntl.h>
#include <fmt/format.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <sys/xattr.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sysfsfs/tree.h"
#include "sysfsfs/views.h"

namespace uscst::sysfsfs {

// One mount that is served.
class TreeFilesystem::Session {
 public:
  Session(TreeFilesystem& owner);
  ~Session();
  base::Status start(int fuse_fd);

 private:
  // A read or write that has no answer yet. `request` is null once it was interrupted.
  struct Waiting {
    Session* session = nullptr;  // null once the session is gone
    fuse_req_t request = nullptr;
    bool interrupted = false;
    Writer writer{};
  };
  struct Listing {
    std::vector<Tree::DirectoryEntry> entries;
  };
  // The wait for the next request. It ends on its own time, after the session when that is detached meanwhile.
  struct Watch {
    explicit Watch(Session& s) : session(&s), readable(io::Call<int>::to<&Watch::done>(this)) {}
    void done(int events) {
      auto keep = std::move(self);
      if (session) session->ready(events);
    }
    Session* session;
    io::Operation readable;
    std::shared_ptr<Watch> self{};  // while in flight
  };
  static constexpr int kRequestsPerTurn = 64;  // then other events of the control thread have their turn

  static Session& of(fuse_req_t request) { return *static_cast<Session*>(fuse_req_userdata(request)); }
  static fuse_lowlevel_ops operations();

  void watch();
  void ready(int events);
  void ended();

  void lookup(fuse_req_t request, fuse_ino_t parent, const char* name);
  void set_attributes(fuse_req_t request, fuse_ino_t id, const struct stat& wanted, int which);
  void open(fuse_req_t request, fuse_ino_t id, fuse_file_info& info);
  void read(fuse_req_t request, std::size_t size, off_t offset, const fuse_file_info& info);
  void write(fuse_req_t request, std::string_view data, const fuse_file_info& info);
  void release(fuse_req_t request, const fuse_file_info& info);
  void open_directory(fuse_req_t request, fuse_ino_t id, fuse_file_info& info);
  void read_directory(fuse_req_t request, std::size_t size, off_t offset, const fuse_file_info& info);
  void poll(fuse_req_t request, const fuse_file_info& info, fuse_pollhandle* handle);
  void get_extended(fuse_req_t request, fuse_ino_t id, const char* name, std::size_t size);
  void list_extended(fuse_req_t request, fuse_ino_t id, std::size_t size);

  static void interrupt(fuse_req_t request, void* waiting);
  std::shared_ptr<Waiting> wait(fuse_req_t request);
  // May call back when its process gets a signal, from now on.
  static void allow_interrupt(const std::shared_ptr<Waiting>& waiting);
  // The request to be answered now, or null; it waits no longer.
  static fuse_req_t take(const std::shared_ptr<Waiting>& waiting);
  static Tree::OpenFile& file_of(const fuse_file_info& info);

  TreeFilesystem& owner_;
  Context context_;
  Tree tree_;
  fuse_session* fuse_ = nullptr;
  fuse_buf buffer_{};
  std::shared_ptr<Watch> watch_ = std::make_shared<Watch>(*this);
  std::unordered_map<std::uint64_t, std::unique_ptr<Tree::OpenFile>> files_;
  std::unordered_map<std::uint64_t, Listing> listings_;
  std::uint64_t last_handle_ = 0;
  std::unordered_set<std::shared_ptr<Waiting>> waiting_;
};

TreeFilesystem::TreeFilesystem(io::Reactor& control, target::Registry& registry, control::ManagementQueue& queue,
                               base::Log& log)
    : control_(control), registry_(registry), queue_(queue), log_(log) {}

TreeFilesystem::~TreeFilesystem() = default;

base::Status TreeFilesystem::attach(int fuse_fd) {
  if (session_) return base::fail(EBUSY, "the tree is served already");
  auto session = std::make_unique<Session>(*this);
  auto status = session->start(fuse_fd);
  if (status) session_ = std::move(session);
  return status;
}

void TreeFilesystem::on_unmounted(std::function<void()> call) { unmounted_ = std::move(call); }
void TreeFilesystem::detach() { session_.reset(); }

TreeFilesystem::Session::Session(TreeFilesystem& owner)
    : owner_(owner), context_{owner.registry_, owner.queue_, owner.log_}, tree_(root_directory(context_), owner.log_) {}

TreeFilesystem::Session::~Session() {
  watch_->session = nullptr;
  if (watch_->self) owner_.control_.cancel(watch_->readable);
  for (const auto& waiting : waiting_) {
    waiting->session = nullptr;
    if (fuse_req_t request = std::exchange(waiting->request, nullptr)) fuse_reply_err(request, ENODEV);
  }
  if (fuse_) fuse_session_destroy(fuse_);
  std::free(buffer_.mem);
}

base::Status TreeFilesystem::Session::start(int fuse_fd) {
  std::string program = "uscst";
  char* arguments[] = {program.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  fuse_lowlevel_ops table = operations();
  fuse_ = fuse_session_new(&args, &table, sizeof(table), this);
  fuse_opt_free_args(&args);
  if (!fuse_) return base::fail(EIO, "libfuse refused to make a session");
  int flags = fcntl(fuse_fd, F_GETFL);
  if (flags < 0 || fcntl(fuse_fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    return base::fail(errno, fmt::format("descriptor {} of /dev/fuse: {}", fuse_fd, std::strerror(errno)));
  }
  // libfuse takes a descriptor that is mounted already under this name.
  if (fuse_session_mount(fuse_, fmt::format("/dev/fd/{}", fuse_fd).c_str()) != 0) {
    return base::fail(EIO, "libfuse refused the descriptor of /dev/fuse");
  }
  watch();
  return {};
}

void TreeFilesystem::Session::watch() {
  watch_->self = watch_;
  owner_.control_.poll(watch_->readable, fuse_session_fd(fuse_), POLLIN);
}

void TreeFilesystem::Session::ready(int events) {
  if (events < 0) return ended();
  auto alive = watch_;
  for (int i = 0; i < kRequestsPerTurn; ++i) {
    int received = fuse_session_receive_buf(fuse_, &buffer_);
    if (received == -EINTR) continue;
    if (received == -EAGAIN) return watch();
    if (received <= 0) return ended();
    fuse_session_process_buf(fuse_, &buffer_);
    // Serving a request may have ended this session.
    if (!alive->session) return;
    if (fuse_session_exited(fuse_)) return ended();
  }
  watch();
}

void TreeFilesystem::Session::ended() {
  owner_.log_.info("the tree was unmounted");
  if (owner_.unmounted_) owner_.control_.post([call = owner_.unmounted_] { call(); });
}

// --- names and attributes

void TreeFilesystem::Session::lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  auto id = tree_.lookup(parent, name);
  if (!id) {
    fuse_reply_err(request, id.error());
    return;
  }
  fuse_entry_param entry{};
  entry.ino = *id;
  entry.attr = tree_.attributes(*id);
  if (fuse_reply_entry(request, &entry) == -ENOENT) tree_.forget(*id, 1);
}

void TreeFilesystem::Session::set_attributes(fuse_req_t request, fuse_ino_t id, const struct stat& wanted, int which) {
  NodeSettings& settings = tree_.change(id);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (which & FUSE_SET_ATTR_MODE) settings.mode = wanted.st_mode & 07777;
  if (which & FUSE_SET_ATTR_UID) settings.uid = wanted.st_uid;
  if (which & FUSE_SET_ATTR_GID) settings.gid = wanted.st_gid;
  if (which & FUSE_SET_ATTR_ATIME) settings.accessed = wanted.st_atim;
  if (which & FUSE_SET_ATTR_MTIME) settings.modified = wanted.st_mtim;
  if (which & FUSE_SET_ATTR_ATIME_NOW) settings.accessed = now;
  // A change of size succeeds and does nothing else.
  if (which & (FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_SIZE)) settings.modified = now;
  struct stat attributes = tree_.attributes(id);
  fuse_reply_attr(request, &attributes, 0);
}

void TreeFilesystem::Session::get_extended(fuse_req_t request, fuse_ino_t id, const char* name, std::size_t size) {
  auto value = tree_.extended_attribute(id, name);
  if (!value) {
    fuse_reply_err(request, value.error());
  } else if (size == 0) {
    fuse_reply_xattr(request, value->size());
  } else if (size < value->size()) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, value->data(), value->size());
  }
}

void TreeFilesystem::Session::list_extended(fuse_req_t request, fuse_ino_t id, std::size_t size) {
  std::string names;
  for (const std::string& name : tree_.extended_attribute_names(id)) names += name + '\0';
  if (size == 0) {
    fuse_reply_xattr(request, names.size());
  } else if (size < names.size()) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, names.data(), names.size());
  }
}

// --- files

Tree::OpenFile& TreeFilesystem::Session::file_of(const fuse_file_info& info) {
  Tree::OpenFile* file = nullptr;
  static_assert(sizeof(info.fh) >= sizeof(file));
  std::memcpy(&file, &info.fh, sizeof(file));
  return *file;
}

void TreeFilesystem::Session::open(fuse_req_t request, fuse_ino_t id, fuse_file_info& info) {
  auto file = tree_.open(id, info.flags, fuse_req_ctx(request)->pid);
  if (!file) {
    fuse_reply_err(request, file.error());
    return;
  }
  Tree::OpenFile* opened = file->get();
  std::memcpy(&info.fh, &opened, sizeof(opened));
  info.direct_io = 1;
  std::uint64_t handle = info.fh;
  files_.emplace(handle, std::move(*file));
  if (fuse_reply_open(request, &info) != -ENOENT) return;
  // The opener was interrupted and will never close it.
  tree_.close(std::move(files_.at(handle)));
  files_.erase(handle);
}

void TreeFilesystem::Session::read(fuse_req_t request, std::size_t size, off_t offset, const fuse_file_info& info) {
  auto waiting = wait(request);
  tree_.read(file_of(info), static_cast<std::uint64_t>(offset), size, [waiting](OrErrno<std::string_view> piece) {
    fuse_req_t asked = take(waiting);
    if (asked && piece) {
      fuse_reply_buf(asked, piece->data(), piece->size());
    } else if (asked) {
      fuse_reply_err(asked, piece.error());
    }
  });
  allow_interrupt(waiting);
}

void TreeFilesystem::Session::write(fuse_req_t request, std::string_view data, const fuse_file_info& info) {
  auto waiting = wait(request);
  tree_.write(file_of(info), data, waiting->writer, [waiting](OrErrno<std::size_t> taken) {
    fuse_req_t asked = take(waiting);
    if (asked && taken) {
      fuse_reply_write(asked, *taken);
    } else if (asked) {
      fuse_reply_err(asked, taken.error());
    }
  });
  allow_interrupt(waiting);
}

std::shared_ptr<TreeFilesystem::Session::Waiting> TreeFilesystem::Session::wait(fuse_req_t request) {
  auto waiting = std::make_shared<Waiting>(Waiting{.session = this, .request = request});
  waiting_.insert(waiting);
  return waiting;
}

void TreeFilesystem::Session::allow_interrupt(const std::shared_ptr<Waiting>& waiting) {
  if (waiting->request) fuse_req_interrupt_func(waiting->request, interrupt, waiting.get());
}

fuse_req_t TreeFilesystem::Session::take(const std::shared_ptr<Waiting>& waiting) {
  if (waiting->session) waiting->session->waiting_.erase(waiting);
  return std::exchange(waiting->request, nullptr);
}

// Called from within libfuse, which still holds the request: the answer is given afterwards.
void TreeFilesystem::Session::interrupt(fuse_req_t, void* data) {
  auto* waiting = static_cast<Waiting*>(data);
  if (!waiting->session || waiting->interrupted) return;
  waiting->interrupted = true;
  for (const auto& known : waiting->session->waiting_) {
    if (known.get() != waiting) continue;
    waiting->session->owner_.control_.post([known] {
      if (fuse_req_t asked = std::exchange(known->request, nullptr)) fuse_reply_err(asked, EINTR);
      if (auto give_up = std::exchange(known->writer.give_up, nullptr)) give_up();
    });
    return;
  }
}

void TreeFilesystem::Session::release(fuse_req_t request, const fuse_file_info& info) {
  auto found = files_.find(info.fh);
  if (found != files_.end()) {
    tree_.close(std::move(found->second));
    files_.erase(found);
  }
  fuse_reply_err(request, 0);
}

void TreeFilesystem::Session::poll(fuse_req_t request, const fuse_file_info& info, fuse_pollhandle* handle) {
  unsigned events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  if (!tree_.exists(file_of(info))) events |= POLLERR | POLLPRI;
  if (handle) fuse_pollhandle_destroy(handle);
  fuse_reply_poll(request, events);
}

// --- directories

void TreeFilesystem::Session::open_directory(fuse_req_t request, fuse_ino_t id, fuse_file_info& info) {
  auto entries = tree_.read_directory(id);
  if (!entries) {
    fuse_reply_err(request, entries.error());
    return;
  }
  info.fh = ++last_handle_;
  listings_[info.fh].entries = std::move(*entries);
  if (fuse_reply_open(request, &info) == -ENOENT) listings_.erase(info.fh);
}

void TreeFilesystem::Session::read_directory(fuse_req_t request, std::size_t size, off_t offset,
                                             const fuse_file_info& info) {
  const auto& entries = listings_[info.fh].entries;
  std::vector<char> block(size);
  std::size_t used = 0;
  for (auto i = static_cast<std::size_t>(offset); i < entries.size(); ++i) {
    struct stat attributes{};
    attributes.st_ino = entries[i].inode;
    attributes.st_mode = entries[i].type;
    std::size_t needed = fuse_add_direntry(request, block.data() + used, size - used, entries[i].name.c_str(),
                                           &attributes, static_cast<off_t>(i + 1));
    if (needed > size - used) break;
    used += needed;
  }
  fuse_reply_buf(request, block.data(), used);
}

// --- libfuse's table

fuse_lowlevel_ops TreeFilesystem::Session::operations() {
  fuse_lowlevel_ops table{};
  table.init = [](void*, fuse_conn_info* connection) {
    connection->want &=
        ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                               FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_AUTO_INVAL_DATA);
    connection->max_readahead = 0;
  };
  table.lookup = [](fuse_req_t r, fuse_ino_t parent, const char* name) { of(r).lookup(r, parent, name); };
  table.forget = [](fuse_req_t r, fuse_ino_t id, std::uint64_t count) {
    of(r).tree_.forget(id, count);
    fuse_reply_none(r);
  };
  table.forget_multi = [](fuse_req_t r, std::size_t count, fuse_forget_data* forgets) {
    for (std::size_t i = 0; i < count; ++i) of(r).tree_.forget(forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(r);
  };
  table.getattr = [](fuse_req_t r, fuse_ino_t id, fuse_file_info*) {
    struct stat attributes = of(r).tree_.attributes(id);
    fuse_reply_attr(r, &attributes, 0);
  };
  table.setattr = [](fuse_req_t r, fuse_ino_t id, struct stat* wanted, int which, fuse_file_info*) {
    of(r).set_attributes(r, id, *wanted, which);
  };
  table.readlink = [](fuse_req_t r, fuse_ino_t id) {
    auto text = of(r).tree_.read_link(id);
    text ? fuse_reply_readlink(r, text->c_str()) : fuse_reply_err(r, text.error());
  };
  table.open = [](fuse_req_t r, fuse_ino_t id, fuse_file_info* info) { of(r).open(r, id, *info); };
  table.read = [](fuse_req_t r, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* info) {
    of(r).read(r, size, offset, *info);
  };
  table.write = [](fuse_req_t r, fuse_ino_t, const char* data, std::size_t size, off_t, fuse_file_info* info) {
    of(r).write(r, {data, size}, *info);
  };
  table.release = [](fuse_req_t r, fuse_ino_t, fuse_file_info* info) { of(r).release(r, *info); };
  // Nothing to do at close(2); this answer tells the kernel not to ask again.
  table.flush = [](fuse_req_t r, fuse_ino_t, fuse_file_info*) { fuse_reply_err(r, ENOSYS); };
  table.fsync = [](fuse_req_t r, fuse_ino_t, int, fuse_file_info*) { fuse_reply_err(r, 0); };
  table.fsyncdir = table.fsync;
  table.poll = [](fuse_req_t r, fuse_ino_t, fuse_file_info* info, fuse_pollhandle* handle) {
    of(r).poll(r, *info, handle);
  };
  table.opendir = [](fuse_req_t r, fuse_ino_t id, fuse_file_info* info) { of(r).open_directory(r, id, *info); };
  table.readdir = [](fuse_req_t r, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* info) {
    of(r).read_directory(r, size, offset, *info);
  };
  table.releasedir = [](fuse_req_t r, fuse_ino_t, fuse_file_info* info) {
    of(r).listings_.erase(info->fh);
    fuse_reply_err(r, 0);
  };
  // What kernfs refuses: a regular file with EACCES, anything else with EPERM.
  table.mknod = [](fuse_req_t r, fuse_ino_t, const char*, mode_t mode, dev_t) {
    fuse_reply_err(r, S_ISREG(mode) ? EACCES : EPERM);
  };
  table.create = [](fuse_req_t r, fuse_ino_t, const char*, mode_t, fuse_file_info*) { fuse_reply_err(r, EACCES); };
  table.mkdir = [](fuse_req_t r, fuse_ino_t, const char*, mode_t) { fuse_reply_err(r, EPERM); };
  table.unlink = [](fuse_req_t r, fuse_ino_t, const char*) { fuse_reply_err(r, EPERM); };
  table.rmdir = table.unlink;
  table.symlink = [](fuse_req_t r, const char*, fuse_ino_t, const char*) { fuse_reply_err(r, EPERM); };
  table.rename = [](fuse_req_t r, fuse_ino_t, const char*, fuse_ino_t, const char*, unsigned) {
    fuse_reply_err(r, EPERM);
  };
  table.link = [](fuse_req_t r, fuse_ino_t, fuse_ino_t, const char*) { fuse_reply_err(r, EPERM); };
  table.setxattr = [](fuse_req_t r, fuse_ino_t id, const char* name, const char* value, std::size_t size, int flags) {
    fuse_reply_err(r, of(r).tree_.set_extended_attribute(id, name, {value, size}, flags));
  };
  table.getxattr = [](fuse_req_t r, fuse_ino_t id, const char* name, std::size_t size) {
    of(r).get_extended(r, id, name, size);
  };
  table.listxattr = [](fuse_req_t r, fuse_ino_t id, std::size_t size) { of(r).list_extended(r, id, size); };
  table.removexattr = [](fuse_req_t r, fuse_ino_t id, const char* name) {
    fuse_reply_err(r, of(r).tree_.remove_extended_attribute(id, name));
  };
  return table;
}

}  // namespace uscst::sysfsfs
