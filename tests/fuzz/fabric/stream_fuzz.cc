// FPDUs from a hostile peer, to either role: the first byte holds the options, the second how the stream is cut.
#include <cstdlib>

#include "engine/fabric/iwarp/stream.h"

using namespace uscst;
using namespace uscst::fabric;
using namespace uscst::fabric::iwarp;

namespace {

struct Side {
  void on_message(base::Bytes bytes) { sum += bytes.empty() ? 0U : bytes.front() + bytes.back(); }
  void on_done(bool) { ++done; }
  unsigned sum = 0, done = 0;
};

void drain(Stream& stream) {
  while (stream.prepare()) {
    std::size_t total = 0;
    for (std::size_t i = 0; i < stream.batch().msg_iovlen; ++i) total += stream.batch().msg_iov[i].iov_len;
    stream.sent(total);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Role role = (data[0] & 1) != 0 ? Role::kInitiator : Role::kResponder;
  const std::size_t cut = data[1] == 0 ? size : data[1];
  Side side;
  Stream stream(role, {.crc = (data[0] & 2) != 0, .outbound_reads = 2, .inbound_reads = 4}, 1442, 600,
                Stream::OnMessage::to<&Side::on_message>(&side));
  std::vector<std::uint8_t> exposed(64), sink(40);
  (void)stream.expose(exposed, Access::kRemoteReadWrite);
  std::vector<iovec> pieces{{sink.data(), 10}, {sink.data() + 10, 30}};
  Request reads[3] = {Request(io::Call<bool>::to<&Side::on_done>(&side)),
                      Request(io::Call<bool>::to<&Side::on_done>(&side)),
                      Request(io::Call<bool>::to<&Side::on_done>(&side))};
  for (Request& read : reads) {
    read.kind = RequestKind::kRead;
    read.remote = {0x1000, 0x100, 40};
    read.local = pieces;
    stream.post(read);
  }
  drain(stream);
  base::Bytes left(data + 2, size - 2);
  bool good = true;
  while (good && !left.empty()) {
    const base::Bytes part = left.first(std::min(cut, left.size()));
    good = stream.consume(part);
    left = left.subspan(part.size());
    drain(stream);
  }
  stream.stop();
  drain(stream);
  stream.fail_all();
  if (side.done != 3) std::abort();  // every request completes, once
  return 0;
}
