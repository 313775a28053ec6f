#include "engine/srp/iu.h"

#include <algorithm>
#include <bit>

namespace uscst::srp {
namespace {

using base::be32;
using base::be64;

constexpr std::uint8_t kNotifySuccess = 0x02, kNotifyFailure = 0x04, kSolicited = 0x01;
constexpr std::uint8_t kAttributeMask = 0x07, kAdditionalCdbMask = 0xFC;
constexpr std::uint8_t kRspValid = 0x01, kSnsValid = 0x02, kOutOver = 0x04, kOutUnder = 0x08, kInOver = 0x10,
                       kInUnder = 0x20;

struct WireDescriptor {
  be64 address;
  be32 key;
  be32 length;
};
static_assert(sizeof(WireDescriptor) == kDescriptorBytes && alignof(WireDescriptor) == 1);

struct WireIndirect {
  WireDescriptor table;
  be32 total;
};
static_assert(sizeof(WireIndirect) == kIndirectHeadBytes);

struct WireCommand {
  std::uint8_t type = static_cast<std::uint8_t>(IuType::kCommand);
  std::uint8_t notify = 0;
  std::array<std::uint8_t, 3> reserved1{};
  std::uint8_t formats = 0;
  std::uint8_t out_count = 0;
  std::uint8_t in_count = 0;
  Tag tag{};
  std::array<std::uint8_t, 4> reserved2{};
  Lun lun{};
  std::uint8_t reserved3 = 0;
  std::uint8_t attribute = 0;
  std::uint8_t reserved4 = 0;
  std::uint8_t additional_cdb = 0;
  std::array<std::uint8_t, kFixedCdbBytes> cdb{};
};
static_assert(sizeof(WireCommand) == kCommandBytes && alignof(WireCommand) == 1);
static_assert(offsetof(WireCommand, formats) == 5 && offsetof(WireCommand, tag) == 8 &&
              offsetof(WireCommand, lun) == 20 && offsetof(WireCommand, attribute) == 29 &&
              offsetof(WireCommand, additional_cdb) == 31 && offsetof(WireCommand, cdb) == 32);

struct WireResponse {
  std::uint8_t type = static_cast<std::uint8_t>(IuType::kResponse);
  std::uint8_t solicited = 0;
  std::array<std::uint8_t, 2> reserved1{};
  be32 delta;
  Tag tag{};
  std::array<std::uint8_t, 2> reserved2{};
  std::uint8_t flags = 0;
  std::uint8_t status = 0;
  be32 out_residual;
  be32 in_residual;
  be32 sense_length;
  be32 response_length;
};
static_assert(sizeof(WireResponse) == kResponseBytes && alignof(WireResponse) == 1);
static_assert(offsetof(WireResponse, flags) == 18 && offsetof(WireResponse, out_residual) == 20 &&
              offsetof(WireResponse, response_length) == 32);

struct WireTaskManagement {
  std::uint8_t type = static_cast<std::uint8_t>(IuType::kTaskManagement);
  std::uint8_t notify = 0;
  std::array<std::uint8_t, 6> reserved1{};
  Tag tag{};
  std::array<std::uint8_t, 4> reserved2{};
  Lun lun{};
  std::array<std::uint8_t, 2> reserved3{};
  std::uint8_t function = 0;
  std::uint8_t reserved4 = 0;
  Tag task_tag{};
  std::array<std::uint8_t, 8> reserved5{};
};
static_assert(sizeof(WireTaskManagement) == kTaskManagementBytes && alignof(WireTaskManagement) == 1);
static_assert(offsetof(WireTaskManagement, lun) == 20 && offsetof(WireTaskManagement, function) == 30 &&
              offsetof(WireTaskManagement, task_tag) == 32);

// All short IUs: `value` is a reason, a delta or reserved.
struct WireShort {
  std::uint8_t type = 0;
  std::uint8_t solicited = 0;
  std::array<std::uint8_t, 2> reserved{};
  be32 value;
  Tag tag{};
};
static_assert(sizeof(WireShort) == kShortIuBytes && alignof(WireShort) == 1);

struct WireEvent {
  WireShort head;
  std::array<std::uint8_t, 4> reserved1{};
  Lun lun{};
  be32 sense_length;
  std::array<std::uint8_t, 4> reserved2{};
};
static_assert(sizeof(WireEvent) == 36 && offsetof(WireEvent, lun) == 20 && offsetof(WireEvent, sense_length) == 28);

template <class Wire>
std::optional<Wire> read_as(base::Bytes message, IuType type) {
  auto wire = base::Reader(message).read<Wire>();
  if (!wire || message.front() != static_cast<std::uint8_t>(type)) return std::nullopt;
  return wire;
}

RemoteBuffer from_wire(const WireDescriptor& wire) { return {wire.address, wire.key, wire.length}; }
WireDescriptor to_wire(const RemoteBuffer& buffer) { return {buffer.address, buffer.key, buffer.length_bytes}; }

using Parsed = std::expected<DataBuffer, CommandError>;

Parsed read_direct(base::Reader& reader) {
  auto descriptor = reader.bytes(kDescriptorBytes);
  if (!descriptor) return std::unexpected(CommandError::kTruncated);
  DataBuffer buffer;
  buffer.format = BufferFormat::kDirect;
  buffer.descriptors = DescriptorView(*descriptor);
  buffer.total_bytes = buffer.descriptors[0].length_bytes;
  return buffer;
}

Parsed read_indirect(base::Reader& reader, std::uint8_t count, const CommandRules& rules) {
  auto head = reader.read<WireIndirect>();
  if (!head) return std::unexpected(CommandError::kTruncated);
  auto list = reader.bytes(count * kDescriptorBytes);
  if (!list) return std::unexpected(CommandError::kTruncated);
  DataBuffer buffer;
  buffer.format = BufferFormat::kIndirect;
  buffer.total_bytes = head->total;
  buffer.table = from_wire(head->table);
  buffer.descriptors = DescriptorView(*list);
  if (buffer.table.length_bytes % kDescriptorBytes != 0) return std::unexpected(CommandError::kTableLength);
  buffer.external_table = buffer.table.length_bytes / kDescriptorBytes > count;
  if (buffer.external_table && !rules.fetch_tables) return std::unexpected(CommandError::kExternalTable);
  if (!buffer.external_table && buffer.descriptors.total_bytes() != buffer.total_bytes) {
    return std::unexpected(CommandError::kTotalMismatch);
  }
  return buffer;
}

// The length only; where the data stand is known when all descriptors have been read.
Parsed read_immediate(base::Reader& reader, const CommandRules& rules) {
  if (rules.immediate_offset_bytes == 0) return std::unexpected(CommandError::kUnknownFormat);
  auto length = reader.u32();
  if (!length) return std::unexpected(CommandError::kTruncated);
  DataBuffer buffer;
  buffer.format = BufferFormat::kImmediate;
  buffer.total_bytes = *length;
  return buffer;
}

Parsed read_buffer(base::Reader& reader, unsigned format, std::uint8_t count, bool data_out,
                   const CommandRules& rules) {
  switch (format) {
    case 0: return DataBuffer{};
    case 1: return read_direct(reader);
    case 2: return read_indirect(reader, count, rules);
    case 3:
      if (data_out) return read_immediate(reader, rules);
      [[fallthrough]];
    default: return std::unexpected(CommandError::kUnknownFormat);
  }
}

std::expected<base::Bytes, CommandError> immediate_data(base::Bytes message, std::size_t descriptors_end,
                                                        std::uint32_t length, std::uint16_t offset) {
  if (offset < descriptors_end) return std::unexpected(CommandError::kImmediateOffset);
  base::Reader reader(message);
  if (!reader.skip(offset)) return std::unexpected(CommandError::kTruncated);
  auto data = reader.bytes(length);
  if (!data) return std::unexpected(CommandError::kTruncated);
  return *data;
}

// The CDB's tail and both data buffers.
std::optional<CommandError> read_variable_part(base::Bytes message, const WireCommand& wire, const CommandRules& rules,
                                               Command& command) {
  base::Reader reader(message);
  const std::size_t additional = wire.additional_cdb & kAdditionalCdbMask;
  reader.skip(offsetof(WireCommand, cdb));
  auto cdb = reader.bytes(kFixedCdbBytes + additional);
  if (!cdb) return CommandError::kTruncated;
  command.cdb = *cdb;
  auto out = read_buffer(reader, wire.formats >> 4, wire.out_count, true, rules);
  if (!out) return out.error();
  command.data_out = *out;
  auto in = read_buffer(reader, wire.formats & 0x0F, wire.in_count, false, rules);
  if (!in) return in.error();
  command.data_in = *in;
  if (command.data_out.format == BufferFormat::kImmediate) {
    auto data = immediate_data(message, reader.position(), command.data_out.total_bytes, rules.immediate_offset_bytes);
    if (!data) return data.error();
    command.data_out.immediate = *data;
  }
  return std::nullopt;
}

bool write_buffer(base::Writer& writer, const DataSpec& spec) {
  switch (spec.format) {
    case BufferFormat::kNone: return true;
    case BufferFormat::kDirect:
      if (spec.descriptors.size() != 1) return false;
      writer.write(to_wire(spec.descriptors[0]));
      return true;
    case BufferFormat::kIndirect: {
      if (spec.descriptors.size() > kMaximumDescriptors) return false;
      std::uint64_t total = 0;
      for (const RemoteBuffer& d : spec.descriptors) total += d.length_bytes;
      writer.write(WireIndirect{to_wire(spec.table), static_cast<std::uint32_t>(total)});
      for (const RemoteBuffer& d : spec.descriptors) writer.write(to_wire(d));
      return total <= UINT32_MAX;
    }
    case BufferFormat::kImmediate: writer.u32(static_cast<std::uint32_t>(spec.immediate.size())); return true;
  }
  return false;
}

bool pad_to_immediate(base::Writer& writer, const CommandSpec& spec) {
  if (spec.data_out.format != BufferFormat::kImmediate) return true;
  if (spec.immediate_offset_bytes < writer.position()) return false;
  writer.zeros(spec.immediate_offset_bytes - writer.position());
  return true;
}

std::uint8_t indirect_count(const DataSpec& spec) {
  return spec.format == BufferFormat::kIndirect ? static_cast<std::uint8_t>(spec.descriptors.size()) : std::uint8_t{0};
}

be32 residual_count(Residual residual) {
  const std::uint64_t magnitude = static_cast<std::uint64_t>(residual < 0 ? -residual : residual);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(magnitude, UINT32_MAX));
}

unsigned residual_flag(Residual residual, std::uint8_t under, std::uint8_t over) {
  if (residual == 0) return 0;
  return residual > 0 ? under : over;
}

Residual residual_from(std::uint8_t flags, std::uint32_t count, std::uint8_t under, std::uint8_t over) {
  if ((flags & under) != 0) return count;
  if ((flags & over) != 0) return -Residual{count};
  return 0;
}

ShortIu encode_short(IuType type, bool solicited, std::uint32_t value, const Tag& tag) {
  WireShort wire;
  wire.type = static_cast<std::uint8_t>(type);
  wire.solicited = solicited ? kSolicited : std::uint8_t{0};
  wire.value = value;
  wire.tag = tag;
  return std::bit_cast<ShortIu>(wire);
}

}  // namespace

