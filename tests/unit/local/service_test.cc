// The service `local` without a socket: frames in, frames out, and what becomes of commands whose client is gone.
#include "engine/local/service.h"

#include <gtest/gtest.h>

#include "engine/local/wire.h"
#include "tests/sim/rig.h"

namespace uscst::local {
namespace {

using sim::Rig;

class FakeConnection final : public control::ControlConnection {
 public:
  void send(std::vector<std::uint8_t> bytes) override { sent.insert(sent.end(), bytes.begin(), bytes.end()); }
  std::size_t unsent_bytes() const override { return 0; }
  void look_again() override { ++looks; }
  void close_when_sent() override { closing = true; }

  std::vector<std::uint8_t> sent;
  int looks = 0;
  bool closing = false;
};

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    rig_.registry.add_driver(driver_);
    rig_.add_device("disk");
    driver_.create_target("t", target::Parameters{{"session_name", "there"}}, [](base::Status) {});
    auto& group = driver_.find_target("t")->default_group();
    rig_.manage([&](auto done) { rig_.registry.add_lun(group, "disk", 0, false, std::move(done)); });
  }
  ~ServiceTest() override {
    conversation_.reset();
    rig_.unit("disk").release_all();
    driver_.stop([] {});
    rig_.run();
    EXPECT_EQ(rig_.memory_in_use(), 0U);
  }
  int open(const std::vector<std::string>& words) {
    auto opened = make_service(driver_)(connection_, words);
    if (!opened) return opened.error().code;
    conversation_ = std::move(*opened);
    EXPECT_EQ(base::as_text(connection_.sent), "ok\n");
    connection_.sent.clear();
    return 0;
  }
  base::Result<std::size_t> send(const Request& request, std::vector<std::uint8_t> data = {}) {
    const auto frame = encode(request);
    data.insert(data.begin(), frame.begin(), frame.end());
    auto taken = conversation_->received(data);
    rig_.run();
    return taken;
  }
  Request command(std::uint64_t tag, std::initializer_list<std::uint8_t> cdb, std::uint32_t in = 0,
                  std::uint32_t out = 0) {
    Request request{.tag = tag, .data_in_bytes = in, .data_out_bytes = out};
    request.cdb.assign(cdb);
    return request;
  }
  Request read(std::uint64_t tag) { return command(tag, {0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0}, 512); }
  std::size_t session_count() { return driver_.find_target("t")->sessions().size(); }
  int running() { return driver_.find_target("t")->sessions().front()->counters().commands; }
  // The session was there before the LUN: power on, and reported LUNs data changed.
  void clear_attention() {
    for (int i = 0; i < 2; ++i) send(command(1, {3, 0, 0, 0, 18, 0}, 18));
    connection_.sent.clear();
  }

  Rig rig_;
  Driver driver_{rig_.registry, rig_.log};
  FakeConnection connection_;
  std::unique_ptr<control::Conversation> conversation_;
};

TEST_F(ServiceTest, WordsThatNameNothing) {
  EXPECT_EQ(open({}), EINVAL);
  EXPECT_EQ(open({"t", "s", "more"}), EINVAL);
  EXPECT_EQ(open({"nosuch"}), ENOENT);
}

TEST_F(ServiceTest, WritesAndReads) {
  ASSERT_EQ(open({"t", "there"}), 0);
  EXPECT_EQ(session_count(), 1U);
  send(command(7, {0, 0, 0, 0, 0, 0}));
  auto attention = parse_answer(connection_.sent);
  ASSERT_TRUE(attention);
  EXPECT_EQ(attention->status, 2);
  EXPECT_EQ(connection_.sent.size(), kAnswerBytes + attention->sense_bytes);
  EXPECT_EQ(connection_.sent[kAnswerBytes + 2], 6) << "UNIT ATTENTION";
  clear_attention();

  EXPECT_EQ(send(command(8, {0x2A, 0, 0, 0, 0, 3, 0, 0, 1, 0}, 0, 512), sim::filled(512, 0x77)), kRequestBytes + 512);
  EXPECT_EQ(parse_answer(connection_.sent)->status, 0);
  connection_.sent.clear();
  send(read(9));
  auto answer = parse_answer(connection_.sent);
  EXPECT_EQ(*answer, (Answer{.answered = true, .tag = 9, .data_in_bytes = 512}));
  EXPECT_EQ(connection_.sent.size(), kAnswerBytes + 512);
  EXPECT_EQ(connection_.sent.back(), 0x77);
}

TEST_F(ServiceTest, PartsOfAFrameAreLeftForLater) {
  ASSERT_EQ(open({"t"}), 0);
  const auto frame = encode(command(8, {0x2A, 0, 0, 0, 0, 3, 0, 0, 1, 0}, 0, 512));
  EXPECT_EQ(conversation_->received(base::Bytes(frame).first(20)), 0U);
  EXPECT_EQ(conversation_->received(frame), 0U) << "its data are missing";
}

