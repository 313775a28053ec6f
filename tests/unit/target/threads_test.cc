// The engine on real threads: one nexus with a channel on every shard, little memory, task attributes of all kinds,
// aborts, and a control thread that changes things meanwhile. Shows races under the thread sanitizer, and hangs.
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <random>
#include <thread>

#include "engine/target/device_groups.h"
#include "engine/target/registry.h"
#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

// As little as an executor needs; timers never fire.
class ThreadExecutor final : public io::Executor {
 public:
  ThreadExecutor() : thread_([this] { run(); }) {}
  ~ThreadExecutor() override { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    post([this] { stopping_ = true; });
    thread_.join();
  }
  const base::Clock& clock() const override { return clock_; }
  void post(io::Job job) override {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    come_.notify_one();
  }
  void defer(io::Deferred& work) override {
    if (!work.pending()) deferred_.push_back(work);
  }
  void arm(io::Timer&, base::TimePoint) override {}
  bool in_own_thread() const override { return std::this_thread::get_id() == thread_.get_id(); }
  // From another thread: runs it there and waits.
  void call(io::Job job) {
    std::promise<void> ran;
    post([&] {
      job();
      ran.set_value();
    });
    ran.get_future().wait();
  }

 private:
  io::Job next() {
    std::unique_lock lock(mutex_);
    come_.wait(lock, [this] { return !jobs_.empty(); });
    io::Job job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }
  void run() {
    while (!stopping_) {
      next()();
      while (!deferred_.empty()) {
        io::Deferred& work = deferred_.front();
        deferred_.pop_front();
        work.run();
      }
    }
  }

  base::SteadyClock clock_;
  std::mutex mutex_;
  std::condition_variable come_;
  std::deque<io::Job> jobs_;
  boost::intrusive::list<io::Deferred, boost::intrusive::constant_time_size<false>> deferred_;
  bool stopping_ = false;
  std::thread thread_;
};

// Ends commands at once or a little later, and watches that an ORDERED one is alone, and that none runs in an ALUA
// state that lets none through.
class WatchingUnit final : public LogicalUnit {
 public:
  scsi::DeviceTraits traits() const override { return {}; }
  scsi::ControlState control() const override { return {}; }
  void reset() override { ++resets; }
  std::span<const Attribute<Device>> attributes() const override { return {}; }
  bool read_only() const override { return false; }
  bool follows_alua_state() const override { return true; }
  void follow_alua_state(Device&, bool serves, Done done) override {
    closed_ = !serves;
    if (closed_ && (ordered_ != 0 || simple_ != 0)) ++faults;
    done({});
  }
  void execute(Command& command) override {
    if (closed_) ++faults;
    bool ordered = command.request.attribute == scsi::TaskAttribute::kOrdered;
    bool simple = command.request.attribute == scsi::TaskAttribute::kSimple;
    if (ordered && (++ordered_ != 1 || simple_ != 0)) ++faults;
    if (simple && (++simple_, ordered_ != 0)) ++faults;
    auto end = [this, &command, ordered, simple] {
      ordered_ -= ordered;
      simple_ -= simple;
      command.complete(command.data().length_bytes());
    };
    if (command.request.tag[0] % 3 == 0) return end();
    command.shard().executor().post(end);
  }
  std::atomic<int> faults{0}, resets{0};

 private:
  std::atomic<int> ordered_{0}, simple_{0};
  std::atomic<bool> closed_{false};
};

class UnitHandler final : public Handler {
 public:
  std::string_view name() const override { return "watching"; }
  int type() const override { return 0; }
  std::span<const std::string_view> parameter_names() const override { return {}; }
  int default_threads_num() const override { return 1; }
  void create(Registry& registry, const std::string& device_name, const Parameters&, DeviceMade made) override {
    auto unit = std::make_unique<WatchingUnit>();
    units.push_back(unit.get());
    made(std::make_shared<Device>(device_name, registry.next_id(), this, std::move(unit)));
  }
  std::vector<WatchingUnit*> units;
};

// A channel that keeps several commands under way until it has done its share.
class BusyChannel final : public CommandTransport, public SessionTransport {
 public:
  static constexpr int kDepth = 8, kCommands = 60000;

  BusyChannel(Target& target, Shard& shard, std::shared_ptr<Nexus> nexus, unsigned seed)
      : shard_(shard), session_(target.add_session("host", std::move(nexus), shard, *this)), random_(seed) {
    for (int i = 0; i < kDepth; ++i) slots_.emplace_back(*this);
  }
  void start() {
    shard_.executor().post([this] {
      shard_.attach(session_->tasks());
      for (Command& slot : slots_) begin(slot);
    });
  }
  std::future<void> finished() { return finished_.get_future(); }
  Session& session() { return *session_; }
  void release() { session_.reset(); }
  std::uint64_t good = 0;

  void fetch_data(Command& command) override { command.data_fetched(true); }
  void send_data(Command&) override {}
  void send_status(Command& command) override {
    good += command.status() == scsi::Status::kGood;
    shard_.executor().post([&command] { command.status_sent(true); });
  }
  void ended(Command& command, bool) override {
    --under_way_;
    if (begun_ < kCommands) {
      shard_.executor().post([this, &command] { begin(command); });
    } else if (under_way_ == 0 && !std::exchange(told_, true)) {
      finished_.set_value();
    }
  }
  std::span<const Attribute<Session>> attributes() const override { return {}; }
  bool can_close() const override { return false; }
  void close() override {}