std::optional<IuType> iu_type(base::Bytes message) {
  if (message.empty()) return std::nullopt;
  const auto type = static_cast<IuType>(message.front());
  switch (type) {
    case IuType::kTaskManagement:
    case IuType::kCommand:
    case IuType::kInitiatorLogout:
    case IuType::kCreditResponse:
    case IuType::kEventResponse:
    case IuType::kTargetLogout:
    case IuType::kCreditRequest:
    case IuType::kEventRequest:
    case IuType::kResponse: return type;
  }
  return std::nullopt;
}

RemoteBuffer DescriptorView::operator[](std::size_t index) const {
  base::Reader reader(bytes_);
  reader.skip(index * kDescriptorBytes);
  auto wire = reader.read<WireDescriptor>();
  return wire ? from_wire(*wire) : RemoteBuffer{};
}

std::uint64_t DescriptorView::total_bytes() const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < size(); ++i) total += (*this)[i].length_bytes;
  return total;
}

void DescriptorView::append_to(boost::container::small_vector_base<RemoteBuffer>& out) const {
  for (std::size_t i = 0; i < size(); ++i) out.push_back((*this)[i]);
}

std::expected<Command, BadCommand> parse_command(base::Bytes message, const CommandRules& rules) {
  auto wire = read_as<WireCommand>(message, IuType::kCommand);
  if (!wire) return std::unexpected(BadCommand{});
  Command command;
  command.tag = wire->tag;
  command.lun = wire->lun;
  command.attribute = wire->attribute & kAttributeMask;
  command.notify_success = (wire->notify & kNotifySuccess) != 0;
  command.notify_failure = (wire->notify & kNotifyFailure) != 0;
  if (auto error = read_variable_part(message, *wire, rules, command)) {
    return std::unexpected(BadCommand{*error, command.tag, command.lun, command.notify_failure});
  }
  return command;
}

