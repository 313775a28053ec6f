// SG_IO behind its call interface, what /sys shows of SCSI devices, and the simulated host's options.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "engine/io/sim_executor.h"
#include "handlers/scsi_host/sg_host.h"
#include "handlers/scsi_host/sim_host.h"
#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

namespace fs = std::filesystem;

class FakeSgCalls final : public SgCalls {
 public:
  int open(const std::string& node) override {
    nodes.push_back(node);
    return open_result;
  }
  void close(int) override { ++closed; }
  int command(int, sg_io_hdr& header) override {
    ++commands;
    return answer ? answer(header) : 0;
  }
  int reset_unit(int) override {
    ++resets;
    return 0;
  }

  int open_result = 7, closed = 0, commands = 0, resets = 0;
  std::vector<std::string> nodes;
  std::function<int(sg_io_hdr&)> answer;
};

// /sys as far as it matters here.
class FakeSys {
 public:
  FakeSys() { fs::create_directories(root() + "/class/scsi_device"); }
  std::string root() const { return directory_.path() + "/sys"; }
  std::string device_directory(const std::string& name) const { return root() + "/devices/pci/host0/target/" + name; }

  void add(const std::string& name, int type, const std::string& node) {
    const std::string device = device_directory(name), entry = device + "/scsi_device/" + name;
    fs::create_directories(entry);
    fs::create_directories(device + "/scsi_generic/" + node);
    std::ofstream(device + "/type") << type << '\n';
    fs::create_directory_symlink(device, entry + "/device");
    fs::create_directory_symlink(entry, root() + "/class/scsi_device/" + name);
  }
  void remove(const std::string& name) {
    fs::remove(root() + "/class/scsi_device/" + name);
    fs::remove_all(device_directory(name));
  }

 private:
  TemporaryDirectory directory_;
};

struct Caller {
  bool ended = false;
  ScsiCall call{io::Call<>::to<&Caller::done>(this)};
  void done() { ended = true; }
};

class Sg : public testing::Test {
 protected:
  void SetUp() override { sys.add("2:0:1:3", 0, "sg4"); }
  SgDevice make() { return SgDevice({2, 0, 1, 3}, 0, "path", sys.device_directory("2:0:1:3"), "/dev", calls, log); }

  FakeSys sys;
  std::vector<std::string> log_lines;
  base::Log log{[this](base::LogLevel, std::string_view line) { log_lines.emplace_back(line); }};
  io::SimExecutor executor;
  FakeSgCalls calls;
};

TEST_F(Sg, AskTheKernelForExactlyTheCommand) {
  SgDevice device = make();
  std::array<std::uint8_t, 512> first{}, second{};
  Caller caller;
  caller.call.cdb = {0x28, 0, 0, 0, 0, 5, 0, 0, 2, 0};
  caller.call.cdb_length = 10;
  caller.call.direction = scsi::Direction::kIn;
  caller.call.data = {{first.data(), first.size()}, {second.data(), second.size()}};
  caller.call.data_length_bytes = 1024;
  caller.call.timeout = std::chrono::seconds(60);
  calls.answer = [&](sg_io_hdr& header) {
    EXPECT_EQ(header.interface_id, 'S');
    EXPECT_EQ(header.dxfer_direction, SG_DXFER_FROM_DEV);
    EXPECT_EQ(header.cmd_len, 10);
    EXPECT_EQ(header.cmdp[5], 5);
    EXPECT_EQ(header.iovec_count, 2);
    EXPECT_EQ(header.dxfer_len, 1024u);
    EXPECT_EQ(header.timeout, 60000u);
    EXPECT_GE(header.mx_sb_len, 64);
    header.resid = 100;
    return 0;
  };
  device.execute(caller.call, &executor);
  EXPECT_FALSE(caller.ended);  // nothing blocks the caller
  executor.run_until_idle();
  ASSERT_TRUE(caller.ended);
  EXPECT_EQ(caller.call.outcome, HostOutcome::kAnswered);
  EXPECT_EQ(caller.call.status, 0);
  EXPECT_EQ(caller.call.moved_bytes, 924u);
  EXPECT_EQ(calls.nodes, std::vector<std::string>{"/dev/sg4"});
}

TEST_F(Sg, SenseDataComeAsTheDeviceSaysThem) {
  SgDevice device = make();
  Caller caller;
  calls.answer = [](sg_io_hdr& header) {
    header.status = 0x02;
    header.driver_status = 0x08;
    header.sb_len_wr = 20;
    header.sbp[0] = 0x70;
    header.sbp[2] = 0x03;
    header.sbp[12] = 0x11;
    return 0;
  };
  device.execute(caller.call, &executor);
  executor.run_until_idle();
  EXPECT_EQ(caller.call.outcome, HostOutcome::kAnswered);
  EXPECT_EQ(caller.call.status, 0x02);
  EXPECT_EQ(caller.call.sense_length, 20u);
  EXPECT_EQ(caller.call.sense[12], 0x11);
}