TEST_F(ServiceTest, GarbageEndsTheConnection) {
  ASSERT_EQ(open({"t"}), 0);
  std::vector<std::uint8_t> garbage(200, 0xFF);
  EXPECT_EQ(conversation_->received(garbage).error().code, EPROTO);
  clear_attention();
  rig_.unit("disk").hold = true;
  EXPECT_TRUE(send(read(2)));
  EXPECT_EQ(send(read(2)).error().code, EPROTO) << "the tag is in use";
}

TEST_F(ServiceTest, ASessionOfItsOwnEndsWithTheConnection) {
  ASSERT_EQ(open({"t", "another"}), 0);
  EXPECT_EQ(driver_.find_target("t")->sessions().back()->name(), "another");
  conversation_.reset();
  rig_.run();
  EXPECT_EQ(session_count(), 1U);
}

TEST_F(ServiceTest, CommandsOfAClientThatIsGoneAreAborted) {
  ASSERT_EQ(open({"t", "there"}), 0);
  clear_attention();
  rig_.unit("disk").hold = true;
  for (std::uint64_t tag = 10; tag < 15; ++tag) send(read(tag));
  EXPECT_EQ(running(), 5);
  rig_.registry.find_device("disk")->gate.close();
  send(read(20));
  EXPECT_EQ(running(), 6);
  conversation_.reset();
  rig_.run();
  EXPECT_EQ(running(), 5) << "the gate holds nothing that is aborted";
  rig_.unit("disk").release_all();
  rig_.run();
  EXPECT_EQ(running(), 0);
  EXPECT_TRUE(connection_.sent.empty());
  EXPECT_EQ(session_count(), 1U);
}

TEST_F(ServiceTest, TaskManagementAndItsCounts) {
  ASSERT_EQ(open({"t", "there"}), 0);
  clear_attention();
  rig_.registry.find_device("disk")->gate.close();
  send(read(10));
  send({.kind = FrameKind::kTaskManagement, .attribute = 1, .tag = 11, .task_tag = 10});
  ASSERT_EQ(connection_.sent.size(), 2 * kAnswerBytes);
  EXPECT_EQ(*parse_answer(connection_.sent), (Answer{.answered = false, .tag = 10}));
  EXPECT_EQ(*parse_answer(base::Bytes(connection_.sent).subspan(kAnswerBytes)),
            (Answer{.kind = FrameKind::kTaskManagement, .answered = true, .tag = 11}));
  connection_.sent.clear();
  send({.kind = FrameKind::kTaskManagement, .attribute = 8, .tag = 12});
  send({.kind = FrameKind::kTaskManagement, .attribute = 99, .tag = 13});
  EXPECT_EQ(parse_answer(connection_.sent)->status, 0);
  EXPECT_EQ(parse_answer(base::Bytes(connection_.sent).subspan(kAnswerBytes))->status, 1) << "not supported";
  connection_.sent.clear();
  send({.kind = FrameKind::kTaskManagement, .attribute = kTargetReset, .tag = 14});
  EXPECT_EQ(*parse_answer(connection_.sent), (Answer{.kind = FrameKind::kTaskManagement, .answered = true, .tag = 14}));
  EXPECT_EQ(driver_.statistics.aborts, 1);
  EXPECT_EQ(driver_.statistics.device_resets, 1);
  EXPECT_EQ(driver_.statistics.target_resets, 1);
}

TEST_F(ServiceTest, WhatGoesBeyondTheBoundsWaits) {
  ASSERT_EQ(open({"t", "there"}), 0);
  clear_attention();
  rig_.unit("disk").hold = true;
  std::uint64_t tag = 100;
  for (std::size_t i = 0; i < kMaximumCommands; ++i) EXPECT_EQ(send(read(tag++)), kRequestBytes);
  EXPECT_EQ(send(read(tag)), 0U);
  rig_.unit("disk").release_all();
  rig_.run();
  EXPECT_GT(connection_.looks, 0) << "it is to be asked again";
  EXPECT_EQ(send(read(tag)), kRequestBytes);
  rig_.unit("disk").release_all();
  rig_.run();
  for (std::size_t i = 0; i < kMaximumBytesUnderWay / kMaximumDataBytes; ++i) {
    EXPECT_EQ(send(command(++tag, {0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0}, kMaximumDataBytes)), kRequestBytes);
  }
  EXPECT_EQ(send(read(++tag)), 0U);
}

TEST_F(ServiceTest, ASessionThatIsClosedTakesTheConnectionAlong) {
  ASSERT_EQ(open({"t", "there"}), 0);
  clear_attention();
  rig_.registry.find_device("disk")->gate.close();
  send(read(10));
  driver_.find_session(*driver_.find_target("t"), "there")->close();
  rig_.run();
  EXPECT_TRUE(connection_.closing);
  EXPECT_FALSE(parse_answer(connection_.sent)->answered);
}

}  // namespace
}  // namespace uscst::local