std::size_t build_command(const CommandSpec& spec, base::MutableBytes into) {
  const std::size_t head = build_command_head(spec, into);
  if (head == 0 || spec.data_out.format != BufferFormat::kImmediate) return head;
  base::Writer writer(into.subspan(head));
  writer.bytes(spec.data_out.immediate);
  return writer.overflowed() ? 0 : head + writer.position();
}

std::size_t build_command_head(const CommandSpec& spec, base::MutableBytes into) {
  const std::size_t additional = spec.cdb.size() > kFixedCdbBytes ? spec.cdb.size() - kFixedCdbBytes : 0;
  if (spec.cdb.size() > kMaximumCdbBytes || additional % 4 != 0) return 0;
  if (spec.data_in.format == BufferFormat::kImmediate) return 0;
  WireCommand wire;
  wire.formats = static_cast<std::uint8_t>(static_cast<unsigned>(spec.data_out.format) << 4 |
                                           static_cast<unsigned>(spec.data_in.format));
  wire.out_count = indirect_count(spec.data_out);
  wire.in_count = indirect_count(spec.data_in);
  wire.tag = spec.tag;
  wire.lun = spec.lun;
  wire.attribute = static_cast<std::uint8_t>(spec.attribute);
  wire.additional_cdb = static_cast<std::uint8_t>(additional);
  std::copy_n(spec.cdb.begin(), std::min(spec.cdb.size(), kFixedCdbBytes), wire.cdb.begin());
  base::Writer writer(into);
  writer.write(wire);
  if (additional != 0) writer.bytes(spec.cdb.subspan(kFixedCdbBytes));
  const bool possible =
      write_buffer(writer, spec.data_out) && write_buffer(writer, spec.data_in) && pad_to_immediate(writer, spec);
  return possible && !writer.overflowed() ? writer.position() : 0;
}

