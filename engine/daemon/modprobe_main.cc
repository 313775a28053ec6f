// uscst-modprobe: loads and unloads what were kernel modules, in the running service; docs/guides/modules.md.
//
// Exit status: 0 done; 1 failed, with a line that says why.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "engine/base/result.h"

namespace uscst::daemon {
namespace {

struct Request {
  std::string module;
  std::vector<std::string> parameters;
  std::string socket_path = "/run/uscstd.sock";
  bool remove = false, list = false, quiet = false;
};

std::string line_of(const Request& request) {
  if (request.list) return "modules list\n";
  if (request.remove) return fmt::format("modules unload {}\n", request.module);
  return fmt::format("modules load {} {}\n", request.module, fmt::join(request.parameters, " "));
}

// The whole answer; nothing when no service runs.
base::Result<std::optional<std::string>> ask(const Request& request) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (request.socket_path.size() >= sizeof(address.sun_path)) return base::fail(ENAMETOOLONG, request.socket_path);
  std::memcpy(address.sun_path, request.socket_path.data(), request.socket_path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return base::fail(errno, std::strerror(errno));
  const void* where = &address;
  if (connect(fd, static_cast<const sockaddr*>(where), sizeof(address)) != 0) {
    const int error = errno;
    close(fd);
    if (error == ENOENT || error == ECONNREFUSED) return std::nullopt;
    return base::fail(error, fmt::format("{}: {}", request.socket_path, std::strerror(error)));
  }
  const std::string line = line_of(request);
  std::string answer;
  ssize_t count = send(fd, line.data(), line.size(), MSG_NOSIGNAL);
  while (count > 0 || (count < 0 && errno == EINTR)) {
    char part[4096];
    count = recv(fd, part, sizeof(part), 0);
    if (count > 0) answer.append(part, static_cast<std::size_t>(count));
  }
  close(fd);
  return answer;
}

// As /etc/init.d/scst starts it, with this module alone. Does not come back unless that fails.
int start_service(const Request& request) {
  constexpr const char* kScript =
      "PATH=$PATH:/usr/sbin:/usr/local/sbin; defaults=${SCST_DEFAULTS:-/etc/default/scst}; "
      "if [ -f \"$defaults\" ]; then . \"$defaults\"; fi; modules=$1; options=$2; control=$3; "
      "eval \"set -- $SCST_DAEMON_OPTIONS\"; "
      "exec \"${USCSTD:-uscstd}\" \"$@\" --control \"$control\" --modules \"$modules\" --module-option \"$options\"";
  const std::string options = fmt::format("{} {}", request.module, fmt::join(request.parameters, " "));
  execl("/bin/sh", "sh", "-c", kScript, "uscst-modprobe", request.module.c_str(), options.c_str(),
        request.socket_path.c_str(), static_cast<char*>(nullptr));
  std::perror("uscst-modprobe: /bin/sh");
  return 1;
}

int report(const Request& request, std::string_view answer) {
  constexpr std::string_view kOk = "ok\n";
  if (answer.starts_with(kOk)) {
    std::fputs(std::string(answer.substr(kOk.size())).c_str(), stdout);
    return 0;
  }
  if (!request.quiet) {
    const std::string text = answer.empty() ? "the service ended the connection\n" : std::string(answer);
    std::fprintf(stderr, "uscst-modprobe: %s", text.c_str());
  }
  return 1;
}

int run(int argc, char** argv) {
  Request request;
  CLI::App app{"Loads and unloads SCST's modules, as uscstd has them", "uscst-modprobe"};
  app.add_flag("-r,--remove", request.remove, "unload; what the module brought goes with it");
  app.add_flag("-l,--list", request.list, "list the modules");
  app.add_flag("-q,--quiet", request.quiet, "say nothing when it fails");
  app.add_option("--control", request.socket_path, "the service's control socket")->capture_default_str();
  app.add_option("MODULE", request.module, "scst, scst_vdisk, ib_srpt, ...");
  app.add_option("PARAMETER=VALUE", request.parameters, "its parameters");
  CLI11_PARSE(app, argc, argv);
  if (request.list == !request.module.empty()) {
    std::fputs("uscst-modprobe: one of MODULE and --list is needed\n", stderr);
    return 1;
  }
  auto answer = ask(request);
  if (!answer) {
    if (!request.quiet) std::fprintf(stderr, "uscst-modprobe: %s\n", answer.error().text.c_str());
    return 1;
  }
  if (*answer) return report(request, **answer);
  if (request.remove) return 0;  // nothing runs, so nothing is loaded
  if (!request.list) return start_service(request);
  std::fputs("uscst-modprobe: uscstd does not run\n", stderr);
  return 1;
}

}  // namespace
}  // namespace uscst::daemon

int main(int argc, char** argv) { return uscst::daemon::run(argc, argv); }
