// Logins: what is let in, what is refused and how, what a login does to channels that are there.
#include "tests/unit/srp_channel/channel_rig.h"

namespace uscst::srp {
namespace {

struct LoginTest : ChannelRig {
  std::optional<RejectReason> reason(const LoginRequest& request) {
    Initiator& peer = peer_at("192.0.2.1");
    connect(peer, request);
    EXPECT_FALSE(peer.accepted);
    if (!peer.rejected) return std::nullopt;
    auto reject = parse_login_reject(*peer.rejected);
    if (!reject) return std::nullopt;
    EXPECT_EQ(reject->tag, request.tag);
    return reject->reason;
  }
};

TEST_F(LoginTest, Accepted) {
  Initiator& peer = peer_at("192.0.2.1");
  LoginRequest request = login();
  request.immediate_requested = true;
  request.immediate_offset_bytes = 68;
  connect(peer, request);
  ASSERT_TRUE(peer.accepted);
  auto response = parse_login_response(*peer.accepted);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->tag, request.tag);
  EXPECT_EQ(response->request_limit, 64u);
  EXPECT_EQ(response->max_it_iu_bytes, 8276u);
  EXPECT_EQ(response->max_ti_iu_bytes, 8260u);
  EXPECT_EQ(response->result, MultiChannelResult::kNoneExisted);
  EXPECT_TRUE(response->immediate_supported);
  ASSERT_EQ(port.target->sessions().size(), 1u);
  EXPECT_EQ(port.target->sessions()[0]->name(), "192.0.2.1");
  EXPECT_EQ(channel_of(peer).state(), ChannelState::kLive);
  request.immediate_offset_bytes = 47;
  Initiator& early = peer_at("192.0.2.2");
  request.initiator = make_port_id(0, 2);
  connect(early, request);
  EXPECT_FALSE(parse_login_response(*early.accepted)->immediate_supported);
}

// Real SCSI devices are in the tree before anybody uses them, and then take no commands at all.
TEST_F(LoginTest, DevicesWithoutHandlerDoNotLowerTheLimit) {
  auto device = std::make_shared<target::Device>("0:0:0:0", rig.registry.next_id(), nullptr,
                                                 std::make_unique<sim::FakeLogicalUnit>(16));
  device->scsi_origin = {0, "devices/0:0:0:0"};
  ASSERT_TRUE(rig.registry.add_scsi_device(device));
  EXPECT_EQ(device->maximum_commands, 0);
  Initiator& peer = peer_at("192.0.2.1");
  connect(peer, login());
  ASSERT_TRUE(peer.accepted);
  EXPECT_EQ(parse_login_response(*peer.accepted)->request_limit, 64u);
}

// SCST's order: IU length, enabled, target port, formats; each hides those behind it (srp.md section 1.4).
TEST_F(LoginTest, RefusalsInTheirOrder) {
  LoginRequest bad = login();
  bad.max_it_iu_bytes = 63;
  bad.target = make_port_id(kGuid, 1);
  bad.formats = 0x0001;
  enable(false);
  EXPECT_EQ(reason(bad), RejectReason::kIuTooLarge);
  bad.max_it_iu_bytes = 8277;
  EXPECT_EQ(reason(bad), RejectReason::kIuTooLarge);
  bad.max_it_iu_bytes = 64;
  EXPECT_EQ(reason(bad), RejectReason::kInsufficientResources);
  enable(true);
  EXPECT_EQ(reason(bad), RejectReason::kWrongTargetPort);
  bad.target = make_port_id(1, kGuid);
  EXPECT_EQ(reason(bad), RejectReason::kWrongTargetPort);
  bad.target = make_port_id(kGuid, kGuid);
  EXPECT_EQ(reason(bad), RejectReason::kUnsupportedFormat);
  bad.formats = kFormatsSupported;
  Initiator& peer = peer_at("192.0.2.1");
  connect(peer, bad);
  EXPECT_TRUE(peer.accepted);
}

TEST_F(LoginTest, NoLoginAtAll) {
  Initiator& peer = peer_at("192.0.2.1");
  driver.connection_requested(peer.request(std::vector<std::uint8_t>{1, 2, 3}));
  rig.run();
  ASSERT_TRUE(peer.rejected);
  EXPECT_TRUE(peer.rejected->empty());
  EXPECT_TRUE(port.target->sessions().empty());
}

TEST_F(LoginTest, AConnectionThatFailsMeanwhileLeavesNothing) {
  Initiator& peer = peer_at("192.0.2.1");
  peer.accept_fails = true;
  connect(peer, login());
  EXPECT_TRUE(port.target->sessions().empty());
}

TEST_F(LoginTest, SingleWaitsForTheCommandsOfWhatItReplaces) {
  Initiator &first = peer_at("192.0.2.1"), &second = peer_at("192.0.2.1");
  connect_ready(first, login());
  disk().hold = true;
  first.write(0, 1);
  rig.run();
  ASSERT_EQ(disk().held.size(), 1u);
  connect(second, login());
  EXPECT_FALSE(first.open);
  EXPECT_FALSE(second.accepted) << "the old command may still reach the medium";
  disk().release_all();
  rig.run();
  ASSERT_TRUE(second.accepted);
  EXPECT_EQ(parse_login_response(*second.accepted)->result, MultiChannelResult::kTerminated);
  ASSERT_EQ(port.target->sessions().size(), 1u);
  EXPECT_EQ(port.target->sessions()[0]->name(), "192.0.2.1");
  second.test_unit_ready();
  rig.run();
  auto response = parse_response(second.inbox.at(0));
  EXPECT_EQ(response->status, 2) << "a new nexus is told of the reset";
}

TEST_F(LoginTest, MultiJoinsTheNexus) {
  Initiator &first = peer_at("192.0.2.1"), &second = peer_at("192.0.2.1"), &third = peer_at("192.0.2.1");
  connect(first, login());
  connect(second, login(1, MultiChannel::kMulti));
  ASSERT_TRUE(second.accepted);
  EXPECT_EQ(parse_login_response(*second.accepted)->result, MultiChannelResult::kMaintained);
  EXPECT_TRUE(first.open);
  const auto& sessions = port.target->sessions();
  ASSERT_EQ(sessions.size(), 2u);
  EXPECT_EQ(sessions[1]->name(), "192.0.2.1_1");
  EXPECT_EQ(&sessions[0]->nexus(), &sessions[1]->nexus());
  connect(third, login());
  EXPECT_FALSE(first.open);
  EXPECT_FALSE(second.open);
  EXPECT_TRUE(third.open);
  EXPECT_EQ(sessions.size(), 1u);
}

// Every iWARP initiator has an all-zero port identifier unless configured (srp.md section 15).
TEST_F(LoginTest, ZeroPortIdsOfTwoAddressesAreTwoNexuses) {
  Initiator &first = peer_at("192.0.2.1"), &second = peer_at("192.0.2.2"), &again = peer_at("192.0.2.1");
  connect(first, login(0));
  connect(second, login(0));
  EXPECT_TRUE(first.open);
  EXPECT_TRUE(second.open);
  ASSERT_EQ(port.target->sessions().size(), 2u);
  EXPECT_NE(&port.target->sessions()[0]->nexus(), &port.target->sessions()[1]->nexus());
  connect(again, login(0));
  EXPECT_FALSE(first.open);
  EXPECT_TRUE(second.open);
  EXPECT_TRUE(again.open);
}

TEST_F(LoginTest, TwoLoginsForOneNexusAtOnce) {
  Initiator &first = peer_at("192.0.2.1"), &second = peer_at("192.0.2.1"), &third = peer_at("192.0.2.1");
  connect_ready(first, login());
  disk().hold = true;
  first.write(0, 1);
  rig.run();
  connect(second, login());
  connect(third, login());
  disk().release_all();
  rig.run();
  EXPECT_TRUE(second.accepted);
  EXPECT_TRUE(third.accepted);
  EXPECT_FALSE(second.open);
  EXPECT_TRUE(third.open);
  EXPECT_EQ(port.target->sessions().size(), 1u);
}

TEST_F(LoginTest, DisablingClosesAndRefuses) {
  Initiator &first = peer_at("192.0.2.1"), &second = peer_at("192.0.2.2");
  connect_ready(first, login());
  disk().hold = true;
  first.write(0, 1);
  rig.run();
  bool disabled = false;
  rig.registry.set_enabled(*port.target, false, [&](base::Status status) { disabled = status.has_value(); });
  rig.run();
  EXPECT_FALSE(first.open);
  EXPECT_FALSE(disabled) << "a command is still running";
  connect(second, login(2));
  EXPECT_TRUE(second.rejected);
  disk().release_all();
  rig.run();
  EXPECT_TRUE(disabled);
  enable(true);
  Initiator& third = peer_at("192.0.2.1");
  connect(third, login());
  EXPECT_TRUE(third.open);
}

// Enabled again while the old channels end: what logs in now is not waited for.
TEST_F(LoginTest, DisablingEndsAlthoughOthersLogInAgain) {
  Initiator &first = peer_at("192.0.2.1"), &second = peer_at("192.0.2.2");
  connect_ready(first, login());
  disk().hold = true;
  first.write(0, 1);
  rig.run();
  bool disabled = false;
  rig.registry.set_enabled(*port.target, false, [&](base::Status) { disabled = true; });
  enable(true);
  connect(second, login(2));
  EXPECT_TRUE(second.open);
  disk().release_all();
  rig.run();
  EXPECT_TRUE(disabled);
  EXPECT_TRUE(second.open);
}

TEST_F(LoginTest, AWaitingLoginIsRefusedWhenTheTargetIsDisabled) {
  Initiator &first = peer_at("192.0.2.1"), &second = peer_at("192.0.2.1");
  connect_ready(first, login());
  disk().hold = true;
  first.write(0, 1);
  rig.run();
  connect(second, login());
  rig.registry.set_enabled(*port.target, false, [](base::Status) {});
  disk().release_all();
  rig.run();
  EXPECT_FALSE(second.accepted);
  EXPECT_TRUE(second.rejected);
}

}  // namespace
}  // namespace uscst::srp
