#include "engine/fabric/iwarp/stream.h"

namespace uscst::fabric::iwarp {

Stream::Stream(Role role, const Negotiated& agreed, std::size_t ulpdu_limit, std::size_t maximum_message_bytes,
               OnMessage on_message)
    : transmitter_({.crc = agreed.crc,
                    .ulpdu_limit = ulpdu_limit,
                    .outbound_reads = agreed.outbound_reads,
                    .inbound_reads = agreed.inbound_reads,
                    .open = role == Role::kInitiator}),
      receiver_(
          {.crc = agreed.crc, .maximum_message_bytes = maximum_message_bytes, .accept_rtr = role == Role::kResponder},
          exposures_, *this),
      on_message_(on_message) {}

bool Stream::withdraw(std::uint32_t key) {
  const base::Bytes memory = exposures_.memory(key);
  exposures_.remove(key);
  return !transmitter_.is_responding_from(memory) && !receiver_.is_writing_to(memory);
}

bool Stream::consume(base::Bytes bytes) {
  if (!receiver_.consume(bytes)) return true;
  if (!receiver_.failure().terminate.empty()) transmitter_.terminate(receiver_.failure().terminate);
  return false;
}

bool Stream::sent(std::size_t bytes) {
  if (!transmitter_.sent(bytes)) return false;
  RequestList& finished = transmitter_.finished();
  while (!finished.empty()) {
    Request& request = finished.front();
    finished.pop_front();
    request.done(true);
  }
  return true;
}

void Stream::read_done() {
  Request& read = *transmitter_.oldest_read();
  transmitter_.retire_read();
  read.done(true);
}

void Stream::stop() {
  receiver_.stop();
  transmitter_.close();
  exposures_.clear();
}

void Stream::fail_all() {
  RequestList all;
  for (transmitter_.take_all(all); !all.empty(); transmitter_.take_all(all)) {  // done() may post more
    Request& request = all.front();
    all.pop_front();
    request.done(false);
  }
}

}  // namespace uscst::fabric::iwarp
