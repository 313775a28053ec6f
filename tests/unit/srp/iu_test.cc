// SRP information units: the worked examples of the wire format as bytes, cut at every byte, and what is refused.
#include "engine/srp/iu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace uscst::srp {
namespace {

using Vector = std::vector<std::uint8_t>;
using testing::ElementsAreArray;

Vector hex(std::string_view text) { return base::parse_hex(text).value(); }
constexpr Lun kLunOne = {0, 1, 0, 0, 0, 0, 0, 0};
constexpr Tag kTagFive = {5, 0, 1, 0, 0, 0, 0, 0};
constexpr CommandRules kRules{.immediate_offset_bytes = 68};

const char* const kReadDirect =
    "02 00 00 00 00 01 00 00 05 00 01 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00"
    "28 00 00 00 00 00 00 00 08 00 00 00 00 00 00 00 ff ff 88 80 12 34 00 00 00 45 a7 03 00 00 10 00";
const char* const kWriteIndirect =
    "02 00 00 00 00 20 02 00 06 00 01 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00"
    "2a 00 00 00 00 00 00 00 18 00 00 00 00 00 00 00 ff ff 88 80 aa 00 10 00 00 45 a9 f0 00 00 00 20"
    "00 00 30 00 ff ff 88 80 12 34 00 00 00 45 a7 03 00 00 10 00 ff ff 88 80 56 78 00 00 00 45 a8 a1"
    "00 00 20 00";
const char* const kWriteImmediate =
    "02 00 00 00 00 30 00 00 07 00 01 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00"
    "2a 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00"
    "00 00 00 00";

Vector immediate_write() {
  Vector bytes = hex(kWriteImmediate);
  bytes.resize(bytes.size() + 512);
  std::iota(bytes.begin() + 68, bytes.end(), std::uint8_t{0});
  return bytes;
}

std::optional<CommandError> error_of(const Vector& bytes, const CommandRules& rules = kRules) {
  auto command = parse_command(bytes, rules);
  if (command) return std::nullopt;
  return command.error().error;
}

// Every prefix is refused: without a tag before the fixed part is complete, with it afterwards.
void expect_refused_when_cut(const Vector& whole) {
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const Vector cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    auto command = parse_command(cut, kRules);
    ASSERT_FALSE(command) << length;
    if (length < kCommandBytes) {
      EXPECT_EQ(command.error().error, CommandError::kTooShort) << length;
    } else {
      EXPECT_EQ(command.error().error, CommandError::kTruncated) << length;
      EXPECT_THAT(command.error().tag, ElementsAreArray(base::Bytes(whole).subspan(8, 8)));
      EXPECT_EQ(command.error().lun, kLunOne);
    }
  }
}

TEST(SrpCommand, ReadsAndWritesADirectRead) {
  const Vector bytes = hex(kReadDirect);
  auto command = parse_command(bytes, kRules);
  ASSERT_TRUE(command);
  EXPECT_EQ(command->tag, kTagFive);
  EXPECT_EQ(command->lun, kLunOne);
  EXPECT_EQ(command->attribute, 0);
  EXPECT_EQ(command->cdb.size(), 16u);
  EXPECT_EQ(command->cdb[0], 0x28);
  EXPECT_EQ(command->data_out.format, BufferFormat::kNone);
  EXPECT_EQ(command->data_in.format, BufferFormat::kDirect);
  EXPECT_EQ(command->data_in.total_bytes, 4096u);
  ASSERT_EQ(command->data_in.descriptors.size(), 1u);
  const RemoteBuffer remote = command->data_in.descriptors[0];
  EXPECT_EQ(remote.address, 0xffff888012340000u);
  EXPECT_EQ(remote.key, 0x0045a703u);
  EXPECT_EQ(remote.length_bytes, 4096u);

  CommandSpec spec{.tag = kTagFive, .lun = kLunOne, .cdb = command->cdb};
  spec.data_in = {.format = BufferFormat::kDirect, .descriptors = {&remote, 1}};
  Vector built(200);
  built.resize(build_command(spec, built));
  EXPECT_EQ(built, bytes);
  expect_refused_when_cut(bytes);
}

