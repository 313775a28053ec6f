#include "tests/sim/rig.h"

#include <algorithm>
#include <cstring>

namespace uscst::sim {

using target::Command;

// --- the logical unit

FakeLogicalUnit::~FakeLogicalUnit() {
  assert(held.empty());
  if (destroyed) ++*destroyed;
}

namespace {

bool touches_medium(const Command* command) {
  const scsi::Operation operation = command->decoded().operation();
  return operation == scsi::Operation::kRead || operation == scsi::Operation::kWrite;
}

}  // namespace

void FakeLogicalUnit::execute(Command& command) {
  ++executions;
  if (store_closed && touches_medium(&command)) ++media_accesses_closed;
  order.push_back(&command);
  if (hold) {
    held.push_back(&command);
  } else {
    carry_out(command);
  }
}

bool FakeLogicalUnit::is_executing(const Command& command) const {
  return std::find(held.begin(), held.end(), &command) != held.end();
}

void FakeLogicalUnit::release(Command& command) {
  assert(is_executing(command));
  std::erase(held, &command);
  carry_out(command);
}

void FakeLogicalUnit::fail(Command& command, const scsi::Sense& sense) {
  assert(is_executing(command));
  std::erase(held, &command);
  command.complete(sense);
}

void FakeLogicalUnit::release_all() {
  while (!held.empty()) release(*held.front());
}

void FakeLogicalUnit::follow_alua_state(target::Device&, bool serves, target::Done done) {
  followed.push_back(serves);
  store_closed = !serves;
  if (store_closed) media_accesses_closed += static_cast<int>(std::ranges::count_if(held, touches_medium));
  if (hold_following) return following.push_back(std::move(done));
  done({});
}

void FakeLogicalUnit::carry_out(Command& command) {
  if (next_error) return command.complete(*std::exchange(next_error, std::nullopt));
  const scsi::DecodedCdb& cdb = command.decoded();
  if (auto sense = scsi::check_range(cdb, memory.size() / kBlockBytes)) return command.complete(*sense);
  std::size_t offset = cdb.lba * kBlockBytes;
  switch (cdb.operation()) {
    case scsi::Operation::kRead: {
      std::size_t length = std::min<std::size_t>(cdb.data_length_bytes, command.data().length_bytes());
      command.data().copy_in(0, base::Bytes(memory).subspan(offset, length));
      return command.complete(length);
    }
    case scsi::Operation::kWrite: {
      std::size_t length = std::min<std::size_t>(cdb.data_length_bytes, command.data().length_bytes());
      command.data().copy_out(0, base::MutableBytes(memory).subspan(offset, length));
      return command.complete();
    }
    case scsi::Operation::kInquiry: {
      Bytes answer(36);
      answer[4] = 31;
      return command.complete_with(answer);
    }
    default: return command.complete();
  }
}

void FakeHandler::create(target::Registry& registry, const std::string& device_name, const target::Parameters&,
                         target::DeviceMade made) {
  auto unit = std::make_unique<FakeLogicalUnit>(blocks);
  unit->hold = hold_new;
  made(std::make_shared<target::Device>(device_name, registry.next_id(), this, std::move(unit)));
}

// --- the initiator

bool Outcome::has_sense(const scsi::Sense& expected) const {
  return status == scsi::Status::kCheckCondition && sense.size() >= 14 &&
         (sense[2] & 0x0F) == static_cast<int>(expected.key) && sense[12] == expected.asc && sense[13] == expected.ascq;
}

FakeCommand::FakeCommand(Client& client) : Command(client) {}

Client::Client(target::Target& target, target::Shard& shard, const std::string& name,
               const std::shared_ptr<target::Nexus>& nexus)
    : target_(target), shard_(shard), session_(target.add_session(name, nexus, shard, *this)) {
  shard_.executor().post([this] { shard_.attach(session_->tasks()); });
}

FakeCommand& Client::send(Ask ask) {
  FakeCommand& command = commands_.emplace_back(*this);
  Command::Request& request = command.request;
  std::uint64_t tag = ++last_tag_;
  std::memcpy(request.tag.data(), &tag, sizeof(tag));
  request.lun = scsi::encode_lun(ask.lun, scsi::LunAddressing::kPeripheral);
  request.attribute = ask.attribute;
  request.invalid_fields = ask.invalid_fields;
  request.direction = ask.direction;
  request.expected_length_bytes = ask.expected;
  request.cdb.assign(ask.cdb.begin(), ask.cdb.end());
  request.cdb.resize(std::max<std::size_t>(16, ask.cdb.size()), std::uint8_t{0});
  command.data_out = std::move(ask.data_out);
  shard_.executor().post([this, &command] {
    if (closing_) {
      ++command.outcome.ended;  // never arrived
    } else {
      session_->tasks().start(command);
    }
  });
  return command;
}

Client::Answer Client::manage(target::TaskManagementFunction function, std::uint16_t lun, const FakeCommand* task) {
  auto answer = std::make_shared<std::optional<target::TaskManagementResult>>();
  target::CommandTag tag = task ? task->request.tag : target::CommandTag{};
  shard_.executor().post([this, function, lun, tag, answer] {
    if (closing_) return;
    session_->tasks().manage(function, scsi::encode_lun(lun, scsi::LunAddressing::kPeripheral), tag,
                             [answer](target::TaskManagementResult result) {
                               assert(!*answer);
                               *answer = result;
                             });
  });
  return answer;
}

// As a channel does it: what is under way to the initiator is lost, what it was to send never comes.
void Client::close() {
  shard_.executor().post([this] {
    if (closing_) return;
    closing_ = true;
    session_->tasks().close([this] {
      shard_.group().control().post([this] {
        closed = true;
        target_.remove_session(*session_);
        session_.reset();
      });
    });
    while (!fetching.empty()) finish_fetch(*fetching.front(), false);
    while (!sending.empty()) finish_status(*sending.front(), false);
  });
}

void Client::fetch_data(Command& command) {
  fetching.push_back(&static_cast<FakeCommand&>(command));
  if (closing_) return finish_fetch(*fetching.back(), false);
  if (!hold_fetch) finish_fetch(*fetching.back());
}

void Client::finish_fetch(FakeCommand& command, bool ok) {
  [[maybe_unused]] auto erased = std::erase(fetching, &command);
  assert(erased == 1);
  if (ok) {
    command.data_out.resize(std::max(command.data_out.size(), command.data_out_length_bytes()));
    command.data().copy_in(0, base::Bytes(command.data_out).first(command.data_out_length_bytes()));
  }
  command.data_fetched(ok);
}

void Client::send_data(Command& command) {
  Outcome& outcome = static_cast<FakeCommand&>(command).outcome;
  outcome.data_in.resize(command.data_in_length_bytes());
  command.data().copy_out(0, outcome.data_in);
}

void Client::send_status(Command& command) {
  FakeCommand& mine = static_cast<FakeCommand&>(command);
  mine.outcome.status = command.status();
  mine.outcome.sense.assign(command.sense().begin(), command.sense().end());
  mine.outcome.residual = command.residual_bytes();
  sending.push_back(&mine);
  if (closing_) return finish_status(mine, false);
  if (!hold_status) finish_status(mine);
}

void Client::finish_status(FakeCommand& command, bool ok) {
  [[maybe_unused]] auto erased = std::erase(sending, &command);
  assert(erased == 1);
  command.status_sent(ok);
}

void Client::ended(Command& command, bool responded) {
  FakeCommand& mine = static_cast<FakeCommand&>(command);
  ++mine.outcome.ended;
  mine.outcome.responded = responded;
  if (on_ended) on_ended(mine);
}

// --- the rig

Rig::Rig(const Options& options)
    : executors(options.seed ? static_cast<std::size_t>(options.shards) + 1 : 1),
      control(executors.front()),
      budget(options.memory_bytes),
      group(control),
      log([this](base::LogLevel, std::string_view line) { log_lines.emplace_back(line); }),
      registry(group, log),
      target(driver.add_target(registry, "target")),
      random(options.seed.value_or(0)) {
  for (int i = 0; i < options.shards; ++i) {
    io::SimExecutor& executor = options.seed ? executors[static_cast<std::size_t>(i) + 1] : control;
    group.shards.push_back(&shards.emplace_back(group, executor, nullptr, budget));
  }
  registry.add_handler(handler);
  registry.add_driver(driver);
  target.enabled = true;
}

Rig::~Rig() {
  for (auto& [name, device] : registry.devices()) {
    auto& unit = static_cast<FakeLogicalUnit&>(device->unit());
    unit.hold = false;
    unit.release_all();
  }
  for (Client& client : clients) client.close();
  run();
}

bool Rig::run_one() {
  std::size_t first = executors.size() == 1 ? 0 : random() % executors.size();
  for (std::size_t i = 0; i < executors.size(); ++i) {
    if (executors[(first + i) % executors.size()].run_one()) return true;
  }
  return false;
}

void Rig::run() {
  while (run_one()) {
  }
}

void Rig::advance(base::Duration by) {
  run();
  for (io::SimExecutor& executor : executors) executor.advance(by);
  run();
}

target::Device& Rig::add_device(const std::string& name) {
  auto status = manage([&](target::Done done) { registry.create_device(handler, name, {}, std::move(done)); });
  assert(status);
  return *registry.find_device(name);
}

FakeLogicalUnit& Rig::unit(const std::string& name) {
  return static_cast<FakeLogicalUnit&>(registry.find_device(name)->unit());
}

void Rig::add_lun(std::uint16_t lun, const std::string& device, bool read_only) {
  auto status = manage(
      [&](target::Done done) { registry.add_lun(target.default_group(), device, lun, read_only, std::move(done)); });
  assert(status);
}

Client& Rig::login(const std::string& name, int shard) { return login(name, shard, next_key_++); }

Client& Rig::login(const std::string& name, int shard, std::uint8_t nexus_key) {
  target::NexusKey key;
  key.initiator_port[15] = nexus_key;
  auto nexus = target.find_nexus(key);
  if (!nexus) nexus = target.make_nexus(key);
  return clients.emplace_back(target, shards[static_cast<std::size_t>(shard)], name, nexus);
}

base::Status Rig::manage(const std::function<void(target::Done)>& begin) {
  std::optional<base::Status> result;
  begin([&](base::Status status) { result = std::move(status); });
  run();
  assert(result);
  return *result;
}

// --- commands

using scsi::Direction;

Client::Ask read10(std::uint32_t lba, std::uint16_t blocks, std::uint16_t lun) {
  return {.cdb = {0x28, 0, static_cast<std::uint8_t>(lba >> 24), static_cast<std::uint8_t>(lba >> 16),
                  static_cast<std::uint8_t>(lba >> 8), static_cast<std::uint8_t>(lba), 0,
                  static_cast<std::uint8_t>(blocks >> 8), static_cast<std::uint8_t>(blocks), 0},
          .direction = Direction::kIn,
          .expected = blocks * kBlockBytes,
          .lun = lun};
}

Client::Ask write10(std::uint32_t lba, Bytes data, std::uint16_t lun) {
  Client::Ask ask = read10(lba, static_cast<std::uint16_t>(data.size() / kBlockBytes), lun);
  ask.cdb[0] = 0x2A;
  ask.direction = Direction::kOut;
  ask.data_out = std::move(data);
  return ask;
}

Client::Ask test_unit_ready(std::uint16_t lun) { return {.cdb = {0, 0, 0, 0, 0, 0}, .lun = lun}; }

Client::Ask inquiry(std::uint16_t lun) {
  return {.cdb = {0x12, 0, 0, 0, 96, 0}, .direction = Direction::kIn, .expected = 96, .lun = lun};
}

Client::Ask request_sense(std::uint16_t lun) {
  return {.cdb = {0x03, 0, 0, 0, 252, 0}, .direction = Direction::kIn, .expected = 252, .lun = lun};
}

Client::Ask report_luns(std::uint16_t lun) {
  return {.cdb = {0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, .direction = Direction::kIn, .expected = 256, .lun = lun};
}

Client::Ask reserve6(std::uint16_t lun) { return {.cdb = {0x16, 0, 0, 0, 0, 0}, .lun = lun}; }
Client::Ask release6(std::uint16_t lun) { return {.cdb = {0x17, 0, 0, 0, 0, 0}, .lun = lun}; }
Client::Ask synchronize_cache(std::uint16_t lun) { return {.cdb = {0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0}, .lun = lun}; }

Client::Ask report_target_port_groups(std::uint16_t lun) {
  return {.cdb = {0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, .direction = Direction::kIn, .expected = 256, .lun = lun};
}

Client::Ask set_target_port_groups(Bytes list, std::uint16_t lun) {
  return {.cdb = {0xA4, 0x0A, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(list.size()), 0, 0},
          .direction = list.empty() ? Direction::kNone : Direction::kOut,
          .expected = list.size(),
          .data_out = std::move(list),
          .lun = lun};
}

Bytes filled(std::size_t length_bytes, std::uint8_t value) { return Bytes(length_bytes, value); }

}  // namespace uscst::sim
