// The copy manager's LUNs follow the devices.
#include "engine/copy_manager/driver.h"

#include <gtest/gtest.h>

#include "tests/sim/rig.h"

namespace uscst::copy_manager {
namespace {

using sim::Rig;
using target::AccessGroup;
using target::Device;
using target::Done;

struct CopyManagerTest : testing::Test {
  ~CopyManagerTest() override { stop(); }
  void start(bool automatic = true) {
    manager.emplace(rig.registry, rig.shards.front(), automatic);
    rig.run();
  }
  void stop() {
    if (!manager) return;
    bool stopped = false;
    manager->stop([&] { stopped = true; });
    for (const auto& [name, device] : rig.registry.devices()) rig.unit(name).release_all();
    rig.run();
    EXPECT_TRUE(stopped);
  }
  AccessGroup& group() { return manager->targets().front()->default_group(); }
  const target::SessionCounters& counters() { return manager->session().session()->counters(); }
  base::Status create(const std::string& name) {
    return rig.manage([&](Done done) { rig.registry.create_device(rig.handler, name, {}, std::move(done)); });
  }
  void remove(const std::string& name) {
    EXPECT_TRUE(
        rig.manage([&](Done done) { rig.registry.delete_device(rig.handler, name, std::move(done)); }).has_value());
  }
  base::Status add(const std::string& name, std::uint16_t lun, bool read_only = false) {
    return rig.manage([&](Done done) { rig.registry.add_lun(group(), name, lun, read_only, std::move(done)); });
  }
  std::map<std::uint16_t, std::string> luns() {
    std::map<std::uint16_t, std::string> all;
    for (const auto& [number, lun] : group().luns) all[number] = lun.device->name();
    return all;
  }
  using Luns = std::map<std::uint16_t, std::string>;
  Rig rig;
  std::optional<Driver> manager;
};

TEST_F(CopyManagerTest, DevicesBecomeLunsAndNumbersGoOn) {
  start();
  ASSERT_TRUE(create("a") && create("b") && create("c"));
  EXPECT_EQ(luns(), (Luns{{0, "a"}, {1, "b"}, {2, "c"}}));
  remove("b");
  ASSERT_TRUE(create("d").has_value());
  EXPECT_EQ(luns(), (Luns{{0, "a"}, {2, "c"}, {3, "d"}}));
  ASSERT_EQ(rig.registry.find_device("d")->exports().size(), 1);
  EXPECT_EQ(rig.registry.find_device("d")->exports().front().number, 0);
  EXPECT_NE(manager->session().session()->lun_map()->find(3), nullptr);
  EXPECT_EQ(manager->session().session()->lun_map()->find(1), nullptr);
}

TEST_F(CopyManagerTest, NumbersStepOverThoseTakenByHand) {
  start();
  ASSERT_TRUE(create("a").has_value());
  ASSERT_TRUE(add("a", 1).has_value());
  ASSERT_TRUE(create("b").has_value());
  EXPECT_EQ(luns(), (Luns{{0, "a"}, {1, "a"}, {2, "b"}}));
}

TEST_F(CopyManagerTest, NumbersWrapAndAreUsedAgainWhenFree) {
  start();
  for (int i = 0; i <= scsi::kMaxLun; ++i) {
    ASSERT_TRUE(create("x").has_value());
    remove("x");
  }
  ASSERT_TRUE(create("a").has_value());
  EXPECT_EQ(luns(), (Luns{{0, "a"}}));
}

TEST_F(CopyManagerTest, OneInquiryForEachLun) {
  start();
  ASSERT_TRUE(create("a").has_value());
  EXPECT_EQ(counters().read.commands, 1);
  EXPECT_EQ(counters().read.bytes, 4096);
  EXPECT_FALSE(manager->identification(0).empty());
  rig.registry.identity_changed(*rig.registry.find_device("a"));
  rig.run();
  EXPECT_EQ(counters().read.commands, 2);
  ASSERT_TRUE(add("a", 7).has_value());
  EXPECT_EQ(counters().read.commands, 3);
  rig.registry.identity_changed(*rig.registry.find_device("a"));
  rig.run();
  EXPECT_EQ(counters().read.commands, 5) << "one for each of its LUNs";
  EXPECT_EQ(counters().commands, 0);
  remove("a");
  EXPECT_TRUE(manager->identification(0).empty());
}

TEST_F(CopyManagerTest, SwitchedOffNothingIsMapped) {
  start(false);
  ASSERT_TRUE(create("a").has_value());
  EXPECT_TRUE(luns().empty());
  EXPECT_TRUE(rig.registry.find_device("a")->exports().empty());
  EXPECT_TRUE(add("a", 5).has_value());
  EXPECT_EQ(counters().read.commands, 1);
}

TEST_F(CopyManagerTest, ReadOnlyNotByHand) {
  start();
  ASSERT_TRUE(create("a") && create("b"));
  rig.unit("a").is_read_only = true;
  EXPECT_EQ(add("a", 9).error().code, EINVAL);
  EXPECT_EQ(add("b", 9, true).error().code, EINVAL);
  EXPECT_TRUE(add("b", 9).has_value());
  auto replaced = rig.manage([&](Done done) {
    rig.registry.replace_lun(group(), "a", 9, false, target::Registry::Replace::kWithAttention, std::move(done));
  });
  EXPECT_EQ(replaced.error().code, EINVAL);
  EXPECT_FALSE(luns().contains(9)) << "what was there is gone";
}

TEST_F(CopyManagerTest, NoInitiatorGroups) {
  start();
  auto made = rig.manage([&](Done done) { rig.registry.create_group(group().target(), "G", std::move(done)); });
  EXPECT_EQ(made.error().code, EINVAL);
}

TEST_F(CopyManagerTest, SuspendedOrBlockedNothingWaits) {
  start();
  ASSERT_TRUE(rig.manage([&](Done done) { rig.registry.suspend({}, std::move(done)); }).has_value());
  EXPECT_TRUE(create("a").has_value());
  EXPECT_EQ(counters().commands, 1) << "held";
  remove("a");
  EXPECT_EQ(counters().commands, 0);
  EXPECT_TRUE(create("b").has_value());
  rig.registry.resume();
  rig.run();
  EXPECT_EQ(counters().commands, 0);
  EXPECT_EQ(counters().read.commands, 1);
  EXPECT_EQ(counters().none.commands, 1) << "the one that ended with an error before its data";
}

TEST_F(CopyManagerTest, AnAbortedInquiryIsSentAgain) {
  rig.handler.hold_new = true;
  start();
  std::optional<base::Status> created;
  rig.registry.create_device(rig.handler, "a", {}, [&](base::Status status) { created = std::move(status); });
  rig.run();
  ASSERT_EQ(counters().commands, 1);
  EXPECT_FALSE(created) << "answered when the identification is there";
  rig.add_lun(0, "a");
  sim::Client& host = rig.login("host");
  auto reset = host.manage(target::TaskManagementFunction::kLogicalUnitReset);
  rig.run();
  rig.unit("a").hold = false;
  rig.unit("a").release_all();
  rig.run();
  EXPECT_EQ(*reset, target::TaskManagementResult::kComplete);
  EXPECT_TRUE(created && created->has_value());
  EXPECT_FALSE(manager->identification(0).empty());
}

TEST_F(CopyManagerTest, AttentionsStayBoundedAndTheInitiatorsSeeNoneOfIt) {
  start();
  ASSERT_TRUE(create("a").has_value());
  rig.add_lun(0, "a");
  sim::Client& host = rig.login("host");
  host.send(sim::request_sense());
  rig.run();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(create("b").has_value());
    remove("b");
  }
  auto& answer = host.send(sim::test_unit_ready());
  rig.run();
  EXPECT_EQ(answer.outcome.status, scsi::Status::kGood);
  int attentions = 0;
  auto nexus_lun = manager->session().session()->lun_map()->find(0)->nexus_lun;
  while (nexus_lun->take_attention()) ++attentions;
  EXPECT_EQ(attentions, 1) << "the one every nexus begins with";
}

TEST_F(CopyManagerTest, ManyDevices) {
  start();
  constexpr int kDevices = 2000;
  for (int i = 0; i < kDevices; ++i) ASSERT_TRUE(create(std::to_string(i)).has_value());
  const auto& entries = manager->session().session()->lun_map()->entries;
  EXPECT_EQ(entries.size(), kDevices);
  int expected = 0;
  for (const auto& entry : entries) EXPECT_EQ(entry.lun, expected++);
  for (int i = 0; i < kDevices; i += 2) remove(std::to_string(i));
  EXPECT_EQ(manager->session().session()->lun_map()->entries.size(), kDevices / 2);
}

}  // namespace
}  // namespace uscst::copy_manager