TEST(SrpCommand, ReadsAndWritesAnIndirectWrite) {
  const Vector bytes = hex(kWriteIndirect);
  auto command = parse_command(bytes, kRules);
  ASSERT_TRUE(command);
  const DataBuffer& out = command->data_out;
  EXPECT_EQ(out.format, BufferFormat::kIndirect);
  EXPECT_EQ(out.total_bytes, 12288u);
  EXPECT_EQ(out.table.key, 0x0045a9f0u);
  EXPECT_EQ(out.table.length_bytes, 32u);
  EXPECT_FALSE(out.external_table);
  boost::container::small_vector<RemoteBuffer, 4> list;
  out.descriptors.append_to(list);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[1].address, 0xffff888056780000u);
  EXPECT_EQ(list[1].length_bytes, 8192u);

  CommandSpec spec{.tag = command->tag, .lun = kLunOne, .cdb = command->cdb};
  spec.data_out = {.format = BufferFormat::kIndirect, .descriptors = {list.data(), list.size()}, .table = out.table};
  Vector built(200);
  built.resize(build_command(spec, built));
  EXPECT_EQ(built, bytes);
  expect_refused_when_cut(bytes);
}

TEST(SrpCommand, ReadsAndWritesAnImmediateWrite) {
  const Vector bytes = immediate_write();
  auto command = parse_command(bytes, kRules);
  ASSERT_TRUE(command);
  EXPECT_EQ(command->data_out.format, BufferFormat::kImmediate);
  EXPECT_EQ(command->data_out.total_bytes, 512u);
  EXPECT_THAT(command->data_out.immediate, ElementsAreArray(base::Bytes(bytes).subspan(68)));

  CommandSpec spec{.tag = command->tag, .lun = kLunOne, .cdb = command->cdb, .immediate_offset_bytes = 68};
  spec.data_out = {.format = BufferFormat::kImmediate, .immediate = command->data_out.immediate};
  Vector built(1000);
  built.resize(build_command(spec, built));
  EXPECT_EQ(built, bytes);
  expect_refused_when_cut(bytes);
}

TEST(SrpCommand, AppendsAdditionalCdbBytesAndKeepsDescriptorsBehindThem) {
  Vector cdb(32);
  std::iota(cdb.begin(), cdb.end(), std::uint8_t{0x70});
  const RemoteBuffer out{0x1000, 1, 512}, in{0x2000, 2, 1024};
  CommandSpec spec{.tag = kTagFive, .lun = kLunOne, .attribute = TaskAttribute::kOrdered, .cdb = cdb};
  spec.data_out = {.format = BufferFormat::kDirect, .descriptors = {&out, 1}};
  spec.data_in = {.format = BufferFormat::kDirect, .descriptors = {&in, 1}};
  Vector bytes(200);
  bytes.resize(build_command(spec, bytes));
  ASSERT_EQ(bytes.size(), 48u + 16 + 16 + 16);
  bytes[31] |= 0x03;  // reserved bits change nothing
  auto command = parse_command(bytes, kRules);
  ASSERT_TRUE(command);
  EXPECT_THAT(command->cdb, ElementsAreArray(cdb));
  EXPECT_EQ(command->attribute, 2);
  EXPECT_EQ(command->data_out.descriptors[0].address, 0x1000u);
  EXPECT_EQ(command->data_in.descriptors[0].length_bytes, 1024u);
  expect_refused_when_cut(bytes);
}

TEST(SrpCommand, WithoutDataIsJustTheFixedPart) {
  Vector bytes = hex(kReadDirect);
  bytes[5] = 0;
  bytes.resize(48);
  bytes[1] = 0x06;
  auto command = parse_command(bytes, kRules);
  ASSERT_TRUE(command);
  EXPECT_TRUE(command->notify_success);
  EXPECT_TRUE(command->notify_failure);
  EXPECT_EQ(command->data_in.total_bytes, 0u);
}

TEST(SrpCommand, RefusesDescriptorsThatDoNotAddUp) {
  Vector bytes = hex(kWriteIndirect);
  bytes[0x42] = 0x20;
  EXPECT_EQ(error_of(bytes), CommandError::kTotalMismatch);
  bytes = hex(kWriteIndirect);
  bytes[0x50] = 0xFF;  // a length whose sum would wrap 32 bits
  EXPECT_EQ(error_of(bytes), CommandError::kTotalMismatch);
}

