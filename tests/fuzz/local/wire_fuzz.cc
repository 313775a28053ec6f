// Any bytes as frames of the control socket: what parses must be rebuilt to the same bytes and stay within the limits.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "engine/local/wire.h"

namespace {

using namespace uscst;
using namespace uscst::local;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::Bytes bytes(data, size);
  if (auto request = parse_request(bytes)) {
    require(request->data_in_bytes <= kMaximumDataBytes && request->data_out_bytes <= kMaximumDataBytes);
    require(std::ranges::equal(encode(*request), bytes.first(kRequestBytes)));
  }
  if (auto answer = parse_answer(bytes)) {
    require(answer->sense_bytes <= kMaximumSenseBytes && answer->data_in_bytes <= kMaximumDataBytes);
    require(std::ranges::equal(encode(*answer), bytes.first(kAnswerBytes)));
  }
  return 0;
}
