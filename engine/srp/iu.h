// SRP information units (r16a 6.5 to 6.13, immediate data as in SRP2): bytes to values and back, for both ends. No
// state, no allocation, any thread. A parsed IU refers to the bytes it was read from.
#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "engine/base/bytes.h"
#include "engine/fabric/fabric.h"
#include "engine/srp/login.h"

namespace uscst::srp {

using Lun = std::array<std::uint8_t, 8>;
using fabric::RemoteBuffer;

// Byte 0 of every IU. Bit 7: sent by the target; bit 6: a response.
enum class IuType : std::uint8_t {
  kTaskManagement = 0x01,
  kCommand = 0x02,
  kInitiatorLogout = 0x03,
  kCreditResponse = 0x41,
  kEventResponse = 0x42,
  kTargetLogout = 0x80,
  kCreditRequest = 0x81,
  kEventRequest = 0x82,
  kResponse = 0xC1,
};

// Nothing for an empty message or a type that r16a does not assign outside of login.
std::optional<IuType> iu_type(base::Bytes message);

// --- SRP_CMD, r16a 6.8 --------------------------------------------------------------------------------------------

inline constexpr std::size_t kDescriptorBytes = 16;
inline constexpr std::size_t kIndirectHeadBytes = 20;
inline constexpr std::size_t kImmediateHeadBytes = 4;
inline constexpr std::size_t kMaximumDescriptors = 255;  // per direction, in the IU: the count is one byte
inline constexpr std::size_t kFixedCdbBytes = 16;
inline constexpr std::size_t kMaximumCdbBytes = 16 + 0xFC;

enum class BufferFormat : std::uint8_t { kNone = 0, kDirect = 1, kIndirect = 2, kImmediate = 3 };

// Memory descriptors where they stand in an IU.
class DescriptorView {
 public:
  DescriptorView() = default;
  explicit DescriptorView(base::Bytes bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size() / kDescriptorBytes; }
  bool empty() const { return bytes_.empty(); }
  RemoteBuffer operator[](std::size_t index) const;
  std::uint64_t total_bytes() const;
  void append_to(boost::container::small_vector_base<RemoteBuffer>& out) const;

 private:
  base::Bytes bytes_;
};

// One direction's data buffer descriptor.
struct DataBuffer {
  BufferFormat format = BufferFormat::kNone;
  std::uint32_t total_bytes = 0;
  DescriptorView descriptors = {};  // direct: one. Indirect: those the IU carries, the first ones of the table.
  RemoteBuffer table = {};          // indirect: where the initiator keeps the whole list
  bool external_table = false;      // the table has more entries than the IU carries
  base::Bytes immediate = {};       // immediate: the data
};

enum class TaskAttribute : std::uint8_t { kSimple = 0, kHeadOfQueue = 1, kOrdered = 2, kAca = 4 };

struct Command {
  Tag tag{};
  Lun lun{};
  std::uint8_t attribute = 0;                           // bits 2..0 as sent; see TaskAttribute
  bool notify_success = false, notify_failure = false;  // SCSOLNT, UCSOLNT
  base::Bytes cdb = {};                                 // the 16 bytes and the additional ones behind them
  DataBuffer data_out = {}, data_in = {};
};

enum class CommandError {
  kTooShort,         // not even the fixed part: there is no tag to answer
  kTruncated,        // ends within the additional CDB, the descriptors or the immediate data
  kUnknownFormat,    // no such format, or immediate data where they were not negotiated or for data-in
  kTableLength,      // the table's length is no multiple of 16
  kExternalTable,    // entries that the IU does not carry, and the reader does not fetch tables
  kTotalMismatch,    // the descriptors' lengths do not add up to the total
  kImmediateOffset,  // the negotiated offset lies inside the descriptors
};
std::string_view describe(CommandError error);

// A command that cannot be carried out as sent; unless too short, it is answered with CHECK CONDITION 05/24/00.
struct BadCommand {
  CommandError error = CommandError::kTooShort;
  Tag tag{};
  Lun lun{};
  bool notify_failure = false;
};

struct CommandRules {
  std::uint16_t immediate_offset_bytes = 0;  // as negotiated at login; 0: immediate data are not allowed
  bool fetch_tables = false;                 // external tables are let through (their sum is then not checked here)
};

// `message` must outlive the command, which refers to it.
std::expected<Command, BadCommand> parse_command(base::Bytes message, const CommandRules& rules);

// What build_command() writes for one direction.
struct DataSpec {
  BufferFormat format = BufferFormat::kNone;
  std::span<const RemoteBuffer> descriptors = {};  // direct: one. Indirect: at most kMaximumDescriptors.
  RemoteBuffer table = {};                         // indirect
  base::Bytes immediate = {};                      // immediate (data-out only)
};

struct CommandSpec {
  Tag tag{};
  Lun lun{};
  TaskAttribute attribute = TaskAttribute::kSimple;
  base::Bytes cdb = {};  // padded to 16 bytes; at most kMaximumCdbBytes, beyond 16 a multiple of 4
  DataSpec data_out = {}, data_in = {};
  std::uint16_t immediate_offset_bytes = 0;
};

// The length written, or 0 when `into` is too small or the specification impossible.
std::size_t build_command(const CommandSpec& spec, base::MutableBytes into);
// The same without the immediate data themselves, which the caller sends from where they are: up to their offset.
std::size_t build_command_head(const CommandSpec& spec, base::MutableBytes into);

// --- SRP_RSP, r16a 6.9 --------------------------------------------------------------------------------------------

inline constexpr std::size_t kResponseBytes = 36;
inline constexpr std::size_t kResponseDataBytes = 4;

enum class ResponseCode : std::uint8_t {
  kComplete = 0x00,
  kInvalidFields = 0x02,
  kNotSupported = 0x04,
  kFailed = 0x05,
};
std::string_view describe(ResponseCode code);

// Difference between what the descriptors allow and what the command moved; negative: it wanted more (OVER).
using Residual = std::int64_t;

struct Response {
  Tag tag{};
  std::int32_t request_limit_delta = 0;
  bool solicited = false;
  std::uint8_t status = 0;
  Residual data_out_residual = 0, data_in_residual = 0;
  std::optional<ResponseCode> code = {};  // RSPVALID: the status means nothing
  base::Bytes sense = {};                 // SNSVALID when not empty
};

// Cuts the sense data to what `into` takes. The length written, or 0 when `into` has no room for the rest.
std::size_t build_response(const Response& response, base::MutableBytes into);
// Nothing when the message is shorter than its fields say. The sense refers to `message`.
std::optional<Response> parse_response(base::Bytes message);

// --- SRP_TSK_MGMT, r16a 6.7 ---------------------------------------------------------------------------------------

enum class TaskFunction : std::uint8_t {
  kAbortTask = 0x01,
  kAbortTaskSet = 0x02,
  kClearTaskSet = 0x04,
  kLogicalUnitReset = 0x08,
  kClearAca = 0x40,
};

struct TaskManagement {
  Tag tag{};
  Lun lun{};
  std::uint8_t function = 0;  // as sent; see TaskFunction
  Tag task_tag{};             // ABORT TASK only
  bool notify_success = false, notify_failure = false;

