#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <numeric>

#include "tests/unit/io/reactor_fixture.h"

namespace uscst::io {
namespace {

class SocketTest : public ReactorTest {
 protected:
  SocketTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    left = FileDescriptor(ends[0]);
    right = FileDescriptor(ends[1]);
  }
  FileDescriptor left, right;
};

sockaddr_in loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr* generic(sockaddr_in& address) { return static_cast<sockaddr*>(static_cast<void*>(&address)); }

FileDescriptor listener(sockaddr_in& address) {
  FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  address = loopback();
  EXPECT_EQ(::bind(fd.get(), generic(address), sizeof(address)), 0);
  EXPECT_EQ(::listen(fd.get(), 8), 0);
  socklen_t length = sizeof(address);
  EXPECT_EQ(::getsockname(fd.get(), generic(address), &length), 0);
  return fd;
}

TEST_P(SocketTest, AcceptAndConnectOverTcp) {
  sockaddr_in address;
  FileDescriptor listening = listener(address);
  FileDescriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  Recorded accepted, connected;
  reactor->accept(accepted.op, listening.get());
  reactor->connect(connected.op, client.get(), generic(address), sizeof(address));
  EXPECT_TRUE(accepted.results.empty() && connected.results.empty());
  ASSERT_TRUE(run_until([&] { return !accepted.results.empty() && !connected.results.empty(); }));
  EXPECT_EQ(connected.last(), 0);
  ASSERT_GE(accepted.last(), 0);
  FileDescriptor server(accepted.last());
  EXPECT_NE(::fcntl(server.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(server.get(), F_GETFD) & FD_CLOEXEC, 0);

  std::array<std::uint8_t, 8> text{'u', 's', 'c', 's', 't'}, into{};
  iovec parts[2] = {{text.data(), 2}, {text.data() + 2, 3}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  Recorded sent, received;
  reactor->receive(received.op, server.get(), into);
  reactor->send(sent.op, client.get(), message);
  ASSERT_TRUE(run_until([&] { return !sent.results.empty() && !received.results.empty(); }));
  EXPECT_EQ(sent.last(), 5);
  EXPECT_EQ(received.last(), 5);
  EXPECT_EQ(into, text);
}

TEST_P(SocketTest, ConnectToAClosedPortIsRefused) {
  sockaddr_in address;
  {
    FileDescriptor closed = listener(address);
  }
  FileDescriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  Recorded connected;
  reactor->connect(connected.op, client.get(), generic(address), sizeof(address));
  ASSERT_TRUE(run_until([&] { return !connected.results.empty(); }));
  EXPECT_EQ(connected.last(), -ECONNREFUSED);
}

TEST_P(SocketTest, ReceiveReportsTheEndOfTheStreamAndSendTheBrokenPipe) {
  std::array<std::uint8_t, 4> into{};
  Recorded received, sent;
  reactor->receive(received.op, left.get(), into);
  right = FileDescriptor();  // swapped into a temporary and closed
  ASSERT_TRUE(run_until([&] { return !received.results.empty(); }));
  EXPECT_EQ(received.last(), 0);
  iovec part{into.data(), into.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  reactor->send(sent.op, left.get(), message);
  ASSERT_TRUE(run_until([&] { return !sent.results.empty(); }));
  EXPECT_EQ(sent.last(), -EPIPE);
}

TEST_P(SocketTest, AReceiveThatWaitsCanBeCancelled) {
  std::array<std::uint8_t, 4> into{};
  Recorded received, idle;
  reactor->receive(received.op, left.get(), into);
  reactor->cancel(idle.op);  // not in flight: nothing
  int checks = 0;
  run_until([&] { return ++checks > 3; });
  EXPECT_TRUE(received.op.in_flight());
  reactor->cancel(received.op);
  EXPECT_TRUE(received.results.empty());
  ASSERT_TRUE(run_until([&] { return !received.results.empty(); }));
  EXPECT_EQ(received.results, (std::vector{-ECANCELED}));
}

TEST_P(SocketTest, CancelInTheSameTurnAsTheSubmissionHitsIt) {
  std::array<std::uint8_t, 4> into{};
  Recorded received;
  reactor->receive(received.op, left.get(), into);
  reactor->cancel(received.op);
  ASSERT_TRUE(run_until([&] { return !received.results.empty(); }));
  EXPECT_EQ(received.results, (std::vector{-ECANCELED}));
}

TEST_P(SocketTest, CancelDoesNotHitTheNextSubmissionOfTheOperation) {
  std::array<std::uint8_t, 1> into{};
  ASSERT_EQ(::write(right.get(), "a", 1), 1);
  Recorded received;
  received.then = [&] {
    if (received.results.size() == 1) reactor->receive(received.op, left.get(), into);
  };
  reactor->receive(received.op, left.get(), into);
  reactor->cancel(received.op);
  ASSERT_TRUE(run_until([&] { return !received.results.empty(); }));
  // Whichever came first, the byte or the cancel: the second submission gets what is left or comes.
  if (received.results[0] == 1) {
    ASSERT_EQ(::write(right.get(), "b", 1), 1);
  } else {
    EXPECT_EQ(received.results[0], -ECANCELED);
  }
  ASSERT_TRUE(run_until([&] { return received.results.size() == 2; }));
  EXPECT_EQ(received.last(), 1);
}

TEST_P(SocketTest, PollReportsReadinessOnce) {
  Recorded readable, writable;
  reactor->poll(readable.op, left.get(), POLLIN);
  reactor->poll(writable.op, left.get(), POLLOUT);
  ASSERT_TRUE(run_until([&] { return !writable.results.empty(); }));
  EXPECT_TRUE(writable.last() & POLLOUT);
  EXPECT_TRUE(readable.results.empty());
  ASSERT_EQ(::write(right.get(), "x", 1), 1);
  ASSERT_TRUE(run_until([&] { return !readable.results.empty(); }));
  EXPECT_TRUE(readable.last() & POLLIN);
  EXPECT_EQ(readable.results.size(), 1U);
}

TEST_P(SocketTest, OperationsOnABadDescriptorFailInTheirCompletion) {
  std::array<std::uint8_t, 1> into{};
  Recorded received, accepted;
  reactor->receive(received.op, 1'000'000, into);
  reactor->accept(accepted.op, 1'000'000);
  EXPECT_TRUE(received.results.empty());
  ASSERT_TRUE(run_until([&] { return !received.results.empty() && !accepted.results.empty(); }));
  EXPECT_EQ(received.last(), -EBADF);
  EXPECT_EQ(accepted.last(), -EBADF);
}

TEST_P(SocketTest, ADescriptorNumberUsedAgainIsWatchedAgain) {
  for (int round = 0; round < 3; ++round) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    FileDescriptor a(ends[0]), b(ends[1]);
    std::array<std::uint8_t, 1> into{};
    Recorded received;
    reactor->receive(received.op, a.get(), into);
    reactor->post([&] { ASSERT_EQ(::write(b.get(), "x", 1), 1); });
    ASSERT_TRUE(run_until([&] { return !received.results.empty(); }));
    EXPECT_EQ(received.last(), 1);
  }
}

// A stream of numbered bytes through both directions of readiness, operations resubmitted from their own completions.
struct Stream {
  static constexpr std::size_t kTotal = 8 * 1024 * 1024;
  Stream(Reactor& r, int from_fd, int to_fd) : reactor(r), from(from_fd), to(to_fd), source(100'000), sink(70'001) {
    std::iota(source.begin(), source.end(), std::uint8_t{0});
  }
  std::uint8_t expected(std::size_t position) const { return source[position % source.size()]; }
  void send() {
    std::size_t start = sent % source.size();
    part = {source.data() + start, std::min(source.size() - start, kTotal - sent)};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    reactor.send(sending, from, message);
  }
  void receive() { reactor.receive(receiving, to, sink); }
  void on_sent(int result) {
    ASSERT_GT(result, 0);
    sent += static_cast<std::size_t>(result);
    if (sent < kTotal) send();
  }
  void on_received(int result) {
    ASSERT_GT(result, 0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(result); ++i) {
      if (sink[i] != expected(received + i)) ++wrong;
    }
    received += static_cast<std::size_t>(result);
    if (received < kTotal) receive();
  }

  Reactor& reactor;
  const int from, to;
  std::vector<std::uint8_t> source, sink;
  std::size_t sent = 0, received = 0, wrong = 0;
  iovec part{};
  msghdr message{};
  Operation sending{Call<int>::to<&Stream::on_sent>(this)};
  Operation receiving{Call<int>::to<&Stream::on_received>(this)};
};

TEST_P(SocketTest, AStreamArrivesWholeAndInOrder) {
  Stream stream(*reactor, left.get(), right.get());
  stream.receive();
  stream.send();
  ASSERT_TRUE(run_until([&] { return stream.received == Stream::kTotal && !stream.sending.in_flight(); }));
  EXPECT_EQ(stream.wrong, 0U);
}

TEST_P(SocketTest, MoreOperationsThanTheQueueHasRoomFor) {
  constexpr std::size_t kCount = 5000;
  std::vector<std::unique_ptr<Recorded>> polls;
  std::size_t done = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    polls.push_back(std::make_unique<Recorded>());
    polls.back()->then = [&] { ++done; };
    reactor->poll(polls.back()->op, left.get(), POLLIN);  // half before the loop runs
    if (i == kCount / 2) {
      reactor->post([&] { reactor->stop(); });
      reactor->run();
    }
  }
  EXPECT_EQ(reactor->operations_in_flight(), kCount);
  ASSERT_EQ(::write(right.get(), "x", 1), 1);
  ASSERT_TRUE(run_until([&] { return done == kCount; }));
  for (auto& poll : polls) EXPECT_EQ(poll->results.size(), 1U);
}

USCST_BOTH_REACTORS(SocketTest);

}  // namespace
}  // namespace uscst::io
