// Every way a peer can break the rules, and the exact Terminate it gets (RFC 5040 4.8, RFC 5041 8).
#include <gtest/gtest.h>

#include "engine/base/crc32c.h"
#include "tests/unit/fabric/machine.h"
#include "tests/unit/fabric/vectors.h"

namespace uscst::fabric::iwarp {
namespace {

// A good FPDU around a segment.
Octets fpdu(const Octets& segment) {
  Octets out{static_cast<std::uint8_t>(segment.size() >> 8), static_cast<std::uint8_t>(segment.size())};
  out.insert(out.end(), segment.begin(), segment.end());
  out.resize(out.size() + pad_bytes(segment.size()));
  const std::uint32_t crc = base::crc32c(out);
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<std::uint8_t>(crc >> shift));
  return out;
}

Octets untagged(std::uint8_t ddp, std::uint8_t rdmap, std::uint32_t queue, std::uint32_t number, std::uint32_t offset,
                const Octets& payload) {
  Octets out(18 + payload.size());
  base::Writer writer(out);
  writer.u8(ddp);
  writer.u8(rdmap);
  writer.u32(0);
  writer.u32(queue);
  writer.u32(number);
  writer.u32(offset);
  writer.bytes(payload);
  return out;
}

Octets tagged(std::uint8_t ddp, std::uint8_t rdmap, std::uint32_t stag, std::uint64_t offset, const Octets& payload) {
  Octets out(14 + payload.size());
  base::Writer writer(out);
  writer.u8(ddp);
  writer.u8(rdmap);
  writer.u32(stag);
  writer.u64(offset);
  writer.bytes(payload);
  return out;
}

Octets read_request(std::uint32_t length, std::uint32_t stag, std::uint64_t offset) {
  Octets out(28);
  base::Writer writer(out);
  writer.u32(0x1200);
  writer.u64(0);
  writer.u32(length);
  writer.u32(stag);
  writer.u64(offset);
  return out;
}

// Feeds `bytes`, whole and cut at every byte, and checks that they end the stream with this Terminate.
void expect_terminate(const std::function<std::unique_ptr<Machine>()>& make, const Octets& bytes, TerminateCode code,
                      const Octets& quoted) {
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    const auto machine = make();
    const bool first = machine->stream.consume(base::Bytes(bytes).first(cut));
    const bool second = first && machine->stream.consume(base::Bytes(bytes).subspan(cut));
    ASSERT_FALSE(second) << "cut at " << cut;
    Octets body{static_cast<std::uint8_t>(code.layer << 4 | code.type), code.code, 0, 0};
    if (!quoted.empty()) {
      body[2] = quoted.size() == 46 ? 0xE0 : 0xC0;
      // The length of the whole offending segment, then its headers.
      body.push_back(bytes[0]);
      body.push_back(bytes[1]);
      body.insert(body.end(), quoted.begin(), quoted.end());
    }
    const Octets expected = fpdu(untagged(0x41, 0x47, 2, 1, 0, body));
    ASSERT_EQ(base::to_hex(machine->output()), base::to_hex(expected)) << machine->stream.failure().text;
    ASSERT_FALSE(machine->stream.failure().text.empty());
  }
}

void expect_terminate(const Octets& bytes, TerminateCode code, const Octets& quoted) {
  expect_terminate([] { return std::make_unique<Machine>(Machine::Options{}); }, bytes, code, quoted);
}

Octets head(const Octets& segment, std::size_t bytes) {
  return Octets(segment.begin(), segment.begin() + static_cast<std::ptrdiff_t>(bytes));
}

// `segment` ends the stream; its DDP header is quoted.
void expect_refused(const Octets& segment, TerminateCode code) {
  expect_terminate(fpdu(segment), code, head(segment, (segment[0] & 0x80) != 0 ? 14 : 18));
}

TEST(StreamErrors, TheExamplesOfTerminate) {
  const Octets write = vector_bytes("write-inquiry-data");
  Machine machine({});
  EXPECT_FALSE(machine.stream.consume(write));
  EXPECT_EQ(machine.output(), vector_bytes("terminate-write"));

  Machine reader({});
  EXPECT_FALSE(reader.stream.consume(vector_bytes("read-request")));
  EXPECT_EQ(reader.output(), vector_bytes("terminate-read"));

  Octets broken = vector_bytes("send-inquiry");
  broken[40] ^= 1;
  Machine crc({});
  EXPECT_FALSE(crc.stream.consume(broken));
  EXPECT_EQ(crc.output(), vector_bytes("terminate-crc"));
  EXPECT_TRUE(crc.messages.empty());
}