  friend bool operator==(const TaskManagement&, const TaskManagement&) = default;
};

inline constexpr std::size_t kTaskManagementBytes = 48;
std::optional<TaskManagement> parse_task_management(base::Bytes message);
std::array<std::uint8_t, kTaskManagementBytes> encode(const TaskManagement& request);

// --- The short ones, 16 bytes each --------------------------------------------------------------------------------

inline constexpr std::size_t kShortIuBytes = 16;
using ShortIu = std::array<std::uint8_t, kShortIuBytes>;

// SRP_I_LOGOUT, SRP_CRED_RSP, SRP_AER_RSP: a type and a tag (r16a 6.5, 6.11, 6.13).
std::optional<Tag> parse_plain(base::Bytes message, IuType type);
ShortIu encode_plain(IuType type, const Tag& tag);

// SRP_T_LOGOUT, r16a 6.6.
enum class LogoutReason : std::uint32_t {
  kNone = 0,
  kInactive = 1,
  kInvalidIuType = 2,
  kSpuriousResponse = 3,
  kMultiChannelAction = 4,
  kUnsupportedOutFormat = 6,
  kUnsupportedInFormat = 7,
  kInvalidOutCount = 8,
  kInvalidInCount = 9,
};
std::string_view describe(LogoutReason reason);

struct TargetLogout {
  Tag tag{};
  LogoutReason reason = LogoutReason::kNone;
  bool solicited = false;

  friend bool operator==(const TargetLogout&, const TargetLogout&) = default;
};
std::optional<TargetLogout> parse_target_logout(base::Bytes message);
ShortIu encode(const TargetLogout& logout);

// SRP_CRED_REQ, r16a 6.10.
struct CreditRequest {
  Tag tag{};
  std::int32_t request_limit_delta = 0;
  bool solicited = false;

  friend bool operator==(const CreditRequest&, const CreditRequest&) = default;
};
std::optional<CreditRequest> parse_credit_request(base::Bytes message);
ShortIu encode(const CreditRequest& request);

// SRP_AER_REQ, r16a 6.12: read only, since no target of ours sends it. The sense refers to `message`.
struct EventRequest {
  Tag tag{};
  std::int32_t request_limit_delta = 0;
  Lun lun{};
  base::Bytes sense = {};
};
std::optional<EventRequest> parse_event_request(base::Bytes message);

}  // namespace uscst::srp
