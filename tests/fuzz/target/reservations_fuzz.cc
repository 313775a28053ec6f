// Files and texts of persistent reservations. First byte: 0 a file, else a text. Whatever is taken must survive being
// written and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/target/reservation_file.h"

namespace {

using uscst::target::ReservationState;

void require(bool condition) {
  if (!condition) std::abort();
}

void try_file(uscst::base::Bytes file) {
  auto state = uscst::target::decode_reservations(file);
  if (!state) return;
  const std::vector<std::uint8_t> written = uscst::target::encode_reservations(*state);
  auto again = uscst::target::decode_reservations(written);
  require(again && *again == *state);
}

void try_text(std::string_view text) {
  ReservationState state;
  std::vector<std::string> ignored;
  const bool taken = uscst::target::parse_reservation_state(text, state, ignored).has_value();
  require(!state.holder || *state.holder < state.registrants.size());
  require(!uscst::target::describe(state, "d").empty());
  if (!taken) return;
  ReservationState again;
  require(uscst::target::parse_reservation_state(format_reservation_state(state), again, ignored).has_value());
  require(again == state);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const uscst::base::Bytes rest(data + 1, size - 1);
  data[0] == 0 ? try_file(rest) : try_text(uscst::base::as_text(rest));
  return 0;
}
