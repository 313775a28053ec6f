#include "tests/unit/handlers/disk_rig.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "engine/target/target.h"

namespace uscst::handlers::test {
namespace {

class QuietDriver final : public target::Driver {
 public:
  explicit QuietDriver(const target::ProtectionSupport& protection) : protection_(protection) {}
  std::string_view name() const override { return "test"; }
  bool can_enable() const override { return false; }
  void set_enabled(target::Target&, bool, target::Done done) override { done({}); }
  void remove_targets(target::Done done) override { done({}); }
  std::uint16_t version_descriptor() const override { return scsi::kTransportVersionSrp; }
  target::ProtectionSupport protection_support() const override { return protection_; }

 private:
  const target::ProtectionSupport& protection_;
};

scsi::Direction direction_of(std::size_t offered, const Data& out) {
  if (!out.empty()) return scsi::Direction::kOut;
  return offered != 0 ? scsi::Direction::kIn : scsi::Direction::kNone;
}

}  // namespace

unsigned Outcome::code() const {
  if (sense.size() < 14) return 0;
  return static_cast<unsigned>((sense[2] & 0xF) << 16 | sense[12] << 8 | sense[13]);
}

TemporaryDirectory::TemporaryDirectory() : path_(testing::TempDir() + "uscst-handlers-XXXXXX") {
  EXPECT_NE(mkdtemp(path_.data()), nullptr);
  std::filesystem::create_directories(path_ + "/pr");
  std::filesystem::create_directories(path_ + "/vdev_mode_pages");
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::file(const std::string& name, std::uint64_t size_bytes) const {
  const std::string path = path_ + '/' + name;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_GE(fd, 0);
  EXPECT_EQ(ftruncate(fd, static_cast<off_t>(size_bytes)), 0);
  ::close(fd);
  return path;
}

// --- Initiator

Initiator::Initiator(target::Target& target, target::Shard& shard, io::SimExecutor& executor, std::uint8_t number)
    : executor_(executor), target_(target) {
  target::NexusKey key;
  key.initiator_port[15] = number;
  session_ = target.add_session("initiator" + std::to_string(number), target.make_nexus(key), shard, *this);
  shard.attach(session_->tasks());
}

Initiator::~Initiator() {
  bool closed = false;
  session_->tasks().close([&] { closed = true; });
  executor_.run_until_idle();
  EXPECT_TRUE(closed);
  target_.remove_session(*session_);
}

Outcome& Initiator::begin(Data cdb, std::size_t offered, Data out, std::uint16_t lun) {
  Sent& sent = sent_.emplace_back(*this);
  sent.out = std::move(out);
  target::Command::Request& request = sent.command.request;
  request.cdb.assign(cdb.begin(), cdb.end());
  request.cdb.resize(16);
  request.lun = scsi::encode_lun(lun, scsi::LunAddressing::kPeripheral);
  request.direction = direction_of(offered, sent.out);
  request.expected_length_bytes = sent.out.empty() ? offered : sent.out.size();
  session_->tasks().start(sent.command);
  return sent.outcome;
}

Outcome Initiator::run(std::initializer_list<std::uint8_t> cdb, std::size_t offered, Data out, std::uint16_t lun) {
  Outcome& outcome = begin(cdb, offered, std::move(out), lun);
  executor_.run_until_idle();
  EXPECT_TRUE(outcome.ended);
  return outcome;
}

void Initiator::clear_attentions(std::uint16_t lun) {
  for (int i = 0; i < 8 && !run({0x00}, 0, {}, lun).good(); ++i) {
  }
}

Initiator::Sent& Initiator::sent(target::Command& command) {
  return *std::ranges::find_if(sent_, [&](const Sent& one) { return &one.command == &command; });
}

void Initiator::fetch_data(target::Command& command) {
  const Data& out = sent(command).out;
  command.data().copy_in(0, base::Bytes(out).first(command.data_out_length_bytes()));
  command.data_fetched(true);
}

void Initiator::send_data(target::Command& command) {
  Data& data = sent(command).outcome.data;
  data.resize(command.data_in_length_bytes());
  command.data().copy_out(0, data);
}

void Initiator::send_status(target::Command& command) {
  Outcome& outcome = sent(command).outcome;
  outcome.status = command.status();
  outcome.sense.assign(command.sense().begin(), command.sense().end());
  outcome.residual = command.residual_bytes();
  command.status_sent(true);
}

void Initiator::ended(target::Command& command, bool responded) {
  Outcome& outcome = sent(command).outcome;
  outcome.ended = true;
  outcome.responded = responded;
}

// --- DiskRig

DiskRig::DiskRig() : environment{executor, pool, log, directory.path(), {}} {
  shards.shards.push_back(&shard);
  registry.reservation_place = {directory.path() + "/pr", &executor};
  for (target::Handler* handler : {&file_handler, &block_handler, &null_handler, &cdrom_handler})
    registry.add_handler(*handler);
  driver = std::make_unique<QuietDriver>(protection);
  registry.add_driver(*driver);
  target = &driver->add_target(registry, "target");
  target->relative_target_id = 1;
}

DiskRig::~DiskRig() {
  target::AccessGroup& group = target->default_group();
  registry.clear_luns(group, [](base::Status) {});
  executor.run_until_idle();
}

int DiskRig::add(VdiskKind kind, const std::string& name, const target::Parameters& parameters) {
  VdiskHandler& handler = kind == VdiskKind::kFileio    ? file_handler
                          : kind == VdiskKind::kBlockio ? block_handler
                          : kind == VdiskKind::kNullio  ? null_handler
                                                        : cdrom_handler;
  std::optional<base::Status> result;
  registry.create_device(handler, name, parameters, [&](base::Status status) { result = std::move(status); });
  executor.run_until_idle();
  EXPECT_TRUE(result.has_value());
  return !result || *result ? 0 : result->error().code;
}

void DiskRig::map(const std::string& name, std::uint16_t lun, bool read_only) {
  ASSERT_EQ(add_lun(name, lun, read_only), 0);
}

int DiskRig::add_lun(const std::string& name, std::uint16_t lun, bool read_only) {
  return manage(
      [&](target::Done done) { registry.add_lun(target->default_group(), name, lun, read_only, std::move(done)); });
}

int DiskRig::manage(const std::function<void(target::Done)>& begin) {
  std::optional<base::Status> result;
  begin([&](base::Status status) { result = std::move(status); });
  executor.run_until_idle();
  EXPECT_TRUE(result.has_value());
  return !result || *result ? 0 : result->error().code;
}

std::shared_ptr<SimStore> DiskRig::add_simulated(const target::Parameters& parameters, std::size_t size_bytes) {
  target::Parameters all = parameters;
  all.emplace_back("filename", directory.file("simulated", size_bytes));
  EXPECT_EQ(add(VdiskKind::kFileio, "sim", all), 0);
  auto store = std::make_shared<SimStore>(size_bytes);
  Geometry geometry;
  geometry.size_bytes = size_bytes;
  geometry.can_unmap = true;
  geometry.discard = {size_bytes / 2, 512, 0};
  disk("sim").remove_store();
  disk("sim").install({geometry, store});
  map("sim", 0);
  return store;
}

std::unique_ptr<Initiator> DiskRig::connect(std::uint8_t number) {
  auto initiator = std::make_unique<Initiator>(*target, shard, executor, number);
  for (const auto& [lun, mapped] : target->default_group().luns) initiator->clear_attentions(lun);
  return initiator;
}

const target::Attribute<target::Device>* DiskRig::row(const std::string& name, std::string_view attribute) {
  for (const auto& row : device(name).unit().attributes()) {
    if (row.name == attribute && (!row.present || row.present(device(name)))) return &row;
  }
  return nullptr;
}

std::string DiskRig::read(const std::string& name, std::string_view attribute) {
  using target::KeyRule;
  const auto* found = row(name, attribute);
  if (!found || !found->show) return "no such attribute";
  const target::Device& shown = device(name);
  const std::string value = *found->show(shown);
  const std::string standard = found->default_of ? found->default_of(shown) : std::string(found->default_value);
  const bool key = found->key == KeyRule::kAlways || (found->key == KeyRule::kWhenNotDefault && value != standard) ||
                   (found->key == KeyRule::kWhenWritten && shown.written.contains(attribute));
  return value + (key ? "\n[key]\n" : "\n");
}

int DiskRig::write(const std::string& name, std::string_view attribute, const std::string& text) {
  const auto* found = row(name, attribute);
  if (!found) return ENOENT;
  if (found->store) {
    auto stored = found->store(device(name), text);
    return stored ? 0 : stored.error().code;
  }
  const auto store_later = found->store_waiting ? found->store_waiting : found->store_queued;
  if (!store_later) return EACCES;
  std::optional<base::Status> result;
  store_later(device(name), text, [&](base::Status status) { result = std::move(status); });
  executor.run_until_idle();
  EXPECT_TRUE(result.has_value()) << attribute;
  return !result || *result ? 0 : result->error().code;
}

}  // namespace uscst::handlers::test
