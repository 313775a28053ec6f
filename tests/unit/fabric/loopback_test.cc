#include "tests/unit/fabric/loopback.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/fabric/vectors.h"

namespace uscst::fabric::iwarp {
namespace {

using std::chrono::milliseconds;

Octets pattern(std::size_t size, unsigned seed) {
  Octets out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 31 + i / 251 + seed);
  return out;
}

class LoopbackTest : public ::testing::TestWithParam<std::tuple<io::ReactorKind, bool>> {
 protected:
  static io::ReactorKind kind() { return std::get<0>(GetParam()); }
  static Config config() {
    Config config = Loopback::quick();
    config.require_crc = std::get<1>(GetParam());
    return config;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, LoopbackTest,
                         ::testing::Combine(::testing::Values(io::ReactorKind::kUring, io::ReactorKind::kEpoll),
                                            ::testing::Bool()),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param) == io::ReactorKind::kUring ? "uring" : "epoll") +
                                  (std::get<1>(each.param) ? "_crc" : "");
                         });

TEST_P(LoopbackTest, LoginMessagesWritesAndReads) {
  Loopback loop(kind(), config());
  loop.listen();
  loop.connect(Octets(56, 0x11), Octets(52, 0x22));
  ASSERT_TRUE(loop.initiator.endpoint);
  ASSERT_EQ(loop.requests.size(), 1U);
  EXPECT_EQ(base::Bytes(loop.requests[0]->private_data()).size(), 56U);
  EXPECT_EQ(loop.connect_data, Octets(52, 0x22));
  EXPECT_EQ(loop.requests[0]->local().host, "127.0.0.1");
  EXPECT_EQ(loop.requests[0]->local().port, loop.listener->address().port);

  // The initiator exposes one region to read and one to write and sends a command; the target reads, writes, answers.
  Octets source = pattern(300'000, 1), sink(300'000);
  const RemoteBuffer from = loop.initiator.endpoint->expose(source, Access::kRemoteRead);
  const RemoteBuffer to = loop.initiator.endpoint->expose(sink, Access::kRemoteWrite);
  TestRequest command(RequestKind::kSend, {}, pattern(64, 2));
  loop.initiator.endpoint->post(command.request);
  ASSERT_TRUE(loop.run_until([&] { return loop.target.messages.size() == 1; }));
  EXPECT_EQ(loop.target.messages[0], command.memory);

  TestRequest read(RequestKind::kRead, from, Octets(300'000));
  read.cut(64 * 1024);
  loop.target.endpoint->post(read.request);
  ASSERT_TRUE(loop.run_until([&] { return read.succeeded(); }));
  EXPECT_EQ(read.memory, source);

  TestRequest write(RequestKind::kWrite, to, pattern(300'000, 3)), answer(RequestKind::kSend, {}, pattern(36, 4));
  write.cut(64 * 1024);
  loop.target.endpoint->post(write.request);
  loop.target.endpoint->post(answer.request);
  ASSERT_TRUE(
      loop.run_until([&] { return loop.initiator.messages.size() == 1 && write.succeeded() && answer.succeeded(); }));
  EXPECT_EQ(sink, write.memory);
  EXPECT_EQ(loop.initiator.messages[0], answer.memory);
}

TEST_P(LoopbackTest, ManyReadsAtOnceAllArrive) {
  Loopback loop(kind(), config());
  loop.listen();
  loop.connect();
  TestRequest first(RequestKind::kSend, {}, {1});
  loop.initiator.endpoint->post(first.request);
  ASSERT_TRUE(loop.run_until([&] { return !loop.target.messages.empty(); }));
  Octets source = pattern(110'000, 9);
  const RemoteBuffer exposed = loop.initiator.endpoint->expose(source, Access::kRemoteRead);
  std::vector<std::unique_ptr<TestRequest>> reads;
  for (unsigned i = 0; i < 100; ++i) {
    const RemoteBuffer part{exposed.address + i * 997, exposed.key, 500 + (i % 7 == 0 ? 0U : i * 13)};
    reads.push_back(std::make_unique<TestRequest>(RequestKind::kRead, part, Octets(part.length_bytes)));
    loop.target.endpoint->post(reads.back()->request);
  }
  ASSERT_TRUE(loop.run_until([&] { return std::ranges::all_of(reads, [](const auto& r) { return r->succeeded(); }); }));
  for (unsigned i = 0; i < 100; ++i)
    EXPECT_TRUE(std::ranges::equal(reads[i]->memory, base::Bytes(source).subspan(i * 997, reads[i]->memory.size())))
        << i;
}

TEST_P(LoopbackTest, RejectReachesTheInitiatorWithItsData) {
  Loopback loop(kind(), config());
  loop.accept_at_once = false;
  loop.listen();
  loop.initiator_fabric->connect(*loop.reactor, loop.listener->address(), Octets(56), loop.initiator, [&](Connected c) {
    loop.connect_called = true;
    ASSERT_FALSE(c.endpoint);
    loop.connect_error = c.endpoint.error();
    loop.connect_data = c.private_data;
  });
  ASSERT_TRUE(loop.run_until([&] { return loop.requests.size() == 1; }));
  loop.requests[0]->reject(Octets(32, 0xC2));
  ASSERT_TRUE(loop.run_until([&] { return loop.connect_called; }));
  EXPECT_EQ(loop.connect_error->code, ECONNREFUSED);
  EXPECT_EQ(loop.connect_data, Octets(32, 0xC2));
}

TEST_P(LoopbackTest, DisconnectCompletesEverythingOnBothSides) {
  Loopback loop(kind(), config());
  loop.listen();
  loop.connect();
  TestRequest waiting(RequestKind::kSend, {}, {1});
  loop.target.endpoint->post(waiting.request);  // the responder may not speak first
  TestRequest last(RequestKind::kSend, {}, {7});
  loop.run_for(milliseconds(20));
  EXPECT_TRUE(waiting.results.empty());
  loop.target.endpoint->disconnect();
  loop.target.endpoint->post(last.request);
  ASSERT_TRUE(loop.run_until([&] { return loop.target.reason && loop.initiator.reason; }));
  EXPECT_EQ(loop.target.reason, DisconnectReason::kLocal);
  EXPECT_EQ(loop.initiator.reason, DisconnectReason::kPeerClosed);
  EXPECT_TRUE(waiting.failed());
  EXPECT_TRUE(last.failed());
  EXPECT_TRUE(loop.initiator.messages.empty());
}

TEST_P(LoopbackTest, WhatIsUnderWayIsFinishedBeforeTheEnd) {
  Loopback loop(kind(), config());
  loop.listen();
  loop.connect();
  TestRequest send(RequestKind::kSend, {}, pattern(5000, 3));
  loop.initiator.endpoint->post(send.request);
  ASSERT_TRUE(loop.run_until([&] { return send.succeeded(); }));
  loop.initiator.endpoint->disconnect();
  ASSERT_TRUE(loop.run_until([&] { return loop.target.reason && loop.initiator.reason; }));
  ASSERT_EQ(loop.target.messages.size(), 1U);
}

TEST_P(LoopbackTest, PeerThatNeverReadsIsLetGoAfterTheCloseTimeout) {
  Loopback loop(kind(), config());
  loop.listen();
  const int fd = loop.raw_client();
  Octets bytes = vector_bytes("mpa-request-siw"), rtr = vector_bytes("rtr-write-crc");
  ASSERT_EQ(::send(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  ASSERT_TRUE(loop.run_until([&] { return loop.target.endpoint != nullptr; }));
  ASSERT_EQ(::send(fd, rtr.data(), rtr.size(), 0), static_cast<ssize_t>(rtr.size()));
  TestRequest flood(RequestKind::kWrite, {0x1000, 0x100, 64U << 20}, Octets(64U << 20));
  TestRequest behind(RequestKind::kSend, {}, {1, 2, 3});
  loop.target.endpoint->post(flood.request);
  loop.target.endpoint->post(behind.request);
  loop.run_for(milliseconds(50));
  EXPECT_TRUE(flood.results.empty());
  loop.target.endpoint->disconnect();
  ASSERT_TRUE(loop.run_until([&] { return loop.target.reason.has_value(); }));
  EXPECT_TRUE(flood.failed());
  EXPECT_TRUE(behind.failed());
  ::close(fd);
}

TEST_P(LoopbackTest, NothingFollowsTheReplyBeforeTheFirstFpdu) {
  Loopback loop(kind(), config());
  loop.listen();
  const int fd = loop.raw_client();
  const Octets request = vector_bytes("mpa-request-siw");
  ASSERT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  ASSERT_TRUE(loop.run_until([&] { return loop.target.endpoint != nullptr; }));
  TestRequest early(RequestKind::kSend, {}, pattern(36, 1));
  loop.target.endpoint->post(early.request);
  loop.run_for(milliseconds(30));
  Octets got(200);
  ASSERT_EQ(::recv(fd, got.data(), got.size(), MSG_DONTWAIT), 24);  // the reply: header and depths
  ASSERT_EQ(::recv(fd, got.data(), got.size(), MSG_DONTWAIT), -1);
  const Octets rtr = vector_bytes("rtr-write-crc");
  ASSERT_EQ(::send(fd, rtr.data(), rtr.size(), 0), static_cast<ssize_t>(rtr.size()));
  ASSERT_TRUE(loop.run_until([&] { return early.succeeded(); }));
  EXPECT_EQ(::recv(fd, got.data(), got.size(), MSG_DONTWAIT), 2 + 18 + 36 + 4);
  ::close(fd);
}

TEST_P(LoopbackTest, ProtocolErrorIsAnsweredWithTerminateAndFin) {
  Loopback loop(kind(), config());
  loop.listen();
  const int fd = loop.raw_client();
  const Octets request = vector_bytes("mpa-request-adapter");  // CRC
  ASSERT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  ASSERT_TRUE(loop.run_until([&] { return loop.target.endpoint != nullptr; }));
  const Octets write = vector_bytes("write-inquiry-data"), expected = vector_bytes("terminate-write");
  ASSERT_EQ(::send(fd, write.data(), write.size(), 0), static_cast<ssize_t>(write.size()));
  loop.run_for(milliseconds(20));
  Octets got(200);
  ASSERT_EQ(::recv(fd, got.data(), 24, MSG_WAITALL), 24);
  ASSERT_EQ(::recv(fd, got.data(), expected.size(), MSG_WAITALL), static_cast<ssize_t>(expected.size()));
  got.resize(expected.size());
  EXPECT_EQ(got, expected);
  std::uint8_t byte;
  EXPECT_EQ(::recv(fd, &byte, 1, 0), 0);
  ::close(fd);
  ASSERT_TRUE(loop.run_until([&] { return loop.target.reason.has_value(); }));
  EXPECT_EQ(loop.target.reason, DisconnectReason::kProtocolError);
  EXPECT_THAT(loop.target.detail, ::testing::HasSubstr("RDMA Write"));
}

TEST_P(LoopbackTest, SilentAndGarbageConnectionsAreClosed) {
  Loopback loop(kind(), config());
  loop.listen();
  const int silent = loop.raw_client(), garbage = loop.raw_client(), half = loop.raw_client();
  ASSERT_EQ(::send(garbage, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
  ASSERT_EQ(::send(half, "MPA ID Req Fr", 13, 0), 13);
  loop.run_for(milliseconds(60));
  std::uint8_t byte;
  EXPECT_TRUE(::recv(garbage, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
  EXPECT_EQ(::recv(silent, &byte, 1, MSG_DONTWAIT), -1);  // still has time
  EXPECT_EQ(errno, EAGAIN);
  loop.run_for(milliseconds(200));
  EXPECT_EQ(::recv(silent, &byte, 1, MSG_DONTWAIT), 0);
  EXPECT_LE(::recv(half, &byte, 1, MSG_DONTWAIT), 0);
  for (int fd : {silent, garbage, half}) ::close(fd);
  EXPECT_TRUE(loop.requests.empty());
}

TEST_P(LoopbackTest, AFloodOfSilentConnectionsKeepsNobodyOut) {
  Config limited = config();
  limited.maximum_handshakes = 4;
  limited.handshake_timeout = std::chrono::seconds(10);
  Loopback loop(kind(), limited);
  loop.listen();
  std::vector<int> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(loop.raw_client());
  loop.run_for(milliseconds(30));
  loop.connect();
  EXPECT_TRUE(loop.initiator.endpoint);
  std::uint8_t byte;
  EXPECT_EQ(::recv(silent[0], &byte, 1, MSG_DONTWAIT), 0);  // the oldest had to go
  EXPECT_EQ(::recv(silent[19], &byte, 1, MSG_DONTWAIT), -1);
  for (int fd : silent) ::close(fd);
}

TEST_P(LoopbackTest, ConnectingFailsAsItShould) {
  Loopback loop(kind(), config());
  loop.listen();
  const Address nowhere = loop.listener->address();
  loop.listener.reset();
  loop.run_for(milliseconds(20));
  std::optional<base::Error> error;
  const auto try_to = [&](const Address& to) {
    error.reset();
    loop.initiator_fabric->connect(*loop.reactor, to, {}, loop.initiator,
                                   [&](Connected c) { error = c.endpoint.error(); });
    EXPECT_FALSE(error);  // never from within
    EXPECT_TRUE(loop.run_until([&] { return error.has_value(); }));
    return error->code;
  };
  EXPECT_EQ(try_to(nowhere), ECONNREFUSED);
  EXPECT_EQ(try_to({"not-an-address", 1}), EINVAL);

  // A listener that accepts and says nothing.
  loop.listen();
  loop.accept_at_once = false;
  EXPECT_EQ(try_to(loop.listener->address()), ETIMEDOUT);
}

TEST_P(LoopbackTest, DestroyingTheListenerEndsItsHandshakes) {
  Loopback loop(kind(), config());
  loop.listen();
  const int silent = loop.raw_client();
  loop.run_for(milliseconds(20));
  loop.listener.reset();
  ASSERT_TRUE(loop.run_until([&] { return loop.reactor->operations_in_flight() == 0; }));
  std::uint8_t byte;
  EXPECT_EQ(::recv(silent, &byte, 1, MSG_DONTWAIT), 0);
  ::close(silent);
}

TEST_P(LoopbackTest, WorksOverIpv6) {
  Loopback loop(kind(), config());
  loop.listen("::1");
  if (loop.listener == nullptr) GTEST_SKIP() << "no IPv6";
  loop.connect();
  ASSERT_TRUE(loop.initiator.endpoint);
  EXPECT_EQ(loop.requests[0]->peer().host, "0000:0000:0000:0000:0000:0000:0000:0001");
}

TEST_P(LoopbackTest, APeerThatVanishesFailsWhatWaits) {
  Loopback loop(kind(), config());
  loop.listen();
  const int fd = loop.raw_client();
  const Octets request = vector_bytes("mpa-request-siw"), rtr = vector_bytes("rtr-write-crc");
  ASSERT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  ASSERT_TRUE(loop.run_until([&] { return loop.target.endpoint != nullptr; }));
  ASSERT_EQ(::send(fd, rtr.data(), rtr.size(), 0), static_cast<ssize_t>(rtr.size()));
  std::vector<std::unique_ptr<TestRequest>> reads;
  for (int i = 0; i < 10; ++i) {  // more than the four that may be outstanding
    reads.push_back(std::make_unique<TestRequest>(RequestKind::kRead, RemoteBuffer{0x1000, 0x100, 512}, Octets(512)));
    loop.target.endpoint->post(reads.back()->request);
  }
  loop.run_for(milliseconds(20));
  const linger reset{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  ::close(fd);
  ASSERT_TRUE(loop.run_until([&] { return loop.target.reason.has_value(); }));
  EXPECT_EQ(loop.target.reason, DisconnectReason::kPeerClosed);
  for (const auto& read : reads) EXPECT_TRUE(read->failed());
}

}  // namespace
}  // namespace uscst::fabric::iwarp
