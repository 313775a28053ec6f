// ib_srpt over simulated executors, with fake peers.
#pragma once

#include <gtest/gtest.h>

#include "engine/srp/driver.h"
#include "tests/sim/rig.h"
#include "tests/unit/srp_channel/fake_peer.h"

namespace uscst::srp {

inline constexpr std::uint64_t kGuid = 0x0002c90300a34270;

// An initiator that keeps count of its credits.
struct Initiator : FakePeer {
  using FakePeer::FakePeer;
  std::uint64_t last_tag = 0;

  Tag next_tag() {
    Tag tag{};
    ++last_tag;
    std::memcpy(tag.data(), &last_tag, sizeof(last_tag));
    return tag;
  }
  Tag command(base::Bytes cdb, const DataSpec& out = {}, const DataSpec& in = {}, std::uint16_t immediate_offset = 0) {
    CommandSpec spec;
    spec.tag = next_tag();
    spec.cdb = cdb;
    spec.data_out = out;
    spec.data_in = in;
    spec.immediate_offset_bytes = immediate_offset;
    std::vector<std::uint8_t> buffer(16384);
    std::size_t length = build_command(spec, buffer);
    EXPECT_GT(length, 0u);
    send(base::Bytes(buffer).first(length));
    return spec.tag;
  }
  Tag test_unit_ready() { return command(std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0}); }
  Tag read(std::uint8_t lba, std::uint8_t blocks, std::uint64_t at = kMemoryAddress) {
    RemoteBuffer buffer{at, kMemoryKey, blocks * 512u};
    return command(std::vector<std::uint8_t>{0x28, 0, 0, 0, 0, lba, 0, 0, blocks, 0}, {},
                   {.format = BufferFormat::kDirect, .descriptors = {&buffer, 1}});
  }
  Tag write(std::uint8_t lba, std::uint8_t blocks, std::uint64_t at = kMemoryAddress) {
    RemoteBuffer buffer{at, kMemoryKey, blocks * 512u};
    return command(std::vector<std::uint8_t>{0x2A, 0, 0, 0, 0, lba, 0, 0, blocks, 0},
                   {.format = BufferFormat::kDirect, .descriptors = {&buffer, 1}});
  }
  Tag manage(std::uint8_t function, const Tag& task = {}) {
    TaskManagement request{.tag = next_tag(), .function = function, .task_tag = task};
    send(encode(request));
    return request.tag;
  }
  // The responses with this tag.
  std::vector<Response> responses(const Tag& tag) const {
    std::vector<Response> found;
    for (const Bytes& message : inbox) {
      auto response = parse_response(message);
      if (iu_type(message) == IuType::kResponse && response && response->tag == tag) found.push_back(*response);
    }
    return found;
  }
  std::int64_t credits_received() const {
    std::int64_t sum = 0;
    for (const Bytes& message : inbox) {
      if (auto response = parse_response(message)) sum += response->request_limit_delta;
      if (auto request = parse_credit_request(message)) sum += request->request_limit_delta;
    }
    return sum;
  }
};

struct ChannelRig : testing::Test {
  explicit ChannelRig(sim::Rig::Options options = {}, Parameters parameters = {})
      : rig(options),
        driver(rig.registry, rig.log, parameters, kGuid),
        port(driver.add_port({"port", "", "", "", {}})) {
    rig.registry.add_driver(driver);
    rig.add_device("disk");
    EXPECT_TRUE(rig.manage([&](target::Done done) {
      rig.registry.add_lun(port.target->default_group(), "disk", 0, false, std::move(done));
    }));
    enable(true);
  }
  ~ChannelRig() override {
    for (Initiator& peer : peers) {
      peer.hold_reads = peer.hold_writes = peer.hold_sends = false;
      while (!peer.held.empty()) peer.complete_next();
    }
    disk().hold = false;
    disk().release_all();
    bool stopped = false;
    driver.stop([&] { stopped = true; });
    rig.run();
    EXPECT_TRUE(stopped);
    EXPECT_EQ(rig.memory_in_use(), 0u);
  }
  // A new initiator; stays until the end of the test.
  Initiator& peer_at(const std::string& host) { return peers.emplace_back(host); }
  void enable(bool on) {
    rig.registry.set_enabled(*port.target, on, [](base::Status) {});
    rig.run();
  }
  static LoginRequest login(std::uint8_t initiator = 1, MultiChannel action = MultiChannel::kSingle) {
    LoginRequest request;
    request.tag = {1, 2, 3, 4, 5, 6, 7, 8};
    request.max_it_iu_bytes = 8260;
    request.action = action;
    request.initiator = make_port_id(0, initiator);
    request.target = make_port_id(kGuid, kGuid);
    return request;
  }
  void connect(Initiator& peer, const LoginRequest& request) {
    driver.connection_requested(peer.request(encode_rdma(request)));
    rig.run();
  }
  // Logged in, and told of the reset.
  void connect_ready(Initiator& peer, const LoginRequest& request) {
    connect(peer, request);
    ASSERT_TRUE(peer.open);
    peer.test_unit_ready();
    rig.run();
    peer.inbox.clear();
  }
  Channel& channel_of(const Initiator& peer) {
    for (const auto& session : port.target->sessions()) {
      auto* channel = static_cast<Channel*>(session->transport);
      if (static_cast<fabric::EndpointEvents*>(channel) == peer.events) return *channel;
    }
    throw std::runtime_error("no channel");
  }
  sim::FakeLogicalUnit& disk() { return rig.unit("disk"); }

  std::deque<Initiator> peers;
  sim::Rig rig;
  Driver driver;
  Driver::Port& port;
};

}  // namespace uscst::srp
