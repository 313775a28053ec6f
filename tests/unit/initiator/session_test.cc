// Session, channel and pump against a responder in memory, on the simulated executor.
#include "engine/initiator/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/initiator/cdb.h"
#include "engine/initiator/pattern.h"
#include "engine/initiator/pump.h"
#include "engine/initiator/sense_text.h"
#include "engine/io/sim_executor.h"
#include "tests/unit/initiator/responder.h"

namespace uscst::initiator {
namespace {

using test::Responder;
using test::ResponderOptions;
using namespace std::chrono_literals;

struct Command {
  explicit Command(Cdb cdb, Direction direction = Direction::kNone, std::size_t bytes = 0)
      : data(bytes), task(io::Call<Task&>::to<&Command::finished>(this)) {
    task.cdb = std::move(cdb);
    task.direction = direction;
    task.data = data;
  }
  void finished(Task&) { ++done; }
  const Outcome& outcome() const { return task.outcome; }

  std::vector<std::uint8_t> data;
  int done = 0;
  Task task;
};

class SessionTest : public testing::Test {
 protected:
  void start(ResponderOptions responder_options = {}, unsigned channels = 1, unsigned pieces = 1) {
    responder = std::make_unique<Responder>(responder_options);
    LoginOptions options;
    options.channels = channels;
    options.channel.initiator = srp::make_port_id(1, 2);
    options.channel.target = srp::make_port_id(0x11, 0x22);
    options.channel.pieces = pieces;
    session = std::make_unique<Session>(*responder, executor, options);
    session->login([this](base::Status status) { login = std::move(status); });
    executor.run_until_idle();
  }
  void run(Command& command) {
    ASSERT_TRUE(session->submit(command.task));
    executor.run_until_idle();
  }
  // The first command of a channel meets the unit attention.
  void skip_attention() {
    Command command(test_unit_ready());
    run(command);
    EXPECT_TRUE(is_unit_attention(command.outcome()));
  }
  void TearDown() override {
    if (!session) return;
    bool ended = false;
    session->logout([&] { ended = true; });
    executor.run_until_idle();
    EXPECT_TRUE(ended);
  }