TEST(StreamErrors, Lengths) {
  for (std::uint8_t length = 1; length < 14; ++length)
    expect_terminate({0, length, 0xC1, 0x40}, terminate::kLength, {});
  Octets shorter(20);
  shorter[1] = 17;  // enough for a tagged header, not for an untagged one
  shorter[2] = 0x41;
  expect_terminate(shorter, terminate::kLength, {});
  // An empty FPDU is an RTR only at the very beginning.
  Octets twice = vector_bytes("rtr-fpdu-crc");
  Machine machine({});
  ASSERT_TRUE(machine.stream.consume(twice));
  EXPECT_FALSE(machine.stream.consume(twice));
  Machine initiator({.role = Role::kInitiator});
  EXPECT_FALSE(initiator.stream.consume(twice));
}

TEST(StreamErrors, VersionsAndOpcodes) {
  expect_refused(tagged(0xC0, 0x40, 1, 0, {}), terminate::kTaggedVersion);
  expect_refused(untagged(0x42, 0x43, 0, 1, 0, {1}), terminate::kUntaggedVersion);
  expect_refused(untagged(0x41, 0x83, 0, 1, 0, {1}), terminate::kRdmapVersion);
  for (std::uint8_t opcode = 8; opcode < 16; ++opcode)
    expect_refused(untagged(0x41, static_cast<std::uint8_t>(0x40 | opcode), 0, 1, 0, {1}), terminate::kOpcode);
  expect_refused(untagged(0x41, 0x40, 0, 1, 0, {1}), terminate::kOpcode);  // an untagged Write
  expect_refused(untagged(0x41, 0x42, 0, 1, 0, {1}), terminate::kOpcode);
  expect_refused(tagged(0xC1, 0x43, 1, 0, Octets(8)), terminate::kOpcode);  // a tagged Send
  expect_refused(tagged(0xC1, 0x47, 1, 0, Octets(8)), terminate::kOpcode);
}

TEST(StreamErrors, Sends) {
  expect_refused(untagged(0x41, 0x43, 1, 1, 0, {1}), terminate::kQueue);
  expect_refused(untagged(0x41, 0x43, 3, 1, 0, {1}), terminate::kQueue);
  expect_refused(untagged(0x41, 0x43, 0, 2, 0, {1}), terminate::kMessageNumber);
  expect_refused(untagged(0x41, 0x43, 0, 1, 1, {1}), terminate::kMessageOffset);
  expect_refused(untagged(0x41, 0x43, 0, 1, 0, Octets(8277)), terminate::kTooLong);
  expect_refused(untagged(0x41, 0x44, 0, 1, 0, {1}), terminate::kNotInvalidatable);

  // Too long over several segments: the second one is the offender.
  Machine machine({});
  ASSERT_TRUE(machine.stream.consume(fpdu(untagged(0x01, 0x43, 0, 1, 0, Octets(8000)))));
  EXPECT_FALSE(machine.stream.consume(fpdu(untagged(0x41, 0x43, 0, 1, 8000, Octets(277)))));
  EXPECT_EQ(base::to_hex(base::Bytes(machine.stream.failure().terminate).first(2)), "1205");
  EXPECT_TRUE(machine.messages.empty());
}

TEST(StreamErrors, ReadRequests) {
  const Octets good = read_request(0, 1, 0);
  expect_refused(untagged(0x41, 0x41, 0, 1, 0, good), terminate::kQueue);
  expect_refused(untagged(0x41, 0x41, 1, 2, 0, good), terminate::kMessageNumber);
  expect_refused(untagged(0x41, 0x41, 1, 1, 4, good), terminate::kMessageOffset);
  expect_refused(untagged(0x01, 0x41, 1, 1, 0, good), terminate::kTooLong);
  Octets longer = good;
  longer.push_back(0);
  expect_refused(untagged(0x41, 0x41, 1, 1, 0, longer), terminate::kTooLong);
  expect_terminate(fpdu(untagged(0x41, 0x41, 1, 1, 0, Octets(27))), terminate::kLength, {});
}

