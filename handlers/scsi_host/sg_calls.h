// The calls at the kernel that pass-through makes, behind an interface, so that tests can answer for it. They block:
// for the blocking pool.
#pragma once

#include <scsi/sg.h>

#include <string>

namespace uscst::handlers {

class SgCalls {
 public:
  virtual ~SgCalls() = default;
  virtual int open(const std::string& node) = 0;  // a descriptor or a negative errno
  virtual void close(int fd) = 0;
  virtual int command(int fd, sg_io_hdr& header) = 0;  // SG_IO: 0 or a negative errno
  virtual int reset_unit(int fd) = 0;                  // SG_SCSI_RESET
};

// The kernel's.
class KernelSgCalls final : public SgCalls {
 public:
  int open(const std::string& node) override;
  void close(int fd) override;
  int command(int fd, sg_io_hdr& header) override;
  int reset_unit(int fd) override;
};

}  // namespace uscst::handlers
