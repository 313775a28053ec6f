// A channel that is logged in: commands, data, credits, and what a peer may do wrong.
#include <random>

#include "tests/unit/srp_channel/channel_rig.h"

namespace uscst::srp {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct ChannelTest : ChannelRig {
  ChannelTest() {
    LoginRequest request = login();
    request.immediate_requested = true;
    request.immediate_offset_bytes = kOffset;
    connect_ready(peer, request);
  }
  static constexpr std::uint16_t kOffset = 68;
  Response only(const Tag& tag) {
    auto found = peer.responses(tag);
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? Response{} : found[0];
  }
  void expect_sense(const Tag& tag, std::uint8_t key, std::uint8_t asc, std::uint8_t ascq) {
    Response response = only(tag);
    EXPECT_EQ(response.status, 2);
    ASSERT_GE(response.sense.size(), 14u);
    EXPECT_EQ(response.sense[2], key);
    EXPECT_EQ(response.sense[12], asc);
    EXPECT_EQ(response.sense[13], ascq);
  }
  bool closed() {
    rig.run();
    return !peer.open && port.target->sessions().empty();
  }
  Initiator& peer = peer_at("192.0.2.1");
};

TEST_F(ChannelTest, WritesAndReads) {
  for (std::size_t i = 0; i < 1024; ++i) peer.memory[i] = static_cast<std::uint8_t>(i * 3);
  Tag write = peer.write(5, 2);
  rig.run();
  EXPECT_EQ(only(write).status, 0);
  EXPECT_EQ(only(write).request_limit_delta, 1);
  EXPECT_TRUE(std::equal(peer.memory.begin(), peer.memory.begin() + 1024, disk().memory.begin() + 5 * 512));
  Tag read = peer.read(5, 2, Initiator::kMemoryAddress + 8192);
  rig.run();
  EXPECT_EQ(only(read).status, 0);
  EXPECT_TRUE(std::equal(peer.memory.begin(), peer.memory.begin() + 1024, peer.memory.begin() + 8192));
}

TEST_F(ChannelTest, IndirectDescriptorsInTheirOrder) {
  std::array<RemoteBuffer, 3> parts{
      RemoteBuffer{Initiator::kMemoryAddress + 4096, Initiator::kMemoryKey, 100},
      RemoteBuffer{Initiator::kMemoryAddress, Initiator::kMemoryKey, 400},
      RemoteBuffer{Initiator::kMemoryAddress + 20000, Initiator::kMemoryKey, 524},
  };
  for (std::size_t i = 0; i < 1024; ++i) disk().memory[i] = static_cast<std::uint8_t>(i / 2);
  DataSpec in{.format = BufferFormat::kIndirect,
              .descriptors = parts,
              .table = {0x5000, 9, static_cast<std::uint32_t>(parts.size() * kDescriptorBytes)}};
  Tag read = peer.command(Bytes{0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0}, {}, in);
  rig.run();
  EXPECT_EQ(only(read).status, 0);
  Bytes got(peer.memory.begin() + 4096, peer.memory.begin() + 4196);
  got.insert(got.end(), peer.memory.begin(), peer.memory.begin() + 400);
  got.insert(got.end(), peer.memory.begin() + 20000, peer.memory.begin() + 20524);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), disk().memory.begin()));
  // Of more than the command moves, the rest is left alone and told as residual.
  peer.writes = 0;
  Tag shorter = peer.command(Bytes{0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, {}, in);
  rig.run();
  EXPECT_EQ(only(shorter).data_in_residual, 512);
  EXPECT_EQ(peer.writes, 3);
}

TEST_F(ChannelTest, ImmediateData) {
  Bytes data(512, 0xAB);
  Tag write = peer.command(Bytes{0x2A, 0, 0, 0, 0, 1, 0, 0, 1, 0},
                           {.format = BufferFormat::kImmediate, .immediate = data}, {}, kOffset);
  rig.run();
  EXPECT_EQ(only(write).status, 0);
  EXPECT_EQ(peer.reads, 0);
  EXPECT_TRUE(std::equal(data.begin(), data.end(), disk().memory.begin() + 512));
}

struct SmallMemory : ChannelRig {
  SmallMemory() : ChannelRig({.memory_bytes = io::BufferPool::kSliceBytes}) {}
};

