#include "engine/local/driver.h"

#include <gtest/gtest.h>

#include "engine/target/device_groups.h"
#include "tests/sim/rig.h"

namespace uscst::local {
namespace {

using sim::Rig;
using target::Parameters;

class DriverTest : public testing::Test {
 protected:
  DriverTest() {
    rig_.registry.add_driver(driver_);
    rig_.add_device("disk");
  }
  ~DriverTest() override {
    driver_.stop([] {});
    rig_.run();
  }
  int create(const std::string& name, const Parameters& parameters = {}) {
    return code([&](target::Done done) { driver_.create_target(name, parameters, std::move(done)); });
  }
  int remove(const std::string& name) {
    return code([&](target::Done done) { driver_.delete_target(name, std::move(done)); });
  }
  int own(const std::string& text) {
    return code([&](target::Done done) { driver_.own_command(text, std::move(done)); });
  }
  int code(const std::function<void(target::Done)>& begin) {
    auto status = rig_.manage(begin);
    return status ? 0 : status.error().code;
  }
  std::vector<std::string> sessions(const std::string& target) {
    std::vector<std::string> names;
    for (const auto& session : driver_.find_target(target)->sessions()) names.push_back(session->name());
    return names;
  }
  std::shared_ptr<Session> session(const std::string& target, const std::string& name) {
    return driver_.find_session(*driver_.find_target(target), name);
  }
  std::optional<int> begin_create_group(const std::string& target) {
    rig_.registry.create_group(*driver_.find_target(target), "late",
                               [this](base::Status status) { group_ = status ? 0 : status.error().code; });
    return group_;
  }

