#include "engine/control/management_queue.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/io/sim_executor.h"

namespace uscst::control {
namespace {

using namespace std::chrono_literals;

class ManagementQueueTest : public testing::Test {
 protected:
  // Work that ends when finish() is called; the answer to its writer goes to answers[index].
  std::size_t start(Lock lock) {
    std::size_t index = answers_.size();
    answers_.push_back(kNone);
    ends_.emplace_back();
    queue_.run(
        lock, [&](target::Done done) { ends_[index] = std::move(done); },
        [this, index](base::Status status) { answers_[index] = status ? 0 : status.error().code; });
    return index;
  }
  void finish(std::size_t index, int error = 0) {
    ends_[index](error == 0 ? base::Status{} : base::fail(error, "failed"));
  }

  static constexpr int kNone = -1;
  io::SimExecutor executor_;
  ManagementQueue queue_{executor_};
  std::vector<int> answers_;
  std::vector<target::Done> ends_;
};

TEST_F(ManagementQueueTest, ResultIsThatOfTheItemThatEndedLast) {
  auto first = start(Lock::kFree), second = start(Lock::kFree);
  EXPECT_EQ(queue_.pending(), 2U);
  finish(second, EEXIST);
  EXPECT_EQ(queue_.last_result(), -EEXIST);
  finish(first);
  EXPECT_EQ(queue_.last_result(), 0);
  EXPECT_EQ(queue_.pending(), 0U);
  EXPECT_EQ(answers_, (std::vector{0, EEXIST}));
}

TEST_F(ManagementQueueTest, WorkThatEndsAtOnceIsAnsweredAtOnce) {
  int answer = kNone;
  queue_.run(
      Lock::kFree, [](target::Done done) { done(base::fail(EINVAL, "no")); },
      [&](base::Status status) { answer = status ? 0 : status.error().code; });
  EXPECT_EQ(answer, EINVAL);
  EXPECT_EQ(queue_.last_result(), -EINVAL);
  EXPECT_EQ(queue_.pending(), 0U);
}

TEST_F(ManagementQueueTest, AnswersAgainAfterFifteenSecondsOnlyWhileTheLockIsHeld) {
  auto holder = start(Lock::kHeld);
  executor_.advance(14s);
  EXPECT_EQ(answers_[holder], kNone);
  executor_.advance(1s);
  EXPECT_EQ(answers_[holder], EAGAIN);
  EXPECT_EQ(queue_.pending(), 1U) << "the work goes on";
  finish(holder, ENOENT);
  EXPECT_EQ(answers_[holder], EAGAIN);
  EXPECT_EQ(queue_.last_result(), -ENOENT);
}

TEST_F(ManagementQueueTest, WaitingForCommandsNeverAnswersAgain) {
  auto waiter = start(Lock::kFree);
  executor_.advance(89s);
  EXPECT_EQ(answers_[waiter], kNone);
  finish(waiter);
  EXPECT_EQ(answers_[waiter], 0);
}

TEST_F(ManagementQueueTest, LooksAtTheLockAgainEveryFiveSeconds) {
  auto waiter = start(Lock::kFree);
  executor_.advance(16s);
  start(Lock::kHeld);
  EXPECT_EQ(answers_[waiter], kNone);
  executor_.advance(3s);
  EXPECT_EQ(answers_[waiter], kNone);
  executor_.advance(2s);
  EXPECT_EQ(answers_[waiter], EAGAIN) << "somebody else holds the lock at the check";
}

TEST_F(ManagementQueueTest, SwitchAnswersAgainAtOnce) {
  queue_.set_always_again(true);
  auto item = start(Lock::kFree);
  EXPECT_EQ(answers_[item], EAGAIN);
  finish(item);
  EXPECT_EQ(queue_.last_result(), 0);
}

TEST_F(ManagementQueueTest, WorkMayOutliveTheQueue) {
  target::Done end;
  {
    ManagementQueue queue(executor_);
    queue.run(Lock::kFree, [&](target::Done done) { end = std::move(done); }, [](base::Status) { FAIL(); });
  }
  end({});
  executor_.advance(20s);
}

}  // namespace
}  // namespace uscst::control
