#include "tests/unit/scsi/opcodes_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "engine/scsi/opcode_table.h"

namespace uscst::scsi::test {
namespace {

constexpr std::string_view kIntroduction =
    R"(# SCSI commands

Made from the opcode table (engine/scsi/opcode_table.cc) by the program opcodes_document; do not edit.

* **Devices**: D disk, C CD-ROM.
* **Reservations**: what passes while another initiator holds a reservation: R an SPC-2 reservation, W a persistent reservation of a
  Write Exclusive type, E of an Exclusive Access type. An asterisk: only START=1 without further bits, or PREVENT=0.
* **ALUA**: beside both active states it passes in S standby, U unavailable, offline and transitioning.
* **Order**: H head of queue when sent SIMPLE, S serialised, S! strictly serialised.
* **UA**: `-` a unit attention stays pending.
* **Time-out**: recommended, in seconds, as REPORT SUPPORTED OPERATION CODES tells it; in brackets: not named there.
* **State**: `yes` carried out; `thin`, `dif 2`, `expl_alua` only on devices with that attribute; `refused` 5/20/00 as SCST does;
  `no pages` 5/24/00, whatever page is named;
  `no` not carried out yet, answered as an unknown command.

| Opcode | Command | CDB | Devices | Data | Writes | Reservations | ALUA | Order | UA | Time-out | State |
|---|---|---|---|---|---|---|---|---|---|---|---|
)";

std::string opcode_text(const OpcodeRow& row) {
  if (!row.service_action) return fmt::format("{:02X}", row.opcode);
  return fmt::format("{:02X}/{:02X}", row.opcode, *row.service_action);
}

std::string_view direction_text(const OpcodeRow& row) {
  if (row.layout.rule == LengthRule::kByteCheck) return "out with BYTCHK";
  switch (row.direction) {
    case Direction::kNone: return "-";
    case Direction::kIn: return "in";
    case Direction::kOut: return "out";
  }
  return {};
}

std::string reservation_text(const OpcodeRow& row) {
  std::string text;
  if (row.flags.has(Flag::kUnderReservation)) text += "R";
  if (row.flags.has(Flag::kUnderWriteExclusive)) text += "W";
  if (row.flags.has(Flag::kUnderExclusiveAccess)) text += "E";
  if (text.empty()) return "-";
  return row.flags.has(Flag::kConditionalStart) ? text + "\\*" : text;
}

std::string_view alua_text(const OpcodeRow& row) {
  if (row.flags.has(Flag::kUnavailable)) return "SU";
  return row.flags.has(Flag::kStandby) ? "S" : "-";
}

std::string_view order_text(const OpcodeRow& row) {
  if (row.flags.has(Flag::kHeadOfQueue)) return "H";
  if (row.flags.has(Flag::kStrictlySerialized)) return "S!";
  return row.flags.has(Flag::kSerialized) ? "S" : "";
}

std::string timeout_text(const OpcodeRow& row) {
  const auto seconds = static_cast<unsigned>(row.timeout);
  return row.flags.has(Flag::kUnlisted) ? fmt::format("({})", seconds) : fmt::format("{}", seconds);
}

std::string_view state_text(const OpcodeRow& row) {
  if (row.operation == Operation::kRefused) return "refused";
  if (row.operation == Operation::kLogSense || row.operation == Operation::kLogSelect) return "no pages";
  if (!kImplementedOperations.contains(row.operation)) return "no";
  if (row.flags.has(Flag::kNeedsThin)) return "thin";
  if (row.flags.has(Flag::kNeedsDifType2)) return "dif 2";
  return row.flags.has(Flag::kNeedsExplicitAlua) ? "expl_alua" : "yes";
}

}  // namespace

std::string opcodes_document() {
  std::vector<const OpcodeRow*> rows;
  for (const OpcodeRow& row : opcode_rows()) rows.push_back(&row);
  std::sort(rows.begin(), rows.end(), [](const OpcodeRow* a, const OpcodeRow* b) {
    return a->opcode != b->opcode ? a->opcode < b->opcode : a->service_action < b->service_action;
  });
  std::string text(kIntroduction);
  for (const OpcodeRow* row : rows) {
    text += fmt::format("| {} | {} | {} | {}{} | {} | {} | {} | {} | {} | {} | {} | {} |\n", opcode_text(*row),
                        row->name, row->cdb_length, row->types.disk ? "D" : "", row->types.cdrom ? "C" : "",
                        direction_text(*row), row->flags.has(Flag::kWrites) ? "yes" : "", reservation_text(*row),
                        alua_text(*row), order_text(*row), row->flags.has(Flag::kUnitAttentionExempt) ? "-" : "",
                        timeout_text(*row), state_text(*row));
  }
  return text;
}

}  // namespace uscst::scsi::test