  Rig rig_;
  Driver driver_{rig_.registry, rig_.log};
  std::optional<int> group_;
};

using Names = std::vector<std::string>;

TEST_F(DriverTest, SessionsOfAddTarget) {
  EXPECT_EQ(create("t", {{"session_name", "a"}, {"SESSION_NAME", "b"}}), 0);
  EXPECT_EQ(sessions("t"), (Names{"a", "b"}));
  EXPECT_EQ(session("t", "b")->host_number(), 2U);
  EXPECT_EQ(base::to_hex(base::as_bytes(session("t", "b")->transport_id)),
            "06000000"
            "5feede402fade050"
            "000000000000000000000000");
}

TEST_F(DriverTest, ABadParameterLeavesNoTarget) {
  EXPECT_EQ(create("t", {{"session_name", "a"}, {"nosuch", "1"}}), EINVAL);
  EXPECT_EQ(driver_.find_target("t"), nullptr);
}

TEST_F(DriverTest, TheSeventeenthSessionsTransportId) {
  EXPECT_EQ(create("t"), 0);
  for (int i = 0; i < 17; ++i) EXPECT_EQ(own("add_session t s"), 0);
  EXPECT_EQ(base::to_hex(base::as_bytes(session("t", "s_16")->transport_id)).substr(8, 16), "5feede411fade050");
}

TEST_F(DriverTest, SessionsByCommand) {
  EXPECT_EQ(create("t"), 0);
  EXPECT_EQ(own("add_session t s1\n"), 0);
  EXPECT_EQ(own("ADD_SESSION=t s1 more words\n"), 0);
  EXPECT_EQ(sessions("t"), (Names{"s1", "s1_1"}));
  EXPECT_EQ(own("del_session t s1_1\n"), EINVAL) << "named as its initiator is";
  EXPECT_EQ(own("del_session t s1\n"), 0);
  EXPECT_EQ(sessions("t"), (Names{"s1_1"}));
  for (const char* text : {"add_session", "add_session t", "add_session x s", "del_session t x", "bogus t", "bogus"}) {
    EXPECT_EQ(own(text), EINVAL) << text;
  }
  EXPECT_EQ(own("bogus t x"), 0) << "as SCST has it";
  EXPECT_EQ(session("t", "s1_1")->host_number(), 2U);
  EXPECT_EQ(own("add_session t s3"), 0);
  EXPECT_EQ(session("t", "s3")->host_number(), 1U) << "the number that came free";
}

TEST_F(DriverTest, TargetsGoWithLunsGroupsAndSessions) {
  EXPECT_EQ(create("t", {{"session_name", "a"}}), 0);
  target::Target& target = *driver_.find_target("t");
  rig_.manage([&](auto done) { rig_.registry.add_lun(target.default_group(), "disk", 0, false, std::move(done)); });
  rig_.manage([&](auto done) { rig_.registry.create_group(target, "g", std::move(done)); });
  rig_.manage([&](auto done) { rig_.registry.add_lun(*target.find_group("g"), "disk", 3, false, std::move(done)); });
  EXPECT_EQ(rig_.registry.find_device("disk")->exports().size(), 2U);
  EXPECT_EQ(remove("t"), 0);
  EXPECT_EQ(driver_.find_target("t"), nullptr);
  EXPECT_TRUE(rig_.registry.find_device("disk")->exports().empty());
  EXPECT_EQ(remove("t"), ENOENT);
}

TEST_F(DriverTest, TargetGroupsForgetATargetThatGoes) {
  EXPECT_EQ(create("t"), 0);
  target::DeviceGroups& groups = rig_.registry.device_groups();
  ASSERT_TRUE(groups.create("dg"));
  target::DeviceGroup& group = *groups.find("dg");
  ASSERT_TRUE(groups.create_target_group(group, "tg"));
  target::TargetGroup& ports = *group.find("tg");
  ASSERT_TRUE(groups.add_target(ports, "t"));
  EXPECT_EQ(ports.members().size(), 1U);
  EXPECT_EQ(remove("t"), 0);
  EXPECT_TRUE(ports.members().empty());
}

TEST_F(DriverTest, DeletionWaitsForCommands) {
  EXPECT_EQ(create("t", {{"session_name", "a"}}), 0);
  target::Target& target = *driver_.find_target("t");
  rig_.manage([&](auto done) { rig_.registry.add_lun(target.default_group(), "disk", 0, false, std::move(done)); });
  for (int i = 0; i < 2; ++i) {  // unit attentions
    session("t", "a")->submit({.cdb = {3, 0, 0, 0, 18, 0}, .data_in_length_bytes = 18}, [](auto) {});
    rig_.run();
  }
  rig_.unit("disk").hold = true;
  std::optional<bool> responded;
  session("t", "a")->submit({.cdb = {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, .data_in_length_bytes = 512},
                            [&](target::LocalSession::Answer answer) { responded = answer.responded; });
  rig_.run();
  ASSERT_EQ(rig_.unit("disk").held.size(), 1U);
  std::optional<int> deleted;
  driver_.delete_target("t", [&](base::Status status) { deleted = status ? 0 : status.error().code; });
  rig_.run();
  EXPECT_FALSE(deleted);
  EXPECT_EQ(remove("t"), ENOENT) << "it is on its way out";
  EXPECT_EQ(own("add_session t b"), EINVAL);
  EXPECT_FALSE(begin_create_group("t")) << "held up by the command";
  rig_.unit("disk").release_all();
  rig_.run();
  EXPECT_EQ(responded, false);
  EXPECT_EQ(deleted, 0);
  EXPECT_EQ(group_, 0) << "of a target that is gone: nothing to do";
  EXPECT_EQ(driver_.find_target("t"), nullptr);
}

TEST_F(DriverTest, ForceCloseEndsOneSession) {
  EXPECT_EQ(create("t", {{"session_name", "a"}, {"session_name", "b"}}), 0);
  EXPECT_TRUE(session("t", "a")->can_close());
  session("t", "a")->close();
  rig_.run();
  EXPECT_EQ(sessions("t"), (Names{"b"}));
}

TEST_F(DriverTest, TheDefaultTarget) {
  driver_.add_default_target();
  EXPECT_EQ(sessions("scst_local_tgt"), (Names{"scst_local_host"}));
  const auto links = session("scst_local_tgt", "scst_local_host")->links();
  ASSERT_EQ(links.size(), 1U);
  EXPECT_EQ(links[0].to, "devices/scst_local/scst_local_host/host1/scsi_host/host1");
}

}  // namespace
}  // namespace uscst::local