TEST(StreamErrors, AccessToExposedMemory) {
  static Octets memory(100);
  const auto make = [](Access access) {
    return [access] {
      auto machine = std::make_unique<Machine>(Machine::Options{.role = Role::kInitiator});
      machine->stream.expose(memory, access);
      return machine;
    };
  };
  const RemoteBuffer buffer = make(Access::kRemoteRead)()->stream.expose(memory, Access::kRemoteRead);
  const std::uint32_t key = buffer.key - 0x100;  // the first, whose place make() fills again
  const std::uint64_t first = std::uint64_t{key} << 32;
  const auto write = [&](Access access, std::uint32_t stag, std::uint64_t at, std::size_t size, TerminateCode code) {
    const Octets segment = tagged(0xC1, 0x40, stag, at, Octets(size));
    expect_terminate(make(access), fpdu(segment), code, head(segment, 14));
  };
  write(Access::kRemoteWrite, key + 1, first, 10, terminate::kTaggedStag);
  write(Access::kRemoteWrite, key, first + 91, 10, terminate::kTaggedBounds);
  write(Access::kRemoteWrite, key, first - 1, 10, terminate::kTaggedBounds);
  write(Access::kRemoteWrite, key, first + 101, 1, terminate::kTaggedBounds);
  write(Access::kRemoteWrite, key, 0xFFFFFFFFFFFFFFFB, 10, terminate::kTaggedWrap);
  write(Access::kRemoteRead, key, first, 10, terminate::kAccess);

  const auto read = [&](Access access, std::uint32_t stag, std::uint64_t at, std::uint32_t size, TerminateCode code) {
    const Octets segment = untagged(0x41, 0x41, 1, 1, 0, read_request(size, stag, at));
    expect_terminate(make(access), fpdu(segment), code, segment);
  };
  read(Access::kRemoteRead, key + 1, first, 10, terminate::kReadStag);
  read(Access::kRemoteRead, key, first + 91, 10, terminate::kReadBounds);
  read(Access::kRemoteRead, key, 0xFFFFFFFFFFFFFFFB, 10, terminate::kReadWrap);
  read(Access::kRemoteWrite, key, first, 10, terminate::kAccess);
}

TEST(StreamErrors, ReadResponses) {
  // With one read of 100 bytes outstanding.
  struct Reading {
    Reading() { machine->stream.post(read.request), (void)machine->output(); }
    std::unique_ptr<Machine> machine = std::make_unique<Machine>(Machine::Options{.role = Role::kInitiator});
    TestRequest read{RequestKind::kRead, {0x1000, 0x100, 100}, Octets(100)};
  };
  const auto refused = [](const std::vector<Octets>& segments, const char* code) {
    Reading reading;
    for (std::size_t i = 0; i + 1 < segments.size(); ++i)
      ASSERT_TRUE(reading.machine->stream.consume(fpdu(segments[i])));
    EXPECT_FALSE(reading.machine->stream.consume(fpdu(segments.back())));
    EXPECT_EQ(base::to_hex(base::Bytes(reading.machine->stream.failure().terminate).first(2)), code);
    EXPECT_TRUE(reading.read.results.empty());
    reading.machine->stream.fail_all();
    EXPECT_TRUE(reading.read.failed());
  };
  const std::uint32_t stag = sink_stag(1);
  refused({tagged(0xC1, 0x42, stag + 1, 0, Octets(100))}, "1100");
  refused({tagged(0xC1, 0x42, stag, 1, Octets(99))}, "1101");
  refused({tagged(0xC1, 0x42, stag, 0, Octets(101))}, "1101");
  refused({tagged(0xC1, 0x42, stag, 0, Octets(99))}, "02ff");   // ends too early
  refused({tagged(0x81, 0x42, stag, 0, Octets(100))}, "02ff");  // does not end
  refused({tagged(0x81, 0x42, stag, 0, Octets(50)), tagged(0xC1, 0x42, stag, 60, Octets(40))}, "1101");
  refused({tagged(0x81, 0x42, stag, 0, Octets(50)), tagged(0xC1, 0x42, stag, 40, Octets(60))}, "1101");
  expect_refused(tagged(0xC1, 0x42, stag, 0, Octets(4)), terminate::kTaggedStag);  // nothing outstanding
}

TEST(StreamErrors, MoreReadsThanAgreed) {
  Machine machine({.reads = 4});
  for (std::uint32_t i = 1; i <= 4; ++i)
    ASSERT_TRUE(machine.stream.consume(fpdu(untagged(0x41, 0x41, 1, i, 0, read_request(0, 1, 0)))));
  EXPECT_FALSE(machine.stream.consume(fpdu(untagged(0x41, 0x41, 1, 5, 0, read_request(0, 1, 0)))));
  EXPECT_EQ(base::to_hex(base::Bytes(machine.stream.failure().terminate).first(2)), "1202");
}

TEST(StreamErrors, NothingFollowsATerminate) {
  Machine machine({.role = Role::kInitiator});
  TestRequest send(RequestKind::kSend, {}, {1, 2, 3});
  EXPECT_FALSE(machine.stream.consume(vector_bytes("write-inquiry-data")));
  machine.stream.stop();
  machine.stream.post(send.request);
  EXPECT_EQ(machine.output(), vector_bytes("terminate-write"));
  EXPECT_TRUE(machine.output().empty());
  machine.stream.fail_all();
  EXPECT_TRUE(send.failed());
}

}  // namespace
}  // namespace uscst::fabric::iwarp
