// Any bytes through every SRP parser. The first byte chooses the negotiated rules; what parses must be rebuilt to an IU
// that parses the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "engine/srp/iu.h"

namespace {

using namespace uscst;
using namespace uscst::srp;

void require(bool condition) {
  if (!condition) std::abort();
}

std::uint64_t touch(base::Bytes bytes) {
  std::uint64_t sum = 0;
  for (std::uint8_t b : bytes) sum += b;
  return sum;
}

DataSpec spec_of(const DataBuffer& buffer, boost::container::small_vector_base<RemoteBuffer>& list) {
  buffer.descriptors.append_to(list);
  return {.format = buffer.format,
          .descriptors = {list.data(), list.size()},
          .table = buffer.table,
          .immediate = buffer.immediate};
}

void command(base::Bytes message, const CommandRules& rules) {
  auto parsed = parse_command(message, rules);
  if (!parsed) {
    require((message.size() < kCommandBytes || message[0] != 2) == (parsed.error().error == CommandError::kTooShort));
    return;
  }
  touch(parsed->cdb);
  touch(parsed->data_out.immediate);
  if (parsed->data_out.external_table || parsed->data_in.external_table) return;
  boost::container::small_vector<RemoteBuffer, 8> out, in;
  CommandSpec spec{.tag = parsed->tag, .lun = parsed->lun, .cdb = parsed->cdb};
  spec.data_out = spec_of(parsed->data_out, out);
  spec.data_in = spec_of(parsed->data_in, in);
  spec.immediate_offset_bytes = rules.immediate_offset_bytes;
  std::vector<std::uint8_t> room(message.size());
  const std::size_t length = build_command(spec, room);
  require(length != 0);
  auto again = parse_command(base::Bytes(room).first(length), rules);
  require(again && again->data_out.total_bytes == parsed->data_out.total_bytes &&
          again->data_in.descriptors.total_bytes() == parsed->data_in.descriptors.total_bytes());
}

void others(base::Bytes message) {
  if (auto request = parse_login_request(message)) require(parse_login_request(encode_rdma(*request)) == request);
  if (auto response = parse_login_response(message)) require(parse_login_response(encode(*response)) == response);
  if (auto reject = parse_login_reject(message)) require(parse_login_reject(encode(*reject)) == reject);
  if (auto request = parse_task_management(message)) require(parse_task_management(encode(*request)) == request);
  if (auto request = parse_credit_request(message)) require(parse_credit_request(encode(*request)) == request);
  if (auto logout = parse_target_logout(message)) require(parse_target_logout(encode(*logout)) == logout);
  if (auto event = parse_event_request(message)) touch(event->sense);
  if (auto type = iu_type(message)) parse_plain(message, *type);
  if (auto response = parse_response(message)) {
    std::vector<std::uint8_t> room(kResponseBytes + kResponseDataBytes + response->sense.size());
    const std::size_t length = build_response(*response, room);
    auto again = parse_response(base::Bytes(room).first(length));
    require(again && again->status == response->status && again->code == response->code);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const base::Bytes message = base::Bytes(data, size).subspan(1);
  const CommandRules rules{.immediate_offset_bytes = static_cast<std::uint16_t>((data[0] & 0x80) != 0 ? 68 : data[0]),
                           .fetch_tables = (data[0] & 0x40) != 0};
  command(message, rules);
  others(message);
  return 0;
}
