// The range lock: who waits for whom, in which order, and on real threads that an exclusive range is alone.
#include "handlers/vdisk/range_lock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "engine/io/sim_executor.h"

namespace uscst::handlers::test {
namespace {

using Use = RangeLock::Use;

struct Party {
  explicit Party(io::Executor& executor) : hold(executor, io::Call<>::to<&Party::came>(this)) {}
  void came() { granted = true; }
  bool granted = false;
  RangeLock::Hold hold;
};

class Ranges : public testing::Test {
 protected:
  // A party that asks for blocks [begin, begin + count).
  Party& ask(std::uint64_t begin, std::uint64_t count, Use use) {
    Party& party = parties.emplace_back(executor);
    party.granted = lock.enter(party.hold, begin, count, use, parties.size());
    return party;
  }
  Party& share(std::uint64_t begin, std::uint64_t count) { return ask(begin, count, Use::kShared); }
  Party& exclude(std::uint64_t begin, std::uint64_t count) { return ask(begin, count, Use::kExclusive); }
  void leave(Party& party) {
    party.hold.leave();
    executor.run_until_idle();
  }
  io::SimExecutor executor;
  RangeLock lock;
  std::deque<Party> parties;
};

TEST_F(Ranges, SharedOnesNeverWaitForEachOther) {
  EXPECT_TRUE(share(0, 10).granted);
  EXPECT_TRUE(share(5, 10).granted);
}

TEST_F(Ranges, AnExclusiveOneWaitsForWhatRunsAlready) {
  Party &first = share(0, 10), &second = share(9, 2), &beside = share(10, 5);
  Party& exclusive = exclude(9, 1);
  EXPECT_FALSE(exclusive.granted);
  leave(beside);
  leave(first);
  EXPECT_FALSE(exclusive.granted);
  leave(second);
  EXPECT_TRUE(exclusive.granted);
  leave(exclusive);
}

TEST_F(Ranges, OnlyWhatOverlapsWaitsForAnExclusiveOne) {
  Party& exclusive = exclude(8, 8);
  EXPECT_TRUE(exclusive.granted);
  EXPECT_TRUE(share(0, 8).granted);
  EXPECT_TRUE(share(16, 8).granted);
  EXPECT_TRUE(exclude(24, 1).granted);
  Party &shared = share(15, 2), &other = exclude(0, 9);
  EXPECT_FALSE(shared.granted);
  EXPECT_FALSE(other.granted);
  leave(exclusive);
  EXPECT_TRUE(shared.granted);
  EXPECT_FALSE(other.granted);  // [0, 8) is still shared
  leave(parties[1]);
  EXPECT_TRUE(other.granted);
  for (Party& party : parties) leave(party);
}

TEST_F(Ranges, NobodyIsPassedOver) {
  Party& running = share(0, 4);
  Party& exclusive = exclude(0, 4);
  Party& later = share(3, 4);  // shared as well, but behind the one that waits
  Party& last = exclude(6, 1);
  EXPECT_FALSE(later.granted || last.granted);
  leave(running);
  EXPECT_TRUE(exclusive.granted);
  EXPECT_FALSE(later.granted || last.granted);
  leave(exclusive);
  EXPECT_TRUE(later.granted);
  EXPECT_FALSE(last.granted);
  leave(later);
  EXPECT_TRUE(last.granted);
  leave(last);
  EXPECT_TRUE(share(0, 10).granted);
}

TEST_F(Ranges, OneThatGivesUpIsWaitedForNoLonger) {
  Party &running = share(0, 1), &other = share(5, 1);
  Party &exclusive = exclude(0, 3), &behind = share(2, 1), &too = exclude(2, 1);
  EXPECT_FALSE(behind.granted || too.granted);
  EXPECT_TRUE(exclusive.hold.abandon());
  EXPECT_FALSE(exclusive.hold.abandon());
  executor.run_until_idle();
  EXPECT_FALSE(exclusive.granted);
  EXPECT_TRUE(behind.granted);
  EXPECT_FALSE(too.granted);
  behind.hold.leave();
  EXPECT_FALSE(too.hold.abandon());  // the word is on its way
  executor.run_until_idle();
  EXPECT_TRUE(too.granted);
  EXPECT_FALSE(running.hold.abandon());
  for (Party* party : {&running, &other, &too}) leave(*party);
}

// --- threads

constexpr std::uint64_t kBlocks = 16;

// As little as a lock needs of an executor.
class JobQueue final : public io::Executor {
 public:
  const base::Clock& clock() const override { return clock_; }
  void post(io::Job job) override {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  void defer(io::Deferred&) override {}
  void arm(io::Timer&, base::TimePoint) override {}
  bool in_own_thread() const override { return true; }
  bool run_one() {
    io::Job job;
    {
      std::lock_guard lock(mutex_);
      if (jobs_.empty()) return false;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
    return true;
  }

 private:
  base::SteadyClock clock_;
  std::mutex mutex_;
  std::deque<io::Job> jobs_;
};

struct World {
  RangeLock lock;
  // How many shared ones are at work on a block; far below 0: an exclusive one.
  std::array<std::atomic<int>, kBlocks> users{};
  std::atomic<int> faults{0}, exclusives{0}, abandoned{0};
};

// Takes one range after the other.
class Worker {
 public:
  Worker(World& world, JobQueue& queue, std::size_t lane, unsigned seed)
      : world_(world), queue_(queue), lane_(lane), random_(seed), hold_(queue, io::Call<>::to<&Worker::work>(this)) {}

  bool idle() const { return !busy_; }
  void begin() {
    busy_ = waiting_ = true;
    begin_ = random_() % kBlocks;
    count_ = 1 + random_() % std::min<std::uint64_t>(4, kBlocks - begin_);
    exclusive_ = random_() % 4 == 0;
    if (world_.lock.enter(hold_, begin_, count_, exclusive_ ? Use::kExclusive : Use::kShared, lane_)) work();
  }
  void give_up() {
    if (!waiting_ || !hold_.abandon()) return;
    busy_ = waiting_ = false;
    ++world_.abandoned;
  }

 private:
  static constexpr int kAlone = -1'000'000;

  void work() {
    waiting_ = false;
    for (std::uint64_t block = begin_; block < begin_ + count_; ++block) {
      const int before = world_.users[block].fetch_add(exclusive_ ? kAlone : 1);
      if (exclusive_ ? before != 0 : before < 0) ++world_.faults;
    }
    if (exclusive_) ++world_.exclusives;
    turns_ = random_() % 4;
    go_on();
  }
  // Some turns of the queue, so that the others come in between.
  void go_on() {
    if (turns_-- == 0) return end();
    queue_.post([this] { go_on(); });
  }
  void end() {
    for (std::uint64_t block = begin_; block < begin_ + count_; ++block)
      world_.users[block].fetch_sub(exclusive_ ? kAlone : 1);
    hold_.leave();
    busy_ = false;
  }

  World& world_;
  JobQueue& queue_;
  const std::size_t lane_;
  std::mt19937 random_;
  std::uint64_t begin_ = 0, count_ = 0, turns_ = 0;
  bool exclusive_ = false, busy_ = false, waiting_ = false;
  RangeLock::Hold hold_;
};

TEST(RangesOnThreads, AnExclusiveOneIsAlone) {
  constexpr int kThreads = 4, kWorkers = 6, kRounds = 20000;
  World world;
  std::deque<JobQueue> queues(kThreads);
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&world, &queue = queues[t], t] {
      std::deque<Worker> workers;
      for (unsigned w = 0; w < kWorkers; ++w) workers.emplace_back(world, queue, t, t * 100 + w);
      std::mt19937 random(t);
      int rounds = 0;
      auto busy = [&] { return std::ranges::any_of(workers, [](const Worker& worker) { return !worker.idle(); }); };
      while (rounds < kRounds || busy()) {
        Worker& worker = workers[random() % kWorkers];
        if (worker.idle() && rounds < kRounds) {
          ++rounds;
          worker.begin();
        } else if (random() % 16 == 0) {
          worker.give_up();
        }
        if (!queue.run_one() || random() % 64 == 0) std::this_thread::yield();
      }
    });
  }
  threads.clear();
  EXPECT_EQ(world.faults, 0);
  EXPECT_GT(world.exclusives, kRounds / 2);
  EXPECT_GT(world.abandoned, 100);
  for (const auto& users : world.users) EXPECT_EQ(users, 0);
}

// What READ and WRITE pay, for people to read: uncontended, and no exclusive range about.
TEST(RangesOnThreads, CostOfAnOrdinaryCommand) {
  constexpr int kRounds = 1'000'000;
  JobQueue queue;
  RangeLock lock;
  Party party(queue);
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_TRUE(lock.enter(party.hold, static_cast<std::uint64_t>(round), 8, Use::kShared, 1));
    party.hold.leave();
  }
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
  RecordProperty("ns_for_enter_and_leave", std::to_string(spent.count() / kRounds));
  printf("enter and leave: %.1f ns\n", spent.count() / kRounds);
}

}  // namespace
}  // namespace uscst::handlers::test
