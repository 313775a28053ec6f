// How fast the iWARP fabric is over loopback, beside plain TCP request and reply of the same sizes. Not a test:
//   fabric_bench [uring|epoll] [crc]
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/fabric/iwarp/address.h"
#include "engine/fabric/iwarp/fabric.h"
#include "engine/io/blocking_pool.h"
#include "engine/io/reactor_thread.h"

using namespace uscst;
using namespace uscst::fabric;
using namespace uscst::fabric::iwarp;
using Octets = std::vector<std::uint8_t>;

namespace {

constexpr auto kTime = std::chrono::milliseconds(1000);

// Operations a second and the processor time that both sides together spent on each.
struct Rate {
  double per_second = 0, cpu_us = 0;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

class Meter {
 public:
  Rate rate(std::uint64_t count) const {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
    return {static_cast<double>(count) / took.count(), (cpu_seconds() - cpu_) / static_cast<double>(count) * 1e6};
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_seconds();
};

// --- plain TCP: 64 bytes there, `size` back, one at a time

bool all_bytes(ssize_t (*call)(int, void*, std::size_t, int), int fd, void* data, std::size_t size, int flags) {
  return call(fd, data, size, flags) == static_cast<ssize_t>(size);
}

Rate raw_operations(std::size_t size) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = *parse_address({"127.0.0.1", 0});
  ::bind(listener, address.get(), address.length);
  ::listen(listener, 1);
  address = *parse_address(local_address(listener));
  std::thread server([&] {
    const int fd = ::accept(listener, nullptr, nullptr);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    Octets command(64), data(size);
    while (all_bytes(::recv, fd, command.data(), 64, MSG_WAITALL) && ::send(fd, data.data(), size, MSG_NOSIGNAL) > 0) {
    }
    ::close(fd);
  });
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  ::connect(fd, address.get(), address.length);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  Octets command(64), data(size);
  std::uint64_t count = 0;
  const Meter meter;
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begin < kTime) {
    ::send(fd, command.data(), command.size(), 0);
    if (!all_bytes(::recv, fd, data.data(), size, MSG_WAITALL)) break;
    ++count;
  }
  const Rate rate = meter.rate(count);
  ::close(fd);
  server.join();
  ::close(listener);
  return rate;
}

// --- the fabric: a command of 64 bytes; the target writes (or reads) `size` bytes and answers 36

enum class Mode { kWrite, kRead };

struct Target final : EndpointEvents {
  struct Job {
    explicit Job(Target& t) : target(t) {
      data.local = std::span(&data_piece, 1);
      answer.local = std::span(&answer_piece, 1);
    }
    void data_done(bool ok) {
      if (ok && target.mode == Mode::kRead) target.endpoint->post(answer);
    }
    void answered(bool) { target.idle.push_back(this); }
    Target& target;
    Octets memory = Octets(1 << 20), text = Octets(36);
    iovec data_piece{}, answer_piece{text.data(), text.size()};
    Request data{io::Call<bool>::to<&Job::data_done>(this)};
    Request answer{io::Call<bool>::to<&Job::answered>(this)};
  };
  void received(base::Bytes message) override {
    Job& job = *idle.back();
    idle.pop_back();
    std::memcpy(&job.data.remote, message.data(), sizeof(RemoteBuffer));
    std::memcpy(job.text.data(), message.data() + 32, 8);
    job.data.kind = mode == Mode::kRead ? RequestKind::kRead : RequestKind::kWrite;
    job.data_piece = {job.memory.data(), job.data.remote.length_bytes};
    endpoint->post(job.data);
    if (mode == Mode::kWrite) endpoint->post(job.answer);
  }
  void disconnected(DisconnectReason, const std::string&) override {
    endpoint.reset();
    gone.set_value();
  }
  Mode mode = Mode::kWrite;
  std::vector<std::unique_ptr<Job>> jobs;
  std::vector<Job*> idle;
  std::unique_ptr<Endpoint> endpoint;
  std::promise<void> gone;
};

struct Initiator final : EndpointEvents {
  struct Command {
    void done(bool) {}
    Octets memory = Octets(1 << 20), text = Octets(64);
    iovec piece{text.data(), text.size()};
    Request send{io::Call<bool>::to<&Command::done>(this)};
  };
  void start(unsigned depth, std::uint32_t size) {
    for (std::uint64_t i = 0; i < depth; ++i) {
      auto& command = *commands.emplace_back(std::make_unique<Command>());
      RemoteBuffer buffer = endpoint->expose(base::MutableBytes(command.memory).first(size), Access::kRemoteReadWrite);
      std::memcpy(command.text.data(), &buffer, sizeof(buffer));
      std::memcpy(command.text.data() + 32, &i, 8);
      command.send.local = std::span(&command.piece, 1);
      endpoint->post(command.send);
    }
  }
  void received(base::Bytes message) override {
    count.fetch_add(1, std::memory_order_relaxed);
    std::uint64_t index = 0;
    std::memcpy(&index, message.data(), 8);
    if (!stopping) endpoint->post(commands[index]->send);
  }
  void disconnected(DisconnectReason, const std::string&) override {
    endpoint.reset();
    gone.set_value();
  }
  bool stopping = false;
  std::atomic<std::uint64_t> count{0};
  std::vector<std::unique_ptr<Command>> commands;
  std::unique_ptr<Endpoint> endpoint;
  std::promise<void> gone;
};

Rate fabric_operations(io::ReactorKind kind, const Config& config, Mode mode, unsigned depth, std::uint32_t size) {
  base::Log log([](base::LogLevel, std::string_view) {});
  io::BlockingPool pool(1);
  auto target_reactor = *io::make_reactor(kind, pool, log), initiator_reactor = *io::make_reactor(kind, pool, log);
  IwarpFabric target_fabric(*target_reactor, config, log), initiator_fabric(*initiator_reactor, config, log);
  Target target;
  Initiator initiator;
  target.mode = mode;
  // A command may come before the answer to the one before it has completed here.
  for (unsigned i = 0; i < 2 * depth + 2; ++i)
    target.idle.push_back(target.jobs.emplace_back(std::make_unique<Target::Job>(target)).get());
  io::ReactorThread target_thread(*target_reactor), initiator_thread(*initiator_reactor);
  std::unique_ptr<Listener> listener;
  target_thread.call([&] {
    listener = *target_fabric.listen({"127.0.0.1", 0}, [&](std::unique_ptr<ConnectionRequest> request) {
      target.endpoint = std::move(*request->accept(*target_reactor, {}, target));
    });
  });
  std::promise<void> connected;
  initiator_thread.call([&] {
    initiator_fabric.connect(*initiator_reactor, listener->address(), {}, initiator, [&](Connected c) {
      initiator.endpoint = std::move(*c.endpoint);
      connected.set_value();
    });
  });
  connected.get_future().get();
  initiator_thread.call([&] { initiator.start(depth, size); });
  const Meter meter;
  const std::uint64_t before = initiator.count;
  std::this_thread::sleep_for(kTime);
  const Rate rate = meter.rate(initiator.count - before);
  initiator_thread.call([&] {
    initiator.stopping = true;
    initiator.endpoint->disconnect();
  });
  initiator.gone.get_future().get();
  target.gone.get_future().get();
  target_thread.call([&] { listener.reset(); });
  for (io::ReactorThread* thread : {&target_thread, &initiator_thread}) {
    for (std::size_t left = 1; left > 0;) thread->call([&] { left = thread->reactor().operations_in_flight(); });
  }
  return rate;
}

}  // namespace

int main(int argc, char** argv) {
  io::ReactorKind kind = io::ReactorKind::kAutomatic;
  Config config;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "uring") kind = io::ReactorKind::kUring;
    if (word == "epoll") kind = io::ReactorKind::kEpoll;
    if (word == "crc") config.require_crc = true;
  }
  for (const std::uint32_t size : {4096U, 131072U}) {
    const Rate raw = raw_operations(size);
    fmt::print("{:7} bytes: plain TCP {:8.0f}/s {:6.1f} us\n", size, raw.per_second, raw.cpu_us);
    for (const unsigned depth : {1U, 32U}) {
      const Rate write = fabric_operations(kind, config, Mode::kWrite, depth, size);
      const Rate read = fabric_operations(kind, config, Mode::kRead, depth, size);
      fmt::print("   depth {:2}: write {:8.0f}/s {:6.1f} us  read {:8.0f}/s {:6.1f} us\n", depth, write.per_second,
                 write.cpu_us, read.per_second, read.cpu_us);
    }
  }
  return 0;
}
