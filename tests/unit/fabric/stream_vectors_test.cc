// The worked examples, in both directions and cut at every byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/crc32c.h"
#include "tests/unit/fabric/machine.h"
#include "tests/unit/fabric/vectors.h"

namespace uscst::fabric::iwarp {
namespace {

using ::testing::ElementsAreArray;

Octets part(const Octets& bytes, std::size_t offset, std::size_t length) {
  return Octets(bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                bytes.begin() + static_cast<std::ptrdiff_t>(offset + length));
}

void append(Octets& to, const Octets& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// A good FPDU around a segment.
Octets fpdu(Octets segment) {
  Octets out{static_cast<std::uint8_t>(segment.size() >> 8), static_cast<std::uint8_t>(segment.size())};
  append(out, segment);
  out.resize(out.size() + pad_bytes(segment.size()));
  const std::uint32_t crc = base::crc32c(out);
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<std::uint8_t>(crc >> shift));
  return out;
}

TEST(StreamVectors, DeliversASendCutAnywhere) {
  const Octets bytes = vector_bytes("send-inquiry");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Machine machine({});
    ASSERT_TRUE(machine.stream.consume(base::Bytes(bytes).first(cut)));
    EXPECT_EQ(machine.messages.size(), cut == bytes.size() ? 1U : 0U);
    ASSERT_TRUE(machine.stream.consume(base::Bytes(bytes).subspan(cut)));
    ASSERT_EQ(machine.messages.size(), 1U) << cut;
    EXPECT_THAT(machine.messages[0], ElementsAreArray(part(bytes, 20, 64)));
  }
}

TEST(StreamVectors, DeliversByteByByte) {
  Machine machine({});
  Octets bytes = vector_bytes("rtr-write-crc");
  append(bytes, vector_bytes("send-inquiry"));
  for (std::uint8_t byte : bytes) ASSERT_TRUE(machine.stream.consume({&byte, 1}));
  EXPECT_EQ(machine.messages.size(), 1U);
}

TEST(StreamVectors, BuildsWriteAndSend) {
  const Octets write = vector_bytes("write-inquiry-data"), send = vector_bytes("send-response");
  for (std::size_t step : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
    Machine machine({.role = Role::kInitiator});
    TestRequest data(RequestKind::kWrite, {0x11223344556677f0, 0x00abcd01, 36}, part(write, 16, 36));
    TestRequest response(RequestKind::kSend, {}, part(send, 20, 36));
    data.cut(5);
    machine.stream.post(data.request);
    machine.stream.post(response.request);
    Octets expected = write;
    append(expected, send);
    EXPECT_THAT(machine.output(step), ElementsAreArray(expected));
    EXPECT_TRUE(data.succeeded());
    EXPECT_TRUE(response.succeeded());
  }
}

TEST(StreamVectors, PadsAndNumbersSends) {
  Machine machine({.role = Role::kInitiator});
  TestRequest first(RequestKind::kSend, {}, {1}), second(RequestKind::kSend, {}, {1}),
      third(RequestKind::kSend, {}, {1, 2, 3});
  for (TestRequest* one : {&first, &second, &third}) machine.stream.post(one->request);
  const Octets out = machine.output(), expected = vector_bytes("send-padded");
  ASSERT_GE(out.size(), expected.size());
  EXPECT_THAT(part(out, out.size() - expected.size(), expected.size()), ElementsAreArray(expected));
}

TEST(StreamVectors, CutsAWriteAtTheSegmentSize) {
  Machine machine({.role = Role::kInitiator, .crc = false});
  TestRequest data(RequestKind::kWrite, {0xffff888012340000, 0x0045a703, 4096}, Octets(4096, 0xA5));
  data.cut(100);
  machine.stream.post(data.request);
  const Octets out = machine.output();
  ASSERT_EQ(out.size(), 1448U + 1448 + 1260);
  EXPECT_EQ(base::to_hex(base::Bytes(out).subspan(0, 16)), "05a281400045a703ffff888012340000");
  EXPECT_EQ(base::to_hex(base::Bytes(out).subspan(1448, 16)), "05a281400045a703ffff888012340594");
  EXPECT_EQ(base::to_hex(base::Bytes(out).subspan(2896, 16)), "04e6c1400045a703ffff888012340b28");
  EXPECT_EQ(base::to_hex(base::Bytes(out).last(4)), "00000000");
}

TEST(StreamVectors, AnswersAnEmptyReadRequest) {
  const Octets request = vector_bytes("rtr-read-crc"), response = vector_bytes("rtr-read-response-crc");
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    Machine machine({});
    ASSERT_TRUE(machine.stream.consume(base::Bytes(request).first(cut)));
    ASSERT_TRUE(machine.stream.consume(base::Bytes(request).subspan(cut)));
    EXPECT_THAT(machine.output(), ElementsAreArray(response));
  }
}

TEST(StreamVectors, EveryRtrOpensTheResponder) {
  for (const char* name : {"rtr-write-crc", "rtr-fpdu-crc", "rtr-read-crc"}) {
    Machine machine({});
    TestRequest early(RequestKind::kSend, {}, {1, 2, 3, 4});
    machine.stream.post(early.request);
    EXPECT_TRUE(machine.output().empty()) << name;  // RFC 5044 7.1.2: the responder does not speak first
    ASSERT_TRUE(machine.stream.consume(vector_bytes(name)));
    EXPECT_FALSE(machine.output().empty()) << name;
    EXPECT_TRUE(early.succeeded());
    EXPECT_TRUE(machine.messages.empty());
  }
}

