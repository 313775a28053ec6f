// The control socket over real reactors and real sockets.
#include "engine/control/control_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <future>
#include <thread>

#include "engine/io/blocking_pool.h"
#include "engine/io/reactor_thread.h"

namespace uscst::control {
namespace {

struct Counters {
  std::atomic<int> open{0};
  std::atomic<std::size_t> largest_unsent{0};
};

constexpr std::size_t kPieceBytes = 4096;

// Sends back what it gets piece by piece, each `times` over; "end" ends it, "bad" is an error, "wait" is not taken at
// all.
class Echo final : public Conversation {
 public:
  Echo(ControlConnection& connection, Counters& counters, int times)
      : connection_(connection), counters_(counters), times_(times) {
    ++counters_.open;
  }
  ~Echo() override { --counters_.open; }
  base::Result<std::size_t> received(base::Bytes bytes) override {
    const std::string_view text = base::as_text(bytes);
    if (text.starts_with("bad")) return base::fail(EPROTO, "bad");
    if (text.starts_with("wait")) return 0;
    bytes = bytes.first(std::min(bytes.size(), kPieceBytes));
    for (int i = 0; i < times_; ++i) connection_.send({bytes.begin(), bytes.end()});
    counters_.largest_unsent = std::max(counters_.largest_unsent.load(), connection_.unsent_bytes());
    if (text.starts_with("end")) connection_.close_when_sent();
    return bytes.size();
  }