// The message is gone when there is memory at last: its data must not be.
TEST_F(SmallMemory, ImmediateDataAreKeptWhileTheCommandWaits) {
  Initiator& peer = peer_at("192.0.2.1");
  LoginRequest request = login();
  request.immediate_requested = true;
  request.immediate_offset_bytes = 68;
  connect_ready(peer, request);
  disk().hold = true;
  peer.read(0, 1);
  rig.run();
  Bytes data(512, 0xCD);
  Tag write = peer.command(Bytes{0x2A, 0, 0, 0, 0, 1, 0, 0, 1, 0},
                           {.format = BufferFormat::kImmediate, .immediate = data}, {}, 68);
  rig.run();
  EXPECT_EQ(disk().held.size(), 1u);
  disk().release_all();
  rig.run();
  ASSERT_EQ(disk().held.size(), 1u);
  disk().release_all();
  rig.run();
  EXPECT_EQ(peer.responses(write).size(), 1u);
  EXPECT_TRUE(std::equal(data.begin(), data.end(), disk().memory.begin() + 512));
}

TEST_F(ChannelTest, DataThatDoNotComeAreAWriteError) {
  peer.hold_reads = true;
  Tag write = peer.write(0, 1);
  rig.run();
  peer.hold_reads = false;
  peer.complete_next(false);
  rig.run();
  expect_sense(write, 3, 0x03, 0x00);
  EXPECT_EQ(disk().executions, 0);
}

// Each way in which a command can be malformed, and what answers it (iu.h, CommandError).
TEST_F(ChannelTest, MalformedCommandsAreAnswered) {
  auto message_of = [&](const CommandSpec& spec) {
    Bytes buffer(1024);
    buffer.resize(build_command(spec, buffer));
    return buffer;
  };
  CommandSpec spec;
  const Bytes cdb{0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0};
  spec.cdb = cdb;
  std::array<RemoteBuffer, 2> parts{RemoteBuffer{Initiator::kMemoryAddress, 7, 256},
                                    RemoteBuffer{Initiator::kMemoryAddress, 7, 256}};
  spec.data_in = {.format = BufferFormat::kIndirect, .descriptors = parts, .table = {0, 0, 32}};
  std::vector<Bytes> wrong;
  std::vector<Tag> tags;
  auto add = [&](auto change) {
    spec.tag = peer.next_tag();
    tags.push_back(spec.tag);
    Bytes message = message_of(spec);
    change(message);
    wrong.push_back(message);
  };
  add([](Bytes& m) { m.resize(m.size() - 1); });         // kTruncated
  add([](Bytes& m) { m[5] = 0x05; });                    // kUnknownFormat
  add([](Bytes& m) { m[48 + 15] = 33; });                // kTableLength
  add([](Bytes& m) { m[48 + 15] = 48; });                // kExternalTable
  add([](Bytes& m) { m[48 + 19] = 0x01; });              // kTotalMismatch
  add([](Bytes& m) { m[5] = 0x30, m.resize(48 + 3); });  // kTruncated in the immediate head
  add([](Bytes& m) { m[5] = 0x03; });                    // immediate data-in
  add([](Bytes& m) { m[31] = 40, m[5] = 0x30; });        // kImmediateOffset: inside the additional CDB
  for (const Bytes& message : wrong) peer.send(message);
  rig.run();
  for (const Tag& tag : tags) expect_sense(tag, 5, 0x24, 0x00);
  EXPECT_TRUE(peer.open);
  Tag good = peer.test_unit_ready();
  rig.run();
  EXPECT_EQ(only(good).status, 0);
  peer.send(Bytes(47, 0x02));  // kTooShort: there is nothing to answer to
  EXPECT_TRUE(closed());
}

TEST_F(ChannelTest, AShortTaskManagementRequestClosesTheChannel) {
  peer.send(Bytes(47, 0x01));
  EXPECT_TRUE(closed());
}

TEST_F(ChannelTest, UnknownTypesGetOneFarewell) {
  peer.hold_sends = true;
  peer.send(Bytes(16, 0x77));
  peer.send(Bytes(16, 0x77));
  peer.send(Bytes{});
  rig.run();
  EXPECT_EQ(peer.held.size(), 1u);
  peer.hold_sends = false;
  peer.complete_next();
  EXPECT_TRUE(closed());
  ASSERT_EQ(peer.inbox.size(), 1u);
  auto logout = parse_target_logout(peer.inbox[0]);
  ASSERT_TRUE(logout);
  EXPECT_EQ(logout->reason, LogoutReason::kInvalidIuType);
}

