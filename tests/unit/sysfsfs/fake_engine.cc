#include "tests/unit/sysfsfs/fake_engine.h"

#include "engine/base/numbers.h"
#include "engine/target/logical_unit.h"

namespace uscst::sysfsfs {
namespace {

class FakeUnit final : public target::LogicalUnit {
 public:
  scsi::DeviceTraits traits() const override { return {}; }
  scsi::ControlState control() const override { return {}; }
  void execute(target::Command&) override {}
  void reset() override {}
  std::span<const target::Attribute<target::Device>> attributes() const override;
  bool read_only() const override { return false; }

  std::uint64_t megabytes = 16;
  std::string product, file_name;
};

FakeUnit& unit_of(target::Device& device) { return static_cast<FakeUnit&>(device.unit()); }
const FakeUnit& unit_of(const target::Device& device) { return static_cast<const FakeUnit&>(device.unit()); }

constexpr target::Attribute<target::Device> kRows[] = {
    {.name = "filename",
     .mode = 0644,
     .key = target::KeyRule::kAlways,
     .layout = target::Layout::kFileName,
     .show = [](const target::Device& d) -> base::Result<std::string> { return unit_of(d).file_name; },
     .store_queued =
         [](target::Device& d, std::string text, target::Done done) {
           unit_of(d).file_name = text.substr(0, text.find('\n'));
           done({});
         }},
    {.name = "prod_id",
     .mode = 0644,
     .key = target::KeyRule::kWhenWritten,
     .show = [](const target::Device& d) -> base::Result<std::string> { return unit_of(d).product; },
     .store = [](target::Device& d, std::string_view text) -> base::Status {
       if (text.size() > 17) return base::fail(EINVAL, "too long");
       unit_of(d).product = text.substr(0, text.find('\n'));
       return {};
     }},
    {.name = "size_mb",
     .mode = 0644,
     .show = [](const target::Device& d) -> base::Result<std::string> { return std::to_string(unit_of(d).megabytes); },
     .store_queued =
         [](target::Device& d, std::string text, target::Done done) {
           auto number = base::parse_unsigned(text);
           if (number) unit_of(d).megabytes = *number;
           done(number ? base::Status{} : std::unexpected(number.error()));
         }},
    {.name = "sync", .mode = 0200, .store = [](target::Device&, std::string_view) -> base::Status { return {}; }},
};

std::span<const target::Attribute<target::Device>> FakeUnit::attributes() const { return kRows; }

constexpr std::string_view kParameters[] = {"size", "size_mb"};

}  // namespace

std::span<const std::string_view> FakeHandler::parameter_names() const { return kParameters; }

void FakeHandler::create(target::Registry& registry, const std::string& device_name,
                         const target::Parameters& parameters, target::DeviceMade made) {
  for (const auto& [name, value] : parameters) {
    if (name != "size_mb") return made(base::fail(EINVAL, "unknown parameter"));
  }
  if (device_name == "slow") {
    slow_ = std::move(made);
    return;
  }
  auto unit = std::make_unique<FakeUnit>();
  unit->product = device_name;
  if (!parameters.empty()) unit->megabytes = base::parse_unsigned(parameters.back().second).value_or(0);
  made(std::make_shared<target::Device>(device_name, registry.next_id(), this, std::move(unit)));
}

void FakeHandler::finish_slow() {
  constexpr std::uint64_t kSlowDeviceId = 1'000'000;  // unlike any of the registry's
  std::exchange(slow_,
                nullptr)(std::make_shared<target::Device>("slow", kSlowDeviceId, this, std::make_unique<FakeUnit>()));
}

FakeEngine::FakeEngine(io::Reactor& reactor)
    : shards(reactor),
      shard(shards, reactor, &reactor, budget),
      log([this](base::LogLevel, std::string_view line) { log_lines.emplace_back(line); }),
      registry(shards, log),
      queue(reactor),
      target(driver.add_target(registry, std::string(kTargetName))) {
  shards.shards.push_back(&shard);
  registry.settings.threads = registry.settings.default_threads = 2;
  registry.add_handler(nullio);
  registry.add_handler(fileio);
  registry.add_driver(driver);
}

std::shared_ptr<target::Session> FakeEngine::log_in(const std::string& initiator) {
  target::NexusKey key;
  key.peer = initiator;
  auto nexus = target.find_nexus(key);
  if (!nexus) nexus = target.make_nexus(key);
  return target.add_session(initiator, nexus, shard, transport);
}

}  // namespace uscst::sysfsfs
