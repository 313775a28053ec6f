#include "handlers/pass_through/unit.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <vector>

#include "engine/target/command.h"
#include "engine/target/shard.h"
#include "handlers/pass_through/passed_command.h"

namespace uscst::handlers {
namespace {

constexpr std::uint8_t kInquiry = 0x12, kReadCapacity10 = 0x25;
constexpr std::uint8_t kSerialNumberPage = 0x80;
constexpr std::uint8_t kGood = 0x00, kUnitAttentionKey = 0x06;
constexpr std::size_t kProbeBytes = 252;
constexpr int kProbeTries = 4;  // a device may have several unit attentions to tell first
constexpr bool has_blocks(int type) { return type == 0 || type == 5 || type == 7; }

}  // namespace

// What attach() asks, one command after another. Owns itself until the end.
class PassThroughUnit::Probe {
 public:
  Probe(PassThroughUnit& unit, const PassThroughKind& kind, target::Done done)
      : unit_(unit), kind_(kind), done_(std::move(done)) {}

  void begin() { ask_serial_number(); }

 private:
  using Answered = void (Probe::*)();

  void ask(std::initializer_list<std::uint8_t> cdb, Answered then) {
    cdb_ = cdb;
    then_ = then;
    tries_ = 0;
    ask_again();
  }

  // Without a CDB: the control mode page.
  void ask_again() {
    call_.emplace(io::Call<>::to<&Probe::answered>(this));
    answer_.fill(0);
    if (cdb_.empty()) {
      make_control_page_request(*call_, answer_, kind_);
    } else {
      std::copy(cdb_.begin(), cdb_.end(), call_->cdb.begin());
      call_->cdb_length = cdb_.size();
      call_->direction = scsi::Direction::kIn;
      call_->data.push_back({answer_.data(), answer_.size()});
      call_->data_length_bytes = answer_.size();
      call_->timeout = kind_.short_timeout;
    }
    unit_.device_->execute(*call_, &unit_.environment_.control);
  }

  void answered() {
    ++tries_;
    if (call_->outcome == HostOutcome::kGone) return end(base::fail(ENODEV, "the SCSI device is gone"));
    if (tries_ < kProbeTries && (call_->outcome == HostOutcome::kBusy || told_attention())) return repeat();
    (this->*then_)();
  }

  void repeat() {
    unit_.environment_.control.post([this] { ask_again(); });
  }

  bool told_attention() const {
    return call_->outcome == HostOutcome::kAnswered && call_->status != kGood && call_->sense_length > 2 &&
           (call_->sense[2] & 0x0F) == kUnitAttentionKey;
  }

  base::Bytes answer() const {
    const bool good = call_->outcome == HostOutcome::kAnswered && call_->status == kGood;
    return base::Bytes(answer_).first(good ? call_->moved_bytes : 0);
  }

  void ask_serial_number() { ask({kInquiry, 1, kSerialNumberPage, 0, kProbeBytes, 0}, &Probe::take_serial_number); }

  // SPC-5 7.7.19, blanks around it left out.
  void take_serial_number() {
    const base::Bytes page = answer();
    std::string text;
    if (page.size() > 4 && page[1] == kSerialNumberPage) {
      const std::size_t length = std::min<std::size_t>(page[3], page.size() - 4);
      text.assign(page.begin() + 4, page.begin() + 4 + static_cast<std::ptrdiff_t>(length));
      text.erase(0, text.find_first_not_of(' '));
      text.erase(text.find_last_not_of(std::string_view(" \0", 2)) + 1);
    }
    unit_.serial_number_ = text;
    ask({}, &Probe::take_control_page);
  }

  void take_control_page() {
    unit_.set_control(control_state_of(answer(), kHeader6));
    if (!has_blocks(kind_.type)) return end({});
    ask({kReadCapacity10, 0, 0, 0, 0, 0, 0, 0, 0, 0}, &Probe::take_capacity);
  }

  void take_capacity() {
    unit_.learn_block_size(answer().first(std::min<std::size_t>(answer().size(), 8)));
    end({});
  }

  void end(base::Status status) {
    if (status) {
      unit_.environment_.log.info("{}: {}: serial number '{}', block size {}", kind_.name,
                                  unit_.device_->address.text(), unit_.serial_number_, 1u << unit_.block_shift_);
      unit_.kind_.store(&kind_, std::memory_order_release);
    }
    // Not from within the call that this object holds.
    unit_.environment_.control.post([self = std::unique_ptr<Probe>(this), status = std::move(status)]() mutable {
      auto done = std::move(self->done_);
      self.reset();
      done(std::move(status));
    });
  }

  PassThroughUnit& unit_;
  const PassThroughKind& kind_;
  target::Done done_;
  std::vector<std::uint8_t> cdb_;
  Answered then_ = nullptr;
  int tries_ = 0;
  std::optional<ScsiCall> call_;
  std::array<std::uint8_t, kProbeBytes> answer_{};
};

scsi::DeviceTraits PassThroughUnit::traits() const {
  scsi::DeviceTraits traits;
  traits.type = static_cast<scsi::DeviceType>(device_->type);
  traits.block_shift = block_shift_.load(std::memory_order_relaxed);
  traits.thin_provisioned = true;  // whether it is, the device says
  traits.pass_through = true;
  traits.operations = scsi::OperationSet::all();
  return traits;
}

// The device keeps its commands in order by itself, whatever its queue algorithm modifier says.
scsi::ControlState PassThroughUnit::control() const {
  scsi::ControlState state = control_.load(std::memory_order_relaxed);
  state.qam = 1;
  return state;
}

// Reservations are kept by the engine between its nexuses, and by the device between this machine and others.
bool PassThroughUnit::takes_part_in(scsi::Operation operation) const {
  switch (operation) {
    case scsi::Operation::kRequestSense:
    case scsi::Operation::kReserve:
    case scsi::Operation::kRelease:
    case scsi::Operation::kReportSupportedOpcodes: return true;
    default: return false;
  }
}

// SBC-4 5.20, 5.21: the block size stands behind the last LBA, of 4 or of 8 bytes.
void PassThroughUnit::learn_block_size(base::Bytes capacity) {
  const std::size_t offset = capacity.size() == 8 ? 4 : 8;
  if (capacity.size() < offset + 4) return;
  std::uint32_t bytes = 0;
  for (std::uint8_t byte : capacity.subspan(offset, 4)) bytes = bytes << 8 | byte;
  constexpr std::uint32_t kSmallest = 512, kLargest = 65536;
  if (!std::has_single_bit(bytes) || bytes < kSmallest || bytes > kLargest) return;
  block_shift_.store(static_cast<std::uint8_t>(std::countr_zero(bytes)), std::memory_order_relaxed);
}

// On the reactor that ended the device's commands: the device's own reset takes its time and is not waited for.
void PassThroughUnit::reset() {
  environment_.pool.run([device = device_] { device->reset(); });
}

void PassThroughUnit::attach(const PassThroughKind& kind, target::Done done) {
  (new Probe(*this, kind, std::move(done)))->begin();  // deletes itself
}

}  // namespace uscst::handlers
