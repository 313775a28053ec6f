// A thread's event loop as everything above io sees it: a clock, timers, work to run later. The real kind is Reactor;
// the simulated kind (sim_executor.h) runs the same code against a clock that tests move.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <functional>

#include "engine/base/clock.h"

namespace uscst::io {

namespace bi = boost::intrusive;

// A call of one member function on one object, without allocation. The object must outlive whatever holds the call.
template <class... Args>
class Call {
 public:
  constexpr Call() = default;
  template <auto Member, class Object>
  static constexpr Call to(Object* object) {
    Call call;
    call.object_ = object;
    call.invoke_ = [](void* o, Args... args) { (static_cast<Object*>(o)->*Member)(args...); };
    return call;
  }
  void operator()(Args... args) const { invoke_(object_, args...); }
  explicit operator bool() const { return invoke_ != nullptr; }

 private:
  void* object_ = nullptr;
  void (*invoke_)(void*, Args...) = nullptr;
};

using AutoUnlinkSet = bi::set_base_hook<bi::link_mode<bi::auto_unlink>>;
using AutoUnlinkList = bi::list_base_hook<bi::link_mode<bi::auto_unlink>>;

// Fires once at or after its deadline. Owned by whoever waits; destroying an armed timer disarms it. Own thread only.
class Timer : public AutoUnlinkSet {
 public:
  explicit Timer(Call<> fire) : fire_(fire) {}
  bool armed() const { return is_linked(); }
  base::TimePoint deadline() const { return deadline_; }
  friend bool operator<(const Timer& a, const Timer& b) { return a.deadline_ < b.deadline_; }

 private:
  friend class TimerQueue;
  base::TimePoint deadline_{};
  std::uint64_t round_ = 0;  // in which it was armed
  Call<> fire_;
};

// Runs once, after the event being handled now (an event: one completion, timer or posted job). Deferring it again
// before it ran does nothing; deferring it while it runs makes it run after the next event, or at the loop's next turn.
// Destroying it takes it back. Own thread only.
class Deferred : public AutoUnlinkList {
 public:
  explicit Deferred(Call<> run) : run_(run) {}
  bool pending() const { return is_linked(); }
  void run() { run_(); }

 private:
  Call<> run_;
};

using Job = std::move_only_function<void()>;

class Executor {
 public:
  virtual ~Executor() = default;

  virtual const base::Clock& clock() const = 0;
  // Runs `job` on this executor's thread, after everything posted before by the same thread. Any thread may call.
  // Jobs still queued when the executor is destroyed are destroyed without running.
  virtual void post(Job job) = 0;
  // The rest: own thread only.
  virtual void defer(Deferred& work) = 0;
  virtual void arm(Timer& timer, base::TimePoint deadline) = 0;  // an armed timer is moved
  virtual bool in_own_thread() const = 0;

  void arm_after(Timer& timer, base::Duration delay) { arm(timer, clock().now() + delay); }
  static void disarm(Timer& timer) {
    if (timer.armed()) timer.unlink();
  }
};

}  // namespace uscst::io