TEST_F(ChannelTest, InitiatorLogout) {
  disk().hold = true;
  peer.read(0, 1);
  rig.run();
  peer.send(encode_plain(IuType::kInitiatorLogout, Tag{}));
  rig.run();
  EXPECT_FALSE(peer.open);
  EXPECT_EQ(port.target->sessions().size(), 1u) << "its command runs";
  disk().release_all();
  EXPECT_TRUE(closed());
}

TEST_F(ChannelTest, MoreCommandsThanCredits) {
  disk().hold = true;
  for (int i = 0; i < 64; ++i) peer.read(0, 1);
  rig.run();
  EXPECT_EQ(disk().held.size(), 64u);
  EXPECT_TRUE(peer.open);
  EXPECT_EQ(channel_of(peer).request_limit(), 0);
  peer.read(0, 1);
  rig.run();
  EXPECT_FALSE(peer.open);
  disk().release_all();
  EXPECT_TRUE(closed());
}

TEST_F(ChannelTest, MoreTaskManagementThanCredits) {
  disk().hold = true;
  Tag busy = peer.read(0, 1);
  rig.run();
  for (int i = 0; i < 63; ++i) peer.manage(1, busy);
  rig.run();
  EXPECT_TRUE(peer.open);
  peer.manage(1, busy);
  rig.run();
  EXPECT_FALSE(peer.open);
  disk().release_all();
  EXPECT_TRUE(closed());
}

// The response is with the initiator before this end hears that it was sent: the next command is no fault.
TEST_F(ChannelTest, TheNextCommandMayOvertakeTheCompletionOfTheSend) {
  peer.hold_sends = true;
  for (int i = 0; i < 64; ++i) peer.read(0, 1);
  rig.run();
  Tag next = peer.read(0, 1);
  rig.run();
  EXPECT_TRUE(peer.open);
  peer.hold_sends = false;
  while (!peer.held.empty()) peer.complete_next();
  rig.run();
  EXPECT_EQ(only(next).status, 0);
}

// A peer that never reads cannot make this end keep ever more.
TEST_F(ChannelTest, APeerThatDoesNotReadIsClosed) {
  peer.hold_sends = true;
  for (int i = 0; i < 1000 && peer.open; ++i) {
    peer.test_unit_ready();
    rig.run();
  }
  EXPECT_FALSE(peer.open);
  EXPECT_TRUE(closed());
}

TEST_F(ChannelTest, APeerThatDoesNotReadItsTaskManagementAnswersIsClosed) {
  peer.hold_sends = true;
  for (int i = 0; i < 1000 && peer.open; ++i) {
    peer.manage(0x40);
    rig.run();
  }
  EXPECT_FALSE(peer.open);
  EXPECT_TRUE(closed());
}

TEST_F(ChannelTest, TaskManagementIsAnsweredByCode) {
  Tag clear = peer.manage(0x40), unknown = peer.manage(0x20), gone = peer.manage(1, Tag{9});
  rig.run();
  EXPECT_EQ(only(clear).code, ResponseCode::kComplete);
  EXPECT_EQ(only(unknown).code, ResponseCode::kNotSupported);
  EXPECT_EQ(only(gone).code, ResponseCode::kComplete);
}

TEST_F(ChannelTest, AnAbortedCommandGivesItsCreditWithTheNextResponse) {
  disk().hold = true;
  Tag read = peer.read(0, 1);
  rig.run();
  Tag abort = peer.manage(1, read);
  rig.run();
  EXPECT_TRUE(peer.responses(abort).empty());
  disk().release_all();
  rig.run();
  EXPECT_TRUE(peer.responses(read).empty());
  EXPECT_EQ(only(abort).request_limit_delta, 2);
  EXPECT_EQ(channel_of(peer).request_limit(), 64);
}

// RDMA into the initiator's memory is over before the function is answered.
TEST_F(ChannelTest, AbortWaitsForTheDataUnderWay) {
  peer.hold_reads = true;
  Tag write = peer.write(0, 1);
  rig.run();
  Tag abort = peer.manage(1, write);
  rig.run();
  EXPECT_TRUE(peer.responses(abort).empty());
  peer.hold_reads = false;
  peer.complete_next();
  rig.run();
  EXPECT_EQ(only(abort).code, ResponseCode::kComplete);
  EXPECT_TRUE(peer.responses(write).empty());
}