TEST(SrpCommand, RefusesATableThatIsNotInTheIuUnlessItIsFetched) {
  Vector bytes = hex(kWriteIndirect);
  bytes[0x3F] = 0x30;
  EXPECT_EQ(error_of(bytes), CommandError::kExternalTable);
  auto command = parse_command(bytes, {.fetch_tables = true});
  ASSERT_TRUE(command);
  EXPECT_TRUE(command->data_out.external_table);
  EXPECT_EQ(command->data_out.total_bytes, 12288u);
  bytes[0x3F] = 0x21;
  EXPECT_EQ(error_of(bytes), CommandError::kTableLength);
}

TEST(SrpCommand, CountsBeyondTheIuAreTruncation) {
  Vector bytes = hex(kWriteIndirect);
  bytes[6] = 255;
  EXPECT_EQ(error_of(bytes), CommandError::kTruncated);
}

TEST(SrpCommand, RefusesUnknownFormats) {
  for (unsigned nibble : {4u, 7u, 15u}) {
    Vector bytes = hex(kReadDirect);
    bytes[5] = static_cast<std::uint8_t>(nibble);
    EXPECT_EQ(error_of(bytes), CommandError::kUnknownFormat);
    bytes[5] = static_cast<std::uint8_t>(nibble << 4);
    EXPECT_EQ(error_of(bytes), CommandError::kUnknownFormat);
  }
  Vector immediate_in = hex(kReadDirect);
  immediate_in[5] = 0x03;
  EXPECT_EQ(error_of(immediate_in), CommandError::kUnknownFormat);
}

TEST(SrpCommand, RefusesImmediateDataThatWereNotNegotiatedOrOverlap) {
  EXPECT_EQ(error_of(immediate_write(), {}), CommandError::kUnknownFormat);
  EXPECT_EQ(error_of(immediate_write(), {.immediate_offset_bytes = 51}), CommandError::kImmediateOffset);
  EXPECT_EQ(error_of(immediate_write(), {.immediate_offset_bytes = 69}), CommandError::kTruncated);
  EXPECT_EQ(error_of(immediate_write(), {.immediate_offset_bytes = 60000}), CommandError::kTruncated);
}

TEST(SrpCommand, BuilderRefusesWhatCannotBeSaid) {
  Vector room(300);
  const Vector odd_cdb(18), long_cdb(kMaximumCdbBytes + 4), cdb(16);
  EXPECT_EQ(build_command({.cdb = odd_cdb}, room), 0u);
  EXPECT_EQ(build_command({.cdb = long_cdb}, room), 0u);
  EXPECT_EQ(build_command({.cdb = cdb}, base::MutableBytes(room).first(47)), 0u);
  CommandSpec spec{.cdb = cdb, .immediate_offset_bytes = 48};
  spec.data_out.format = BufferFormat::kImmediate;
  EXPECT_EQ(build_command(spec, room), 0u);
}

TEST(SrpResponse, GoodStatus) {
  const Vector bytes = hex(
      "c1 00 00 00 00 00 00 01 05 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
  Vector built(64);
  built.resize(build_response({.tag = kTagFive, .request_limit_delta = 1}, built));
  EXPECT_EQ(built, bytes);
  auto response = parse_response(bytes);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->tag, kTagFive);
  EXPECT_EQ(response->request_limit_delta, 1);
  EXPECT_EQ(response->status, 0);
  EXPECT_FALSE(response->code);
  EXPECT_TRUE(response->sense.empty());
}

const char* const kCheckCondition =
    "c1 00 00 00 00 00 00 01 05 00 01 00 00 00 00 00 00 00 22 02 00 00 00 00 00 00 10 00 00 00 00 12"
    "00 00 00 00 70 00 05 00 00 00 00 0a 00 00 00 00 20 00 00 00 00 00";

TEST(SrpResponse, CheckConditionWithSenseAndResidual) {
  const Vector bytes = hex(kCheckCondition);
  auto response = parse_response(bytes);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 2);
  EXPECT_EQ(response->data_in_residual, 4096);
  EXPECT_EQ(response->data_out_residual, 0);
  ASSERT_EQ(response->sense.size(), 18u);
  EXPECT_EQ(response->sense[12], 0x20);
  Vector built(256);
  built.resize(build_response(*response, built));
  EXPECT_EQ(built, bytes);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(parse_response(base::Bytes(bytes).first(length))) << length;
  }
}

