// The program that carries SET TARGET PORT GROUPS out, with shell scripts in its place.
#include "engine/daemon/stpg_program.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "engine/io/sim_executor.h"

namespace uscst::daemon {
namespace {

using namespace std::chrono_literals;
using scsi::AluaState;

struct StpgProgram : testing::Test {
  StpgProgram() : directory(testing::TempDir() + "stpg_program." + std::to_string(getpid())) {
    std::filesystem::create_directories(directory);
  }
  ~StpgProgram() override { std::filesystem::remove_all(directory); }

  std::string script(const std::string& text) {
    const std::string path = directory + "/program";
    std::ofstream(path) << "#!/bin/sh\n" << text;
    chmod(path.c_str(), 0755);
    return path;
  }
  // 0, or the errno.
  int run(const std::string& program, std::chrono::milliseconds limit = 10s) {
    std::optional<int> result;
    stpg_listener(program, control, limit)({"disk",
                                            "dg",
                                            {{"here", AluaState::kActiveOptimized, AluaState::kStandby},
                                             {"there", AluaState::kStandby, AluaState::kActiveNonoptimized}}},
                                           [&](base::Status status) { result = status ? 0 : status.error().code; });
    while (!result) {
      control.run_until_idle();
      std::this_thread::sleep_for(1ms);
    }
    return *result;
  }
  std::string file(const std::string& name) {
    std::stringstream text;
    text << std::ifstream(directory + '/' + name).rdbuf();
    return text.str();
  }

  const std::string directory;
  io::SimExecutor control;
};

TEST_F(StpgProgram, IsCalledOnceForEachGroupAsStpgdCallsItsOwn) {
  const std::string text =
      "cd $(dirname $0); echo \"$@\" >$5.arguments\n"
      "echo $SCST_DEVICE_NAME $SCST_PREV_ALUA_STATE $SCST_ALUA_STATE $SCST_DEVICE_GROUP "
      "$SCST_TARGET_GROUP $PATH >$5.environment\n";
  EXPECT_EQ(run(script(text)), 0);
  EXPECT_EQ(file("here.arguments"), "disk active standby dg here\n");
  EXPECT_EQ(file("there.arguments"), "disk standby nonoptimized dg there\n");
  EXPECT_EQ(file("here.environment"), "disk active standby dg here /bin:/usr/bin:/sbin:/usr/sbin\n");
}

TEST_F(StpgProgram, Failures) {
  EXPECT_EQ(run(script("test $5 = here")), EIO) << "one of two is not enough";
  EXPECT_EQ(run(script("kill -TERM $$")), EIO) << "signals are not blocked in it";
  EXPECT_EQ(run(directory + "/missing"), ENOENT);
}

TEST_F(StpgProgram, IsKilledWithItsChildrenWhenItTakesTooLong) {
  EXPECT_EQ(run(script("cd $(dirname $0); sleep 1000 & echo $! >$5.child; wait"), 300ms), ETIMEDOUT);
  std::this_thread::sleep_for(50ms);
  const int child = std::stoi("0" + file("here.child"));
  ASSERT_GT(child, 0);
  std::ifstream status("/proc/" + std::to_string(child) + "/stat");
  std::string text;
  std::getline(status, text);
  EXPECT_TRUE(text.empty() || text.find(") Z") != std::string::npos) << text;
}

}  // namespace
}  // namespace uscst::daemon
