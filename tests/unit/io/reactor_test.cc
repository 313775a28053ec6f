#include <fcntl.h>
#include <poll.h>

#include <atomic>
#include <latch>
#include <thread>

#include "engine/io/reactor_thread.h"
#include "tests/unit/io/reactor_fixture.h"

namespace uscst::io {
namespace {

// A timer and a deferred work with a lambda each.
struct Ticker {
  explicit Ticker(std::function<void()> action) : act(std::move(action)) {}
  void run() { act(); }
  std::function<void()> act;
  Timer timer{Call<>::to<&Ticker::run>(this)};
  Deferred deferred{Call<>::to<&Ticker::run>(this)};
};

TEST_P(ReactorTest, TimersFireInOrderOfDeadlineThenOfArming) {
  std::vector<int> order;
  Ticker a([&] { order.push_back(1); }), b([&] { order.push_back(2); }), c([&] { order.push_back(3); });
  Ticker last([&] { reactor->stop(); });
  base::TimePoint start = reactor->clock().now();
  reactor->arm(last.timer, start + 20ms);
  reactor->arm(c.timer, start + 10ms);
  reactor->arm(a.timer, start + 5ms);
  reactor->arm(b.timer, start + 5ms);
  reactor->run();
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
  EXPECT_GE(reactor->clock().now() - start, base::Duration(20ms));
  EXPECT_FALSE(a.timer.armed());
}

TEST_P(ReactorTest, ADisarmedOrDestroyedTimerDoesNotFire) {
  int fired = 0;
  Ticker disarmed([&] { ++fired; }), moved([&] { ++fired; });
  auto destroyed = std::make_unique<Ticker>([&] { ++fired; });
  Ticker last([&] { reactor->stop(); });
  reactor->arm_after(disarmed.timer, 1ms);
  reactor->arm_after(destroyed->timer, 1ms);
  reactor->arm_after(moved.timer, 1ms);
  reactor->arm_after(moved.timer, 1h);
  Executor::disarm(disarmed.timer);
  Executor::disarm(disarmed.timer);
  destroyed.reset();
  reactor->arm_after(last.timer, 10ms);
  reactor->run();
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(moved.timer.armed());
}

TEST_P(ReactorTest, ATimerThatArmsItselfWithoutDelayDoesNotHoldTheLoop) {
  Recorded call;
  call.then = [&] { reactor->stop(); };
  int fired = 0;
  Ticker greedy([&] {
    if (++fired == 1) reactor->block(call.op, [] { return 7; });
    reactor->arm(greedy.timer, reactor->clock().now());
  });
  reactor->arm_after(greedy.timer, 0ns);
  reactor->run();
  EXPECT_EQ(call.last(), 7);
  EXPECT_GE(fired, 1);
}

TEST_P(ReactorTest, DeferredWorkRunsOnceAfterItsEvent) {
  std::vector<std::string> order;
  Ticker work([&] { order.push_back("deferred"); });
  reactor->post([&] {
    reactor->defer(work.deferred);
    reactor->defer(work.deferred);
    order.push_back("first");
  });
  reactor->post([&] {
    order.push_back("second");
    reactor->stop();
  });
  reactor->run();
  EXPECT_EQ(order, (std::vector<std::string>{"first", "deferred", "second"}));
}

TEST_P(ReactorTest, WorkDeferredByDeferredWorkRunsInTheNextRound) {
  std::vector<std::string> order;
  int runs = 0;
  Ticker again([&] {
    order.push_back("again");
    if (++runs < 3) reactor->defer(again.deferred);
    if (runs == 3) reactor->stop();
  });
  Ticker other([&] { order.push_back("other"); });
  reactor->post([&] {
    reactor->defer(again.deferred);
    reactor->defer(other.deferred);
  });
  reactor->run();
  EXPECT_EQ(order, (std::vector<std::string>{"again", "other", "again", "again"}));
}

TEST_P(ReactorTest, DestroyingDeferredWorkTakesItBack) {
  int runs = 0;
  auto second = std::make_unique<Ticker>([&] { ++runs; });
  Ticker first([&] { second.reset(); });
  reactor->post([&] {
    reactor->defer(first.deferred);
    reactor->defer(second->deferred);
  });
  reactor->post([&] { reactor->stop(); });
  reactor->run();
  EXPECT_EQ(runs, 0);
}

TEST_P(ReactorTest, JobsOfManyThreadsAllRunAndKeepTheirThreadsOrder) {
  constexpr int kThreads = 4, kJobs = 2000;
  std::vector<int> next(kThreads, 0);
  int ran = 0, disorder = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kJobs; ++i) {
        if (i % 100 == 0) std::this_thread::sleep_for(200us);  // lets the loop fall asleep in between
        reactor->post([&, t, i] {
          if (next[static_cast<std::size_t>(t)]++ != i) ++disorder;
          if (++ran == kThreads * kJobs) reactor->stop();
        });
      }
    });
  }
  reactor->run();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ran, kThreads * kJobs);
  EXPECT_EQ(disorder, 0);
}