 private:
  ControlConnection& connection_;
  Counters& counters_;
  const int times_;
};

class Client {
 public:
  explicit Client(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected = connect(fd_, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address) == 0;
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { close(fd_); }
  bool send(std::string_view text) {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // As many bytes as asked for, fewer at the end of the connection.
  std::string receive(std::size_t length) {
    std::string text(length, '\0');
    std::size_t have = 0;
    while (have < length) {
      const ssize_t n = recv(fd_, text.data() + have, length - have, 0);
      if (n < 0 && errno == EINTR) continue;  // io_uring's notifications interrupt a call with a time-out
      if (n <= 0) break;
      have += static_cast<std::size_t>(n);
    }
    text.resize(have);
    return text;
  }
  bool connected = false;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

class ControlSocketTest : public testing::TestWithParam<io::ReactorKind> {
 protected:
  void SetUp() override {
    auto reactor = io::make_reactor(GetParam(), pool_, log_);
    if (!reactor) GTEST_SKIP() << reactor.error().text;
    reactor_ = std::move(*reactor);
    socket_ = std::make_unique<ControlSocket>(*reactor_, log_);
    auto echo = [this](int times) {
      return [this, times](ControlConnection& connection,
                           const std::vector<std::string>& words) -> base::Result<std::unique_ptr<Conversation>> {
        if (words.empty()) return base::fail(EINVAL, "echo\nWORD");
        connection.send_status({});
        return std::make_unique<Echo>(connection, counters_, times);
      };
    };
    socket_->add_service("echo", echo(1));
    socket_->add_service("many", echo(200));
    ASSERT_TRUE(socket_->listen(path_));
    thread_ = std::make_unique<io::ReactorThread>(*reactor_, io::ReactorThread::Options{.name = "control", .cpu = {}});
    thread_->call([this] { socket_->start(); });
  }
  void TearDown() override {
    if (!thread_) return;
    std::promise<void> stopped;
    thread_->call([&] { socket_->stop([&] { stopped.set_value(); }); });
    stopped.get_future().wait();
    EXPECT_EQ(counters_.open, 0);
    std::size_t left = 0;
    thread_->call([&] { left = reactor_->operations_in_flight(); });
    EXPECT_EQ(left, 0U);
    thread_->stop();
    thread_.reset();
    socket_.reset();
    struct stat about{};
    EXPECT_NE(stat(path_.c_str(), &about), 0);
  }
  void wait_for_open(int count) {
    for (int i = 0; i < 2000 && counters_.open != count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(counters_.open, count);
  }

  base::Log log_{[](base::LogLevel, std::string_view) {}, base::LogLevel::kError};
  io::BlockingPool pool_{2};
  std::unique_ptr<io::Reactor> reactor_;
  const std::string path_ = testing::TempDir() + "uscst-control-" + std::to_string(getpid());
  Counters counters_;
  std::unique_ptr<ControlSocket> socket_;
  std::unique_ptr<io::ReactorThread> thread_;
};

TEST_P(ControlSocketTest, ALineNamesAServiceAndTheRestIsItsOwn) {
  Client client(path_);
  ASSERT_TRUE(client.send("ec"));
  ASSERT_TRUE(client.send("ho  word\nabc"));
  EXPECT_EQ(client.receive(6), "ok\nabc");
  ASSERT_TRUE(client.send("def"));
  EXPECT_EQ(client.receive(3), "def");
  ASSERT_TRUE(client.send("end"));
  EXPECT_EQ(client.receive(100), "end");
  wait_for_open(0);
}

TEST_P(ControlSocketTest, OnlyItsOwnerMayConnect) {
  struct stat about{};
  ASSERT_EQ(stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600U);
}

TEST_P(ControlSocketTest, RefusalsAreSaidAndEndTheConnection) {
  for (const auto& [line, answer] : {std::pair{"nosuch x\n", "error 22 there is no such service\n"},
                                     {"\n", "error 22 there is no such service\n"},
                                     {"echo\n", "error 22 echo WORD\n"}}) {
    Client client(path_);
    ASSERT_TRUE(client.send(line));
    EXPECT_EQ(client.receive(1000), answer);
  }
  Client client(path_);
  client.send(std::string(ControlSocket::kMaximumLineBytes, 'x'));
  EXPECT_TRUE(client.receive(1000).starts_with("error 7 "));
}

TEST_P(ControlSocketTest, AnErrorOfTheServiceEndsTheConnection) {
  Client client(path_);
  client.send("echo x\n");
  EXPECT_EQ(client.receive(3), "ok\n");
  client.send("bad");
  EXPECT_EQ(client.receive(100), "");
}

TEST_P(ControlSocketTest, PeersThatGoAreNoticedAlsoWhileNothingIsRead) {
  {
    Client quiet(path_), full(path_);
    quiet.send("echo x\n");
    full.send("echo x\nwait");
    EXPECT_EQ(quiet.receive(3), "ok\n");
    EXPECT_EQ(full.receive(3), "ok\n");
    wait_for_open(2);
    // Until nothing more is taken: the service's bound, then the kernel's.
    const std::string much(1 << 16, 'y');
    while (::send(full.fd(), much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0 || errno != EAGAIN) {
    }
  }
  wait_for_open(0);
}

TEST_P(ControlSocketTest, APeerThatDoesNotReadHoldsOnlySoMuch) {
  Client client(path_);
  client.send("many x\n");
  EXPECT_EQ(client.receive(3), "ok\n");
  constexpr std::size_t kTimes = 200;
  const std::string text(200'000, 'z');
  std::thread sender([&] { client.send(text); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(client.receive(kTimes * text.size()).size(), kTimes * text.size());
  sender.join();
  EXPECT_LT(counters_.largest_unsent, ControlSocket::kMaximumUnsentBytes + 200 * kPieceBytes + 1);
}

TEST_P(ControlSocketTest, ThereIsALimitOfConnections) {
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < ControlSocket::kMaximumConnections; ++i) {
    clients.push_back(std::make_unique<Client>(path_));
    clients.back()->send("echo x\n");
    EXPECT_EQ(clients.back()->receive(3), "ok\n");
  }
  Client more(path_);
  EXPECT_EQ(more.receive(1), "");
  clients.pop_back();
  wait_for_open(static_cast<int>(ControlSocket::kMaximumConnections) - 1);
  for (int i = 0; i < 100; ++i) {  // the connection's end is a moment behind the conversation's
    Client again(path_);
    again.send("echo x\n");
    if (again.receive(3) == "ok\n") return;
  }
  FAIL() << "no connection is let in again";
}

TEST_P(ControlSocketTest, StopsWithConnectionsOpen) {
  Client one(path_), two(path_);
  one.send("echo x\n");
  EXPECT_EQ(one.receive(3), "ok\n");
}

TEST(ControlSocketPath, TooLongIsSaid) {
  io::BlockingPool pool(1);
  base::Log log([](base::LogLevel, std::string_view) {}, base::LogLevel::kError);
  auto reactor = io::make_reactor(io::ReactorKind::kEpoll, pool, log);
  ASSERT_TRUE(reactor);
  ControlSocket socket(**reactor, log);
  EXPECT_EQ(socket.listen("/tmp/" + std::string(200, 'x')).error().code, ENAMETOOLONG);
  EXPECT_EQ(socket.listen("/nosuch/directory/s").error().code, ENOENT);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ControlSocketTest, testing::Values(io::ReactorKind::kUring, io::ReactorKind::kEpoll),
                         [](const auto& kind) { return kind.param == io::ReactorKind::kUring ? "Uring" : "Epoll"; });

}  // namespace
}  // namespace uscst::control