TEST(StreamVectors, WithoutCrcTheFieldIsNotLookedAt) {
  Machine machine({.crc = false});
  ASSERT_TRUE(machine.stream.consume(vector_bytes("rtr-write")));
  ASSERT_TRUE(machine.stream.consume(vector_bytes("rtr-write-crc")));
  Octets send = vector_bytes("send-inquiry");
  send.back() ^= 0xFF;
  ASSERT_TRUE(machine.stream.consume(send));
  EXPECT_EQ(machine.messages.size(), 1U);
}

// The example's sink is another's choice of STag and offset; ours differ, the rest of the header is the same.
TEST(StreamVectors, AsksForAReadAndTakesItsResponse) {
  const Octets expected = vector_bytes("read-request"), example = vector_bytes("read-response");
  Machine machine({.role = Role::kInitiator});
  TestRequest read(RequestKind::kRead, {0xffff888012340000, 0x00abcd02, 4096}, Octets(4096));
  read.cut(1000);
  machine.stream.post(read.request);
  const Octets out = machine.output();
  ASSERT_EQ(out.size(), expected.size());
  EXPECT_THAT(part(out, 0, 20), ElementsAreArray(part(expected, 0, 20)));
  EXPECT_THAT(part(out, 32, 16), ElementsAreArray(part(expected, 32, 16)));

  Octets segment = part(example, 2, 14);  // header of the Read Response
  std::copy_n(out.begin() + 20, 12, segment.begin() + 2);
  Octets data(4096);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 7);
  append(segment, data);
  const Octets response = fpdu(segment);
  EXPECT_FALSE(read.succeeded());
  ASSERT_TRUE(machine.stream.consume(response)) << machine.stream.failure().text;
  EXPECT_TRUE(read.succeeded());
  EXPECT_EQ(read.memory, data);
}

TEST(StreamVectors, ServesAReadInSegments) {
  Machine machine({.role = Role::kInitiator, .ulpdu_limit = 14 + 100});
  Octets memory(250);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::uint8_t>(i);
  const RemoteBuffer exposed = machine.stream.expose(memory, Access::kRemoteRead);
  Octets segment = part(vector_bytes("read-request"), 2, 46);
  base::Writer writer(base::MutableBytes(segment).subspan(30));
  writer.u32(240);
  writer.u32(exposed.key);
  writer.u64(exposed.address + 10);
  ASSERT_TRUE(machine.stream.consume(fpdu(segment))) << machine.stream.failure().text;
  const Octets out = machine.output();
  const std::size_t each = 2 + 14 + 100 + 4;
  ASSERT_EQ(out.size(), 2 * each + 2 + 14 + 40 + 4);
  EXPECT_EQ(base::to_hex(base::Bytes(out).subspan(0, 16)),
            "0072814200001200"
            "00007f0000001000");
}

TEST(StreamVectors, ATerminateOfEitherByteOrderEndsTheStreamWithoutAnswer) {
  for (const char* name : {"terminate-crc", "terminate-crc-siw", "terminate-read", "terminate-write"}) {
    Machine machine({});
    EXPECT_FALSE(machine.stream.consume(vector_bytes(name)));
    EXPECT_TRUE(machine.stream.failure().terminate.empty()) << name;
    EXPECT_THAT(machine.stream.failure().text, ::testing::HasSubstr("Terminate"));
    EXPECT_TRUE(machine.output().empty());
  }
}

TEST(StreamVectors, SendWithInvalidateWithdraws) {
  Machine machine({.role = Role::kInitiator});
  Octets memory(16);
  const RemoteBuffer exposed = machine.stream.expose(memory, Access::kRemoteWrite);
  Octets segment = part(vector_bytes("send-invalidate"), 2, 54);
  base::Writer(base::MutableBytes(segment).subspan(2)).u32(exposed.key);
  segment[13] = 1;  // MSN
  ASSERT_TRUE(machine.stream.consume(fpdu(segment))) << machine.stream.failure().text;
  EXPECT_EQ(machine.messages.size(), 1U);
  segment[13] = 2;
  EXPECT_FALSE(machine.stream.consume(fpdu(segment)));
  EXPECT_EQ(base::to_hex(base::Bytes(machine.stream.failure().terminate).first(2)), "0109");
}

TEST(StreamVectors, SolicitedSendsAreSends) {
  Machine machine({});
  Octets segment = part(vector_bytes("send-inquiry"), 2, 82);
  segment[1] = 0x45;
  ASSERT_TRUE(machine.stream.consume(fpdu(segment)));
  EXPECT_EQ(machine.messages.size(), 1U);
}

TEST(StreamVectors, AnEmptySendIsAnRtrAndNoMessage) {
  Machine machine({});
  Octets segment = part(vector_bytes("send-inquiry"), 2, 18);
  ASSERT_TRUE(machine.stream.consume(fpdu(segment)));
  EXPECT_TRUE(machine.messages.empty());
  Octets next = part(vector_bytes("send-inquiry"), 2, 82);
  next[13] = 2;
  ASSERT_TRUE(machine.stream.consume(fpdu(next)));
  EXPECT_EQ(machine.messages.size(), 1U);
}

}  // namespace
}  // namespace uscst::fabric::iwarp
