// Sessions without a fabric: commands of this process itself.
#include "engine/target/local_session.h"

#include <gtest/gtest.h>

#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using scsi::Status;
using sim::Rig;

struct LocalSessionTest : testing::Test {
  LocalSessionTest() {
    rig.add_device("disk");
    rig.add_lun(3, "disk");
    session = std::make_shared<LocalSession>(rig.shards.front());
    session->open(rig.target, "inside", LocalSession::make_own_nexus(rig.target), [this] { ++ended; });
    rig.run();
  }
  ~LocalSessionTest() override {
    session->close();
    rig.run();
    EXPECT_EQ(ended, 1);
    EXPECT_TRUE(rig.target.sessions().empty());
    EXPECT_EQ(rig.memory_in_use(), 0);
  }
  static LocalSession::Ask ask(sim::Client::Ask from) {
    return {.cdb = std::move(from.cdb),
            .lun = scsi::encode_lun(from.lun, scsi::LunAddressing::kPeripheral),
            .data_out = std::move(from.data_out),
            .data_in_length_bytes = from.direction == scsi::Direction::kIn ? from.expected : 0};
  }
  using Answer = std::shared_ptr<std::optional<LocalSession::Answer>>;
  Answer send(sim::Client::Ask from, CommandTag* tag = nullptr) {
    auto answer = std::make_shared<std::optional<LocalSession::Answer>>();
    CommandTag used = session->submit(ask(std::move(from)), [answer](LocalSession::Answer a) {
      EXPECT_FALSE(answer->has_value());
      *answer = std::move(a);
    });
    if (tag) *tag = used;
    rig.run();
    return answer;
  }
  // Takes the unit attention that a new nexus begins with.
  void clear_attention() { EXPECT_TRUE(send(sim::request_sense(3))->has_value()); }
  Rig rig;
  std::shared_ptr<LocalSession> session;
  int ended = 0;
};

TEST_F(LocalSessionTest, DataGoBothWays) {
  clear_attention();
  auto written = send(sim::write10(5, sim::filled(1024, 0x5A), 3));
  ASSERT_TRUE(written->has_value());
  EXPECT_TRUE((*written)->responded);
  EXPECT_EQ((*written)->status, Status::kGood);
  auto read = send(sim::read10(5, 2, 3));
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ((*read)->data_in, sim::filled(1024, 0x5A));
  EXPECT_EQ((*read)->residual_bytes, 0);
  EXPECT_EQ(session->session()->counters().write.commands, 1);
  EXPECT_EQ(session->session()->counters().read.bytes, 1024 + 252) << "REQUEST SENSE counts as well";
  EXPECT_EQ(session->session()->counters().commands, 0);
}

TEST_F(LocalSessionTest, UnitAttentionIsToldOnce) {
  auto first = send(sim::test_unit_ready(3));
  ASSERT_TRUE(first->has_value());
  EXPECT_EQ((*first)->status, Status::kCheckCondition);
  auto expected = scsi::kUaReset.encode(scsi::SenseFormat::kFixed);
  EXPECT_TRUE(std::ranges::equal((*first)->sense, expected.bytes()));
  EXPECT_EQ((*send(sim::test_unit_ready(3)))->status, Status::kGood);
}

TEST_F(LocalSessionTest, NoSuchLun) {
  auto answer = send(sim::test_unit_ready(4));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->status, Status::kCheckCondition);
}

TEST_F(LocalSessionTest, ManyAtOnceUseSlotsAgain) {
  clear_attention();
  rig.unit("disk").hold = true;
  std::vector<Answer> answers;
  for (int i = 0; i < 40; ++i) answers.push_back(send(sim::read10(0, 1, 3)));
  EXPECT_EQ(session->session()->counters().commands, 40);
  rig.unit("disk").hold = false;
  rig.unit("disk").release_all();
  rig.run();
  for (const auto& answer : answers) EXPECT_TRUE(answer->has_value());
}

TEST_F(LocalSessionTest, AbortedCommandsAnswerBeforeTheFunction) {
  clear_attention();
  rig.unit("disk").hold = true;
  CommandTag tag;
  auto answer = send(sim::read10(0, 1, 3), &tag);
  std::optional<TaskManagementResult> result;
  session->manage(TaskManagementFunction::kAbortTask, scsi::encode_lun(3, scsi::LunAddressing::kPeripheral), tag,
                  [&](TaskManagementResult r) {
                    EXPECT_TRUE(answer->has_value());
                    result = r;
                  });
  rig.run();
  EXPECT_FALSE(result) << "the medium is still in use";
  rig.unit("disk").release_all();
  rig.run();
  EXPECT_EQ(result, TaskManagementResult::kComplete);
  EXPECT_FALSE((*answer)->responded);
}

TEST_F(LocalSessionTest, CloseWaitsForCommandsAndRefusesLaterOnes) {
  clear_attention();
  rig.unit("disk").hold = true;
  auto running = send(sim::read10(0, 1, 3));
  session->close();
  session->close();
  auto late = send(sim::read10(0, 1, 3));
  EXPECT_FALSE((*late)->responded);
  EXPECT_EQ(ended, 0);
  rig.unit("disk").release_all();
  rig.run();
  EXPECT_TRUE(running->has_value());
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(session->is_open());
}

// Nobody waits for what the daemon itself asked a device that was blocked since.
TEST_F(LocalSessionTest, ItsOwnCommandsHoldNothingUp) {
  clear_attention();
  Device& device = *rig.registry.find_device("disk");
  ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.block(device, std::move(done)); }));
  LocalSession::Ask own = ask(sim::read10(0, 1, 3));
  own.own = true;
  bool answered = false;
  session->submit(std::move(own), [&](LocalSession::Answer) { answered = true; });
  rig.run();
  EXPECT_TRUE(rig.manage([&](Done done) { rig.registry.suspend({}, std::move(done)); }));
  rig.registry.resume();
  EXPECT_FALSE(answered);
  EXPECT_TRUE(rig.manage([&](Done done) { rig.registry.delete_device(rig.handler, "disk", std::move(done)); }));
  EXPECT_TRUE(answered);
}

TEST_F(LocalSessionTest, DeviceGoesUnderTheSession) {
  rig.unit("disk").hold = true;
  clear_attention();
  auto running = send(sim::read10(0, 1, 3));
  std::optional<base::Status> deleted;
  rig.registry.delete_device(rig.handler, "disk", [&](base::Status status) { deleted = std::move(status); });
  rig.run();
  EXPECT_FALSE(deleted);
  rig.unit("disk").release_all();
  rig.run();
  EXPECT_TRUE(deleted.has_value());
  EXPECT_EQ((*running)->status, Status::kGood);
}

}  // namespace
}  // namespace uscst::target
