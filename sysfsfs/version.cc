// The file version: the SCST that this is to be taken for, when this was built, and the machine that it runs on.
#include <fmt/format.h>
#include <sys/utsname.h>

#include "sysfsfs/views.h"

namespace uscst::sysfsfs {

std::string version_text() {
  utsname system{};
  uname(&system);
  return fmt::format(
      "SCST version: 3.11.0-pre\nSCST build date: {}\nSCST build number: 0\nSCST git commit sha1: \nSCST kver: {}\n"
      "SCST arch type: {}\nSCST config: TRACING\n",
      USCST_BUILD_DATE, system.release, system.machine);
}

}  // namespace uscst::sysfsfs
