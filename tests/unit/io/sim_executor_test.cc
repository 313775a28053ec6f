#include "engine/io/sim_executor.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>

#include "tests/unit/io/reactor_fixture.h"

namespace uscst::io {
namespace {

struct Noted {
  Noted(std::vector<std::string>& notes, std::string name) : out(notes), text(std::move(name)) {}
  void run() { out.push_back(text); }
  std::vector<std::string>& out;
  std::string text;
  Timer timer{Call<>::to<&Noted::run>(this)};
  Deferred deferred{Call<>::to<&Noted::run>(this)};
};

TEST(SimExecutorTest, TheClockStandsStillUntilAdvanced) {
  SimExecutor executor;
  std::vector<std::string> notes;
  Noted soon(notes, "soon"), later(notes, "later"), never(notes, "never");
  executor.arm_after(later.timer, 20s);
  executor.arm_after(soon.timer, 10s);
  executor.arm_after(never.timer, 1h);
  EXPECT_EQ(executor.run_until_idle(), 0U);
  executor.advance(9s);
  EXPECT_TRUE(notes.empty());
  executor.advance(15s);
  EXPECT_EQ(notes, (std::vector<std::string>{"soon", "later"}));
  EXPECT_EQ(executor.clock().now().since_start, base::Duration(24s));
  EXPECT_EQ(executor.next_deadline()->since_start, base::Duration(1h));
}

TEST(SimExecutorTest, ATimerSeesItsOwnDeadlineAsNow) {
  SimExecutor executor;
  struct Repeating {
    void run() {
      at.push_back(executor.clock().now().since_start);
      executor.arm_after(timer, 3s);
    }
    SimExecutor& executor;
    std::vector<base::Duration> at;
    Timer timer{Call<>::to<&Repeating::run>(this)};
  } repeating{executor, {}};
  executor.arm_after(repeating.timer, 3s);
  executor.advance(10s);
  EXPECT_EQ(repeating.at, (std::vector<base::Duration>{3s, 6s, 9s}));
}

TEST(SimExecutorTest, DeferredWorkFollowsItsEvent) {
  SimExecutor executor;
  std::vector<std::string> notes;
  Noted work(notes, "deferred");
  executor.post([&] {
    executor.defer(work.deferred);
    executor.defer(work.deferred);
    notes.push_back("first");
  });
  executor.post([&] { notes.push_back("second"); });
  EXPECT_TRUE(executor.run_one());
  EXPECT_EQ(notes, (std::vector<std::string>{"first", "deferred"}));
  EXPECT_EQ(executor.run_until_idle(), 1U);
  EXPECT_FALSE(executor.run_one());
  executor.defer(work.deferred);  // outside of any event
  executor.run_until_idle();
  EXPECT_EQ(notes.back(), "deferred");
  EXPECT_EQ(notes.size(), 4U);
}

TEST(SimExecutorTest, FilesAndBlockingCallsCompleteWhenTheirTurnComes) {
  SimExecutor executor;
  FileDescriptor file(::open(testing::TempDir().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  std::array<std::uint8_t, 4> out{1, 2, 3, 4}, in{};
  std::array<iovec, 1> from{iovec{out.data(), 4}}, into{iovec{in.data(), 4}};
  Recorded written, read, synced, called, cancelled, refused;
  executor.write(written.op, file.get(), from, 0, Durability::kData);
  executor.read(read.op, file.get(), into, 0);
  executor.sync(synced.op, file.get());
  executor.block(called.op, [] { return 9; });
  executor.block(cancelled.op, [] { return 9; });
  executor.receive(refused.op, file.get(), in);
  executor.cancel(cancelled.op);
  EXPECT_TRUE(written.op.in_flight());
  EXPECT_TRUE(written.results.empty());
  executor.run_until_idle();
  EXPECT_EQ(written.last(), 4);
  EXPECT_EQ(read.last(), 4);
  EXPECT_EQ(in, out);
  EXPECT_EQ(synced.last(), 0);
  EXPECT_EQ(called.last(), 9);
  EXPECT_EQ(cancelled.last(), -ECANCELED);
  EXPECT_EQ(refused.last(), -EOPNOTSUPP);
}

}  // namespace
}  // namespace uscst::io
