#include "handlers/scsi_host/sg_host.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace uscst::handlers {
namespace {

constexpr unsigned kKernelEvents = 1;  // the multicast group of the kernel itself
constexpr std::size_t kEventBytes = 8192;
constexpr int kEventsPerTurn = 64;

int event_socket() {
  const int fd = ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
  if (fd < 0) return -errno;
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelEvents;
  sockaddr generic{};
  static_assert(sizeof(address) <= sizeof(generic));
  std::memcpy(&generic, &address, sizeof(address));
  if (::bind(fd, &generic, sizeof(address)) == 0) return fd;
  const int error = -errno;
  ::close(fd);
  return error;
}

// "ACTION@PATH", then NAME=VALUE texts, each ended by a NUL.
bool is_about_scsi(std::string_view event) {
  for (std::string_view subsystem : {"SUBSYSTEM=scsi_device", "SUBSYSTEM=scsi_generic", "SUBSYSTEM=scsi"}) {
    const std::size_t at = event.find(subsystem);
    if (at == std::string_view::npos) continue;
    const std::size_t end = at + subsystem.size();
    if (end == event.size() || event[end] == '\0') return true;
  }
  return false;
}

}  // namespace

// The socket, the timer and the scan under way. Outlives its host until nothing of it is under way any more.
class SgHost::Watch : public std::enable_shared_from_this<SgHost::Watch> {
 public:
  explicit Watch(SgHost& host) : host_(&host), places_(host.places_), control_(host.control_), log_(host.log_) {}
  ~Watch() {
    if (fd_ >= 0) ::close(fd_);
  }

  void start() {
    if (places_.listen) fd_ = event_socket();
    if (fd_ >= 0) {
      control_.arm_after(timer_, kSettle);
      return await();
    }
    if (places_.listen) log_.info("no events from the kernel (errno {}); SCSI devices are looked for", -fd_);
    control_.arm_after(timer_, kRescanInterval);
  }

  void stop() {
    host_ = nullptr;
    io::Executor::disarm(timer_);
    control_.cancel(readable_);
  }

 private:
  void await() {
    awaiting_ = shared_from_this();
    control_.poll(readable_, fd_, POLLIN);
  }

  void ready(int events) {
    auto keep = std::move(awaiting_);
    if (!host_ || events < 0) return;
    std::array<char, kEventBytes> event;
    bool changed = false;
    for (int i = 0; i < kEventsPerTurn; ++i) {
      const ssize_t length = ::recv(fd_, event.data(), event.size(), 0);
      if (length < 0 && errno == ENOBUFS) changed = true;  // some were lost
      if (length < 0 && errno != ENOBUFS) break;
      if (length > 0) changed |= is_about_scsi({event.data(), static_cast<std::size_t>(length)});
    }
    if (changed) control_.arm_after(timer_, kSettle);
    await();
  }

  void time_to_look() {
    if (scanning_) {  // what changes meanwhile is looked at next time
      control_.arm_after(timer_, kSettle);
      return;
    }
    scanning_ = shared_from_this();
    control_.block(scan_, [this] {
      found_ = scan(places_);
      return 0;
    });
  }

  void scanned(int) {
    auto keep = std::move(scanning_);
    if (!host_) return;
    if (fd_ < 0) control_.arm_after(timer_, kRescanInterval);
    host_->compare(found_);
  }

  SgHost* host_;
  const Places places_;
  io::Reactor& control_;
  base::Log& log_;
  int fd_ = -1;
  Scan found_;
  std::shared_ptr<Watch> awaiting_, scanning_;
  io::Operation readable_{io::Call<int>::to<&Watch::ready>(this)};
  io::Operation scan_{io::Call<int>::to<&Watch::scanned>(this)};
  io::Timer timer_{io::Call<>::to<&Watch::time_to_look>(this)};
};

SgHost::SgHost(Places places, SgCalls& calls, io::Reactor& control, base::Log& log)
    : places_(std::move(places)), calls_(calls), control_(control), log_(log) {}

SgHost::~SgHost() { stop(); }

void SgHost::show(Arrived arrived, Gone gone) {
  arrived_ = std::move(arrived);
  gone_ = std::move(gone);
  compare(scan(places_));
}

// What came since show() is found by the first look.
void SgHost::watch() {
  watch_ = std::make_shared<Watch>(*this);
  watch_->start();
}

void SgHost::stop() {
  if (auto watch = std::exchange(watch_, nullptr)) watch->stop();
}

// Links of /sys/class/scsi_device lead to devices/.../H:C:I:L/scsi_device/H:C:I:L, whose `device` is H:C:I:L again.
SgHost::Scan SgHost::scan(const Places& places) {
  Scan found;
  std::error_code error;
  const std::filesystem::path sys = std::filesystem::canonical(places.sys, error);
  for (const auto& entry : std::filesystem::directory_iterator(sys / "class/scsi_device", error)) {
    auto address = ScsiAddress::parse(entry.path().filename().string());
    if (!address) continue;
    std::error_code gone;  // while we look
    const std::filesystem::path path = std::filesystem::canonical(entry.path(), gone);
    const std::filesystem::path device = std::filesystem::canonical(path / "device", gone);
    int type = 0;
    if (gone || !(std::ifstream(device / "type") >> type)) continue;
    found[*address] = {type, path.lexically_relative(sys).string(), device.string()};
  }
  return found;
}

// A device of another path or type is another device.
void SgHost::compare(const Scan& now) {
  for (auto known = devices_.begin(); known != devices_.end();) {
    auto found = now.find(known->first);
    const bool same = found != now.end() && found->second.path == known->second->sysfs_path &&
                      found->second.type == known->second->type;
    if (same) {
      ++known;
      continue;
    }
    const ScsiAddress address = known->first;
    known = devices_.erase(known);
    gone_(address);
  }
  for (const auto& [address, found] : now) {
    if (devices_.contains(address)) continue;
    auto device =
        std::make_shared<SgDevice>(address, found.type, found.path, found.directory, places_.dev, calls_, log_);
    devices_.emplace(address, device);
    arrived_(std::move(device));
  }
}

}  // namespace uscst::handlers
