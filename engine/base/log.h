// The log: one line an event, naming the object, the value and, for errors, what would be right.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <string_view>
#include <utility>

namespace uscst::base {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

// Handed down from main(). Any thread may write; a line reaches the sink whole. The sink must not block for long.
class Log {
 public:
  using Sink = std::function<void(LogLevel, std::string_view line)>;

  // Writes "LEVEL text\n" to standard error with a syslog priority prefix, as systemd understands it.
  static Sink standard_error();

  explicit Log(Sink sink, LogLevel threshold = LogLevel::kInfo) : sink_(std::move(sink)), threshold_(threshold) {}

  bool enabled(LogLevel level) const { return level <= threshold_.load(std::memory_order_relaxed); }
  void set_threshold(LogLevel level) { threshold_.store(level, std::memory_order_relaxed); }

  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kError, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kWarning, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kInfo, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kDebug, format, fmt::make_format_args(args...));
  }

 private:
  void write(LogLevel level, fmt::string_view format, fmt::format_args args) {
    if (enabled(level)) sink_(level, fmt::vformat(format, args));
  }

  Sink sink_;
  std::atomic<LogLevel> threshold_;
};

}  // namespace uscst::base
