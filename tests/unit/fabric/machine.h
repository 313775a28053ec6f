// A stream with everything it hands up, for tests of the protocol machine.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "engine/fabric/iwarp/stream.h"

namespace uscst::fabric::iwarp {

using Octets = std::vector<std::uint8_t>;

// A request with memory of its own and what became of it.
struct TestRequest {
  TestRequest(RequestKind kind, RemoteBuffer remote, Octets bytes) : memory(std::move(bytes)) {
    pieces = {{memory.data(), memory.size()}};
    request.kind = kind;
    request.remote = remote;
    request.local = pieces;
  }
  // Cuts the memory into pieces of `size`.
  void cut(std::size_t size) {
    pieces.clear();
    for (std::size_t at = 0; at < memory.size(); at += size)
      pieces.push_back({memory.data() + at, std::min(size, memory.size() - at)});
    request.local = pieces;
  }
  void on_done(bool ok) { results.push_back(ok); }
  bool succeeded() const { return results == std::vector<bool>{true}; }
  bool failed() const { return results == std::vector<bool>{false}; }

  Octets memory;
  std::vector<iovec> pieces;
  std::vector<bool> results;
  Request request{io::Call<bool>::to<&TestRequest::on_done>(this)};
};

struct Machine {
  struct Options {
    Role role = Role::kResponder;
    bool crc = true;
    std::size_t ulpdu_limit = 1442;
    std::size_t maximum_message_bytes = 8276;
    std::uint16_t reads = 4;
  };
  explicit Machine(const Options& options)
      : stream(options.role, {.crc = options.crc, .outbound_reads = options.reads, .inbound_reads = options.reads},
               options.ulpdu_limit, options.maximum_message_bytes, Stream::OnMessage::to<&Machine::on_message>(this)) {}

  void on_message(base::Bytes bytes) { messages.emplace_back(bytes.begin(), bytes.end()); }
  // All there is to send, `step` bytes a call.
  Octets output(std::size_t step = SIZE_MAX) {
    Octets out;
    while (stream.prepare()) {
      const msghdr& batch = stream.batch();
      Octets part;
      for (std::size_t i = 0; i < batch.msg_iovlen && part.size() < step; ++i) {
        const auto* at = static_cast<const std::uint8_t*>(batch.msg_iov[i].iov_base);
        part.insert(part.end(), at, at + std::min(batch.msg_iov[i].iov_len, step - part.size()));
      }
      out.insert(out.end(), part.begin(), part.end());
      stream.sent(part.size());
    }
    return out;
  }

  std::vector<Octets> messages;
  Stream stream;
};

}  // namespace uscst::fabric::iwarp
