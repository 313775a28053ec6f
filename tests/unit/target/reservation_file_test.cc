// SCST's file of persistent reservations (scsi.md 14.6): bytes, both copies, and what a crash leaves.
#include "engine/target/reservation_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT: mkdtemp

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace uscst::target {
namespace {

// signature and version (little-endian machine), APTPL, reserved, type, scope; holder, TransportID, key, port; again
constexpr std::string_view kTwo =
    "77ddbbeeaaeeeebb 0100000000000000 01 01 05 00"
    "01 0400000000000000fe8000000000000000000000000000aa 0123456789abcdef 0100"
    "00 0500000461000000 00000000000000ff 0203";
constexpr std::string_view kOneFree =
    "77ddbbeeaaeeeebb 0100000000000000 01 00 ff 00"
    "00 0400000000000000fe8000000000000000000000000000aa 0000000000000001 0100";

std::vector<std::uint8_t> bytes_of(std::string_view hex) { return *base::parse_hex(hex); }

class ReservationFile : public testing::Test {
 protected:
  void SetUp() override {
    if constexpr (std::endian::native != std::endian::little) GTEST_SKIP() << "vectors of a little-endian machine";
    std::string name = std::filesystem::temp_directory_path() / "uscst-pr-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    file_ = directory_ + "/d1";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void write(const std::string& name, const std::vector<std::uint8_t>& bytes) {
    std::ofstream(name, std::ios::binary) << base::as_text(bytes);
  }
  std::vector<std::uint8_t> read(const std::string& name) {
    std::ifstream in(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  int load_error() {
    auto loaded = load_reservations(file_);
    return loaded ? 0 : loaded.error().code;
  }
  std::string directory_, file_;
};

TEST_F(ReservationFile, BytesBothWays) {
  for (std::string_view vector : {kTwo, kOneFree}) {
    const auto bytes = bytes_of(vector);
    auto state = decode_reservations(bytes);
    ASSERT_TRUE(state) << state.error().text;
    EXPECT_EQ(base::to_hex(encode_reservations(*state)), base::to_hex(bytes));
  }
  auto state = decode_reservations(bytes_of(kTwo));
  EXPECT_TRUE(state->persists);
  EXPECT_TRUE(state->reserved);
  EXPECT_EQ(state->type, 5);
  EXPECT_EQ(state->holder, 0u);
  EXPECT_EQ(state->registrants[0].key, 0x0123456789abcdefu);
  EXPECT_EQ(state->registrants[0].relative_port, 1);
  EXPECT_EQ(state->registrants[1].transport_id.size(), 8u);
  EXPECT_EQ(state->registrants[1].relative_port, 0x0302);
  EXPECT_FALSE(decode_reservations(bytes_of(kOneFree))->reserved);
}

TEST_F(ReservationFile, CutAnywhere) {
  const auto bytes = bytes_of(kTwo);
  const std::size_t header = 20, first = header + 1 + 24 + 8 + 2;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    // A file may end behind a record, and one byte more is not looked at.
    const bool whole = length == first || length == first + 1;
    EXPECT_EQ(decode_reservations(base::Bytes(bytes).first(length)).has_value(), whole) << length;
  }
}

TEST_F(ReservationFile, WhatIsRefused) {
  const auto good = bytes_of(kTwo);
  const auto refused = [&](std::size_t at, std::uint8_t value) {
    auto bad = good;
    bad[at] = value;
    return !decode_reservations(bad);
  };
  EXPECT_TRUE(refused(0, 0));    // signature
  EXPECT_TRUE(refused(8, 2));    // version
  EXPECT_TRUE(refused(20, 0));   // nobody holds the reservation
  EXPECT_FALSE(refused(18, 7));  // all registrants do
  auto twice = bytes_of(kOneFree);
  twice.insert(twice.end(), twice.begin() + 20, twice.begin() + 55);
  EXPECT_FALSE(decode_reservations(twice));
}

TEST_F(ReservationFile, LoadsTheFileOrItsBackup) {
  EXPECT_EQ(load_error(), 0);  // neither is there
  EXPECT_TRUE(load_reservations(file_)->registrants.empty());
  write(file_ + ".1", bytes_of(kOneFree));
  EXPECT_EQ(load_reservations(file_)->registrants.size(), 1u);
  write(file_, bytes_of(kTwo));
  EXPECT_EQ(load_reservations(file_)->registrants.size(), 2u);
  auto torn = bytes_of(kTwo);
  std::fill_n(torn.begin(), 8, std::uint8_t{0});
  write(file_, torn);
  EXPECT_EQ(load_reservations(file_)->registrants.size(), 1u);
  std::filesystem::remove(file_ + ".1");
  EXPECT_EQ(load_error(), EINVAL);
  write(file_, {});
  EXPECT_EQ(load_error(), EINVAL);
  write(file_ + ".1", torn);
  std::filesystem::remove(file_);
  EXPECT_EQ(load_error(), EINVAL);
  std::filesystem::create_directory(file_);
  std::filesystem::remove(file_ + ".1");
  EXPECT_EQ(load_error(), EINVAL);
}

TEST_F(ReservationFile, Saving) {
  const auto first = *decode_reservations(bytes_of(kOneFree));
  const auto second = *decode_reservations(bytes_of(kTwo));
  ASSERT_EQ(save_reservations(file_, first), 0);
  EXPECT_EQ(read(file_), bytes_of(kOneFree));
  EXPECT_FALSE(std::filesystem::exists(file_ + ".1"));
  ASSERT_EQ(save_reservations(file_, second), 0);
  EXPECT_EQ(read(file_), bytes_of(kTwo));
  EXPECT_EQ(read(file_ + ".1"), bytes_of(kOneFree));
  // A file that a crash cut does not replace the backup.
  write(file_, {1, 2, 3});
  ASSERT_EQ(save_reservations(file_, second), 0);
  EXPECT_EQ(read(file_ + ".1"), bytes_of(kOneFree));
  // Without APTPL, or without registrants, there is nothing to keep.
  ReservationState volatile_state = second;
  volatile_state.persists = false;
  ASSERT_EQ(save_reservations(file_, volatile_state), 0);
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
  ASSERT_EQ(save_reservations(file_, volatile_state), 0);
  EXPECT_LT(save_reservations(directory_ + "/none/d1", second), 0);
}

TEST_F(ReservationFile, Names) {
  const auto code = [](const std::string& name) {
    auto status = check_reservation_file_name(name);
    return status ? 0 : status.error().code;
  };
  EXPECT_EQ(code("relative"), EINVAL);
  EXPECT_EQ(code(directory_), EINVAL);
  EXPECT_EQ(code("/dev/null"), EINVAL);
  EXPECT_EQ(code("/nonexistent/dir/f"), ENOENT);
  EXPECT_EQ(code(file_), 0);
  EXPECT_EQ(code("/uscst-no-such-file"), 0);  // the root directory exists
}

}  // namespace
}  // namespace uscst::target
