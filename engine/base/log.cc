#include "engine/base/log.h"

#include <unistd.h>

#include <string>

namespace uscst::base {
namespace {

// Priorities of syslog(3) in the form sd-daemon(3) takes from standard error.
std::string_view prefix(LogLevel level) {
  switch (level) {
    case LogLevel::kError: return "<3>error: ";
    case LogLevel::kWarning: return "<4>warning: ";
    case LogLevel::kInfo: return "<6>";
    case LogLevel::kDebug: return "<7>";
  }
  return "";
}

}  // namespace

Log::Sink Log::standard_error() {
  return [](LogLevel level, std::string_view line) {
    std::string text(prefix(level));
    text += line;
    // Text from initiators and administrators must not forge lines.
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    }
    text += '\n';
    // A log that cannot be written has nowhere to say so.
    [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  };
}

}  // namespace uscst::base
