// Initiator groups: patterns, who is in which, and what sessions notice (sysfs.md section 14).
#include <gtest/gtest.h>

#include "tests/sim/rig.h"

namespace uscst::target {
namespace {

using scsi::Status;
using sim::Client;
using sim::FakeCommand;
using sim::Rig;

TEST(NameMatches, Rules) {
  EXPECT_TRUE(name_matches("192.0.2.1", "192.0.2.1"));
  EXPECT_TRUE(name_matches("FE80::a", "fe80::A"));
  EXPECT_FALSE(name_matches("192.0.2.1", "192.0.2.10"));
  EXPECT_FALSE(name_matches("192.0.2.10", "192.0.2.1"));
  EXPECT_TRUE(name_matches("*", ""));
  EXPECT_TRUE(name_matches("192.*", "192.0.2.1"));
  EXPECT_TRUE(name_matches("*.1", "192.0.2.1"));
  EXPECT_TRUE(name_matches("*0*2*", "192.0.2.1"));
  EXPECT_FALSE(name_matches("192.?", "192."));
  EXPECT_TRUE(name_matches("192.?", "192.0"));
  EXPECT_FALSE(name_matches("", "a"));
  EXPECT_TRUE(name_matches("", ""));
  EXPECT_TRUE(name_matches("!a*", "bcd"));
  EXPECT_FALSE(name_matches("!a*", "abc"));
  EXPECT_TRUE(name_matches("x!y", "xz"));
  EXPECT_TRUE(name_matches("x!y", "xyz")) << "the rest is yz, not y";
  EXPECT_FALSE(name_matches("x!y", "xy"));
  EXPECT_FALSE(name_matches("x!y", "ay"));
  EXPECT_TRUE(name_matches("!", "a"));
  EXPECT_FALSE(name_matches("!", ""));
  EXPECT_FALSE(name_matches("!a!b", "a!b")) << "only the first is an operator";
  std::string many(200, '*');
  EXPECT_FALSE(name_matches(many + "b", std::string(200, 'a')));
}

struct GroupTest : testing::Test {
  GroupTest() {
    rig.add_device("disk");
    rig.add_device("second");
    rig.add_lun(0, "disk");
  }
  int error_of(const std::function<void(Done)>& begin) {
    base::Status status = rig.manage(begin);
    return status ? 0 : status.error().code;
  }
  int create(const std::string& name) {
    return error_of([&](Done done) { rig.registry.create_group(rig.target, name, std::move(done)); });
  }
  int remove(const std::string& name) {
    return error_of([&](Done done) { rig.registry.delete_group(rig.target, name, std::move(done)); });
  }
  int add(const std::string& group_name, const std::string& pattern) {
    return error_of([&](Done done) { rig.registry.add_initiator(group(group_name), pattern, std::move(done)); });
  }
  int take(const std::string& group_name, const std::string& pattern) {
    return error_of([&](Done done) { rig.registry.delete_initiator(group(group_name), pattern, std::move(done)); });
  }
  int move(const std::string& from, const std::string& pattern, const std::string& to) {
    return error_of([&](Done done) { rig.registry.move_initiator(group(from), pattern, to, std::move(done)); });
  }
  AccessGroup& group(const std::string& name) { return *rig.target.find_group(name); }
  int map(const std::string& group_name, const std::string& device, std::uint16_t lun, bool read_only = false) {
    return error_of(
        [&](Done done) { rig.registry.add_lun(group(group_name), device, lun, read_only, std::move(done)); });
  }
  const sim::Outcome& run(Client& client, Client::Ask ask) {
    FakeCommand& command = client.send(std::move(ask));
    rig.run();
    return command.outcome;
  }
  Rig rig;
};

TEST_F(GroupTest, Errors) {
  EXPECT_EQ(create("g"), 0);
  EXPECT_EQ(create("g"), EEXIST);
  EXPECT_EQ(create("h"), 0);
  EXPECT_EQ(remove("none"), EINVAL);
  EXPECT_EQ(add("g", "a"), 0);
  EXPECT_EQ(add("g", "a"), EEXIST);
  EXPECT_EQ(add("h", "a"), 0) << "other groups are not looked at";
  EXPECT_EQ(take("g", "b"), EINVAL);
  EXPECT_EQ(move("g", "a", "none"), EINVAL);
  EXPECT_EQ(move("g", "b", "h"), EINVAL);
  EXPECT_EQ(move("g", "a", "h"), EEXIST);
  EXPECT_EQ(take("h", "a"), 0);
  EXPECT_EQ(move("g", "a", "h"), 0);
  EXPECT_TRUE(group("g").initiators.empty());
  EXPECT_EQ(error_of([&](Done done) { rig.registry.clear_initiators(group("h"), std::move(done)); }), 0);
  EXPECT_TRUE(group("h").initiators.empty());
  EXPECT_EQ(remove("h"), 0);
  EXPECT_EQ(rig.registry.suspend_depth(), 0);
}

TEST_F(GroupTest, TwoInitiatorsSeeDifferentLuns) {
  create("g");
  map("g", "second", 3);
  add("g", "127.0.0.2");
  Client& two = rig.login("127.0.0.2");
  Client& three = rig.login("127.0.0.3");
  EXPECT_EQ(two.session().group().name(), "g");
  EXPECT_TRUE(three.session().group().is_default());
  EXPECT_TRUE(run(two, sim::test_unit_ready(0)).has_sense(scsi::kLunNotSupported));
  EXPECT_TRUE(run(two, sim::test_unit_ready(3)).has_sense(scsi::kUaReset));
  EXPECT_TRUE(run(three, sim::test_unit_ready(0)).has_sense(scsi::kUaReset));
  EXPECT_TRUE(run(three, sim::test_unit_ready(3)).has_sense(scsi::kLunNotSupported));
}

TEST_F(GroupTest, TheFirstGroupThatMatchesDecides) {
  create("late");
  create("later");
  add("later", "host*");
  Client& client = rig.login("host1");
  EXPECT_EQ(client.session().group().name(), "later");
  add("late", "!other*");
  EXPECT_EQ(client.session().group().name(), "late");
  EXPECT_EQ(remove("late"), EBUSY);
  take("late", "!other*");
  EXPECT_EQ(client.session().group().name(), "later");
  EXPECT_EQ(remove("late"), 0);
}

TEST_F(GroupTest, ReassignmentTellsWhatChanged) {
  create("g");
  map("g", "second", 0);
  map("g", "disk", 1);
  Client& client = rig.login("host");
  EXPECT_TRUE(run(client, sim::test_unit_ready(0)).has_sense(scsi::kUaReset));
  add("g", "host");
  EXPECT_EQ(client.session().group().name(), "g");
  EXPECT_TRUE(run(client, sim::test_unit_ready(0)).has_sense(scsi::kUaInquiryDataChanged));
  EXPECT_TRUE(run(client, sim::test_unit_ready(0)).has_sense(scsi::kUaReportedLunsChanged));
  EXPECT_EQ(run(client, sim::test_unit_ready(0)).status, Status::kGood);
  EXPECT_TRUE(run(client, sim::test_unit_ready(1)).has_sense(scsi::kUaReset));
  EXPECT_EQ(run(client, sim::write10(0, sim::filled(512, 5), 0)).status, Status::kGood);
  EXPECT_EQ(rig.unit("second").memory[0], 5);
}

// A group is changed only with nothing running; commands that come meanwhile see the new one.
TEST_F(GroupTest, ChangesWaitForRunningCommands) {
  create("g");
  Client& client = rig.login("host");
  run(client, sim::request_sense());
  rig.unit("disk").hold = true;
  FakeCommand& running = client.send(sim::read10(0, 1));
  rig.run();
  bool done = false;
  rig.registry.add_initiator(group("g"), "host", [&](base::Status) { done = true; });
  FakeCommand& held = client.send(sim::read10(0, 1));
  rig.run();
  EXPECT_FALSE(done);
  EXPECT_EQ(held.state(), CommandState::kWaitGate);
  EXPECT_TRUE(client.session().group().is_default());
  rig.unit("disk").release(running);
  rig.run();
  EXPECT_TRUE(done);
  EXPECT_TRUE(held.outcome.has_sense(scsi::kLunNotSupported)) << "the group has no LUN 0";
}

TEST_F(GroupTest, AChangeGivesUpAndChangesNothing) {
  create("g");
  Client& client = rig.login("host");
  run(client, sim::request_sense());
  rig.unit("disk").hold = true;
  FakeCommand& running = client.send(sim::read10(0, 1));
  rig.run();
  std::optional<base::Status> result;
  rig.registry.add_initiator(group("g"), "host", [&](base::Status status) { result = std::move(status); });
  rig.advance(Registry::kDrainLimit + std::chrono::seconds(1));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().code, EBUSY);
  EXPECT_TRUE(group("g").initiators.empty());
  EXPECT_EQ(rig.registry.suspend_depth(), 0);
  rig.unit("disk").release(running);
}

TEST_F(GroupTest, AGroupDeletedMeanwhileIsLeftAlone) {
  create("g");
  Client& client = rig.login("host");
  run(client, sim::request_sense());
  rig.unit("disk").hold = true;
  FakeCommand& running = client.send(sim::read10(0, 1));
  rig.run();
  int ended = 0;
  rig.registry.delete_group(rig.target, "g", [&](base::Status) { ++ended; });
  rig.registry.add_initiator(group("g"), "host", [&](base::Status) { ++ended; });
  rig.unit("disk").release(running);
  rig.run();
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(rig.target.find_group("g"), nullptr);
}

// One nexus whose channels come from two addresses, in two groups: each keeps what it sees.
TEST_F(GroupTest, ANexusInTwoGroups) {
  create("g");
  map("g", "second", 0);
  add("g", "b");
  Client& a = rig.login("a", 0, 9);
  Client& b = rig.login("b", 0, 9);
  run(a, sim::request_sense());
  run(b, sim::request_sense());
  EXPECT_EQ(run(a, sim::reserve6()).status, Status::kGood);
  rig.add_device("third");
  rig.add_lun(4, "third");
  map("g", "third", 4);
  EXPECT_TRUE(run(a, sim::test_unit_ready()).has_sense(scsi::kUaReportedLunsChanged)) << "and nothing else";
  EXPECT_EQ(run(a, sim::test_unit_ready()).status, Status::kGood);
  EXPECT_EQ(run(b, sim::write10(0, sim::filled(512, 7))).status, Status::kCheckCondition);
  EXPECT_EQ(run(b, sim::write10(0, sim::filled(512, 7))).status, Status::kGood);
  EXPECT_EQ(rig.unit("second").memory[0], 7);
  EXPECT_EQ(rig.unit("disk").memory[0], 0);
}

TEST_F(GroupTest, SessionsAreClosedForADeletionWhereAsked) {
  ASSERT_EQ(create("grp"), 0);
  ASSERT_EQ(add("grp", "host*"), 0);
  Client& host = rig.login("host1");
  rig.login("other");
  EXPECT_EQ(remove("grp"), EBUSY);
  rig.registry.settings.forcibly_close_sessions = true;
  rig.add_device("held");
  ASSERT_EQ(error_of([&](Done done) { rig.registry.add_lun(group("grp"), "held", 0, false, std::move(done)); }), 0);
  for (int attention = 0; attention < 2; ++attention) host.send(sim::request_sense());
  rig.run();
  rig.unit("held").hold = true;
  FakeCommand& running = host.send(sim::read10(0, 1));
  rig.run();
  std::optional<base::Status> removed;
  rig.registry.delete_group(rig.target, "grp", [&](base::Status status) { removed = std::move(status); });
  rig.run();
  ASSERT_EQ(running.state(), CommandState::kExecuting);
  EXPECT_FALSE(removed) << "a command of the session still runs";
  Client& late = rig.login("host2");
  EXPECT_TRUE(late.session().group().is_default());
  rig.unit("held").release_all();
  rig.run();
  ASSERT_TRUE(removed.has_value());
  EXPECT_TRUE(removed->has_value());
  EXPECT_TRUE(host.closed);
  EXPECT_EQ(rig.target.find_group("grp"), nullptr);
  EXPECT_EQ(rig.target.sessions().size(), 2);
}

TEST_F(GroupTest, AMoveBetweenEqualGroupsIsNotTold) {
  ASSERT_EQ(create("grp"), 0);
  ASSERT_EQ(error_of([&](Done done) { rig.registry.add_lun(group("grp"), "disk", 0, false, std::move(done)); }), 0);
  Client& host = rig.login("host");
  host.send(sim::request_sense());
  rig.run();
  ASSERT_EQ(add("grp", "host"), 0);
  ASSERT_EQ(&host.session().group(), &group("grp"));
  FakeCommand& ready = host.send(sim::test_unit_ready());
  rig.run();
  EXPECT_EQ(ready.outcome.status, Status::kGood);
}

TEST_F(GroupTest, SessionNamesTakeTheLowestFreeSuffix) {
  Client& first = rig.login("host");
  Client& second = rig.login("host");
  Client& third = rig.login("host");
  EXPECT_EQ(first.session().name(), "host");
  EXPECT_EQ(second.session().name(), "host_1");
  EXPECT_EQ(third.session().name(), "host_2");
  second.close();
  rig.run();
  EXPECT_EQ(rig.login("host").session().name(), "host_1");
  first.close();
  rig.run();
  EXPECT_EQ(rig.login("host").session().name(), "host");
}

}  // namespace
}  // namespace uscst::target