TEST_P(ReactorTest, StopEndsAfterTheCurrentEventAndTheRestIsRunNextTime) {
  int ran = 0;
  reactor->post([&] {
    ++ran;
    reactor->stop();
  });
  reactor->post([&] {
    ++ran;
    reactor->stop();
  });
  reactor->run();
  EXPECT_EQ(ran, 1);
  reactor->run();
  EXPECT_EQ(ran, 2);
}

TEST_P(ReactorTest, AStopBeforeRunCounts) {
  reactor->stop();
  reactor->run();
  SUCCEED();
}

TEST_P(ReactorTest, JobsNeverRunAreDestroyed) {
  auto held = std::make_shared<int>(1);
  reactor->post([held] {});
  reactor.reset();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_P(ReactorTest, BlockingCallsRunElsewhereAndReportTheirResult) {
  Recorded good, bad;
  std::thread::id where{};
  good.then = [&] { EXPECT_TRUE(reactor->in_own_thread()); };
  reactor->block(good.op, [&] {
    where = std::this_thread::get_id();
    return 42;
  });
  reactor->block(bad.op, [] { return -EIO; });
  EXPECT_TRUE(good.op.in_flight());
  EXPECT_EQ(reactor->operations_in_flight(), 2U);
  EXPECT_TRUE(run_until([&] { return good.results.size() + bad.results.size() == 2; }));
  EXPECT_EQ(good.last(), 42);
  EXPECT_EQ(bad.last(), -EIO);
  EXPECT_NE(where, std::this_thread::get_id());
  EXPECT_EQ(reactor->operations_in_flight(), 0U);
}

TEST_P(ReactorTest, AThreadRunsItUntilStopped) {
  ReactorThread thread(*reactor, {.name = "a name that is much too long", .cpu = 0});
  std::thread::id inside{};
  bool own = false;
  thread.call([&] {
    inside = std::this_thread::get_id();
    own = reactor->in_own_thread();
  });
  EXPECT_TRUE(own);
  EXPECT_NE(inside, std::this_thread::get_id());
  EXPECT_FALSE(reactor->in_own_thread());
  thread.stop();
  thread.stop();
}

TEST_P(ReactorTest, TwoReactorsPassJobsBackAndForth) {
  auto other = make();
  ReactorThread a(*reactor, {.name = "a", .cpu = {}}), b(*other, {.name = "b", .cpu = {}});
  std::atomic<int> rounds = 0;
  std::function<void()> ping, pong;
  ping = [&] { other->post([&] { pong(); }); };
  pong = [&] {
    ++rounds;
    reactor->post([&] {
      if (rounds < 1000) ping();
    });
  };
  reactor->post([&] { ping(); });
  for (int i = 0; i < 5000 && rounds < 1000; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(rounds, 1000);
  b.stop();
  a.stop();
}

TEST_P(ReactorTest, OperationsBegunBeforeItsThreadStartsCompleteThere) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  FileDescriptor reading(ends[0]), writing(ends[1]);
  Recorded before, later;
  std::latch done(2);
  bool own = false;
  before.then = [&] {
    own = reactor->in_own_thread();
    done.count_down();
  };
  later.then = [&] { done.count_down(); };
  reactor->poll(before.op, reading.get(), POLLIN);
  ReactorThread thread(*reactor, {.name = "reactor", .cpu = {}});
  thread.call([&] { reactor->poll(later.op, reading.get(), POLLIN); });
  ASSERT_EQ(::write(writing.get(), "x", 1), 1);
  done.wait();
  thread.stop();
  EXPECT_TRUE(own);
  EXPECT_EQ(before.last(), POLLIN);
  EXPECT_EQ(later.last(), POLLIN);
}

USCST_BOTH_REACTORS(ReactorTest);

TEST(MakeReactor, AutomaticAlwaysGivesOne) {
  base::Log log(base::Log::standard_error());
  BlockingPool pool(1);
  auto reactor = make_reactor(ReactorKind::kAutomatic, pool, log);
  ASSERT_TRUE(reactor.has_value());
  (*reactor)->post([&] { (*reactor)->stop(); });
  (*reactor)->run();
}

TEST(BlockingPoolTest, GrowsToItsCapAndRunsEverythingBeforeItEnds) {
  std::atomic<int> running = 0, most = 0, ran = 0;
  {
    BlockingPool pool(3);
    for (int i = 0; i < 30; ++i) {
      pool.run([&] {
        int now = ++running;
        int before = most;
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        std::this_thread::sleep_for(1ms);
        --running;
        ++ran;
      });
    }
  }
  EXPECT_EQ(ran, 30);
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 2);
}

}  // namespace
}  // namespace uscst::io
