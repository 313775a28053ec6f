// SRP login: the worked examples of both request forms, the response and the reject.
#include "engine/srp/login.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uscst::srp {
namespace {

using Vector = std::vector<std::uint8_t>;
using testing::ElementsAreArray;

Vector hex(std::string_view text) { return base::parse_hex(text).value(); }

const char* const kIbForm =
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 20 44 00 00 00 00 00 06 80 00 00 44 00 00"
    "00 00 00 00 00 00 00 00 00 02 c9 03 00 05 f3 4b 00 02 c9 03 00 a3 42 70 00 02 c9 03 00 a3 42 70";
const char* const kRdmaForm =
    "00 00 00 00 00 00 00 00 00 06 80 00 00 00 20 44 00 00 00 00 00 00 00 00 00 02 c9 03 00 05 f3 4b"
    "00 02 c9 03 00 a3 42 70 00 02 c9 03 00 a3 42 70 00 44 00 00 00 00 00 00";

LoginRequest example() {
  LoginRequest request;
  request.max_it_iu_bytes = 8260;
  request.immediate_requested = true;
  request.immediate_offset_bytes = 68;
  request.initiator = make_port_id(0, 0x0002c9030005f34b);
  request.target = make_port_id(0x0002c90300a34270, 0x0002c90300a34270);
  return request;
}

TEST(SrpLogin, BothFormsOfTheRequestSayTheSame) {
  EXPECT_EQ(parse_login_request(hex(kIbForm)), example());
  EXPECT_EQ(parse_login_request(hex(kRdmaForm)), example());
  EXPECT_THAT(encode_ib(example()), ElementsAreArray(hex(kIbForm)));
  EXPECT_THAT(encode_rdma(example()), ElementsAreArray(hex(kRdmaForm)));
}

TEST(SrpLogin, PaddedPrivateDataOfIbCmIsTheIbForm) {
  Vector padded = hex(kIbForm);
  padded.resize(92);
  EXPECT_EQ(parse_login_request(padded), example());
}

TEST(SrpLogin, ShortRequestsAndOtherOpcodesAreRefused) {
  const Vector whole = hex(kRdmaForm);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(parse_login_request(base::Bytes(whole).first(length))) << length;
  }
  Vector other = whole;
  other[11] = 0x02;
  EXPECT_FALSE(parse_login_request(other));
  Vector other_ib = hex(kIbForm);
  other_ib[0] = 0x02;
  EXPECT_FALSE(parse_login_request(other_ib));
}

TEST(SrpLogin, MultiChannelActionSurvives) {
  LoginRequest request = example();
  request.action = MultiChannel::kMulti;
  request.tag = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(parse_login_request(encode_rdma(request)), request);
  EXPECT_EQ(parse_login_request(encode_ib(request)), request);
}

TEST(SrpLogin, Response) {
  const Vector bytes =
      hex("c0 00 00 00 00 00 00 80 00 00 00 00 00 00 00 00 00 00 20 54 00 00 20 44 00 06 80 00 00 00 00 00"
          "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
  LoginResponse response;
  response.request_limit = 128;
  response.max_it_iu_bytes = 8276;
  response.max_ti_iu_bytes = 8260;
  response.immediate_supported = true;
  EXPECT_THAT(encode(response), ElementsAreArray(bytes));
  EXPECT_EQ(parse_login_response(bytes), response);
  response.result = MultiChannelResult::kMaintained;
  response.solicited_supported = true;
  EXPECT_EQ(parse_login_response(encode(response)), response);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(parse_login_response(base::Bytes(bytes).first(length))) << length;
  }
}

TEST(SrpLogin, Reject) {
  const Vector bytes =
      hex("c2 00 00 00 00 01 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 06 00 00 00 00 00 00");
  const LoginReject reject{.tag = {}, .reason = RejectReason::kWrongTargetPort};
  EXPECT_THAT(encode(reject), ElementsAreArray(bytes));
  EXPECT_EQ(parse_login_reject(bytes), reject);
  EXPECT_FALSE(parse_login_response(bytes));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(parse_login_reject(base::Bytes(bytes).first(length))) << length;
  }
}

TEST(SrpLogin, PortIdText) {
  EXPECT_EQ(example().target.hex(), "0002c90300a342700002c90300a34270");
  EXPECT_TRUE(PortId{}.all_zero());
  EXPECT_FALSE(example().initiator.all_zero());
}

}  // namespace
}  // namespace uscst::srp
