// -plan and the look at live sessions: what is told is what -config writes, and nothing is written.
#include "compat/scstadmin/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "compat/scstadmin/apply.h"
#include "compat/scstadmin/cached_tree.h"
#include "compat/scstadmin/options.h"
#include "compat/scstadmin/program.h"
#include "tests/unit/scstadmin/fake_tree.h"

namespace uscst::scstadmin {
namespace {

std::string read_data(const std::string& name) {
  std::ifstream in(std::string(USCST_SCSTADMIN_DATA) + "/" + name, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

// The tree in memory with a session in it.
class TreeWithSession final : public Tree {
 public:
  explicit TreeWithSession(Tree& below) : below_(below) {}
  void log_in(const std::string& initiator, const std::string& luns) {
    initiator_ = initiator;
    luns_ = luns;
  }
  std::string root() const override { return below_.root(); }
  base::Result<std::vector<std::string>> list(const std::string& path) const override {
    if (path == kSessions && !initiator_.empty()) return std::vector{initiator_};
    return below_.list(path);
  }
  base::Result<std::vector<Entry>> entries(const std::string& path) const override {
    if (path == kSessions && !initiator_.empty()) return std::vector{Entry{initiator_, EntryType::kDirectory}};
    return below_.entries(path);
  }
  std::optional<NodeInfo> stat(const std::string& path) const override { return below_.stat(path); }
  std::optional<std::string> link(const std::string& path) const override {
    return path.starts_with(kSessions) ? luns_ : below_.link(path);
  }
  base::Result<std::string> read(const std::string& path) const override {
    return path.starts_with(kSessions) ? initiator_ + "\n" : below_.read(path);
  }
  base::Status write(const std::string& path, std::string_view text) override { return below_.write(path, text); }

 private:
  static constexpr const char* kSessions = "targets/ib_srpt/tgt/sessions";
  Tree& below_;
  std::string initiator_;
  std::string luns_ = "../../luns";
};

class PlanTest : public testing::Test {
 protected:
  int run(const std::string& options, const std::string& conf) {
    const std::string file = testing::TempDir() + "/plan_test.conf";
    std::ofstream(file) << conf;
    std::istringstream in(options);
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word == "FILE" ? file : word);
    out_.str("");
    CachedTree cached(tree_);
    return run_options(parse_options(words).options, cached, console_);
  }
  bool printed(const std::string& text) const { return out_.str().find(text) != std::string::npos; }
  void apply(const std::string& conf) { ASSERT_EQ(run("-noprompt -force -config FILE", conf), 0) << out_.str(); }

  FakeTree fake_{read_data("empty.dump"), read_data("devices.dump"), "tgt"};
  TreeWithSession tree_{fake_};
  std::ostringstream out_, err_;
  std::istringstream in_;
  Console console_{out_, err_, in_};
};

const std::string kDisks = "HANDLER vdisk_nullio {\n DEVICE a {\n  size_mb 8\n }\n DEVICE b\n}\n";

std::string target(const std::string& content) {
  return kDisks + "TARGET_DRIVER ib_srpt {\n TARGET tgt {\n" + content + " }\n}\n";
}

const std::string kTwoLuns =
    target("  LUN 0 a\n  LUN 1 b\n  GROUP g {\n   LUN 0 b\n   INITIATOR i1*\n  }\n  enabled 1\n");

TEST_F(PlanTest, SaysWhatWouldBeMadeAndWritesNothing) {
  EXPECT_EQ(run("-plan FILE", kTwoLuns), kPlanHasChanges);
  EXPECT_TRUE(printed("\t+ device a (vdisk_nullio): size_mb=8\n"));
  EXPECT_TRUE(printed("\t+ LUN 1 of ib_srpt/tgt: b\n"));
  EXPECT_TRUE(printed("\t+ group ib_srpt/tgt/g\n"));
  EXPECT_TRUE(printed("\t+ initiator i1* in ib_srpt/tgt/g\n"));
  EXPECT_TRUE(printed("\t~ target ib_srpt/tgt: enabled 0 -> 1\n"));
  EXPECT_TRUE(printed("0 to remove; 0 session(s) affected, 0 of them hurt.\n"));
  EXPECT_TRUE(fake_.writes().empty());
}

TEST_F(PlanTest, NothingLeftToDoAfterApplying) {
  apply(kTwoLuns);
  EXPECT_EQ(run("-plan FILE", kTwoLuns), 0);
  EXPECT_TRUE(printed("Plan: 0 to add, 0 to change, 0 to remove;"));
  // With -force the copy manager's LUNs go, which a file made by hand does not have: so it has always been.
  EXPECT_EQ(run("-plan FILE -force", kTwoLuns), kPlanHasChanges);
  EXPECT_TRUE(printed("\t- LUN 0 of copy_manager/copy_manager_tgt: a\n"));
}

TEST_F(PlanTest, ForceIsWhatWouldBeRemoved) {
  apply(kTwoLuns);
  const std::string less = target("  LUN 0 a\n  enabled 1\n");
  EXPECT_EQ(run("-plan FILE", less), 0);
  EXPECT_TRUE(printed("Left as it is:\n"));
  EXPECT_TRUE(printed("Group 'g' is not in configuration. Use -force to remove."));
  const std::size_t before = fake_.writes().size();
  EXPECT_EQ(run("-plan FILE -force", less), kPlanHasChanges);
  EXPECT_TRUE(printed("\t- LUN 1 of ib_srpt/tgt: b\n"));
  EXPECT_TRUE(printed("\t- group ib_srpt/tgt/g\n"));
  EXPECT_EQ(fake_.writes().size(), before);
}

// The plan is honest: as many steps as -config then has writes.
TEST_F(PlanTest, AsManyStepsAsWrites) {
  apply(kTwoLuns);
  const std::string other =
      target("  LUN 0 b\n  LUN 5 a\n  GROUP h {\n   LUN 0 a\n   INITIATOR i2\n  }\n  enabled 0\n");
  for (const char* flags : {"", "-force -noprompt "}) {
    ASSERT_EQ(run(std::string(flags) + "-plan FILE", other), kPlanHasChanges);
    const std::string text = out_.str().substr(out_.str().find("found.\n\n") + 8);
    std::size_t steps = 0;
    for (const char* sign : {"\t+ ", "\t- ", "\t~ "}) {
      for (std::size_t at = text.find(sign); at != std::string::npos; at = text.find(sign, at + 1)) ++steps;
    }
    const std::size_t before = fake_.writes().size();
    ASSERT_EQ(run(std::string(flags) + "-config FILE", other), 0) << out_.str();
    EXPECT_EQ(fake_.writes().size() - before, steps) << text;
  }
}

TEST_F(PlanTest, StopsBeforeASessionIsHurt) {
  apply(kTwoLuns);
  tree_.log_in("host", "../../luns");
  const std::string disabled = target("  LUN 0 a\n  LUN 1 b\n  enabled 0\n");
  EXPECT_EQ(run("-plan FILE", disabled), kPlanHasChanges);
  EXPECT_TRUE(printed("\t! ib_srpt/tgt: host ends\n"));
  const std::size_t before = fake_.writes().size();
  EXPECT_EQ(run("-config FILE", disabled), 1);
  EXPECT_TRUE(printed("Nothing was changed. Use -force to override."));
  EXPECT_EQ(run("-force -noprompt -safe -config FILE", disabled), 1);
  EXPECT_EQ(fake_.writes().size(), before);
  EXPECT_EQ(run("-force -noprompt -config FILE", disabled), 0);
  EXPECT_GT(fake_.writes().size(), before);
}

TEST_F(PlanTest, WhatASessionGainsAndLoses) {
  apply(kTwoLuns);
  tree_.log_in("host", "../../luns");
  EXPECT_EQ(run("-plan FILE -force", target("  LUN 0 b\n  LUN 7 a\n  enabled 1\n")), kPlanHasChanges);
  EXPECT_TRUE(printed("\t! ib_srpt/tgt: host LUN 0 becomes another device (a -> b)\n"));
  EXPECT_TRUE(printed("\t! ib_srpt/tgt: host loses LUN 1 (b)\n"));
  EXPECT_TRUE(printed("\t  ib_srpt/tgt: host gains LUN 7 (a)\n"));
  // An initiator that gets a group of its own loses the LUNs of all others.
  const std::string grouped =
      target("  LUN 0 a\n  LUN 1 b\n  GROUP g {\n   LUN 0 b\n   INITIATOR i1*\n   INITIATOR HO?T\n  }\n  enabled 1\n");
  EXPECT_EQ(run("-config FILE", grouped), 1);
  EXPECT_TRUE(printed("host loses LUN 1 (b)."));
  // One that only gains is left to go on.
  EXPECT_EQ(run("-config FILE", target("  LUN 0 a\n  LUN 1 b\n  LUN 2 a\n  enabled 1\n")), 0) << out_.str();
}

TEST(MatchesInitiator, PatternsOfScst) {
  EXPECT_TRUE(matches_initiator("*", ""));
  EXPECT_TRUE(matches_initiator("HOST*1", "host_x_1"));
  EXPECT_TRUE(matches_initiator("h?st", "host"));
  EXPECT_FALSE(matches_initiator("h?st", "hst"));
  EXPECT_TRUE(matches_initiator("!a*", "b"));
  EXPECT_FALSE(matches_initiator("!a*", "ab"));
  EXPECT_TRUE(matches_initiator("x!y", "xz"));
  EXPECT_FALSE(matches_initiator("x!y", "xy"));
}

TEST(CommandedObject, FromMgmtFiles) {
  EXPECT_EQ(commanded_object("handlers/h/mgmt", "add_device d a=1;"), "devices/d");
  EXPECT_EQ(commanded_object("targets/d/t/luns/mgmt", "add d 0"), "targets/d/t/luns");
  EXPECT_EQ(commanded_object("targets/d/t/ini_groups/mgmt", "create g"), "targets/d/t/ini_groups/g");
  EXPECT_EQ(commanded_object("targets/d/mgmt", "del_target t"), "targets/d/t");
}

}  // namespace
}  // namespace uscst::scstadmin