std::size_t build_response(const Response& response, base::MutableBytes into) {
  const std::size_t data_bytes = response.code ? kResponseDataBytes : 0;
  if (into.size() < kResponseBytes + data_bytes) return 0;
  base::Bytes sense = response.sense.first(std::min(response.sense.size(), into.size() - kResponseBytes - data_bytes));
  WireResponse wire;
  wire.solicited = response.solicited ? kSolicited : std::uint8_t{0};
  wire.delta = static_cast<std::uint32_t>(response.request_limit_delta);
  wire.tag = response.tag;
  wire.flags = static_cast<std::uint8_t>((response.code ? kRspValid : 0u) | (sense.empty() ? 0u : kSnsValid) |
                                         residual_flag(response.data_out_residual, kOutUnder, kOutOver) |
                                         residual_flag(response.data_in_residual, kInUnder, kInOver));
  wire.status = response.status;
  wire.out_residual = residual_count(response.data_out_residual);
  wire.in_residual = residual_count(response.data_in_residual);
  wire.sense_length = static_cast<std::uint32_t>(sense.size());
  wire.response_length = static_cast<std::uint32_t>(data_bytes);
  base::Writer writer(into);
  writer.write(wire);
  if (response.code) writer.u32(static_cast<std::uint32_t>(*response.code));
  writer.bytes(sense);
  return writer.position();
}

std::optional<Response> parse_response(base::Bytes message) {
  auto wire = read_as<WireResponse>(message, IuType::kResponse);
  if (!wire) return std::nullopt;
  Response response;
  response.tag = wire->tag;
  response.request_limit_delta = static_cast<std::int32_t>(wire->delta.value());
  response.solicited = (wire->solicited & kSolicited) != 0;
  response.status = wire->status;
  response.data_out_residual = residual_from(wire->flags, wire->out_residual, kOutUnder, kOutOver);
  response.data_in_residual = residual_from(wire->flags, wire->in_residual, kInUnder, kInOver);
  base::Reader reader(message);
  reader.skip(kResponseBytes);
  if ((wire->flags & kRspValid) != 0) {
    auto data = reader.bytes(wire->response_length);
    if (!data || data->size() < kResponseDataBytes) return std::nullopt;
    response.code = static_cast<ResponseCode>((*data)[3]);
  } else if (!reader.skip(wire->response_length)) {
    return std::nullopt;
  }
  if ((wire->flags & kSnsValid) != 0) {
    auto sense = reader.bytes(wire->sense_length);
    if (!sense) return std::nullopt;
    response.sense = *sense;
  }
  return response;
}

