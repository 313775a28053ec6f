// What a service owes to whoever started it: going into the background, the locked file with its process id, word when
// it is ready.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace uscst::daemon {

// Leaves the terminal. Returns in the child; the parent waits for report_ready() or report_failure() and ends with its
// outcome.
class Background {
 public:
  // `enabled` false: stays in the foreground, and reports go nowhere.
  explicit Background(bool enabled);
  void report_ready();
  void report_failure();  // the log has said why

 private:
  int parent_fd_ = -1;
};

// The file is locked as long as the object lives, and removed at its end. EBUSY when another process holds the lock.
class PidFile {
 public:
  static base::Result<PidFile> create(const std::string& path);
  PidFile(PidFile&& other) noexcept;
  PidFile& operator=(PidFile&&) = delete;
  ~PidFile();

 private:
  PidFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

// A line to --ready-fd and READY=1 to systemd, where there is one.
void tell_ready(int ready_fd);
void tell_stopping();

// Ends the process as kill -9 would when USCST_CRASH_AT names this point ("mount:3"): how tests see what a crash there
// leaves behind.
void crash_for_test(std::string_view point, int step, std::string_view name);

}  // namespace uscst::daemon