  io::SimExecutor executor;
  std::unique_ptr<Responder> responder;
  std::unique_ptr<Session> session;
  std::optional<base::Status> login;
};

TEST_F(SessionTest, LogsInWithTheFirstChannelSingleAndTheOthersMulti) {
  start({}, 3);
  ASSERT_TRUE(login && *login);
  ASSERT_EQ(responder->logins.size(), 3u);
  EXPECT_EQ(responder->logins[0].action, srp::MultiChannel::kSingle);
  EXPECT_EQ(responder->logins[1].action, srp::MultiChannel::kMulti);
  EXPECT_EQ(responder->logins[2].action, srp::MultiChannel::kMulti);
  EXPECT_EQ(responder->logins[0].initiator, srp::make_port_id(1, 2));
  EXPECT_EQ(responder->logins[0].max_it_iu_bytes, 8260u);
  EXPECT_EQ(responder->logins[0].immediate_offset_bytes, 68);
  EXPECT_EQ(session->channel(2).credits(), 64);
}

TEST_F(SessionTest, RejectionIsSaidInWords) {
  start({.target = srp::make_port_id(9, 9)});
  ASSERT_TRUE(login);
  ASSERT_FALSE(*login);
  EXPECT_EQ(login->error().code, EACCES);
  EXPECT_THAT(login->error().text, testing::HasSubstr("wrong id_ext or ioc_guid"));
}

TEST_F(SessionTest, AcceptanceWithoutALoginResponseFails) {
  start({.login_without_response = true}, 2);
  ASSERT_TRUE(login);
  ASSERT_FALSE(*login);
  EXPECT_EQ(login->error().code, EPROTO);
  EXPECT_TRUE(responder->channels.empty());
}

TEST_F(SessionTest, LogoutSaysSoAndEnds) {
  start({}, 2);
  bool ended = false;
  session->logout([&] { ended = true; });
  executor.run_until_idle();
  EXPECT_TRUE(ended);
  EXPECT_EQ(responder->logouts, 2u);
  EXPECT_TRUE(responder->channels.empty());
  Command late(test_unit_ready());
  EXPECT_FALSE(session->submit(late.task));
}

TEST_F(SessionTest, InquiryComesByRdmaWithItsResidual) {
  start();
  Command command(inquiry(96), Direction::kIn, 96);
  run(command);
  ASSERT_TRUE(command.outcome().good());
  EXPECT_EQ(command.outcome().residual, 60);
  EXPECT_EQ(base::as_text(base::Bytes(command.data).subspan(8, 8)), "TESTDISK");
  EXPECT_EQ(responder->channels[0]->exposed_count(), 0u);
  EXPECT_EQ(session->channel(0).credits(), 64);
}

TEST_F(SessionTest, SmallWritesAreImmediateLargeOnesAreFetched) {
  start();
  skip_attention();
  for (std::uint32_t blocks : {1u, 16u, 17u}) {
    Command write(write_blocks(8, blocks), Direction::kOut, blocks * 512);
    fill_pattern(write.data, 512, 8, blocks);
    run(write);
    EXPECT_TRUE(write.outcome().good());
    EXPECT_TRUE(check_pattern(base::Bytes(responder->disk).subspan(8 * 512, blocks * 512), 512, 8, blocks));
  }
  EXPECT_EQ(responder->immediate_writes, 2u);  // 68 + 16 * 512 = 8260 still fits
  EXPECT_EQ(responder->direct_transfers, 1u);
  EXPECT_EQ(responder->channels[0]->exposed_count(), 0u);
}

TEST_F(SessionTest, ATargetWithShortIusIsRespected) {
  start({.max_it_iu_bytes = 1024});
  skip_attention();
  Command write(write_blocks(0, 2), Direction::kOut, 1024);
  run(write);
  EXPECT_TRUE(write.outcome().good());
  EXPECT_EQ(responder->immediate_writes, 0u);
  EXPECT_EQ(responder->direct_transfers, 1u);
}

TEST_F(SessionTest, IndirectListsCarryTheSameData) {
  start({}, 1, 5);
  skip_attention();
  Command write(write_blocks(3, 4), Direction::kOut, 2048);
  fill_pattern(write.data, 512, 3, 7);
  run(write);
  Command read(read_blocks(3, 4), Direction::kIn, 2048);
  run(read);
  EXPECT_TRUE(write.outcome().good());
  EXPECT_TRUE(read.outcome().good());
  EXPECT_TRUE(check_pattern(read.data, 512, 3, 7));
  EXPECT_EQ(responder->indirect_transfers, 2u);
  EXPECT_EQ(responder->channels[0]->exposed_count(), 0u);
}

TEST_F(SessionTest, SenseIsHandedUp) {
  start();
  skip_attention();
  Command command(read_blocks(4095, 2), Direction::kIn, 1024);
  run(command);
  EXPECT_EQ(describe(command.outcome()),
            "CHECK CONDITION: ILLEGAL REQUEST, logical block address out of range (5/21/00)");
}

TEST_F(SessionTest, CommandsWaitForCreditsAndLeaveOneForTaskManagement) {
  start({.credits = 4, .unit_attentions = 0});
  responder->silent_lbas = {1};
  std::vector<std::unique_ptr<Command>> commands;
  for (int i = 0; i < 10; ++i) {
    commands.push_back(std::make_unique<Command>(read_blocks(i < 3 ? 1 : 2, 1), Direction::kIn, 512));
    ASSERT_TRUE(session->submit(commands.back()->task));
  }
  executor.run_until_idle();
  EXPECT_EQ(session->channel(0).credits(), 1);
  EXPECT_EQ(commands[3]->done, 0);
  // Task management still gets through; its answer returns its own credit only.
  int reset_done = 0;
  struct Counter {
    int& count;
    void done(ManagementTask&) { ++count; }
  } counter{reset_done};
  ManagementTask reset(io::Call<ManagementTask&>::to<&Counter::done>(&counter));
  ASSERT_TRUE(session->channel(0).submit(reset));
  executor.run_until_idle();
  EXPECT_EQ(reset_done, 1);
  EXPECT_EQ(reset.code, srp::ResponseCode::kComplete);
  EXPECT_EQ(responder->managed.at(0).function, 0x08);
  // A credit request lets one more command through.
  responder->silent_lbas.clear();
  responder->channels[0]->deliver(base::to_bytes(encode(srp::CreditRequest{.tag = {7}, .request_limit_delta = 1})));
  executor.run_until_idle();
  EXPECT_EQ(responder->credit_answers, 1u);
  for (int i = 3; i < 10; ++i) EXPECT_EQ(commands[static_cast<std::size_t>(i)]->done, 1) << i;
  session->logout([] {});
  executor.run_until_idle();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(commands[static_cast<std::size_t>(i)]->done, 1);
    EXPECT_EQ(commands[static_cast<std::size_t>(i)]->outcome().delivery, Delivery::kDisconnected);
  }
}

TEST_F(SessionTest, ACommandWithoutAnAnswerIsAborted) {
  start({.unit_attentions = 0});
  responder->silent_lbas = {5};
  Command silent(read_blocks(5, 1), Direction::kIn, 512), other(read_blocks(6, 1), Direction::kIn, 512);
  ASSERT_TRUE(session->submit(silent.task));
  run(other);
  EXPECT_TRUE(other.outcome().good());
  executor.advance(31s);
  ASSERT_EQ(silent.done, 1);
  EXPECT_EQ(silent.outcome().delivery, Delivery::kTimedOut);
  ASSERT_EQ(responder->managed.size(), 1u);
  EXPECT_EQ(responder->managed[0].function, 0x01);
  EXPECT_EQ(responder->managed[0].task_tag, silent.task.tag());
  EXPECT_EQ(responder->channels[0]->exposed_count(), 0u);
  EXPECT_EQ(session->channel(0).credits(), 64);
}

TEST_F(SessionTest, SeveralSilentCommandsAreAbortedOneByOne) {
  start({.unit_attentions = 0});
  responder->silent_lbas = {5};
  std::vector<std::unique_ptr<Command>> commands;
  for (int i = 0; i < 4; ++i) {
    commands.push_back(std::make_unique<Command>(read_blocks(5, 1), Direction::kIn, 512));
    ASSERT_TRUE(session->submit(commands.back()->task));
  }
  executor.run_until_idle();
  executor.advance(32s);
  for (auto& command : commands) EXPECT_EQ(command->outcome().delivery, Delivery::kTimedOut);
  EXPECT_EQ(responder->managed.size(), 4u);
}

TEST_F(SessionTest, AnAbortWithoutAnAnswerEndsTheConnection) {
  start({.unit_attentions = 0, .answer_aborts = false});
  responder->silent_lbas = {5};
  Command silent(read_blocks(5, 1), Direction::kIn, 512);
  ASSERT_TRUE(session->submit(silent.task));
  executor.run_until_idle();
  executor.advance(36s);
  ASSERT_EQ(silent.done, 1);
  EXPECT_EQ(silent.outcome().delivery, Delivery::kDisconnected);
  EXPECT_FALSE(session->channel(0).is_open());
  EXPECT_THAT(session->why_closed(), testing::HasSubstr("task management"));
}

TEST_F(SessionTest, TheTargetsReasonForLeavingIsKept) {
  start();
  responder->channels[0]->deliver(
      base::to_bytes(encode(srp::TargetLogout{.reason = srp::LogoutReason::kMultiChannelAction})));
  responder->channels[0]->end(fabric::DisconnectReason::kPeerClosed, "");
  executor.run_until_idle();
  EXPECT_THAT(session->why_closed(), testing::HasSubstr("another login ended this channel"));
}

TEST_F(SessionTest, GarbageFromTheTargetEndsTheConnection) {
  for (const char* text :
       {"", "c1", "c1000000000000010500010000000000000000020000000000000000000000ff00000000", "ff"}) {
    start();
    responder->channels[0]->deliver(*base::parse_hex(text));
    executor.run_until_idle();
    // A response whose sense length is a lie but not marked valid is a stray one; everything else is refused.
    EXPECT_EQ(session->channel(0).is_open(), std::string_view(text).size() > 4) << text;
    TearDown();
    session.reset();
  }
}

class OnePass : public Work {
 public:
  OnePass(Direction direction, std::uint64_t blocks) : direction_(direction), blocks_(blocks) {}
  bool next(Transfer& transfer) override {
    if (next_ == blocks_) return false;
    transfer.direction = direction_;
    transfer.lba = next_++;
    transfer.blocks = 1;
    if (direction_ == Direction::kOut) fill_pattern(transfer.data, 512, transfer.lba, 3);
    return true;
  }
  base::Status completed(const Transfer& transfer, base::Duration) override {
    ++completed_;
    return direction_ == Direction::kIn ? check_pattern(transfer.data, 512, transfer.lba, 3) : base::Status{};
  }
  std::uint64_t completed_ = 0;

