// How fast could it be? Request and reply of stated lengths over loopback TCP, on the same reactor as everything else:
// the same connections, depth and bytes each way as a benchmark of the target, without iWARP, SRP, SCSI and data.
//
//   perf_tcp_limit server PORT REQUEST_BYTES REPLY_BYTES
//   perf_tcp_limit client PORT REQUEST_BYTES REPLY_BYTES CONNECTIONS DEPTH SECONDS
//
// The client prints operations per second. The server runs until it is killed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/log.h"
#include "engine/io/blocking_pool.h"
#include "engine/io/reactor.h"

namespace uscst::perf {
namespace {

constexpr std::size_t kReceiveBytes = 256 * 1024;
constexpr std::size_t kSendBytes = 256 * 1024;  // of one iovec; all name the same memory
constexpr std::size_t kSendParts = 8;

// One connection of either side: for every message in, one message out; the client starts with `depth` of them. What is
// due after an event leaves in one send, as a batch of the fabric does.
class Pipe {
 public:
  Pipe(io::Reactor& reactor, int fd, std::size_t bytes_in, std::size_t bytes_out, std::size_t first_messages)
      : reactor_(reactor), fd_(fd), bytes_in_(bytes_in), bytes_out_(bytes_out), due_(first_messages * bytes_out) {
    reactor_.receive(receive_, fd_, buffer_);
    if (due_ != 0) reactor_.defer(flush_);
  }
  std::uint64_t messages() const { return messages_; }

 private:
  void received(int result) {
    if (result <= 0) return;
    have_ += static_cast<std::size_t>(result);
    const std::size_t whole = have_ / bytes_in_;
    have_ -= whole * bytes_in_;
    messages_ += whole;
    due_ += whole * bytes_out_;
    if (whole != 0) reactor_.defer(flush_);
    reactor_.receive(receive_, fd_, buffer_);
  }
  void flush() {
    if (send_.in_flight() || due_ == 0) return;
    std::size_t left = due_;
    message_.msg_iov = parts_;
    message_.msg_iovlen = 0;
    while (left != 0 && message_.msg_iovlen < kSendParts) {
      iovec& part = parts_[message_.msg_iovlen++];
      part = {data_.data(), std::min(left, data_.size())};
      left -= part.iov_len;
    }
    reactor_.send(send_, fd_, message_);
  }
  void sent(int result) {
    if (result < 0) return;
    due_ -= static_cast<std::size_t>(result);
    flush();
  }

  io::Reactor& reactor_;
  const int fd_;
  const std::size_t bytes_in_, bytes_out_;
  std::size_t due_;
  std::size_t have_ = 0;
  std::uint64_t messages_ = 0;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kReceiveBytes);
  std::vector<std::uint8_t> data_ = std::vector<std::uint8_t>(kSendBytes);
  iovec parts_[kSendParts] = {};
  msghdr message_ = {};
  io::Operation receive_{io::Call<int>::to<&Pipe::received>(this)};
  io::Operation send_{io::Call<int>::to<&Pipe::sent>(this)};
  io::Deferred flush_{io::Call<>::to<&Pipe::flush>(this)};
};

struct Arguments {
  bool server = false;
  std::uint16_t port = 0;
  std::size_t request_bytes = 0, reply_bytes = 0;
  unsigned connections = 1, depth = 1;
  unsigned seconds = 1;
};

template <class T>
bool number(const char* text, T& value) {
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  return error == std::errc() && *end == '\0' && value != 0;
}

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments a;
  if (argc < 2) return std::nullopt;
  a.server = std::string_view(argv[1]) == "server";
  if (argc != (a.server ? 5 : 8)) return std::nullopt;
  bool good = number(argv[2], a.port) && number(argv[3], a.request_bytes) && number(argv[4], a.reply_bytes);
  if (!a.server)
    good = good && number(argv[5], a.connections) && number(argv[6], a.depth) && number(argv[7], a.seconds);
  if (!good) return std::nullopt;
  return a;
}

sockaddr_storage loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return storage;
}

const sockaddr* generic(const sockaddr_storage& storage) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&storage));
}

int tuned(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

class Server {
 public:
  Server(io::Reactor& reactor, int listener, const Arguments& arguments)
      : reactor_(reactor), listener_(listener), arguments_(arguments) {
    reactor_.accept(accept_, listener_);
  }

 private:
  void accepted(int fd) {
    if (fd >= 0) {
      pipes_.push_back(
          std::make_unique<Pipe>(reactor_, tuned(fd), arguments_.request_bytes, arguments_.reply_bytes, 0));
    }
    reactor_.accept(accept_, listener_);
  }
  io::Reactor& reactor_;
  const int listener_;
  const Arguments arguments_;
  std::vector<std::unique_ptr<Pipe>> pipes_;
  io::Operation accept_{io::Call<int>::to<&Server::accepted>(this)};
};

int fail(const char* what) {
  fmt::print(stderr, "perf_tcp_limit: {}: {}\n", what, std::strerror(errno));
  return 1;
}

int serve(io::Reactor& reactor, const Arguments& arguments) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_storage address = loopback(arguments.port);
  if (bind(listener, generic(address), sizeof(sockaddr_in)) != 0 || listen(listener, 1024) != 0) return fail("listen");
  Server server(reactor, tuned(listener), arguments);
  reactor.run();
  return 0;
}

int drive(io::Reactor& reactor, const Arguments& arguments) {
  std::vector<std::unique_ptr<Pipe>> pipes;
  const sockaddr_storage address = loopback(arguments.port);
  for (unsigned i = 0; i < arguments.connections; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, generic(address), sizeof(sockaddr_in)) != 0) return fail("connect");
    pipes.push_back(
        std::make_unique<Pipe>(reactor, tuned(fd), arguments.reply_bytes, arguments.request_bytes, arguments.depth));
  }
  struct Stopper {
    io::Reactor& reactor;
    void stop() { reactor.stop(); }
  } stopper{reactor};
  io::Timer end(io::Call<>::to<&Stopper::stop>(&stopper));
  const base::TimePoint started = reactor.clock().now();
  reactor.arm_after(end, std::chrono::seconds(arguments.seconds));
  reactor.run();
  std::uint64_t messages = 0;
  for (const auto& pipe : pipes) messages += pipe->messages();
  const double elapsed_s = std::chrono::duration<double>(base::SteadyClock().now() - started).count();
  fmt::print("{:.0f}\n", static_cast<double>(messages) / elapsed_s);
  std::fflush(stdout);
  std::_Exit(0);  // the connections' operations are still under way
}

}  // namespace
}  // namespace uscst::perf

int main(int argc, char** argv) {
  using namespace uscst;
  const auto arguments = perf::parse(argc, argv);
  if (!arguments) {
    fmt::print(stderr,
               "usage: perf_tcp_limit server PORT REQUEST REPLY\n"
               "       perf_tcp_limit client PORT REQUEST REPLY CONNECTIONS DEPTH SECONDS\n");
    return 2;
  }
  base::Log log(base::Log::standard_error(), base::LogLevel::kError);
  io::BlockingPool pool(1);
  auto reactor = io::make_reactor(io::ReactorKind::kAutomatic, pool, log);
  if (!reactor) {
    fmt::print(stderr, "perf_tcp_limit: {}\n", reactor.error().text);
    return 1;
  }
  return arguments->server ? perf::serve(**reactor, *arguments) : perf::drive(**reactor, *arguments);
}
