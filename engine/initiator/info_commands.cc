// discover, luns, inquiry, capacity, reset, raw.
#include "engine/initiator/commands.h"
#include "engine/initiator/sense_text.h"

namespace uscst::initiator {
namespace {

constexpr std::uint16_t kInquiryBytes = 255;

std::string trimmed(base::Bytes field) {
  std::string text(base::as_text(field));
  for (char& c : text) {
    if (c < 0x20 || c > 0x7E) c = '.';
  }
  const std::size_t end = text.find_last_not_of(' ');
  return end == std::string::npos ? std::string() : text.substr(0, end + 1);
}

std::string_view type_name(unsigned type) {
  switch (type) {
    case 0x00: return "disk";
    case 0x01: return "tape";
    case 0x05: return "cd/dvd";
    case 0x08: return "medium changer";
    case 0x1F: return "no device";
    default: return "other device";
  }
}

nlohmann::json inquiry_json(base::Bytes data) {
  nlohmann::json out;
  if (data.size() < 36) return out;
  out["qualifier"] = data[0] >> 5;
  out["type"] = data[0] & 0x1F;
  out["type_name"] = type_name(data[0] & 0x1F);
  out["version"] = data[2];
  out["vendor"] = trimmed(data.subspan(8, 8));
  out["product"] = trimmed(data.subspan(16, 16));
  out["revision"] = trimmed(data.subspan(32, 4));
  return out;
}

void hex_lines(Report& report, base::Bytes data) {
  for (std::size_t at = 0; at < data.size(); at += 16) {
    std::string bytes, text;
    for (std::uint8_t b : data.subspan(at, std::min<std::size_t>(16, data.size() - at))) {
      bytes += fmt::format("{:02x} ", b);
      text += b >= 0x20 && b < 0x7F ? static_cast<char>(b) : '.';
    }
    report.line("{:04x}  {:48} {}", at, bytes, text);
  }
}

// One LUN's line of the table; what cannot be had is left out.
nlohmann::json describe_lun(Context& context, const srp::Lun& lun) {
  nlohmann::json row;
  row["lun"] = lun_number(lun).value_or(0xFFFF);
  row["bytes"] = base::to_hex(lun);
  Answer answer = context.session.execute(lun, inquiry(kInquiryBytes), kInquiryBytes);
  if (!answer.outcome.good()) {
    row["error"] = describe(answer.outcome);
    return row;
  }
  row["inquiry"] = inquiry_json(answer.data);
  if (auto size = context.session.capacity(lun)) {
    row["blocks"] = size->blocks;
    row["block_bytes"] = size->block_bytes;
  } else {
    row["capacity_error"] = size.error().text;
  }
  return row;
}

void lun_line(Report& report, const nlohmann::json& row) {
  if (row.contains("error")) return report.line("LUN {:5}  {}", row["lun"].get<int>(), row["error"].get<std::string>());
  const auto& data = row["inquiry"];
  const std::string size = row.contains("blocks")
                               ? fmt::format("{} blocks of {} bytes", row["blocks"].get<std::uint64_t>(),
                                             row["block_bytes"].get<std::uint32_t>())
                               : row["capacity_error"].get<std::string>();
  report.line("LUN {:5}  {:8} {:16} {:4}  {:6}  {}", row["lun"].get<int>(), data.value("vendor", ""),
              data.value("product", ""), data.value("revision", ""), data.value("type_name", ""), size);
}

}  // namespace

base::Status luns(Context& context) {
  auto list = context.session.luns();
  if (!list) return std::unexpected(list.error());
  auto rows = nlohmann::json::array();
  for (const srp::Lun& lun : *list) {
    rows.push_back(describe_lun(context, lun));
    lun_line(context.report, rows.back());
  }
  if (list->empty()) context.report.line("no LUN is visible to this initiator");
  context.report.object()["luns"] = std::move(rows);
  return {};
}

base::Status discover(Context& context) {
  if (!context.session.srp()) return luns(context);
  Session& session = *context.session.srp();
  srp::LoginResponse login;
  srp::MultiChannelResult last{};
  context.session.host().run([&] {
    login = session.channel(0).login();
    last = session.channel(session.channel_count() - 1).login().result;
  });
  auto& out = context.report.object();
  out["channels"] = session.channel_count();
  out["credits"] = login.request_limit;
  out["max_it_iu_bytes"] = login.max_it_iu_bytes;
  out["max_ti_iu_bytes"] = login.max_ti_iu_bytes;
  out["formats"] = login.formats;
  out["immediate_data"] = login.immediate_supported;
  out["multi_channel_result"] = static_cast<int>(login.result);
  out["last_multi_channel_result"] = static_cast<int>(last);
  context.report.line("logged in: {} channel{}, {} credits each, IUs up to {} bytes (answers {}), immediate data {}",
                      session.channel_count(), session.channel_count() == 1 ? "" : "s", login.request_limit,
                      login.max_it_iu_bytes, login.max_ti_iu_bytes, login.immediate_supported ? "yes" : "no");
  if (login.result == srp::MultiChannelResult::kTerminated) {
    context.report.line("the login ended earlier channels of the same initiator port");
  }
  return luns(context);
}

base::Status inquire(Context& context) {
  const auto page = context.options.page;
  const Cdb cdb = page ? inquiry_page(*page, kInquiryBytes) : inquiry(kInquiryBytes);
  Answer answer = context.session.execute(context.lun(), cdb, kInquiryBytes);
  if (!answer.outcome.good()) return std::unexpected(error_of(answer.outcome, "INQUIRY"));
  auto& out = context.report.object();
  out["data"] = base::to_hex(answer.data);
  if (!page) {
    out["inquiry"] = inquiry_json(answer.data);
    for (const auto& [name, value] : out["inquiry"].items()) context.report.line("{:10} {}", name, value.dump());
  }
  hex_lines(context.report, answer.data);
  return {};
}

base::Status capacity(Context& context) {
  auto size = context.session.capacity(context.lun());
  if (!size) return std::unexpected(size.error());
  auto& out = context.report.object();
  out["blocks"] = size->blocks;
  out["block_bytes"] = size->block_bytes;
  out["bytes"] = size->blocks * size->block_bytes;
  context.report.line("{} blocks of {} bytes, {} bytes", size->blocks, size->block_bytes,
                      size->blocks * size->block_bytes);
  return {};
}

base::Status reset(Context& context) {
  const auto managed = context.session.manage(srp::TaskFunction::kLogicalUnitReset, context.lun());
  if (managed.delivery != Delivery::kAnswered) return base::fail(ECONNRESET, "LOGICAL UNIT RESET: connection lost");
  context.report.object()["response_code"] = static_cast<int>(managed.code);
  context.report.line("LOGICAL UNIT RESET: {}", srp::describe(managed.code));
  if (managed.code != srp::ResponseCode::kComplete) return base::fail(EIO, "LOGICAL UNIT RESET failed");
  return {};
}

base::Status raw(Context& context) {
  auto cdb = base::parse_hex(context.options.cdb_hex);
  auto data = base::parse_hex(context.options.data_out_hex);
  if (!cdb || cdb->empty() || cdb->size() > Cdb::static_capacity || !data) {
    return base::fail(EINVAL, "--cdb and --out want pairs of hexadecimal digits, a CDB at most 32 bytes");
  }
  const Cdb bytes(cdb->begin(), cdb->end());
  Answer answer = data->empty() ? context.session.execute(context.lun(), bytes, context.options.data_in_bytes)
                                : context.session.execute_out(context.lun(), bytes, *data);
  auto& out = context.report.object();
  out["status"] = answer.outcome.status;
  out["residual"] = answer.outcome.residual;
  out["sense"] = base::to_hex({answer.outcome.sense.data(), answer.outcome.sense.size()});
  context.report.line("{}, residual {}", describe(answer.outcome), answer.outcome.residual);
  if (data->empty()) {
    out["data"] = base::to_hex(answer.data);
    hex_lines(context.report, answer.data);
  }
  if (!answer.outcome.good()) return std::unexpected(error_of(answer.outcome, "raw command"));
  return {};
}

}  // namespace uscst::initiator
