// perf_memory_target PORT DISK_BYTES: the target in memory as a program, on 127.0.0.1, id_ext 11, ioc_guid 22. Shows
// what iWARP and SRP alone allow. Runs until it is killed.
#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "engine/base/log.h"
#include "engine/fabric/iwarp/fabric.h"
#include "engine/io/blocking_pool.h"
#include "engine/io/reactor.h"
#include "tests/perf/memory_target.h"

int main(int argc, char** argv) {
  using namespace uscst;
  std::uint16_t port = 0;
  std::uint64_t disk_bytes = 0;
  const auto number = [](const char* text, auto& value) {
    return std::from_chars(text, text + std::strlen(text), value).ec == std::errc();
  };
  if (argc != 3 || !number(argv[1], port) || !number(argv[2], disk_bytes)) {
    fmt::print(stderr, "usage: perf_memory_target PORT DISK_BYTES\n");
    return 2;
  }
  base::Log log(base::Log::standard_error(), base::LogLevel::kWarning);
  io::BlockingPool pool(1);
  auto reactor = io::make_reactor(io::ReactorKind::kAutomatic, pool, log);
  if (!reactor) return 1;
  perf::MemoryTarget target({.disk_bytes = disk_bytes});
  fabric::iwarp::IwarpFabric fabric(**reactor, {}, log);
  auto listener = fabric.listen({"127.0.0.1", port}, [&](std::unique_ptr<fabric::ConnectionRequest> request) {
    target.connection(**reactor, std::move(request));
  });
  if (!listener) {
    fmt::print(stderr, "perf_memory_target: {}\n", listener.error().text);
    return 1;
  }
  (*reactor)->run();
}
