#include "tests/unit/initiator/responder.h"

#include <algorithm>

namespace uscst::initiator::test {

// --- the fabric -----------------------------------------------------------------------------------------------------

FakeEndpoint::FakeEndpoint(Responder& responder, io::Executor& executor, fabric::EndpointEvents& events)
    : responder_(responder), executor_(executor), events_(events), self_(std::make_shared<FakeEndpoint*>(this)) {}

FakeEndpoint::~FakeEndpoint() { *self_ = nullptr; }

void FakeEndpoint::later(std::move_only_function<void(FakeEndpoint&)> work) {
  executor_.post([self = self_, work = std::move(work)]() mutable {
    if (*self != nullptr) work(**self);
  });
}

void FakeEndpoint::post(fabric::Request& request) {
  posted_.push_back(&request);
  later([](FakeEndpoint& endpoint) {
    if (endpoint.ended_ || endpoint.posted_.empty()) return;
    fabric::Request& sent = *endpoint.posted_.front();
    endpoint.posted_.pop_front();
    std::vector<std::uint8_t> message;
    for (const iovec& part : sent.local) {
      const auto* first = static_cast<const std::uint8_t*>(part.iov_base);
      message.insert(message.end(), first, first + part.iov_len);
    }
    // The answer may well come before the Send is reported.
    endpoint.responder_.message(endpoint, message);
    endpoint.later([&sent](FakeEndpoint& e) {
      if (!e.ended_) sent.done(true);
    });
  });
}

fabric::RemoteBuffer FakeEndpoint::expose(base::MutableBytes memory, fabric::Access access) {
  const std::uint32_t key = next_key_++;
  exposed_[key] = {memory, access};
  return {std::uint64_t{key} << 32, key, static_cast<std::uint32_t>(memory.size())};
}

void FakeEndpoint::end(fabric::DisconnectReason reason, std::string detail) {
  if (ended_) return;
  later([reason, detail](FakeEndpoint& endpoint) {
    if (endpoint.ended_) return;
    endpoint.ended_ = true;
    endpoint.responder_.gone(endpoint);
    while (!endpoint.posted_.empty()) {
      fabric::Request& request = *endpoint.posted_.front();
      endpoint.posted_.pop_front();
      request.done(false);
    }
    endpoint.events_.disconnected(reason, detail);
  });
}

void FakeEndpoint::deliver(std::vector<std::uint8_t> message) {
  later([message = std::move(message)](FakeEndpoint& endpoint) {
    if (!endpoint.ended_) endpoint.events_.received(message);
  });
}

base::MutableBytes FakeEndpoint::region(const fabric::RemoteBuffer& remote, fabric::Access access) {
  auto found = exposed_.find(remote.key);
  if (found == exposed_.end() || found->second.access != access) return {};
  const std::uint64_t offset = remote.address - (std::uint64_t{remote.key} << 32);
  const base::MutableBytes memory = found->second.memory;
  if (offset > memory.size() || remote.length_bytes > memory.size() - offset) return {};
  return memory.subspan(offset, remote.length_bytes);
}

bool FakeEndpoint::read(const fabric::RemoteBuffer& from, base::MutableBytes into) {
  const base::MutableBytes memory = region(from, fabric::Access::kRemoteRead);
  if (memory.size() != into.size()) return false;
  std::ranges::copy(memory, into.begin());
  return true;
}

bool FakeEndpoint::write(base::Bytes from, const fabric::RemoteBuffer& to) {
  const base::MutableBytes memory = region(to, fabric::Access::kRemoteWrite);
  if (memory.size() < from.size()) return false;
  std::ranges::copy(from, memory.begin());
  return true;
}

void Responder::connect(io::Executor& executor, const fabric::Address&, base::Bytes private_data,
                        fabric::EndpointEvents& events, fabric::OnConnected on_connected) {
  auto login = srp::parse_login_request(private_data);
  fabric::Connected result{base::fail(ECONNREFUSED, "rejected"), {}};
  if (login) {
    logins.push_back(*login);
    auto accepted = decide(*login, result.private_data);
    if (accepted) {
      auto endpoint = std::make_unique<FakeEndpoint>(*this, executor, events);
      channels.push_back(endpoint.get());
      attentions_[endpoint.get()] = options.unit_attentions;
      result = {std::move(endpoint), std::move(*accepted)};
    }
  }
  executor.post([result = std::move(result), on_connected = std::move(on_connected)]() mutable {
    on_connected(std::move(result));
  });
}

// --- the target -----------------------------------------------------------------------------------------------------

base::Result<std::vector<std::uint8_t>> Responder::decide(const srp::LoginRequest& login,
                                                          std::vector<std::uint8_t>& refusal) {
  if (options.login_without_response) return std::vector<std::uint8_t>{};
  if (login.target != options.target) {
    refusal = base::to_bytes(encode(srp::LoginReject{.reason = srp::RejectReason::kWrongTargetPort}));
    return base::fail(EACCES, "wrong target");
  }
  srp::LoginResponse response;
  response.request_limit = options.credits;
  response.max_it_iu_bytes = options.max_it_iu_bytes;
  response.max_ti_iu_bytes = login.max_it_iu_bytes;
  response.immediate_supported = options.immediate && login.immediate_requested;
  return base::to_bytes(encode(response));
}

void Responder::gone(FakeEndpoint& endpoint) { std::erase(channels, &endpoint); }

void Responder::message(FakeEndpoint& from, base::Bytes bytes) {
  switch (srp::iu_type(bytes).value_or(srp::IuType::kResponse)) {
    case srp::IuType::kCommand: return command(from, bytes);
    case srp::IuType::kTaskManagement: return management(from, bytes);
    case srp::IuType::kInitiatorLogout: ++logouts; return;
    case srp::IuType::kCreditResponse: ++credit_answers; return;
    default: return from.end(fabric::DisconnectReason::kPeerClosed, "strange IU");
  }
}

Responder::Reply Responder::check_condition(std::uint8_t key, std::uint8_t asc, std::uint8_t ascq) const {
  Reply reply;
  reply.status = 2;
  reply.sense.resize(18);
  reply.sense[0] = 0x70;
  reply.sense[2] = key;
  reply.sense[7] = 10;
  reply.sense[12] = asc;
  reply.sense[13] = ascq;
  return reply;
}

Responder::Reply Responder::send_data(FakeEndpoint& from, const srp::Command& command, std::vector<std::uint8_t> data) {
  std::size_t at = 0;
  const srp::DataBuffer& in = command.data_in;
  (in.format == srp::BufferFormat::kIndirect ? indirect_transfers : direct_transfers)++;
  for (std::size_t i = 0; i < in.descriptors.size() && at < data.size(); ++i) {
    const fabric::RemoteBuffer to = in.descriptors[i];
    const std::size_t length = std::min<std::size_t>(to.length_bytes, data.size() - at);
    if (!from.write(base::Bytes(data).subspan(at, length), to)) return check_condition(0x0B, 0x44, 0);
    at += length;
  }
  Reply reply;
  reply.in = static_cast<srp::Residual>(in.total_bytes) - static_cast<srp::Residual>(data.size());
  return reply;
}

Responder::Reply Responder::transfer(FakeEndpoint& from, const srp::Command& command, bool write, std::uint64_t lba,
                                     std::uint32_t blocks) {
  if (lba + blocks > options.blocks) return check_condition(5, 0x21, 0);
  const std::size_t offset = lba * options.block_bytes, length = std::size_t{blocks} * options.block_bytes;
  const auto place = base::MutableBytes(disk).subspan(offset, length);
  if (!write) return send_data(from, command, {place.begin(), place.end()});
  const srp::DataBuffer& out = command.data_out;
  if (out.total_bytes != length) return check_condition(5, 0x24, 0);
  if (out.format == srp::BufferFormat::kImmediate) {
    ++immediate_writes;
    std::ranges::copy(out.immediate, place.begin());
    return {};
  }
  (out.format == srp::BufferFormat::kIndirect ? indirect_transfers : direct_transfers)++;
  std::size_t at = 0;
  for (std::size_t i = 0; i < out.descriptors.size(); ++i) {
    const fabric::RemoteBuffer piece = out.descriptors[i];
    if (!from.read(piece, place.subspan(at, piece.length_bytes))) return check_condition(0x0B, 0x44, 0);
    at += piece.length_bytes;
  }
  return {};
}

Responder::Reply Responder::execute(FakeEndpoint& from, const srp::Command& command) {
  base::Reader cdb(command.cdb);
  const std::uint8_t opcode = *cdb.u8();
  if (opcode == 0x12) {
    std::vector<std::uint8_t> data(36, ' ');
    data[0] = 0;
    data[2] = 6;
    std::ranges::copy(std::string_view("TESTDISK"), data.begin() + 8);
    return send_data(from, command, data);
  }
  if (opcode == 0xA0) return send_data(from, command, *base::parse_hex("00000008 00000000 0000000000000000"));
  if (attentions_[&from] > 0) {
    --attentions_[&from];
    return check_condition(6, 0x29, 0);
  }
  cdb.skip(1);
  switch (opcode) {
    case 0x00:
    case 0x35: return {};
    case 0x25: {
      std::vector<std::uint8_t> data(8);
      base::Writer writer(data);
      writer.u32(static_cast<std::uint32_t>(options.blocks - 1));
      writer.u32(options.block_bytes);
      return send_data(from, command, data);
    }
    case 0x28:
    case 0x2A: {
      const std::uint64_t lba = *cdb.u32();
      cdb.skip(1);
      return transfer(from, command, opcode == 0x2A, lba, *cdb.u16());
    }
    default: return check_condition(5, 0x20, 0);
  }
}

void Responder::command(FakeEndpoint& from, base::Bytes bytes) {
  auto command =
      srp::parse_command(bytes, {.immediate_offset_bytes = options.immediate ? std::uint16_t{68} : std::uint16_t{0}});
  Reply reply;
  srp::Response response;
  if (!command) {
    response.tag = command.error().tag;
    reply = check_condition(5, 0x24, 0);
  } else {
    response.tag = command->tag;
    const bool is_transfer = command->cdb[0] == 0x28 || command->cdb[0] == 0x2A;
    const std::uint64_t lba = is_transfer ? *base::Reader(command->cdb.subspan(2)).u32() : UINT64_MAX;
    if (silent_lbas.contains(lba)) return;
    if (auto once = status_once.extract(lba)) {
      reply.status = once.mapped();
    } else {
      reply = execute(from, *command);
    }
  }
  response.request_limit_delta = next_delta;
  response.status = reply.status;
  response.data_in_residual = reply.in;
  response.sense = reply.sense;
  std::vector<std::uint8_t> message(256);
  message.resize(srp::build_response(response, message));
  from.deliver(std::move(message));
}

void Responder::management(FakeEndpoint& from, base::Bytes bytes) {
  auto request = srp::parse_task_management(bytes);
  managed.push_back(*request);
  if (!options.answer_aborts) return;
  // The aborted command gets no response; its credit comes with this one.
  const bool abort = request->function == static_cast<std::uint8_t>(srp::TaskFunction::kAbortTask);
  const srp::Response response{
      .tag = request->tag, .request_limit_delta = abort ? 2 : 1, .code = srp::ResponseCode::kComplete};
  std::vector<std::uint8_t> message(64);
  message.resize(srp::build_response(response, message));
  from.deliver(std::move(message));
}

}  // namespace uscst::initiator::test