 private:
  void begin(Command& slot) {
    constexpr scsi::TaskAttribute kChoice[] = {scsi::TaskAttribute::kSimple, scsi::TaskAttribute::kSimple,
                                               scsi::TaskAttribute::kOrdered, scsi::TaskAttribute::kHeadOfQueue};
    slot.request.tag = {};
    slot.request.tag[0] = static_cast<std::uint8_t>(random_());
    slot.request.tag[1] = static_cast<std::uint8_t>(++begun_);
    slot.request.attribute = kChoice[random_() % 4];
    slot.request.direction = scsi::Direction::kIn;
    slot.request.expected_length_bytes = 512;
    slot.request.cdb.assign({0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0});
    CommandTag tag = slot.request.tag;
    ++under_way_;
    session_->tasks().start(slot);
    if (random_() % 20 == 0) manage(TaskManagementFunction::kAbortTask, tag);
    if (random_() % 200 == 0) manage(TaskManagementFunction::kLogicalUnitReset, {});
  }
  void manage(TaskManagementFunction function, const CommandTag& tag) {
    ++under_way_;
    session_->tasks().manage(function, {}, tag, [this](TaskManagementResult) {
      --under_way_;
      if (begun_ >= kCommands && under_way_ == 0 && !std::exchange(told_, true)) finished_.set_value();
    });
  }

  Shard& shard_;
  std::shared_ptr<Session> session_;
  std::mt19937 random_;
  std::deque<Command> slots_;
  int begun_ = 0, under_way_ = 0;
  bool told_ = false;
  std::promise<void> finished_;
};

TEST(Threads, OneNexusOverSeveralShards) {
  constexpr int kShards = 3;
  ThreadExecutor control;
  std::deque<ThreadExecutor> threads(kShards);
  io::BufferBudget budget(6 * io::BufferPool::kSliceBytes);
  ShardGroup group(control);
  std::deque<Shard> shards;
  for (ThreadExecutor& thread : threads) group.shards.push_back(&shards.emplace_back(group, thread, nullptr, budget));
  base::Log log([](base::LogLevel, std::string_view) {});
  Registry registry(group, log);
  UnitHandler handler;
  sim::FakeDriver driver;
  std::deque<BusyChannel> channels;
  std::atomic<bool> stop{false};
  Target* target = nullptr;
  control.call([&] {
    registry.add_driver(driver);
    target = &driver.add_target(registry, "target");
    for (const char* name : {"disk", "other"}) registry.create_device(handler, name, {}, [](base::Status) {});
    registry.add_lun(target->default_group(), "disk", 0, false, [](base::Status) {});
    DeviceGroups& groups = registry.device_groups();
    EXPECT_TRUE(groups.create("dg"));
    EXPECT_TRUE(groups.add_device(*groups.find("dg"), "disk"));
    EXPECT_TRUE(groups.create_target_group(*groups.find("dg"), "tg"));
    EXPECT_TRUE(groups.add_target(*groups.find("dg")->find("tg"), "target"));
    auto nexus = target->make_nexus({});
    for (unsigned i = 0; i < kShards; ++i) channels.emplace_back(*target, shards[i], nexus, i + 1).start();
  });
  // One change after the other: the next begins when the one before has ended.
  int changes = 0;
  std::function<void(base::Status)> change = [&](base::Status) {
    if (stop) return;
    control.post([&] {
      Device& disk = *registry.find_device("disk");
      auto next = [&](base::Status status) { change(std::move(status)); };
      using scsi::AluaState;
      // There and back: nothing may be left in a state that lets nothing through.
      auto pass_through = [&](AluaState there, AluaState back) {
        DeviceGroups& groups = registry.device_groups();
        TargetGroup& here = *groups.find("dg")->find("tg");
        groups.set_state(here, there, [](base::Status status) { EXPECT_TRUE(status); });
        groups.set_state(here, back, next);
      };
      switch (changes++ % 7) {
        case 0: return registry.add_lun(target->default_group(), "other", 1, false, next);
        case 1: return registry.delete_lun(target->default_group(), 1, next);
        case 2:
          return registry.block(disk, [&, next](base::Status status) {
            EXPECT_TRUE(registry.unblock(disk));
            next(std::move(status));
          });
        case 3: return registry.while_suspended([] { return base::Status{}; }, next);
        case 4: return pass_through(AluaState::kStandby, AluaState::kActiveOptimized);
        case 5: return pass_through(AluaState::kTransitioning, AluaState::kActiveNonoptimized);
        default:
          return registry.replace_lun(target->default_group(), "disk", 0, false, Registry::Replace::kWithoutAttention,
                                      next);
      }
    });
  };
  change({});
  for (BusyChannel& channel : channels) {
    ASSERT_EQ(channel.finished().wait_for(std::chrono::seconds(50)), std::future_status::ready) << "a command hangs";
  }
  stop = true;
  // What the last change waits for comes from the shards: let all settle.
  for (int round = 0; round < 10; ++round) {
    for (ThreadExecutor& thread : threads) thread.call([] {});
    control.call([] {});
  }
  std::uint64_t good = 0;
  for (unsigned i = 0; i < kShards; ++i) {
    std::promise<void> closed;
    threads[i].post([&] { channels[i].session().tasks().close([&] { closed.set_value(); }); });
    closed.get_future().wait();
    good += channels[i].good;
  }
  EXPECT_GT(good, 1000u);
  EXPECT_GT(changes, 5);
  EXPECT_EQ(handler.units[0]->faults, 0);
  EXPECT_EQ(budget.used_bytes(), 0u);
  control.call([&] {
    for (BusyChannel& channel : channels) {
      target->remove_session(channel.session());
      channel.release();
    }
  });
  for (ThreadExecutor& thread : threads) thread.stop();
  control.stop();
}

}  // namespace
}  // namespace uscst::target