 private:
  const Direction direction_;
  const std::uint64_t blocks_;
  std::uint64_t next_ = 0;
};

class PumpTest : public SessionTest {
 protected:
  base::Status pump(Work& work) {
    std::optional<base::Status> result;
    Pump pump(*session, work, {.depth = 8, .buffer_bytes = 512});
    pump.start([&](base::Status status) { result = std::move(status); });
    executor.run_until_idle();
    EXPECT_TRUE(result);
    retries = pump.retries();
    return result.value_or(base::Status{});
  }
  std::uint64_t retries = 0;
};

TEST_F(PumpTest, WritesAndChecksEveryBlockOnceOverAllChannels) {
  start({}, 3);
  OnePass writing(Direction::kOut, 1000), checking(Direction::kIn, 1000);
  EXPECT_TRUE(pump(writing));
  EXPECT_EQ(retries, 3u);  // one unit attention a channel
  EXPECT_TRUE(pump(checking));
  EXPECT_EQ(writing.completed_, 1000u);
  EXPECT_EQ(checking.completed_, 1000u);
}

TEST_F(PumpTest, BusyIsTriedAgain) {
  start({.unit_attentions = 0});
  responder->status_once = {{10, kStatusBusy}, {11, kStatusTaskSetFull}};
  OnePass writing(Direction::kOut, 20);
  EXPECT_TRUE(pump(writing));
  EXPECT_EQ(retries, 2u);
}

TEST_F(PumpTest, TheFirstWrongBlockIsNamed) {
  start({.unit_attentions = 0});
  OnePass writing(Direction::kOut, 100), checking(Direction::kIn, 100);
  EXPECT_TRUE(pump(writing));
  responder->disk[42 * 512 + 100] ^= 1;
  auto status = pump(checking);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, EILSEQ);
  EXPECT_THAT(status.error().text, testing::HasSubstr("block 42: checksum"));
}

TEST_F(PumpTest, AScsiErrorAndALostConnectionEndIt) {
  start({.unit_attentions = 0, .blocks = 50}, 2);
  OnePass beyond(Direction::kIn, 100);
  responder->disk.assign(responder->disk.size(), 0);
  auto status = pump(beyond);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, EILSEQ);
  OnePass writing(Direction::kOut, 100);
  status = pump(writing);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, EIO);
  EXPECT_THAT(status.error().text, testing::HasSubstr("LBA 50"));
  for (auto* channel : std::vector(responder->channels)) channel->end(fabric::DisconnectReason::kTransportError, "cut");
  OnePass lost(Direction::kOut, 10);
  status = pump(lost);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ECONNRESET);
}

}  // namespace
}  // namespace uscst::initiator
