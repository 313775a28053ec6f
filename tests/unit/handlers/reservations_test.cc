// pr_file_name and pr_state of a disk (sysfs.md 8, 8.2; transcripts/43), and reservations that a kernel SCST left.
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "engine/target/reservation_file.h"
#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

using target::ReservationState;

struct Reservations : testing::Test {
  Reservations() { EXPECT_EQ(rig.add(VdiskKind::kNullio, "n1", {{"size_mb", "4"}}), 0); }
  target::Device& device() { return rig.device("n1"); }
  int set_file(const std::string& name) {
    return rig.manage([&](target::Done done) { rig.registry.set_reservation_file(device(), name, std::move(done)); });
  }
  int set_state(std::string_view text) {
    auto status = rig.registry.set_reservation_state(device(), text);
    return status ? 0 : status.error().code;
  }
  std::string file() { return rig.registry.reservation_file(device()); }
  bool marked() { return device().persistent_reservations.file_name_set(); }
  static ReservationState one_registrant(std::uint64_t key) {
    ReservationState state;
    std::vector<std::uint8_t> id(24);
    id[0] = 4;
    state.add({id, 1, key});
    state.persists = true;
    return state;
  }

  DiskRig rig;
};

TEST_F(Reservations, FileName) {
  const std::string directory = rig.directory.path(), standard = directory + "/pr/n1";
  EXPECT_EQ(file(), standard);
  EXPECT_EQ(set_file(directory + "/pr1"), 0);
  EXPECT_EQ(file(), directory + "/pr1");
  EXPECT_TRUE(marked());
  EXPECT_EQ(set_file("relative"), EINVAL);
  EXPECT_EQ(set_file("/nonexistent/dir/f"), ENOENT);
  EXPECT_EQ(set_file(directory), EINVAL);
  EXPECT_EQ(set_file('/' + std::string(4000, 'p')), ENAMETOOLONG);
  EXPECT_EQ(file(), directory + "/pr1");
  EXPECT_EQ(set_file(""), 0);
  EXPECT_EQ(file(), standard);
  EXPECT_FALSE(marked());
  EXPECT_EQ(set_file(standard), 0);  // what it is already: no mark
  EXPECT_FALSE(marked());
  EXPECT_EQ(set_file(directory + "/pr3 "), 0);
  EXPECT_EQ(set_file(standard), 0);  // set explicitly: a mark
  EXPECT_TRUE(marked());
}

TEST_F(Reservations, ANewFileBringsItsState) {
  const std::string other = rig.directory.path() + "/other";
  ASSERT_EQ(target::save_reservations(other, one_registrant(5)), 0);
  ASSERT_EQ(set_state("version 1\ngeneration 9\n"), 0);
  EXPECT_EQ(set_file(other), 0);
  auto state = device().persistent_reservations.state();
  EXPECT_EQ(state->registrants.at(0).key, 5u);
  EXPECT_EQ(state->generation, 9u);  // files don't have it
  std::ofstream(rig.directory.path() + "/bad") << "nonsense";
  EXPECT_EQ(set_file(rig.directory.path() + "/bad"), EINVAL);
  EXPECT_EQ(file(), other);
  EXPECT_EQ(device().persistent_reservations.state(), state);
}

TEST_F(Reservations, BusyWhileASessionHasTheDevice) {
  rig.map("n1", 0);
  EXPECT_EQ(set_state("version 1\n"), 0);  // a LUN that nobody uses
  auto initiator = rig.connect();
  EXPECT_EQ(set_state("version 1\n"), EBUSY);
  EXPECT_EQ(set_state("garbage"), EBUSY);
  EXPECT_EQ(set_file("relative"), EBUSY);
  initiator.reset();
  rig.executor.run_until_idle();
  EXPECT_EQ(set_state("garbage"), EINVAL);
  EXPECT_EQ(set_file(rig.directory.path() + "/x"), 0);
}

TEST_F(Reservations, TakenOverAtCreation) {
  const std::string directory = rig.directory.path() + "/pr/";
  ASSERT_EQ(target::save_reservations(directory + "n2", one_registrant(7)), 0);
  EXPECT_EQ(rig.add(VdiskKind::kNullio, "n2", {}), 0);
  EXPECT_EQ(rig.device("n2").persistent_reservations.state()->registrants.at(0).key, 7u);
  std::ofstream(directory + "n3") << "damaged";
  EXPECT_EQ(rig.add(VdiskKind::kNullio, "n3", {}), EINVAL);
  ASSERT_EQ(target::save_reservations(directory + "whole", one_registrant(8)), 0);
  std::filesystem::rename(directory + "whole", directory + "n3.1");
  EXPECT_EQ(rig.add(VdiskKind::kNullio, "n3", {}), 0);
  EXPECT_EQ(rig.device("n3").persistent_reservations.state()->registrants.at(0).key, 8u);
}

TEST_F(Reservations, UnknownLinesAreLogged) {
  rig.log_lines.clear();
  EXPECT_EQ(set_state("version 1\ngeneration x\n"), 0);
  ASSERT_EQ(rig.log_lines.size(), 1u);
  EXPECT_NE(rig.log_lines[0].find("unrecognized line: generation x"), std::string::npos);
}

}  // namespace
}  // namespace uscst::handlers::test
