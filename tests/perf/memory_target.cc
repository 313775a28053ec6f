#include "tests/perf/memory_target.h"

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <string_view>

namespace uscst::perf {
namespace {

constexpr std::size_t kResponseRoom = 64;
constexpr std::uint8_t kCheckCondition = 2;

struct SenseCode {
  std::uint8_t key, asc, ascq;
};
constexpr SenseCode kUnitAttention{6, 0x29, 0}, kInvalidOpcode{5, 0x20, 0}, kOutOfRange{5, 0x21, 0},
    kInvalidField{5, 0x24, 0};

}  // namespace

// One command: its data requests, then the response. Taken from and given back to its channel's list.
struct MemoryTarget::Operation {
  explicit Operation(Channel& owner) : channel(owner), respond(io::Call<bool>::to<&Operation::responded>(this)) {}
  void data_done(bool ok);
  void responded(bool ok);

  Channel& channel;
  srp::Response response;
  std::vector<std::unique_ptr<fabric::Request>> data;  // grows to what the initiator uses
  std::vector<iovec> parts;
  std::size_t outstanding = 0;
  std::vector<std::uint8_t> answer;  // data-in that is not on the disk
  std::array<std::uint8_t, 18> sense{};
  fabric::Request respond;
  std::array<std::uint8_t, kResponseRoom> message{};
  iovec message_part{};
};

class MemoryTarget::Channel final : public fabric::EndpointEvents {
 public:
  explicit Channel(MemoryTarget& target) : target_(target), attentions_(target.options_.unit_attentions) {}

  std::unique_ptr<fabric::Endpoint> endpoint;
  bool immediate = false;

  void received(base::Bytes message) override;
  void disconnected(fabric::DisconnectReason, const std::string&) override {
    std::erase_if(target_.channels_, [this](const auto& channel) { return channel.get() == this; });
  }
  void respond(Operation& operation);
  void release(Operation& operation) { free_.push_back(&operation); }

 private:
  Operation& take();
  void manage(base::Bytes message);
  void execute(Operation& operation, const srp::Command& command);
  void transfer(Operation& operation, const srp::Command& command, bool write);
  void move(Operation& operation, const srp::DataBuffer& buffer, base::MutableBytes memory, fabric::RequestKind kind);
  void send_data(Operation& operation, const srp::Command& command, std::vector<std::uint8_t> data);
  void refuse(Operation& operation, SenseCode code);