TEST_F(Sg, WhatTheHostMakesOfIt) {
  struct {
    unsigned short host, driver;
    int error;
    HostOutcome outcome;
  } const kCases[] = {
      {0x01, 0, 0, HostOutcome::kGone},     {0x02, 0, 0, HostOutcome::kBusy},   {0x03, 0, 0, HostOutcome::kTimedOut},
      {0x05, 0, 0, HostOutcome::kTimedOut}, {0x07, 0, 0, HostOutcome::kFailed}, {0x08, 0, 0, HostOutcome::kReset},
      {0x0D, 0, 0, HostOutcome::kBusy},     {0x0E, 0, 0, HostOutcome::kBusy},   {0x13, 0, 0, HostOutcome::kMediumError},
      {0, 0x06, 0, HostOutcome::kTimedOut}, {0, 0x01, 0, HostOutcome::kBusy},   {0, 0x04, 0, HostOutcome::kFailed},
      {0, 0, -ENODEV, HostOutcome::kGone},  {0, 0, -EBUSY, HostOutcome::kBusy}, {0, 0, -EINVAL, HostOutcome::kFailed},
      {0, 0, -EPERM, HostOutcome::kFailed}};
  for (const auto& one : kCases) {
    Caller caller;
    sg_io_hdr header{};
    header.host_status = one.host;
    header.driver_status = one.driver;
    take_answer(header, one.error, caller.call);
    EXPECT_EQ(caller.call.outcome, one.outcome) << one.host << ' ' << one.driver << ' ' << one.error;
  }
}

TEST_F(Sg, WithoutANodeTheDeviceIsGone) {
  SgDevice device = make();
  calls.open_result = -ENXIO;
  Caller first, second;
  device.execute(first.call, &executor);
  executor.run_until_idle();
  EXPECT_EQ(first.call.outcome, HostOutcome::kGone);
  EXPECT_EQ(calls.commands, 0);
  calls.open_result = 7;  // tried again by the next
  device.execute(second.call, &executor);
  executor.run_until_idle();
  EXPECT_EQ(second.call.outcome, HostOutcome::kAnswered);
}

TEST_F(Sg, OneDeviceDoesNotTakeTheWholePool) {
  SgDevice device = make();
  std::list<Caller> callers(SgDevice::kMaximumCalls + 5);
  for (Caller& caller : callers) device.execute(caller.call, &executor);
  EXPECT_EQ(executor.operations_in_flight(), SgDevice::kMaximumCalls);
  executor.run_until_idle();
  for (const Caller& caller : callers) EXPECT_TRUE(caller.ended);
  EXPECT_EQ(calls.commands, static_cast<int>(callers.size()));
  device.reset();
  EXPECT_EQ(calls.resets, 1);
}

TEST_F(Sg, TheHostShowsWhatComesAndGoes) {
  sys.add("0:0:0:0", 5, "sg0");
  fs::create_directories(sys.root() + "/class/scsi_device/no-address");
  SgHost host({.sys = sys.root(), .dev = "/dev", .listen = false}, calls, executor, log);
  std::map<std::string, std::shared_ptr<ScsiHostDevice>> seen;
  host.show([&](std::shared_ptr<ScsiHostDevice> device) { seen[device->address.text()] = device; },
            [&](const ScsiAddress& address) { seen.erase(address.text()); });
  host.watch();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen["0:0:0:0"]->type, 5);
  EXPECT_EQ(seen["0:0:0:0"]->sysfs_path, "devices/pci/host0/target/0:0:0:0/scsi_device/0:0:0:0");
  const auto kept = seen["0:0:0:0"];

  sys.remove("2:0:1:3");
  sys.add("3:0:0:7", 1, "sg9");
  executor.advance(SgHost::kRescanInterval);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen["3:0:0:7"]->type, 1);
  EXPECT_EQ(seen["0:0:0:0"], kept);
  host.stop();
  sys.remove("3:0:0:7");
  executor.advance(10 * SgHost::kRescanInterval);
  EXPECT_EQ(seen.size(), 2u);
}

TEST(SimDevice, OptionsSayAddressTypeAndSize) {
  auto plain = SimDeviceOptions::parse("1:2:3:4");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->address.text(), "1:2:3:4");
  EXPECT_EQ(plain->type, 0);
  EXPECT_EQ(plain->size_bytes, std::uint64_t{8} << 20);
  auto all = SimDeviceOptions::parse("0:0:0:0,type=5,size=16M");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->type, 5);
  EXPECT_EQ(all->size_bytes, std::uint64_t{16} << 20);
  for (auto bad : {"", "1:2:3", "1:2:3:4x", "1:2:3:4,size", "1:2:3:4,size=2G", "1:2:3:4,type=32", "1:2:3:4,type=1K",
                   "1:2:3:4,colour=1"})
    EXPECT_FALSE(SimDeviceOptions::parse(bad)) << bad;
}

}  // namespace
}  // namespace uscst::handlers::test
