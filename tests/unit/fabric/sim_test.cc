#include <gtest/gtest.h>

#include "engine/fabric/sim/sim_fabric.h"
#include "engine/io/sim_executor.h"
#include "tests/unit/fabric/loopback.h"

namespace uscst::fabric::sim {
namespace {

using iwarp::Octets;
using iwarp::Owner;
using iwarp::TestRequest;

struct Pair {
  explicit Pair(const SimConfig& config = {}) : fabric(executor, config) {
    auto made = fabric.listen({"0.0.0.0", 0}, [this](std::unique_ptr<ConnectionRequest> request) {
      if (reject) return request->reject(Octets(32, 0xC2));
      target.endpoint = std::move(*request->accept(executor, Octets(52, 2), target));
      login.assign(request->private_data().begin(), request->private_data().end());
    });
    listener = std::move(*made);
  }
  void connect() {
    fabric.connect(executor, {"192.0.2.9", listener->address().port}, Octets(56, 1), initiator, [this](Connected c) {
      answer = c.private_data;
      if (c.endpoint) {
        initiator.endpoint = std::move(*c.endpoint);
      } else {
        error = c.endpoint.error().code;
      }
    });
    run();
  }
  void run() { executor.advance(std::chrono::milliseconds(10)); }

  io::SimExecutor executor;
  SimFabric fabric;
  std::unique_ptr<Listener> listener;
  bool reject = false;
  Owner target, initiator;
  Octets login, answer;
  int error = 0;
};

TEST(SimFabric, CarriesLoginMessagesReadsAndWrites) {
  Pair pair;
  pair.connect();
  ASSERT_TRUE(pair.target.endpoint && pair.initiator.endpoint);
  EXPECT_EQ(pair.login, Octets(56, 1));
  EXPECT_EQ(pair.answer, Octets(52, 2));

  Octets source(1000, 5), sink(1000);
  const RemoteBuffer from = pair.initiator.endpoint->expose(source, Access::kRemoteRead);
  const RemoteBuffer to = pair.initiator.endpoint->expose(sink, Access::kRemoteWrite);
  TestRequest early(RequestKind::kSend, {}, {9}), command(RequestKind::kSend, {}, {1, 2, 3});
  pair.target.endpoint->post(early.request);
  pair.run();
  EXPECT_TRUE(early.results.empty());  // the responder does not speak first
  pair.initiator.endpoint->post(command.request);
  pair.run();
  EXPECT_TRUE(early.succeeded());
  ASSERT_EQ(pair.target.messages.size(), 1U);
  std::vector<std::unique_ptr<TestRequest>> reads;
  for (int i = 0; i < 20; ++i) {
    reads.push_back(std::make_unique<TestRequest>(RequestKind::kRead, from, Octets(1000)));
    pair.target.endpoint->post(reads.back()->request);
  }
  TestRequest write(RequestKind::kWrite, to, Octets(1000, 7));
  pair.target.endpoint->post(write.request);
  pair.run();
  for (const auto& read : reads) EXPECT_EQ(read->memory, source);
  EXPECT_EQ(sink, write.memory);
  pair.initiator.endpoint->disconnect();
  pair.run();
  EXPECT_EQ(pair.target.reason, DisconnectReason::kPeerClosed);
  EXPECT_EQ(pair.initiator.reason, DisconnectReason::kLocal);
}

TEST(SimFabric, RefusesAndRejects) {
  Pair pair;
  pair.reject = true;
  pair.connect();
  EXPECT_EQ(pair.error, ECONNREFUSED);
  EXPECT_EQ(pair.answer, Octets(32, 0xC2));
  pair.error = 0;
  pair.listener.reset();
  pair.fabric.connect(pair.executor, {"192.0.2.9", 1}, {}, pair.initiator,
                      [&](Connected c) { pair.error = c.endpoint.error().code; });
  pair.run();
  EXPECT_EQ(pair.error, ECONNREFUSED);
}

TEST(SimFabric, ATornConnectionFailsEveryRequestOnce) {
  for (std::uint64_t at = 1; at < 30; ++at) {
    Pair pair({.seed = at});
    pair.connect();
    pair.fabric.tear_at(at);
    Octets memory(64, 3);
    const RemoteBuffer exposed = pair.initiator.endpoint->expose(memory, Access::kRemoteReadWrite);
    std::vector<std::unique_ptr<TestRequest>> all;
    for (int i = 0; i < 10; ++i) {
      all.push_back(std::make_unique<TestRequest>(RequestKind::kSend, RemoteBuffer{}, Octets(8)));
      pair.initiator.endpoint->post(all.back()->request);
      all.push_back(std::make_unique<TestRequest>(RequestKind::kRead, exposed, Octets(64)));
      pair.target.endpoint->post(all.back()->request);
    }
    pair.run();
    EXPECT_EQ(pair.target.reason, DisconnectReason::kTransportError) << at;
    EXPECT_EQ(pair.initiator.reason, DisconnectReason::kTransportError) << at;
    for (const auto& one : all) EXPECT_EQ(one->results.size(), 1U) << at;
  }
}

TEST(SimFabric, TheSameSeedGivesTheSameRun) {
  const auto run = [](std::uint64_t seed) {
    Pair pair({.seed = seed});
    pair.connect();
    std::vector<base::Duration> times;
    pair.target.on_message = [&](base::Bytes) { times.push_back(pair.executor.clock().now().since_start); };
    std::vector<std::unique_ptr<TestRequest>> sends;
    for (int i = 0; i < 20; ++i) {
      sends.push_back(std::make_unique<TestRequest>(RequestKind::kSend, RemoteBuffer{}, Octets(8)));
      pair.initiator.endpoint->post(sends.back()->request);
    }
    pair.run();
    return times;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(SimFabric, TouchingWhatIsNotExposedEndsTheConnection) {
  Pair pair;
  pair.connect();
  TestRequest first(RequestKind::kSend, {}, {1}), write(RequestKind::kWrite, {0x1000, 0x100, 4}, Octets(4));
  pair.initiator.endpoint->post(first.request);
  pair.target.endpoint->post(write.request);
  pair.run();
  EXPECT_EQ(pair.target.reason, DisconnectReason::kProtocolError);
  EXPECT_EQ(pair.initiator.reason, DisconnectReason::kProtocolError);
}

}  // namespace
}  // namespace uscst::fabric::sim
