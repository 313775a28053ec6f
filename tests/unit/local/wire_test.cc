#include "engine/local/wire.h"

#include <gtest/gtest.h>

namespace uscst::local {
namespace {

constexpr std::string_view kRead =
    "01 02 0a 00 0000000000000007 0005000000000000 0000000000000000 00001000 00000000"
    "28000000001000000800 0000000000000000000000000000000000000000000000";
constexpr std::string_view kAbort =
    "02 01 00 00 0000000000000009 0005000000000000 0000000000000007 00000000 00000000"
    "0000000000000000000000000000000000000000000000000000000000000000";
constexpr std::string_view kAnswer = "01 01 02 12 0000000000000007 fffffffffffffe00 00000200";

std::vector<std::uint8_t> bytes_of(std::string_view hex) {
  auto bytes = *base::parse_hex(hex);
  bytes.resize(hex == kAnswer ? kAnswerBytes : kRequestBytes);
  return bytes;
}

TEST(Wire, CommandAsBytes) {
  Request read{.attribute = 2, .tag = 7, .lun = {0, 5}, .data_in_bytes = 4096};
  read.cdb = {0x28, 0, 0, 0, 0, 0x10, 0, 0, 8, 0};
  const auto bytes = encode(read);
  EXPECT_EQ(base::to_hex(bytes), base::to_hex(bytes_of(kRead)));
  EXPECT_EQ(parse_request(bytes), read);
}

TEST(Wire, AbortAsBytes) {
  const Request abort{.kind = FrameKind::kTaskManagement, .attribute = 1, .tag = 9, .task_tag = 7, .lun = {0, 5}};
  EXPECT_EQ(base::to_hex(encode(abort)), base::to_hex(bytes_of(kAbort)));
  EXPECT_EQ(parse_request(bytes_of(kAbort)), abort);
}

TEST(Wire, AnswerAsBytes) {
  const Answer answer{
      .answered = true, .status = 2, .sense_bytes = 18, .tag = 7, .residual = -512, .data_in_bytes = 512};
  EXPECT_EQ(base::to_hex(encode(answer)), base::to_hex(bytes_of(kAnswer)));
  EXPECT_EQ(parse_answer(bytes_of(kAnswer)), answer);
}

TEST(Wire, EveryCutWantsMore) {
  for (std::string_view hex : {kRead, kAbort}) {
    const auto bytes = bytes_of(hex);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_EQ(parse_request(base::Bytes(bytes).first(length)).error().code, EAGAIN);
    }
  }
  const auto answer = bytes_of(kAnswer);
  for (std::size_t length = 0; length < answer.size(); ++length) {
    EXPECT_EQ(parse_answer(base::Bytes(answer).first(length)).error().code, EAGAIN);
  }
}

TEST(Wire, WhatIsAgainstTheTableIsRefused) {
  struct Change {
    std::size_t at;
    std::uint8_t value;
  };
  for (Change change : {Change{0, 0},
                        {0, 3},
                        {1, 3},
                        {1, 5},
                        {2, 0},
                        {2, 33},
                        {2, 9},
                        {3, 1},
                        {20, 1},
                        {27, 1},
                        {28, 1},
                        {32, 1},
                        {35, 1},
                        {46, 1},
                        {67, 1}}) {
    auto bytes = bytes_of(kRead);
    bytes[change.at] = change.value;
    // A CDB length below the ten bytes leaves one behind it only where that byte is not zero.
    if (change.at == 2 && change.value == 9) bytes[45] = 1;
    auto parsed = parse_request(bytes);
    ASSERT_FALSE(parsed) << change.at << " " << int{change.value};
    EXPECT_EQ(parsed.error().code, EPROTO);
  }
  for (Change change : {Change{2, 1}, {31, 1}, {35, 1}, {36, 1}}) {
    auto bytes = bytes_of(kAbort);
    bytes[change.at] = change.value;
    EXPECT_EQ(parse_request(bytes).error().code, EPROTO) << change.at;
  }
  for (Change change : {Change{0, 7}, {1, 2}, {3, 253}, {20, 1}}) {
    auto bytes = bytes_of(kAnswer);
    bytes[change.at] = change.value;
    EXPECT_EQ(parse_answer(bytes).error().code, EPROTO) << change.at;
  }
}

}  // namespace
}  // namespace uscst::local
