#include "engine/fabric/iwarp/mpa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/fabric/vectors.h"

namespace uscst::fabric::iwarp {
namespace {

using ::testing::ElementsAreArray;
using Octets = std::vector<std::uint8_t>;

Frame parsed(FrameKind kind, const Octets& bytes) {
  const ParsedFrame result = parse_frame(kind, bytes);
  EXPECT_TRUE(std::holds_alternative<Frame>(result));
  return std::holds_alternative<Frame>(result) ? std::get<Frame>(result) : Frame{};
}

bool refused(const Octets& bytes, FrameKind kind = FrameKind::kRequest) {
  return std::holds_alternative<base::Error>(parse_frame(kind, bytes));
}

constexpr Limits kLimits{.require_crc = false, .outbound_reads = 16, .inbound_reads = 128};

TEST(Mpa, AnswersTheRequestOfSiw) {
  const Octets bytes = vector_bytes("mpa-request-siw"), expected = vector_bytes("mpa-reply");
  const Frame request = parsed(FrameKind::kRequest, bytes);
  EXPECT_EQ(request.private_data.size(), 56U);
  EXPECT_EQ(request.ird, 4);
  EXPECT_EQ(request.ord, 0);
  EXPECT_FALSE(request.peer_to_peer);
  const auto agreed = negotiate(request, kLimits);
  ASSERT_TRUE(agreed);
  EXPECT_FALSE(agreed->crc);
  EXPECT_EQ(agreed->outbound_reads, 4);
  EXPECT_EQ(agreed->rtr, Rtr::kNone);
  EXPECT_THAT(build_reply(*agreed, base::Bytes(expected).last(52)), ElementsAreArray(expected));
}

TEST(Mpa, AnswersAdaptersWithOneOfferedRtr) {
  for (const auto& [name, rtr] : {std::pair{"adapter", Rtr::kWrite}, std::pair{"cxgb4", Rtr::kRead}}) {
    const Octets bytes = vector_bytes(std::string("mpa-request-") + name);
    const Octets expected = vector_bytes(std::string("mpa-reply-") + name);
    const auto agreed = negotiate(parsed(FrameKind::kRequest, bytes), kLimits);
    ASSERT_TRUE(agreed) << name;
    EXPECT_TRUE(agreed->crc) << name;
    EXPECT_EQ(agreed->rtr, rtr) << name;
    EXPECT_THAT(build_reply(*agreed, base::Bytes(expected).last(52)), ElementsAreArray(expected)) << name;
  }
}

TEST(Mpa, RejectsInTheFormOfTheRequest) {
  const Octets bytes = vector_bytes("mpa-request-siw"), expected = vector_bytes("mpa-reject");
  const Frame request = parsed(FrameKind::kRequest, bytes);
  EXPECT_THAT(build_reject(request, base::Bytes(expected).last(32)), ElementsAreArray(expected));
  const Frame reject = parsed(FrameKind::kReply, expected);
  EXPECT_EQ(reject.private_data.size(), 32U);
  EXPECT_EQ(accept_reply(reject, kLimits).error().code, ECONNREFUSED);

  const Octets old = vector_bytes("mpa-request-revision-1");
  const Octets refusal = build_reject(parsed(FrameKind::kRequest, old), {});
  EXPECT_EQ(refusal.size(), 20U);
  EXPECT_EQ(refusal[16], 0x60);
  EXPECT_EQ(refusal[17], 1);
}

TEST(Mpa, Revision1HasNoDepths) {
  const Octets bytes = vector_bytes("mpa-request-revision-1");
  const Frame request = parsed(FrameKind::kRequest, bytes);
  EXPECT_EQ(request.private_data.size(), 56U);
  const auto agreed = negotiate(request, kLimits);
  ASSERT_TRUE(agreed);
  EXPECT_TRUE(agreed->crc);
  EXPECT_EQ(agreed->outbound_reads, 4);
  const Octets reply = build_reply(*agreed, Octets(52));
  EXPECT_EQ(base::to_hex(base::Bytes(reply).subspan(16, 4)), "40010034");
}

TEST(Mpa, BuildsTheRequestOfSiwAndUnderstandsTheReply) {
  const Octets expected = vector_bytes("mpa-request-siw");
  const Limits limits{.require_crc = false, .outbound_reads = 0, .inbound_reads = 4};
  EXPECT_THAT(build_request(limits, base::Bytes(expected).last(56)), ElementsAreArray(expected));
  const Octets reply = vector_bytes("mpa-reply");
  const auto agreed = accept_reply(parsed(FrameKind::kReply, reply), limits);
  ASSERT_TRUE(agreed);
  EXPECT_FALSE(agreed->crc);
  EXPECT_EQ(agreed->inbound_reads, 4);
  EXPECT_EQ(agreed->outbound_reads, 0);
}

TEST(Mpa, CrcHoldsWhenEitherSideWantsIt) {
  const Octets bytes = vector_bytes("mpa-request-siw");
  const auto agreed = negotiate(parsed(FrameKind::kRequest, bytes), {.require_crc = true});
  ASSERT_TRUE(agreed);
  EXPECT_TRUE(agreed->crc);
  const Octets reply = build_reply(*agreed, {});
  EXPECT_TRUE(accept_reply(parsed(FrameKind::kReply, reply), {.require_crc = false})->crc);
}

TEST(Mpa, NeverAgreesToAnRtrThatWasNotOffered) {
  Octets bytes = vector_bytes("mpa-request-adapter");
  bytes[22] = 0;  // neither Write nor Read
  const auto none = negotiate(parsed(FrameKind::kRequest, bytes), kLimits);
  EXPECT_EQ(none->rtr, Rtr::kNone);
  EXPECT_FALSE(none->peer_to_peer);
  bytes[20] = 0xC0;  // A and B
  EXPECT_EQ(negotiate(parsed(FrameKind::kRequest, bytes), kLimits)->rtr, Rtr::kFpdu);
}

TEST(Mpa, NoAutomaticNegotiationMeansOurOwnLimits) {
  Octets bytes = vector_bytes("mpa-request-siw");
  bytes[20] = 0x3F, bytes[21] = 0xFF, bytes[22] = 0x3F, bytes[23] = 0xFF;
  const auto agreed = negotiate(parsed(FrameKind::kRequest, bytes), kLimits);
  EXPECT_EQ(agreed->outbound_reads, 16);
  EXPECT_EQ(agreed->inbound_reads, 128);
}

TEST(Mpa, MarkersAreRefused) {
  Octets bytes = vector_bytes("mpa-request-siw");
  bytes[16] |= 0x80;
  EXPECT_EQ(negotiate(parsed(FrameKind::kRequest, bytes), kLimits).error().code, EOPNOTSUPP);
}

TEST(Mpa, EveryCutNeedsMoreAndNothingElse) {
  for (const char* name : {"mpa-request-siw", "mpa-request-adapter", "mpa-request-revision-1"}) {
    const Octets bytes = vector_bytes(name);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      const ParsedFrame result = parse_frame(FrameKind::kRequest, base::Bytes(bytes).first(cut));
      ASSERT_TRUE(std::holds_alternative<Need>(result)) << name << " cut at " << cut;
      EXPECT_EQ(std::get<Need>(result).bytes, cut < 20 ? 20U : bytes.size());
    }
  }
}

TEST(Mpa, RefusesWhatCannotBecomeAFrame) {
  EXPECT_TRUE(refused({'G'}));
  EXPECT_TRUE(refused(vector_bytes("mpa-reply")));
  EXPECT_TRUE(refused(vector_bytes("mpa-request-siw"), FrameKind::kReply));
  Octets bytes = vector_bytes("mpa-request-siw");
  for (const std::uint8_t revision : std::initializer_list<std::uint8_t>{0, 3, 129}) {
    bytes[17] = revision;
    EXPECT_TRUE(refused(bytes)) << int{revision};
  }
  bytes = vector_bytes("mpa-request-siw");
  bytes[18] = 2, bytes[19] = 1;  // 513
  EXPECT_TRUE(refused(bytes));
  bytes[18] = 0, bytes[19] = 3;  // enhanced, but no room for its words
  EXPECT_TRUE(refused(bytes));
}

}  // namespace
}  // namespace uscst::fabric::iwarp