  MemoryTarget& target_;
  unsigned attentions_;
  std::vector<std::unique_ptr<Operation>> all_;
  std::vector<Operation*> free_;
};

void MemoryTarget::Operation::data_done(bool ok) {
  --outstanding;
  if (ok && outstanding == 0 && !data.empty() && data.front()->kind == fabric::RequestKind::kRead)
    channel.respond(*this);
}

void MemoryTarget::Operation::responded(bool) { channel.release(*this); }

MemoryTarget::Operation& MemoryTarget::Channel::take() {
  if (free_.empty()) {
    all_.push_back(std::make_unique<Operation>(*this));
    free_.push_back(all_.back().get());
  }
  Operation& operation = *free_.back();
  free_.pop_back();
  operation.response = {};
  operation.response.request_limit_delta = 1;
  return operation;
}

void MemoryTarget::Channel::respond(Operation& operation) {
  const std::size_t length = srp::build_response(operation.response, operation.message);
  operation.message_part = {operation.message.data(), length};
  operation.respond.kind = fabric::RequestKind::kSend;
  operation.respond.local = {&operation.message_part, 1};
  endpoint->post(operation.respond);
}

void MemoryTarget::Channel::refuse(Operation& operation, SenseCode code) {
  operation.sense = {0x70, 0, code.key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code.asc, code.ascq};
  operation.response.status = kCheckCondition;
  operation.response.sense = operation.sense;
  respond(operation);
}

void MemoryTarget::Channel::received(base::Bytes message) {
  const auto type = srp::iu_type(message);
  if (type == srp::IuType::kTaskManagement) return manage(message);
  if (type != srp::IuType::kCommand) return endpoint->disconnect();
  auto command =
      srp::parse_command(message, {.immediate_offset_bytes = immediate ? std::uint16_t{68} : std::uint16_t{0}});
  Operation& operation = take();
  if (!command) {
    operation.response.tag = command.error().tag;
    return refuse(operation, kInvalidField);
  }
  operation.response.tag = command->tag;
  execute(operation, *command);
}

void MemoryTarget::Channel::manage(base::Bytes message) {
  auto request = srp::parse_task_management(message);
  if (!request) return endpoint->disconnect();
  Operation& operation = take();
  operation.response.tag = request->tag;
  operation.response.code = srp::ResponseCode::kComplete;
  respond(operation);
}

void MemoryTarget::Channel::execute(Operation& operation, const srp::Command& command) {
  const std::uint8_t opcode = command.cdb[0];
  if (attentions_ > 0 && opcode != 0x12 && opcode != 0xA0) {
    --attentions_;
    return refuse(operation, kUnitAttention);
  }
  switch (opcode) {
    case 0x28: return transfer(operation, command, false);
    case 0x2A: return transfer(operation, command, true);
    case 0x00:
    case 0x35: return respond(operation);
    case 0xA0: return send_data(operation, command, {0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    case 0x12: {
      std::vector<std::uint8_t> data(36, ' ');
      std::ranges::copy(std::to_array<std::uint8_t>({0, 0, 6, 2, 31, 0, 0, 0}), data.begin());
      std::ranges::copy(std::string_view("MEMORY"), data.begin() + 8);
      return send_data(operation, command, std::move(data));
    }
    case 0x25: {
      std::vector<std::uint8_t> data(8);
      base::Writer writer(data);
      writer.u32(static_cast<std::uint32_t>(target_.disk_.size() / kBlockBytes - 1));
      writer.u32(kBlockBytes);
      return send_data(operation, command, std::move(data));
    }
    default: return refuse(operation, kInvalidOpcode);
  }
}

void MemoryTarget::Channel::transfer(Operation& operation, const srp::Command& command, bool write) {
  base::Reader cdb(command.cdb.subspan(2));
  const std::uint64_t offset = std::uint64_t{*cdb.u32()} * kBlockBytes;
  cdb.skip(1);
  const std::uint64_t length = std::uint64_t{*cdb.u16()} * kBlockBytes;
  if (offset + length > target_.disk_.size()) return refuse(operation, kOutOfRange);
  const auto memory = base::MutableBytes(target_.disk_).subspan(offset, length);
  const srp::DataBuffer& buffer = write ? command.data_out : command.data_in;
  if (buffer.total_bytes != length) return refuse(operation, kInvalidField);
  if (length == 0) return respond(operation);
  if (buffer.format == srp::BufferFormat::kImmediate) {
    ++target_.immediate_writes_;
    std::ranges::copy(buffer.immediate, memory.begin());
    return respond(operation);
  }
  move(operation, buffer, memory, write ? fabric::RequestKind::kRead : fabric::RequestKind::kWrite);
  if (!write) respond(operation);
}

void MemoryTarget::Channel::send_data(Operation& operation, const srp::Command& command,
                                      std::vector<std::uint8_t> data) {
  const std::size_t length = std::min<std::size_t>(data.size(), command.data_in.total_bytes);
  operation.answer = std::move(data);
  operation.response.data_in_residual =
      static_cast<srp::Residual>(command.data_in.total_bytes) - static_cast<srp::Residual>(operation.answer.size());
  move(operation, command.data_in, base::MutableBytes(operation.answer).first(length), fabric::RequestKind::kWrite);
  respond(operation);
}

// One request per descriptor, as far as the memory goes.
void MemoryTarget::Channel::move(Operation& operation, const srp::DataBuffer& buffer, base::MutableBytes memory,
                                 fabric::RequestKind kind) {
  const std::size_t count = buffer.descriptors.size();
  while (operation.data.size() < count) {
    operation.data.push_back(std::make_unique<fabric::Request>(io::Call<bool>::to<&Operation::data_done>(&operation)));
  }
  operation.parts.resize(std::max(operation.parts.size(), count));
  for (std::size_t i = 0; i < count && !memory.empty(); ++i) {
    fabric::Request& request = *operation.data[i];
    request.kind = kind;
    request.remote = buffer.descriptors[i];
    const std::size_t length = std::min<std::size_t>(request.remote.length_bytes, memory.size());
    request.remote.length_bytes = static_cast<std::uint32_t>(length);
    operation.parts[i] = {memory.data(), length};
    request.local = {&operation.parts[i], 1};
    memory = memory.subspan(length);
    ++operation.outstanding;
    endpoint->post(request);
  }
}

MemoryTarget::MemoryTarget(Options options) : options_(options), disk_(options.disk_bytes) {}
MemoryTarget::~MemoryTarget() = default;

void MemoryTarget::connection(io::Reactor& reactor, std::unique_ptr<fabric::ConnectionRequest> request) {
  auto login = srp::parse_login_request(request->private_data());
  if (!login) return request->reject({});
  if (login->target != options_.port) {
    return request->reject(encode(srp::LoginReject{.tag = login->tag, .reason = srp::RejectReason::kWrongTargetPort}));
  }
  auto channel = std::make_unique<Channel>(*this);
  channel->immediate = login->immediate_requested;
  srp::LoginResponse response;
  response.tag = login->tag;
  response.request_limit = options_.credits;
  response.max_it_iu_bytes = kMaximumIuBytes;
  response.max_ti_iu_bytes = login->max_it_iu_bytes;
  response.immediate_supported = channel->immediate;
  auto endpoint = request->accept(reactor, encode(response), *channel);
  if (!endpoint) return;
  channel->endpoint = std::move(*endpoint);
  channels_.push_back(std::move(channel));
}

void MemoryTarget::disconnect_all() {
  for (auto& channel : channels_) channel->endpoint->disconnect();
}

}  // namespace uscst::perf