// A peer that never answers an RDMA read must not hold a LUN RESET of another for ever.
TEST_F(ChannelTest, APeerThatDoesNotAnswerReadsLosesItsChannel) {
  Initiator& other = peer_at("192.0.2.2");
  connect_ready(other, login(2));
  peer.hold_reads = true;
  peer.write(0, 1);
  rig.run();
  Tag reset = other.manage(8);
  rig.run();
  rig.advance(kRdmaLimit / 4);
  EXPECT_TRUE(peer.open);
  EXPECT_TRUE(other.responses(reset).empty());
  rig.advance(kRdmaLimit);
  rig.run();
  EXPECT_FALSE(peer.open);
  ASSERT_EQ(other.responses(reset).size(), 1u);
  EXPECT_EQ(other.responses(reset)[0].code, ResponseCode::kComplete);
}

// All credits went with commands that another initiator aborted: nothing would ever bring them back.
TEST_F(ChannelTest, CreditsComeBackByThemselvesWhenNoResponseCan) {
  Initiator& other = peer_at("192.0.2.2");
  connect_ready(other, login(2));
  disk().hold = true;
  for (int i = 0; i < 64; ++i) peer.read(0, 1);
  rig.run();
  ASSERT_EQ(channel_of(peer).request_limit(), 0);
  other.manage(8);
  rig.run();
  disk().release_all();
  rig.run();
  EXPECT_GT(channel_of(peer).request_limit(), 2);
  EXPECT_EQ(peer.credits_received() + channel_of(peer).request_limit_delta(), 64);
  peer.send(encode_plain(IuType::kCreditResponse, Tag{}));
  disk().hold = false;
  Tag next = peer.test_unit_ready();
  rig.run();
  expect_sense(next, 6, 0x29, 0x00);
  EXPECT_EQ(channel_of(peer).request_limit(), 64);
}

TEST_F(ChannelTest, HangingUpInEveryStateLeavesNothing) {
  for (int kind = 0; kind < 4; ++kind) {
    Initiator& host = peer_at("192.0.2.3");
    connect_ready(host, login(static_cast<std::uint8_t>(10 + kind)));
    host.hold_reads = kind == 0;
    disk().hold = kind == 1;
    host.hold_writes = kind == 2;
    host.hold_sends = kind == 3;
    for (int i = 0; i < 5; ++i) kind == 2 ? host.read(0, 4) : host.write(0, 4);
    rig.run();
    host.hang_up();
    rig.run();
    disk().hold = false;
    disk().release_all();
    rig.run();
    EXPECT_EQ(port.target->sessions().size(), 1u) << kind;
    EXPECT_EQ(rig.memory_in_use(), 0u) << kind;
  }
}

// Random operations: at rest, the credits of the initiator and those on their way make up what login granted.
TEST_F(ChannelTest, CreditsAreNeverLost) {
  std::mt19937_64 random(1);
  std::int64_t mine = 64;
  std::size_t seen = 0;
  std::vector<Tag> tags;
  auto count = [&] {
    for (; seen < peer.inbox.size(); ++seen) {
      if (auto response = parse_response(peer.inbox[seen])) mine += response->request_limit_delta;
      if (auto request = parse_credit_request(peer.inbox[seen])) mine += request->request_limit_delta;
    }
  };
  for (int step = 0; step < 10000; ++step) {
    switch (random() % 8) {
      case 0:
      case 1:
        if (mine > 0) tags.push_back(peer.write(static_cast<std::uint8_t>(random() % 8), 1)), --mine;
        break;
      case 2:
        if (mine > 0) tags.push_back(peer.read(static_cast<std::uint8_t>(random() % 8), 2)), --mine;
        break;
      case 3:
        if (mine > 0 && !tags.empty()) peer.manage(1, tags[random() % tags.size()]), --mine;
        break;
      case 4:
        if (mine > 0 && random() % 8 == 0) peer.manage(random() % 2 ? 8 : 2), --mine;
        break;
      case 5: disk().hold = random() % 3 != 0; break;
      case 6:
        if (!disk().held.empty()) disk().release(*disk().held[random() % disk().held.size()]);
        break;
      default:
        for (std::uint64_t i = random() % 20; i > 0; --i) rig.run_one();
    }
    count();
    ASSERT_TRUE(peer.open) << step;
    ASSERT_EQ(peer.dropped, false);
  }
  disk().hold = false;
  disk().release_all();
  rig.run();
  count();
  EXPECT_EQ(mine + channel_of(peer).request_limit_delta(), 64);
  EXPECT_EQ(channel_of(peer).request_limit(), mine);
  EXPECT_EQ(rig.memory_in_use(), 0u);
  EXPECT_EQ(channel_of(peer).session()->counters().commands.load(), 0);
}

}  // namespace
}  // namespace uscst::srp