std::optional<TaskManagement> parse_task_management(base::Bytes message) {
  auto wire = read_as<WireTaskManagement>(message, IuType::kTaskManagement);
  if (!wire) return std::nullopt;
  return TaskManagement{wire->tag,
                        wire->lun,
                        wire->function,
                        wire->task_tag,
                        (wire->notify & kNotifySuccess) != 0,
                        (wire->notify & kNotifyFailure) != 0};
}

std::array<std::uint8_t, kTaskManagementBytes> encode(const TaskManagement& request) {
  WireTaskManagement wire;
  wire.notify = static_cast<std::uint8_t>((request.notify_success ? kNotifySuccess : 0u) |
                                          (request.notify_failure ? kNotifyFailure : 0u));
  wire.tag = request.tag;
  wire.lun = request.lun;
  wire.function = request.function;
  wire.task_tag = request.task_tag;
  return std::bit_cast<std::array<std::uint8_t, kTaskManagementBytes>>(wire);
}

std::optional<Tag> parse_plain(base::Bytes message, IuType type) {
  auto wire = read_as<WireShort>(message, type);
  if (!wire) return std::nullopt;
  return wire->tag;
}

ShortIu encode_plain(IuType type, const Tag& tag) { return encode_short(type, false, 0, tag); }

std::optional<TargetLogout> parse_target_logout(base::Bytes message) {
  auto wire = read_as<WireShort>(message, IuType::kTargetLogout);
  if (!wire) return std::nullopt;
  return TargetLogout{wire->tag, static_cast<LogoutReason>(wire->value.value()), (wire->solicited & kSolicited) != 0};
}

ShortIu encode(const TargetLogout& logout) {
  return encode_short(IuType::kTargetLogout, logout.solicited, static_cast<std::uint32_t>(logout.reason), logout.tag);
}

std::optional<CreditRequest> parse_credit_request(base::Bytes message) {
  auto wire = read_as<WireShort>(message, IuType::kCreditRequest);
  if (!wire) return std::nullopt;
  return CreditRequest{wire->tag, static_cast<std::int32_t>(wire->value.value()), (wire->solicited & kSolicited) != 0};
}

ShortIu encode(const CreditRequest& request) {
  return encode_short(IuType::kCreditRequest, request.solicited,
                      static_cast<std::uint32_t>(request.request_limit_delta), request.tag);
}

std::optional<EventRequest> parse_event_request(base::Bytes message) {
  auto wire = read_as<WireEvent>(message, IuType::kEventRequest);
  if (!wire) return std::nullopt;
  base::Reader reader(message);
  reader.skip(sizeof(WireEvent));
  auto sense = reader.bytes(wire->sense_length);
  if (!sense) return std::nullopt;
  return EventRequest{wire->head.tag, static_cast<std::int32_t>(wire->head.value.value()), wire->lun, *sense};
}

std::string_view describe(CommandError error) {
  switch (error) {
    case CommandError::kTooShort: return "shorter than an SRP_CMD";
    case CommandError::kTruncated: return "shorter than its CDB, descriptors or immediate data";
    case CommandError::kUnknownFormat: return "unknown or not negotiated data buffer format";
    case CommandError::kTableLength: return "descriptor table length no multiple of 16";
    case CommandError::kExternalTable: return "descriptors outside of the IU";
    case CommandError::kTotalMismatch: return "descriptor lengths do not add up to the total";
    case CommandError::kImmediateOffset: return "immediate data offset inside the descriptors";
  }
  return "unknown";
}

std::string_view describe(ResponseCode code) {
  switch (code) {
    case ResponseCode::kComplete: return "function complete";
    case ResponseCode::kInvalidFields: return "request fields invalid";
    case ResponseCode::kNotSupported: return "task management function not supported";
    case ResponseCode::kFailed: return "task management function failed";
  }
  return "unknown response code";
}

std::string_view describe(LogoutReason reason) {
  switch (reason) {
    case LogoutReason::kNone: return "no reason";
    case LogoutReason::kInactive: return "inactive channel";
    case LogoutReason::kInvalidIuType: return "invalid IU type received";
    case LogoutReason::kSpuriousResponse: return "response without a request";
    case LogoutReason::kMultiChannelAction: return "another login ended this channel";
    case LogoutReason::kUnsupportedOutFormat: return "unsupported data-out descriptor format";
    case LogoutReason::kUnsupportedInFormat: return "unsupported data-in descriptor format";
    case LogoutReason::kInvalidOutCount: return "invalid data-out descriptor count";
    case LogoutReason::kInvalidInCount: return "invalid data-in descriptor count";
  }
  return "unknown reason";
}

}  // namespace uscst::srp
