// Two machines that talk over a pipe cut at random: what is posted arrives whole, once and in order.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/fabric/machine.h"

namespace uscst::fabric::iwarp {
namespace {

using Random = std::mt19937_64;

Octets random_bytes(Random& random, std::size_t size) {
  Octets out(size);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(random());
  return out;
}

// Moves up to `step` bytes from one machine to the other, in pieces; false when there was nothing to move.
bool move_some(Machine& from, Machine& to, Random& random) {
  if (!from.stream.prepare()) return false;
  const msghdr& batch = from.stream.batch();
  const std::size_t step = 1 + random() % (random() % 4 == 0 ? 100'000 : 700);
  Octets bytes;
  for (std::size_t i = 0; i < batch.msg_iovlen && bytes.size() < step; ++i) {
    const auto* at = static_cast<const std::uint8_t*>(batch.msg_iov[i].iov_base);
    bytes.insert(bytes.end(), at, at + std::min(batch.msg_iov[i].iov_len, step - bytes.size()));
  }
  from.stream.sent(bytes.size());
  // As an endpoint does: into the sink where the machine offers it, as much as it wants otherwise.
  for (base::Bytes left(bytes); !left.empty();) {
    if (const base::MutableBytes window = to.stream.direct_window(); !window.empty()) {
      const std::size_t part = std::min(window.size(), left.size());
      std::memcpy(window.data(), left.data(), part);
      to.stream.placed(part);
      left = left.subspan(part);
      continue;
    }
    const std::size_t wanted = to.stream.wanted_bytes();
    const std::size_t part = std::min(left.size(), wanted > 0 ? wanted : 1 + random() % 3000);
    EXPECT_TRUE(to.stream.consume(left.first(part))) << to.stream.failure().text;
    if (::testing::Test::HasFailure()) return false;
    left = left.subspan(part);
  }
  return true;
}

class StreamProperty : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, StreamProperty, ::testing::Range(0, 60));

TEST_P(StreamProperty, EverythingArrives) {
  Random random(static_cast<std::uint64_t>(GetParam()));
  const std::size_t limits[] = {128, 1442, 9000, 64768};
  const bool crc = random() % 2 == 0;
  const auto reads = static_cast<std::uint16_t>(1 + random() % 8);
  Machine target({.role = Role::kResponder, .crc = crc, .ulpdu_limit = limits[random() % 4], .reads = reads});
  Machine initiator({.role = Role::kInitiator, .crc = crc, .ulpdu_limit = limits[random() % 4], .reads = reads});

  Octets source = random_bytes(random, 200'000), sink(400'000);
  const RemoteBuffer from = initiator.stream.expose(source, Access::kRemoteRead);
  const RemoteBuffer to = initiator.stream.expose(sink, Access::kRemoteWrite);
  Octets expected_sink = sink;
  std::size_t sink_used = 0;
  std::vector<Octets> to_target, to_initiator;
  std::vector<std::unique_ptr<TestRequest>> all;
  std::vector<std::pair<TestRequest*, std::size_t>> all_reads;

  const auto post = [&](Machine& machine, RequestKind kind, RemoteBuffer remote, Octets bytes) {
    all.push_back(std::make_unique<TestRequest>(kind, remote, std::move(bytes)));
    all.back()->cut(random() % 3 == 0 ? 1 + random() % 50 : 4096);
    machine.stream.post(all.back()->request);
    return all.back().get();
  };
  for (int i = 0; i < 60; ++i) {
    const auto size = static_cast<std::uint32_t>(random() % 5 == 0 ? random() % 60'000 : random() % 900);
    switch (random() % 4) {
      case 0:
        to_target.push_back(post(initiator, RequestKind::kSend, {}, random_bytes(random, 1 + size % 8000))->memory);
        break;
      case 1:
        to_initiator.push_back(post(target, RequestKind::kSend, {}, random_bytes(random, 1 + size % 8000))->memory);
        break;
      case 2: {
        if (sink_used + size > sink.size()) break;
        const auto* write =
            post(target, RequestKind::kWrite, {to.address + sink_used, to.key, size}, random_bytes(random, size));
        std::ranges::copy(write->memory, expected_sink.begin() + static_cast<std::ptrdiff_t>(sink_used));
        sink_used += size;
        break;
      }
      default: {
        const std::size_t at = random() % (source.size() - size);
        all_reads.emplace_back(post(target, RequestKind::kRead, {from.address + at, from.key, size}, Octets(size)), at);
      }
    }
    if (random() % 3 == 0) move_some(initiator, target, random), move_some(target, initiator, random);
  }
  to_target.push_back(post(initiator, RequestKind::kSend, {}, {1})->memory);  // opens the responder in any case
  for (bool moved = true; moved && !HasFailure();) {
    moved = move_some(initiator, target, random);
    moved = move_some(target, initiator, random) || moved;
  }
  EXPECT_EQ(target.messages, to_target);
  EXPECT_EQ(initiator.messages, to_initiator);
  EXPECT_TRUE(sink == expected_sink);
  for (const auto& [read, at] : all_reads)
    EXPECT_TRUE(std::ranges::equal(read->memory, base::Bytes(source).subspan(at, read->memory.size())));
  for (const auto& one : all) EXPECT_TRUE(one->succeeded());
}

}  // namespace
}  // namespace uscst::fabric::iwarp
