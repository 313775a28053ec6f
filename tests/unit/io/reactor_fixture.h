// What the tests of both kinds of reactor share: a reactor run by the test's own thread, and operations that remember
// how they ended.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/io/blocking_pool.h"
#include "engine/io/reactor.h"

namespace uscst::io {

using namespace std::chrono_literals;

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// An operation whose results are collected.
struct Recorded {
  Recorded() : op(Call<int>::to<&Recorded::done>(this)) {}
  void done(int value) {
    results.push_back(value);
    if (then) then();
  }
  int last() const { return results.empty() ? -12345 : results.back(); }

  Operation op;
  std::vector<int> results;
  std::function<void()> then;
};

class ReactorTest : public testing::TestWithParam<ReactorKind> {
 protected:
  ReactorTest() { reactor = make(); }

  std::unique_ptr<Reactor> make() {
    auto made = make_reactor(GetParam(), pool, log);
    if (!made) ADD_FAILURE() << made.error().text;
    return made ? std::move(*made) : nullptr;
  }
  // Runs the loop until `condition` holds (checked after each millisecond and at each completion that calls stop()).
  template <class Condition>
  bool run_until(Condition condition) {
    Checker<Condition> checker{*reactor, condition};
    reactor->arm_after(checker.timer, 1ms);
    reactor->run();
    return condition();
  }

  base::Log log{base::Log::standard_error()};
  BlockingPool pool{4};
  std::unique_ptr<Reactor> reactor;

 private:
  template <class Condition>
  struct Checker {
    void check() {
      if (++turns > 20000 || condition()) {
        reactor.stop();
      } else {
        reactor.arm_after(timer, 1ms);
      }
    }
    Reactor& reactor;
    Condition& condition;
    int turns = 0;
    Timer timer{Call<>::to<&Checker::check>(this)};
  };
};

inline std::string kind_name(const testing::TestParamInfo<ReactorKind>& kind) {
  return kind.param == ReactorKind::kUring ? "Uring" : "Epoll";
}

#define USCST_BOTH_REACTORS(suite) \
  INSTANTIATE_TEST_SUITE_P(Kinds, suite, testing::Values(ReactorKind::kUring, ReactorKind::kEpoll), kind_name)

}  // namespace uscst::io
