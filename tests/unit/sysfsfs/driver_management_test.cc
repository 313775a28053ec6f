#include "sysfsfs/driver_management.h"

#include <gtest/gtest.h>

#include "engine/io/sim_executor.h"
#include "tests/unit/sysfsfs/fake_engine.h"

namespace uscst::sysfsfs {
namespace {

using target::Target;

constexpr std::string_view kParameters[] = {"one", "two"};
constexpr std::string_view kAttributes[] = {"IncomingUser", "OutgoingUser"};
constexpr std::string_view kTargetAttributes[] = {"allowed_portal"};

// Writes down what it is asked. What it has of the usage text is up to the test.
class Maker final : public target::Driver, public target::TargetManagement {
 public:
  explicit Maker(target::Registry& registry) : registry_(registry) {}
  std::string_view name() const override { return "maker"; }
  bool can_enable() const override { return false; }
  void set_enabled(Target&, bool, target::Done done) override { done({}); }
  void remove_targets(target::Done done) override { done({}); }
  std::uint16_t version_descriptor() const override { return 0; }
  TargetManagement* management() override { return this; }

  std::span<const std::string_view> parameter_names() const override { return parameters; }
  std::span<const std::string_view> dynamic_attributes() const override { return attributes; }
  std::span<const std::string_view> dynamic_target_attributes() const override { return target_attributes; }
  std::string_view own_usage() const override { return usage; }
  int name_taken_error() const override { return EFAULT; }
  void create_target(const std::string& target, const base::Result<target::Parameters>& given,
                     target::Done done) override {
    asked = "create " + target;
    if (!given) return done(std::unexpected(given.error()));
    for (const auto& [parameter, value] : *given) asked += ' ' + parameter + '=' + value;
    add_target(registry_, target);
    done({});
  }
  void delete_target(std::string_view target, target::Done done) override {
    asked = "delete " + std::string(target);
    done({});
  }
  base::Status change_attribute(Change change, std::string_view attribute, std::string_view value) override {
    asked = fmt::format("{} {} {}", change == Change::kAdd ? "add" : "del", attribute, value);
    return {};
  }
  base::Status change_target_attribute(Change change, Target& target, std::string_view attribute,
                                       std::string_view value) override {
    asked = fmt::format("{} {} {} {}", change == Change::kAdd ? "add" : "del", target.name(), attribute, value);
    return {};
  }
  void own_command(std::string_view text, target::Done done) override {
    if (usage.empty()) return TargetManagement::own_command(text, std::move(done));
    asked = "own " + std::string(text);
    done({});
  }

  std::span<const std::string_view> parameters, attributes, target_attributes;
  std::string_view usage;
  std::string asked;

 private:
  target::Registry& registry_;
};

class DriverManagementTest : public testing::Test {
 protected:
  DriverManagementTest() { engine_.registry.add_driver(maker_); }
  int write(std::string_view text) {
    maker_.asked.clear();
    std::optional<int> result;
    manage_targets(context_, maker_, text, [&](base::Status status) { result = status ? 0 : status.error().code; });
    EXPECT_EQ(engine_.queue.last_result(), -result.value_or(1));
    return result.value_or(-1);
  }

  io::SimExecutor executor_;
  FakeEngine engine_{executor_};
  Context context_{engine_.registry, engine_.queue, engine_.log};
  Maker maker_{engine_.registry};
};

TEST_F(DriverManagementTest, UsageOfADriverWithNothingOfItsOwn) {
  EXPECT_EQ(target_usage(maker_),
            "Usage: echo \"add_target target_name [parameters]\" >mgmt\n"
            "       echo \"del_target target_name\" >mgmt\n\n"
            "where parameters are one or more param_name=value pairs separated by ';'\n\n\n");
}

TEST_F(DriverManagementTest, UsageWithEverything) {
  maker_.parameters = kParameters;
  maker_.attributes = kAttributes;
  maker_.target_attributes = kTargetAttributes;
  maker_.usage = "       echo \"own thing\" >mgmt\n";
  EXPECT_EQ(target_usage(maker_),
            "Usage: echo \"add_target target_name [parameters]\" >mgmt\n"
            "       echo \"del_target target_name\" >mgmt\n"
            "       echo \"add_attribute <attribute> <value>\" >mgmt\n"
            "       echo \"del_attribute <attribute> <value>\" >mgmt\n"
            "       echo \"add_target_attribute target_name <attribute> <value>\" >mgmt\n"
            "       echo \"del_target_attribute target_name <attribute> <value>\" >mgmt\n"
            "       echo \"own thing\" >mgmt\n\n"
            "where parameters are one or more param_name=value pairs separated by ';'\n\n\n"
            "The following parameters available: one, two\n"
            "The following target driver attributes available: IncomingUser, OutgoingUser\n"
            "The following target attributes available: allowed_portal\n\n");
}

TEST_F(DriverManagementTest, Targets) {
  EXPECT_EQ(write("add_target\n"), EINVAL);
  EXPECT_EQ(write("ADD_TARGET=t one=1;two=2\n"), 0);
  EXPECT_EQ(maker_.asked, "create t one=1 two=2");
  EXPECT_EQ(write("add_target u one\n"), EINVAL);
  EXPECT_EQ(maker_.asked, "create u") << "the driver judges the name first";
  EXPECT_EQ(write("add_target t one\n"), EFAULT);
  EXPECT_EQ(write("add_target mgmt\n"), EFAULT) << "a file of the directory";
  EXPECT_EQ(maker_.asked, "");
  EXPECT_EQ(write("add_target a/b\n"), 0);
  EXPECT_EQ(write("add_target a!b\n"), EFAULT) << "one directory for both";
  EXPECT_EQ(write("add_target " + std::string(1024, 'x')), 0);
  EXPECT_EQ(write("add_target " + std::string(1025, 'x')), EINVAL);
  EXPECT_EQ(write("del_target\n"), EINVAL);
  EXPECT_EQ(write("del_target t more\n"), EINVAL);
  EXPECT_EQ(write("Del_Target t\n"), 0);
  EXPECT_EQ(maker_.asked, "delete t");
}

TEST_F(DriverManagementTest, DynamicAttributesWhereTheDriverHasThem) {
  maker_.usage = "       echo \"own thing\" >mgmt\n";
  EXPECT_EQ(write("add_target t"), 0);
  for (const char* text : {"add_attribute IncomingUser x", "del_attribute IncomingUser x",
                           "add_target_attribute t allowed_portal x", "del_target_attribute t allowed_portal x"}) {
    EXPECT_EQ(write(text), EINVAL) << text;
    EXPECT_EQ(maker_.asked, "") << "never the driver's own";
  }
  maker_.attributes = kAttributes;
  maker_.target_attributes = kTargetAttributes;
  EXPECT_EQ(write("add_attribute IncomingUser x\n"), 0);
  EXPECT_EQ(maker_.asked, "add IncomingUser x");
  EXPECT_EQ(write("del_target_attribute t allowed_portal x\n"), 0);
  EXPECT_EQ(maker_.asked, "del t allowed_portal x");
  EXPECT_EQ(write("add_target_attribute nosuch allowed_portal x\n"), EINVAL);
}

TEST_F(DriverManagementTest, OtherCommandsAreTheDrivers) {
  EXPECT_EQ(write("bogus t\n"), EINVAL);
  maker_.usage = "       echo \"own thing\" >mgmt\n";
  EXPECT_EQ(write("own thing\n"), 0);
  EXPECT_EQ(maker_.asked, "own own thing\n");
}

}  // namespace
}  // namespace uscst::sysfsfs
