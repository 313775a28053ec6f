// The blocks that commands are at work on, so that COMPARE AND WRITE has its own to itself (SBC-4 5.3). One per disk;
// any thread. A command that has to wait is told on its own executor.
//
// An ordinary command (shared) enters its range in a lane that it has nearly to itself: its reactor's. The lane's mutex
// is uncontended, and under it the command looks whether an exclusive range is about. One that is announced first and
// looks into every lane after that, so for each lane either the command comes before the look and is seen and waited
// for, or it comes after and sees the announcement. From then on everything that overlaps goes by one mutex and one
// queue.
//
// Nobody is passed over: a range waits for what it conflicts with and what came before it. Nobody waits for ever: a
// command holds one range at a time, while its backing store works and never while an initiator does.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <mutex>

#include "engine/io/executor.h"

namespace uscst::handlers {

class RangeLock {
  using Hook = boost::intrusive::list_base_hook<>;

 public:
  enum class Use : std::uint8_t { kShared, kExclusive };

  // A command's part: lives with the command, and stays where it is from enter() to leave().
  class Hold : public Hook {
   public:
    // `granted` comes by `executor`, the command's own, where enter() gave false.
    Hold(io::Executor& executor, io::Call<> granted) : executor_(executor), granted_(granted) {}
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { leave(); }

    // Gives up what it has; nothing where it has none. Not while it waits: see abandon().
    void leave();
    // Takes a waiting one out of the queue (the command was aborted). False where there is nothing to take out: it does
    // not wait, or `granted` is under way already.
    bool abandon();

   private:
    friend class RangeLock;
    enum class State : std::uint8_t { kFree, kWaiting, kHeld };

    io::Executor& executor_;
    const io::Call<> granted_;
    RangeLock* lock_ = nullptr;          // set while it waits or holds
    std::uint64_t begin_ = 0, end_ = 0;  // in blocks
    unsigned lane_ = 0, blockers_ = 0;   // conflicting ones that came before and have not left; guarded by mutex_
    Use use_ = Use::kShared;
    State state_ = State::kFree;
    bool awaited_ = false;  // in a lane: somebody counts on being told; guarded by the lane's mutex
  };

  // Whether the blocks [begin, begin + count) are `hold`'s now; otherwise they will be, and it is told. `lane` is any
  // number, best the same for all commands of a reactor and different between reactors.
  bool enter(Hold& hold, std::uint64_t begin, std::uint64_t count, Use use, std::size_t lane);

 private:
  static constexpr std::size_t kLanes = 32;
  using List =
      boost::intrusive::list<Hold, boost::intrusive::base_hook<Hook>, boost::intrusive::constant_time_size<false>>;
  struct alignas(64) Lane {
    std::mutex mutex;  // taken after mutex_
    List running;      // shared
  };

  static bool conflict(const Hold& a, const Hold& b);
  bool enter_queue(Hold& hold);
  unsigned await_running(const Hold& exclusive);
  void run(Hold& hold, bool awaited);
  void leave(Hold& hold);
  void leave_queue(Hold& hold);
  void tell(List::iterator from, const Hold& gone);
  void grant(Hold& hold);

  std::array<Lane, kLanes> lanes_;
  std::atomic<unsigned> exclusives_{0};  // in the queue; written under mutex_
  std::mutex mutex_;                     // guards what follows
  List queue_;                           // in order of arrival: exclusive ones, and shared ones that wait
};

}  // namespace uscst::handlers
