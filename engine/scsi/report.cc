#include "engine/scsi/report.h"

#include "engine/scsi/data_in.h"

namespace uscst::scsi {
namespace {

enum class Reporting : std::uint8_t { kAll = 0, kOpcode = 1, kServiceAction = 2 };

constexpr std::uint8_t kRctd = 0x80;
constexpr std::uint16_t kTimeoutDescriptorLength = 0x0A;
constexpr std::uint32_t kNominalTimeout_s = 1;
constexpr unsigned kServactv = 0x01;
constexpr unsigned kCtdp = 0x02;
constexpr unsigned kNotSupported = 0x01;
constexpr unsigned kSupported = 0x03;
constexpr std::uint8_t kTaskManagementFunctions = 0xF8;

void timeouts(DataIn& data, const OpcodeRow& row) {
  data.u16(kTimeoutDescriptorLength);
  data.u16(0);
  data.u32(kNominalTimeout_s);
  data.u32(static_cast<std::uint16_t>(row.timeout));
}

DataIn all_commands(const DeviceTraits& traits, bool with_timeouts) {
  DataIn data;
  data.u32(0);
  for (const OpcodeRow& row : opcode_rows()) {
    if (!is_reported(row, traits)) continue;
    data.u8(row.opcode);
    data.u8(0);
    data.u16(row.service_action.value_or(0));
    data.u8(0);
    data.u8((row.service_action ? kServactv : 0u) | (with_timeouts ? kCtdp : 0u));
    data.u16(row.cdb_length);
    if (with_timeouts) timeouts(data, row);
  }
  data.set_u32(0, data.size() - 4);
  return data;
}

DataIn one_command(const OpcodeRow* row, bool with_timeouts) {
  DataIn data;
  data.u8(0);
  if (row == nullptr) {
    // SCST leaves SUPPORT 0, "not known at the moment"; 1 says what is meant (SPC-5 table 202).
    data.u8(kNotSupported);
    data.u16(0);
    return data;
  }
  data.u8(kSupported | (with_timeouts ? unsigned{kRctd} : 0u));
  data.u16(row->cdb_length);
  data.bytes(row->usage_bytes());
  if (with_timeouts) timeouts(data, *row);
  return data;
}

}  // namespace

SenseResult<std::vector<std::uint8_t>> report_supported_opcodes(const DecodedCdb& cdb, const DeviceTraits& traits) {
  const bool with_timeouts = (cdb.bytes[2] & kRctd) != 0;
  const auto reporting = static_cast<Reporting>(cdb.bytes[2] & 0x07);
  const std::uint8_t opcode = cdb.bytes[3];
  const auto action = static_cast<std::uint16_t>(cdb.bytes[4] << 8 | cdb.bytes[5]);
  if (reporting == Reporting::kAll) return all_commands(traits, with_timeouts).cut(cdb.data_length_bytes);
  if (reporting != Reporting::kOpcode && reporting != Reporting::kServiceAction) return bad_cdb(2, 0);
  const OpcodeRow* found = nullptr;
  for (const OpcodeRow& row : opcode_rows()) {
    if (row.opcode != opcode || !is_reported(row, traits)) continue;
    if (row.service_action.has_value() != (reporting == Reporting::kServiceAction)) return bad_cdb(2, 0);
    if (!row.service_action || row.service_action == action) found = &row;
  }
  return one_command(found, with_timeouts).cut(cdb.data_length_bytes);
}

std::vector<std::uint8_t> report_supported_task_management(const DecodedCdb& cdb) {
  const bool with_timeouts = (cdb.bytes[2] & 0x80) != 0;  // REPD
  DataIn data;
  data.u8(kTaskManagementFunctions);
  data.u16(0);
  data.u8(with_timeouts ? 0x0C : 0);
  if (with_timeouts) {
    data.u32(0x0100A000);  // which functions take the long and which the short time-out
    data.u32(300);         // in 100 ms
    data.u32(150);
  }
  return std::move(data).cut(cdb.data_length_bytes);
}

std::vector<std::uint8_t> request_sense(const DecodedCdb& cdb, const Sense& pending) {
  const bool descriptor = (cdb.bytes[1] & 0x01) != 0;
  const SenseBytes sense = pending.encode(descriptor ? SenseFormat::kDescriptor : SenseFormat::kFixed);
  DataIn data;
  data.bytes(sense.bytes());
  return std::move(data).cut(cdb.data_length_bytes);
}

}  // namespace uscst::scsi
