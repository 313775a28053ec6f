#include "handlers/vdisk/saved_pages.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "engine/base/numbers.h"

namespace uscst::handlers {
namespace {

using scsi::ModePages;

constexpr std::size_t kMaximumFileBytes = 4096;

// One line of the file.
struct Value {
  std::string_view key;
  unsigned (*get)(const ModePages&);
  bool (*set)(ModePages&, unsigned);  // false: out of range
};

template <bool scsi::ControlState::* Field>
constexpr Value control_flag(std::string_view key) {
  return {key, [](const ModePages& pages) -> unsigned { return pages.control.*Field; },
          [](ModePages& pages, unsigned value) {
            pages.control.*Field = value == 1;
            return value <= 1;
          }};
}

constexpr std::array kValues{
    control_flag<&scsi::ControlState::tas>("TAS"),
    Value{"QERR", [](const ModePages& pages) -> unsigned { return pages.control.qerr; },
          [](ModePages& pages, unsigned value) {
            if (value != 0 && value != 1 && value != 3) return false;
            pages.control.qerr = static_cast<std::uint8_t>(value);
            return true;
          }},
    control_flag<&scsi::ControlState::tmf_only>("TMF_ONLY"),
    control_flag<&scsi::ControlState::swp>("SWP"),
    control_flag<&scsi::ControlState::d_sense>("D_SENSE"),
    control_flag<&scsi::ControlState::dpicz>("DPICZ"),
    Value{"QUEUE_ALG", [](const ModePages& pages) -> unsigned { return pages.control.qam; },
          [](ModePages& pages, unsigned value) {
            pages.control.qam = static_cast<std::uint8_t>(value);
            return value <= 1;
          }},
    Value{"WRITE_THROUGH", [](const ModePages& pages) -> unsigned { return pages.caching.wce ? 0 : 1; },
          [](ModePages& pages, unsigned value) {
            pages.caching.wce = value == 0;
            return value <= 1;
          }},
};

std::optional<std::string> read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string text(kMaximumFileBytes, '\0');
  const ssize_t length = read(fd, text.data(), text.size());
  close(fd);
  if (length < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(length));
  return text;
}

int write_at(int fd, std::string_view text, off_t offset) {
  while (!text.empty()) {
    const ssize_t written = pwrite(fd, text.data(), text.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? -errno : -EIO;
    text.remove_prefix(static_cast<std::size_t>(written));
    offset += written;
  }
  return fsync(fd) == 0 ? 0 : -errno;
}

// The signature goes last: a file without it is not believed.
int write_file(const std::string& path, const std::string& signature, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  int error = write_at(fd, text, static_cast<off_t>(signature.size()));
  if (error == 0) error = write_at(fd, signature, 0);
  if (close(fd) != 0 && error == 0) error = -errno;
  return error;
}

int remove_file(const std::string& path) { return unlink(path.c_str()) == 0 || errno == ENOENT ? 0 : -errno; }

int sync_directory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int error = fsync(fd) == 0 || errno == EINVAL ? 0 : -errno;
  close(fd);
  return error;
}

std::string signature_of(const std::string& device) { return device + '\0'; }

std::optional<std::string> read_signed(const std::string& path, const std::string& device) {
  auto text = read_file(path);
  const std::string signature = signature_of(device);
  if (!text || !text->starts_with(signature)) return std::nullopt;
  return text->substr(signature.size());
}

}  // namespace

std::string format_mode_pages(const ModePages& pages, const ModePages& defaults) {
  std::string text;
  for (const Value& value : kValues) {
    if (value.get(pages) != value.get(defaults)) text += fmt::format("{}={}\n", value.key, value.get(pages));
  }
  return text;
}

ModePages parse_mode_pages(std::string_view text, const ModePages& defaults) {
  ModePages pages = defaults;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return pages;
    auto number = base::parse_unsigned(line.substr(equals + 1));
    if (!number || *number > 255) return pages;
    for (const Value& value : kValues) {
      if (value.key.size() != equals || strncasecmp(value.key.data(), line.data(), equals) != 0) continue;
      const ModePages before = pages;
      if (!value.set(pages, static_cast<unsigned>(*number))) return before;
    }
  }
  return pages;
}

ModePages load_mode_pages(const std::string& directory, const std::string& device, const ModePages& defaults) {
  const std::string path = directory + '/' + device;
  auto text = read_signed(path, device);
  if (!text) text = read_signed(path + '1', device);
  return text ? parse_mode_pages(*text, defaults) : defaults;
}

int save_mode_pages(const std::string& directory, const std::string& device, const ModePages& pages,
                    const ModePages& defaults) {
  const std::string path = directory + '/' + device;
  const std::string backup = path + '1';
  const std::string text = format_mode_pages(pages, defaults);
  if (text.empty()) {
    const int error = remove_file(path);
    return error != 0 ? error : remove_file(backup);
  }
  if (auto old = read_signed(path, device)) {
    if (int error = write_file(backup, signature_of(device), *old); error != 0) return error;
  }
  int error = write_file(path, signature_of(device), text);
  if (error == 0) error = sync_directory(directory);
  return error != 0 ? error : remove_file(backup);
}

}  // namespace uscst::handlers
