// A failing backing store always becomes sense data, and a failed flush is not forgotten.
#include <gtest/gtest.h>

#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

constexpr std::size_t kBlock = 512;
constexpr unsigned kReadErrorCode = 0x031100, kWriteErrorCode = 0x030300, kNoSpaceCode = 0x072707;
constexpr unsigned kHardwareCode = 0x044400;

class FailingStore : public testing::Test {
 protected:
  FailingStore() : store(rig.add_simulated({{"thin_provisioned", "1"}})), initiator(rig.connect()) {}
  void fail(SimAction action, int error) {
    store->fault = [=](const SimStore::Event& event) { return event.action == action ? error : 0; };
  }
  Outcome write(bool fua = false) {
    return initiator->run({0x2A, static_cast<std::uint8_t>(fua ? 8 : 0), 0, 0, 0, 0, 0, 0, 1, 0}, 0, Data(kBlock, 1));
  }
  Outcome read() { return initiator->run({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, kBlock); }
  Outcome synchronize() { return initiator->run({0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}); }

  DiskRig rig;
  std::shared_ptr<SimStore> store;
  std::unique_ptr<Initiator> initiator;
};

TEST_F(FailingStore, EachErrorHasItsSense) {
  const std::pair<int, unsigned> writes[] = {{-EIO, kWriteErrorCode},
                                             {-ENOSPC, kNoSpaceCode},
                                             {-EDQUOT, kNoSpaceCode},
                                             {-EBADF, kHardwareCode},
                                             {-ENXIO, kWriteErrorCode}};
  for (auto [error, code] : writes) {
    fail(SimAction::kWrite, error);
    EXPECT_EQ(write().code(), code) << error;
  }
  fail(SimAction::kWrite, -ENOMEM);
  EXPECT_EQ(write().status, scsi::Status::kBusy);
  fail(SimAction::kRead, -EIO);
  Outcome outcome = read();
  EXPECT_EQ(outcome.code(), kReadErrorCode);
  EXPECT_TRUE(outcome.data.empty());
  EXPECT_EQ(initiator->run({0x2F, 0, 0, 0, 0, 0, 0, 0, 1, 0}).code(), kReadErrorCode);
  fail(SimAction::kWriteZeroes, -EIO);
  EXPECT_EQ(initiator->run({0x41, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 0, Data(kBlock)).code(), kWriteErrorCode);
  fail(SimAction::kUnmap, -EIO);
  Data list(24);
  list[1] = 22, list[3] = 16, list[19] = 1;
  EXPECT_EQ(initiator->run({0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0}, 0, list).code(), kWriteErrorCode);
  fail(SimAction::kUnmap, -EOPNOTSUPP);
  EXPECT_TRUE(initiator->run({0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0}, 0, list).good());
}

TEST_F(FailingStore, WriteSameStopsAtTheFirstError) {
  int left = 1;
  store->fault = [&](const SimStore::Event& event) {
    return event.action == SimAction::kWrite && left-- == 0 ? -EIO : 0;
  };
  EXPECT_EQ(initiator->run({0x41, 0, 0, 0, 0, 0, 0, 0x04, 0x00, 0}, 0, Data(kBlock, 1)).code(), kWriteErrorCode);
  EXPECT_EQ(store->events().size(), 2u);
}

TEST_F(FailingStore, AFailedFlushHoldsUntilReactivation) {
  fail(SimAction::kFlush, -EIO);
  EXPECT_EQ(synchronize().code(), kWriteErrorCode);
  store->fault = nullptr;  // Linux tells a failed fsync once
  EXPECT_EQ(synchronize().code(), kWriteErrorCode);
  EXPECT_EQ(write(true).code(), kWriteErrorCode);
  EXPECT_EQ(initiator->run({0x1B, 0, 0, 0, 0, 0}).code(), kWriteErrorCode);
  EXPECT_EQ(initiator->run({0x35, 0x02, 0, 0, 0, 0, 0, 0, 0, 0}).code(), kWriteErrorCode);
  EXPECT_TRUE(write().good());  // promises nothing
  EXPECT_TRUE(read().good());
  ASSERT_EQ(rig.write("sim", "active", "0"), 0);
  ASSERT_EQ(rig.write("sim", "active", "1"), 0);
  EXPECT_TRUE(synchronize().good());
  EXPECT_TRUE(write(true).good());
}

// The write to `sync` answers what the flush said, and has told the disk.
TEST_F(FailingStore, SyncTellsTheFlushesError) {
  EXPECT_EQ(rig.write("sim", "sync", "1"), 0);
  fail(SimAction::kFlush, -EIO);
  EXPECT_EQ(rig.write("sim", "sync", "1"), EIO);
  store->fault = nullptr;
  EXPECT_EQ(synchronize().code(), kWriteErrorCode);
  ASSERT_EQ(rig.write("sim", "active", "0"), 0);
  EXPECT_EQ(rig.write("sim", "sync", "1"), 0);
}

TEST_F(FailingStore, AFailedStableWriteIsAFailedFlush) {
  fail(SimAction::kWriteDurable, -EIO);
  EXPECT_EQ(write(true).code(), kWriteErrorCode);
  store->fault = nullptr;
  EXPECT_EQ(synchronize().code(), kWriteErrorCode);
}

TEST_F(FailingStore, AFullStoreIsNot) {
  fail(SimAction::kWriteDurable, -ENOSPC);
  EXPECT_EQ(write(true).code(), kNoSpaceCode);
  store->fault = nullptr;
  EXPECT_TRUE(synchronize().good());
}

TEST_F(FailingStore, AFlushThatFailsBehindItsAnswerIsRemembered) {
  fail(SimAction::kFlush, -EIO);
  EXPECT_TRUE(initiator->run({0x35, 0x02, 0, 0, 0, 0, 0, 0, 0, 0}).good());
  store->fault = nullptr;
  EXPECT_EQ(synchronize().code(), kWriteErrorCode);
  EXPECT_FALSE(rig.log_lines.empty());
}

TEST_F(FailingStore, TheCacheIsNotSwitchedOffOverAFailedFlush) {
  fail(SimAction::kFlush, -EIO);
  Data list{0, 0, 0, 0, 0x08, 0x12};
  list.resize(24);
  EXPECT_EQ(initiator->run({0x15, 0x10, 0, 0, 24, 0}, 0, list).code(), kWriteErrorCode);
  EXPECT_TRUE(rig.disk("sim").write_back());
}

TEST_F(FailingStore, AnAbortedCommandStopsBetweenItsPieces) {
  store->delay = std::chrono::milliseconds(1);
  Outcome& outcome = initiator->begin({0x41, 0, 0, 0, 0, 0, 0, 0x08, 0x00, 0}, 0, Data(kBlock, 1));  // 8 pieces
  rig.executor.run_until_idle();
  bool done = false;
  initiator->session().tasks().manage(target::TaskManagementFunction::kAbortTaskSet, {}, {},
                                      [&](target::TaskManagementResult) { done = true; });
  rig.executor.advance(std::chrono::milliseconds(20));
  EXPECT_TRUE(done);
  EXPECT_TRUE(outcome.ended);
  EXPECT_FALSE(outcome.responded);
  EXPECT_LT(store->events().size(), 4u);
}

}  // namespace
}  // namespace uscst::handlers::test