TEST(SrpResponse, CutsTheSenseToTheRoom) {
  const Vector sense(100, 0xAA);
  Vector built(50);
  ASSERT_EQ(build_response({.sense = sense}, built), 50u);
  EXPECT_EQ(parse_response(built)->sense.size(), 14u);
  EXPECT_EQ(build_response({.sense = sense}, base::MutableBytes(built).first(35)), 0u);
}

TEST(SrpResponse, ResidualsInBothDirectionsAndNegativeDelta) {
  Vector built(36);
  ASSERT_EQ(build_response({.request_limit_delta = -3, .data_out_residual = -512, .data_in_residual = 7}, built), 36u);
  EXPECT_EQ(built[18], 0x24);
  auto response = parse_response(built);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->request_limit_delta, -3);
  EXPECT_EQ(response->data_out_residual, -512);
  EXPECT_EQ(response->data_in_residual, 7);
}

TEST(SrpTaskManagement, AbortAndItsAnswer) {
  const Vector bytes =
      hex("01 00 00 00 00 00 00 00 01 00 00 80 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 01 00"
          "05 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00");
  const TaskManagement abort{.tag = {1, 0, 0, 0x80, 0, 0, 0, 0}, .lun = kLunOne, .function = 1, .task_tag = kTagFive};
  EXPECT_THAT(encode(abort), ElementsAreArray(bytes));
  EXPECT_EQ(parse_task_management(bytes), abort);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(parse_task_management(base::Bytes(bytes).first(length))) << length;
  }

  const Vector answer =
      hex("c1 00 00 00 00 00 00 01 01 00 00 80 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00"
          "00 00 00 04 00 00 00 00");
  Vector built(64);
  built.resize(build_response({.tag = abort.tag, .request_limit_delta = 1, .code = ResponseCode::kComplete}, built));
  EXPECT_EQ(built, answer);
  EXPECT_EQ(parse_response(answer)->code, ResponseCode::kComplete);
  for (std::size_t length = 0; length < answer.size(); ++length) {
    EXPECT_FALSE(parse_response(base::Bytes(answer).first(length))) << length;
  }
}

TEST(SrpShort, CreditRequestLogoutsAndAnswers) {
  const Vector credit = hex("81 00 00 00 00 00 00 08 07 00 00 00 00 00 00 00");
  const CreditRequest request{.tag = {7}, .request_limit_delta = 8};
  EXPECT_THAT(encode(request), ElementsAreArray(credit));
  EXPECT_EQ(parse_credit_request(credit), request);
  const TargetLogout logout{.tag = kTagFive, .reason = LogoutReason::kInvalidIuType, .solicited = true};
  EXPECT_EQ(parse_target_logout(encode(logout)), logout);
  for (IuType type : {IuType::kInitiatorLogout, IuType::kCreditResponse, IuType::kEventResponse}) {
    const ShortIu plain = encode_plain(type, kTagFive);
    EXPECT_EQ(iu_type(plain), type);
    EXPECT_EQ(parse_plain(plain, type), kTagFive);
    EXPECT_FALSE(parse_plain(plain, IuType::kCommand));
  }
  for (std::size_t length = 0; length < kShortIuBytes; ++length) {
    EXPECT_FALSE(parse_credit_request(base::Bytes(credit).first(length)));
    EXPECT_FALSE(parse_target_logout(base::Bytes(encode(logout)).first(length)));
  }
}

TEST(SrpShort, EventRequestWithSense) {
  const Vector bytes =
      hex("82 00 00 00 00 00 00 02 07 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00 02"
          "00 00 00 00 70 06");
  auto event = parse_event_request(bytes);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->request_limit_delta, 2);
  EXPECT_EQ(event->lun, kLunOne);
  EXPECT_EQ(event->sense.size(), 2u);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(parse_event_request(base::Bytes(bytes).first(length))) << length;
  }
}

TEST(SrpType, KnowsExactlyTheTypesOfADataPhase) {
  unsigned known = 0;
  for (unsigned type = 0; type < 256; ++type) {
    const std::uint8_t byte = static_cast<std::uint8_t>(type);
    if (iu_type({&byte, 1})) ++known;
  }
  EXPECT_EQ(known, 9u);
  EXPECT_FALSE(iu_type({}));
}

}  // namespace
}  // namespace uscst::srp
