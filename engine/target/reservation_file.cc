#include "engine/target/reservation_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace uscst::target {
namespace {

using base::Bytes;
using base::fail;

constexpr mode_t kFileMode = 0644;  // SCST's

// A number in the machine's byte order.
template <class T>
std::optional<T> read_native(base::Reader& reader) {
  auto bytes = reader.read<std::array<std::uint8_t, sizeof(T)>>();
  if (!bytes) return std::nullopt;
  return std::bit_cast<T>(*bytes);
}

template <class T>
void append_native(std::vector<std::uint8_t>& to, T value) {
  const auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof(T)>>(value);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

std::unexpected<base::Error> errno_for(const std::string& file, int error) {
  return fail(error, fmt::format("persistent reservations in {}: {}", file, std::generic_category().message(error)));
}

base::Result<std::uint64_t> size_of(int fd, const std::string& file) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return errno_for(file, errno);
  if (S_ISREG(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
  if (!S_ISBLK(status.st_mode)) return errno_for(file, EINVAL);
  std::uint64_t size = 0;
  if (ioctl(fd, BLKGETSIZE64, &size) != 0) return errno_for(file, errno);
  return size;
}

base::Result<std::vector<std::uint8_t>> read_whole(const std::string& file) {
  Descriptor fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return errno_for(file, errno);
  auto size = size_of(fd.get(), file);
  if (!size) return std::unexpected(size.error());
  if (*size == 0 || *size >= kMaximumReservationFileBytes)
    return fail(EINVAL, fmt::format("persistent reservations in {}: a file of {} bytes", file, *size));
  std::vector<std::uint8_t> bytes(*size);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = pread(fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return errno_for(file, count < 0 ? errno : EIO);
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

base::Result<ReservationState> load_one(const std::string& file) {
  auto bytes = read_whole(file);
  if (!bytes) return std::unexpected(bytes.error());
  auto state = decode_reservations(*bytes);
  if (!state) return fail(state.error().code, fmt::format("{}: {}", file, state.error().text));
  return state;
}

int write_at(int fd, Bytes bytes, off_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? -errno : -EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += written;
  }
  return fsync(fd) == 0 ? 0 : -errno;
}

// The signature goes last: a file without it is not believed.
int write_file(const std::string& file, Bytes bytes) {
  Descriptor fd(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode));
  if (fd.get() < 0) return -errno;
  std::vector<std::uint8_t> unsigned_bytes(bytes.begin(), bytes.end());
  std::fill_n(unsigned_bytes.begin(), sizeof(kReservationFileSignature), std::uint8_t{0});
  if (int error = write_at(fd.get(), unsigned_bytes, 0); error != 0) return error;
  return write_at(fd.get(), bytes.first(sizeof(kReservationFileSignature)), 0);
}

std::string directory_of(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : file.substr(0, slash);
}

int sync_directory(const std::string& file) {
  Descriptor fd(open(directory_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return -errno;
  return fsync(fd.get()) == 0 || errno == EINVAL ? 0 : -errno;
}

int remove_file(const std::string& file) { return unlink(file.c_str()) == 0 || errno == ENOENT ? 0 : -errno; }

std::string backup_of(const std::string& file) { return file + ".1"; }

// The backup first: left alone, it would bring back what was given up.
int remove_both(const std::string& file) {
  if (int error = remove_file(backup_of(file)); error != 0) return error;
  if (int error = sync_directory(file); error != 0) return error;
  if (int error = remove_file(file); error != 0) return error;
  return sync_directory(file);
}

base::Status read_registrants(base::Reader& reader, ReservationState& state) {
  while (reader.left() > 1) {
    const bool is_holder = *reader.u8() != 0;
    auto length = transport_id_length(reader.rest());
    if (!length) return fail(EINVAL, "a TransportID is cut");
    const Bytes id = *reader.bytes(*length);
    auto key = reader.u64();  // as on the wire
    auto port = read_native<std::uint16_t>(reader);
    if (!key || !port) return fail(EINVAL, "a registrant is cut");
    if (!state.add({{id.begin(), id.end()}, *port, *key})) return fail(EINVAL, "a nexus is registered twice");
    if (is_holder) state.holder = state.registrants.size() - 1;
  }
  return {};
}

}  // namespace

std::vector<std::uint8_t> encode_reservations(const ReservationState& state) {
  std::vector<std::uint8_t> bytes;
  append_native(bytes, kReservationFileSignature);
  append_native(bytes, kReservationFileVersion);
  for (const unsigned value :
       {unsigned{state.persists}, unsigned{state.reserved}, unsigned{state.type}, unsigned{state.scope}})
    bytes.push_back(static_cast<std::uint8_t>(value));
  for (std::size_t i = 0; i < state.registrants.size(); ++i) {
    const Registrant& one = state.registrants[i];
    bytes.push_back(state.holder == i ? 1 : 0);
    bytes.insert(bytes.end(), one.transport_id.begin(), one.transport_id.end());
    const auto key = base::to_bytes(base::be64{one.key});
    bytes.insert(bytes.end(), key.begin(), key.end());
    append_native(bytes, one.relative_port);
  }
  return bytes;
}

base::Result<ReservationState> decode_reservations(Bytes file) {
  base::Reader reader(file);
  if (read_native<std::uint64_t>(reader) != kReservationFileSignature) return fail(EINVAL, "wrong signature");
  if (read_native<std::uint64_t>(reader) != kReservationFileVersion) return fail(EINVAL, "unknown version");
  auto persists = reader.u8(), reserved = reader.u8(), type = reader.u8(), scope = reader.u8();
  if (!scope) return fail(EINVAL, "the file is cut");
  ReservationState state;
  if (auto status = read_registrants(reader, state); !status) return std::unexpected(status.error());
  state.persists = *persists != 0;
  const std::optional<std::size_t> holder = state.holder;
  if (*reserved == 0) {
    state.release();
  } else if (is_all_registrants(*type) ? state.registrants.empty() : !holder) {
    return fail(EINVAL, "reserved, but nobody holds the reservation");
  } else {
    state.reserve(*type, *scope, holder.value_or(0));
  }
  return state;
}

base::Result<ReservationState> load_reservations(const std::string& file) {
  auto state = load_one(file);
  if (state) return state;
  auto backup = load_one(backup_of(file));
  if (backup || backup.error().code != ENOENT) return backup;
  if (state.error().code == ENOENT) return ReservationState{};
  return state;
}

int save_reservations(const std::string& file, const ReservationState& state) {
  if (!state.persists || state.registrants.empty()) return remove_both(file);
  // A file that is not whole, left by a crash, must not take the place of a backup that is.
  if (auto old = read_whole(file); old && decode_reservations(*old)) {
    if (int error = write_file(backup_of(file), *old); error != 0) return error;
    if (int error = sync_directory(file); error != 0) return error;
  }
  if (int error = write_file(file, encode_reservations(state)); error != 0) return error;
  return sync_directory(file);
}

base::Status check_reservation_file_name(const std::string& file) {
  if (!file.starts_with('/')) return fail(EINVAL, fmt::format("PR file name {} must be absolute", file));
  struct stat status{};
  if (stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
    return fail(EINVAL, fmt::format("PR file name {} must be file or block device", file));
  if (stat(directory_of(file).c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return fail(ENOENT, fmt::format("PR file name {}: its directory doesn't exist", file));
  return {};
}

}  // namespace uscst::target
