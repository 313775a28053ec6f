#include "handlers/scsi_host/sim_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/base/byte_order.h"
#include "engine/base/numbers.h"

namespace uscst::handlers {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kDiskBlockBytes = 512, kCdromBlockBytes = 2048;
constexpr int kDisk = 0, kCdrom = 5, kOptical = 7;
constexpr std::uint8_t kGood = 0x00, kCheckCondition = 0x02;

std::uint64_t big_endian(base::Bytes bytes) {
  std::uint64_t value = 0;
  for (std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

void put_big_endian(Bytes& into, std::uint64_t value, unsigned width) {
  while (width-- > 0) into.push_back(static_cast<std::uint8_t>(value >> (8 * width)));
}

void put_text(Bytes& into, std::string_view text, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) into.push_back(i < text.size() ? static_cast<std::uint8_t>(text[i]) : ' ');
}

bool has_blocks(int type) { return type == kDisk || type == kCdrom || type == kOptical; }

std::string path_of(const ScsiAddress& a) {
  return fmt::format("devices/pseudo_0/adapter{0}/host{0}/target{0}:{1}:{2}/{3}/scsi_device/{3}", a.host, a.channel,
                     a.id, a.text());
}

}  // namespace

struct SimScsiDevice::Answer {
  std::uint8_t status = kGood;
  Bytes data{};        // data-in, cut at what was asked for
  bool moved = false;  // the data were moved already, all of them
  scsi::Sense sense{};

  static Answer refuse(const scsi::Sense& sense) { return {.status = kCheckCondition, .sense = sense}; }
};

base::Result<SimDeviceOptions> SimDeviceOptions::parse(std::string_view text) {
  auto bad = [whole = text](std::string_view what) {
    return base::fail(EINVAL, fmt::format("'{}': {}; H:C:I:L[,type=N][,size=BYTES] is needed", whole, what));
  };
  auto next_part = [&text] {
    std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    return part;
  };
  SimDeviceOptions options;
  auto address = ScsiAddress::parse(next_part());
  if (!address) return bad("no address");
  options.address = *address;
  while (!text.empty()) {
    std::string_view part = next_part();
    std::size_t equals = std::min(part.find('='), part.size());
    std::string_view name = part.substr(0, equals), value = part.substr(std::min(part.size(), equals + 1));
    unsigned shift = value.ends_with('K') ? 10 : value.ends_with('M') ? 20 : value.ends_with('G') ? 30 : 0;
    if (shift != 0) value.remove_suffix(1);
    auto number = base::parse_unsigned(value);
    if (!number) return bad(fmt::format("{} has no number", name));
    if (name == "type" && shift == 0 && *number < 32) {
      options.type = static_cast<int>(*number);
    } else if (name == "size" && *number <= kMaximumSizeBytes >> shift) {
      options.size_bytes = *number << shift;
    } else {
      return bad(fmt::format("unknown or too large: {}", part));
    }
  }
  return options;
}

SimScsiDevice::SimScsiDevice(const SimDeviceOptions& options)
    : ScsiHostDevice(options.address, options.type, path_of(options.address)),
      block_bytes_(options.type == kCdrom ? kCdromBlockBytes : kDiskBlockBytes),
      memory_(has_blocks(options.type) ? options.size_bytes / block_bytes_ * block_bytes_ : 0),
      mode_control_page_{0x0A, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} {}

std::string SimScsiDevice::serial_number() const {
  return fmt::format("{}", (address.host + 1) * 2000 + address.id * 1000 + address.lun);
}

void SimScsiDevice::execute(ScsiCall& call, io::Reactor*) {
  {
    std::lock_guard lock(mutex_);
    cdbs_.emplace_back(call.cdb.begin(), call.cdb.begin() + static_cast<std::ptrdiff_t>(call.cdb_length));
    if (!injected_.empty()) {
      Injected injected = std::move(injected_.front());
      injected_.pop_front();
      call.outcome = injected.outcome;
      call.status = injected.status;
      call.sense_length = std::min(injected.sense.size(), call.sense.size());
      std::copy_n(injected.sense.begin(), call.sense_length, call.sense.begin());
    } else {
      Answer made = answer(call);
      call.outcome = HostOutcome::kAnswered;
      call.status = made.status;
      if (made.status == kCheckCondition) {
        const scsi::SenseBytes sense = made.sense.encode(scsi::SenseFormat::kFixed);
        call.sense_length = sense.bytes().size();
        std::copy_n(sense.bytes().begin(), call.sense_length, call.sense.begin());
      }
      call.moved_bytes = made.moved ? call.data_length_bytes : 0;
      if (call.direction == scsi::Direction::kIn) {
        for (const iovec& part : call.data) {
          const std::size_t length = std::min(part.iov_len, made.data.size() - call.moved_bytes);
          if (made.moved || length == 0) break;
          std::memcpy(part.iov_base, made.data.data() + call.moved_bytes, length);
          call.moved_bytes += length;
        }
      }
    }
  }
  call.finish();
}

SimScsiDevice::Answer SimScsiDevice::answer(const ScsiCall& call) {
  switch (call.cdb[0]) {
    case 0x00: return {};  // TEST UNIT READY
    case 0x03: return request_sense(call);
    case 0x12: return inquiry(call);
    case 0x1A:
    case 0x5A: return mode_sense(call);
    case 0x1D:  // SEND DIAGNOSTIC
    case 0x16:
    case 0x17:
    case 0x56:
    case 0x57: return {};  // RESERVE, RELEASE: one initiator, this machine
    default: return has_blocks(type) ? answer_medium(call) : Answer::refuse(scsi::kInvalidOpcode);
  }
}

SimScsiDevice::Answer SimScsiDevice::answer_medium(const ScsiCall& call) {
  const base::Bytes cdb(call.cdb);
  switch (cdb[0]) {
    case 0x08:
    case 0x0A: return transfer(call, big_endian(cdb.subspan(1, 3)) & 0x1FFFFF, cdb[4] == 0 ? 256 : cdb[4]);
    case 0x28:
    case 0x2A: return transfer(call, big_endian(cdb.subspan(2, 4)), big_endian(cdb.subspan(7, 2)));
    case 0xA8:
    case 0xAA: return transfer(call, big_endian(cdb.subspan(2, 4)), big_endian(cdb.subspan(6, 4)));
    case 0x88:
    case 0x8A: return transfer(call, big_endian(cdb.subspan(2, 8)), big_endian(cdb.subspan(10, 4)));
    case 0x25: return read_capacity(call);
    case 0x9E:
      return (cdb[1] & 0x1F) == 0x10 ? read_capacity(call) : Answer::refuse(scsi::kInvalidFieldInCdb.at_cdb(1));
    case 0x1B:  // START STOP UNIT
    case 0x1E:  // PREVENT ALLOW MEDIUM REMOVAL
    case 0x2F:  // VERIFY
    case 0x35:
    case 0x91: return {};  // SYNCHRONIZE CACHE
    default: return Answer::refuse(scsi::kInvalidOpcode);
  }
}

// SPC-5 6.7, with VPD pages 00, 80 and 83.
SimScsiDevice::Answer SimScsiDevice::inquiry(const ScsiCall& call) const {
  const bool evpd = (call.cdb[1] & 1) != 0;
  if (!evpd && call.cdb[2] != 0) return Answer::refuse(scsi::kInvalidFieldInCdb.at_cdb(2));
  Answer made;
  Bytes& data = made.data;
  data.push_back(static_cast<std::uint8_t>(type));
  if (!evpd) {
    const std::uint8_t removable = type == kCdrom || type == 1 ? 0x80 : 0;
    data.insert(data.end(), {removable, 0x06, 0x02, 31, 0, 0, 0x02});
    put_text(data, "Linux", 8);
    put_text(data, "scsi_debug", 16);
    put_text(data, "0191", 4);
    return made;
  }
  const std::uint8_t page = call.cdb[2];
  Bytes body;
  if (page == 0x00) {
    body = {0x00, 0x80, 0x83};
  } else if (page == 0x80) {
    const std::string serial = serial_number();
    put_text(body, serial, serial.size());
  } else if (page == 0x83) {
    const std::string serial = serial_number();
    const auto length = static_cast<std::uint8_t>(24 + serial.size());
    body.insert(body.end(), {0x02, 0x01, 0x00, length});  // T10 vendor identification
    put_text(body, "Linux", 8);
    put_text(body, "scsi_debug", 16);
    put_text(body, serial, serial.size());
    body.insert(body.end(), {0x61, 0x94, 0x00, 0x04, 0x00, 0x00, 0x00, 0x01});  // relative target port
    body.insert(body.end(), {0x61, 0x95, 0x00, 0x04, 0x00, 0x00, 0x01, 0x00});  // target port group
  } else {
    return Answer::refuse(scsi::kInvalidFieldInCdb.at_cdb(2));
  }
  data.push_back(page);
  put_big_endian(data, body.size(), 2);
  data.insert(data.end(), body.begin(), body.end());
  return made;
}

SimScsiDevice::Answer SimScsiDevice::read_capacity(const ScsiCall& call) const {
  Answer made;
  const std::uint64_t last = block_count() == 0 ? 0 : block_count() - 1;
  const bool ten = call.cdb[0] == 0x25;
  put_big_endian(made.data, last, ten ? 4 : 8);
  put_big_endian(made.data, block_bytes_, 4);
  if (!ten) made.data.resize(32);
  return made;
}

// The control mode page alone (SPC-5 7.5.10): page 0Ah or 3Fh.
SimScsiDevice::Answer SimScsiDevice::mode_sense(const ScsiCall& call) const {
  const std::uint8_t page = call.cdb[2] & 0x3F, control = call.cdb[2] >> 6;
  if (page != 0x0A && page != 0x3F) return Answer::refuse(scsi::kInvalidFieldInCdb.at_cdb(2));
  const bool six = call.cdb[0] == 0x1A;
  Bytes body = mode_control_page_;
  if (control == 1) std::fill(body.begin() + 2, body.end(), std::uint8_t{0});  // nothing can be changed
  Answer made;
  if (six) {
    made.data = {static_cast<std::uint8_t>(3 + body.size()), 0, 0, 0};
  } else {
    put_big_endian(made.data, 6 + body.size(), 2);
    made.data.resize(8);
  }
  made.data.insert(made.data.end(), body.begin(), body.end());
  return made;
}

SimScsiDevice::Answer SimScsiDevice::request_sense(const ScsiCall& call) {
  const auto format = (call.cdb[1] & 1) != 0 ? scsi::SenseFormat::kDescriptor : scsi::SenseFormat::kFixed;
  const scsi::SenseBytes sense = scsi::kNoSense.encode(format);
  Answer made;
  made.data.assign(sense.bytes().begin(), sense.bytes().end());
  return made;
}

SimScsiDevice::Answer SimScsiDevice::transfer(const ScsiCall& call, std::uint64_t lba, std::uint64_t blocks) {
  if (lba > block_count() || blocks > block_count() - lba) return Answer::refuse(scsi::kLbaOutOfRange);
  std::uint8_t* at = memory_.data() + lba * block_bytes_;
  std::size_t left = std::min<std::size_t>(blocks * block_bytes_, call.data_length_bytes);
  for (const iovec& part : call.data) {
    const std::size_t length = std::min(part.iov_len, left);
    if (length == 0) break;
    if (call.direction == scsi::Direction::kIn) {
      std::memcpy(part.iov_base, at, length);
    } else {
      std::memcpy(at, part.iov_base, length);
    }
    at += length;
    left -= length;
  }
  return {.moved = true};
}

void SimScsiDevice::reset() {
  std::lock_guard lock(mutex_);
  ++resets_;
}

void SimScsiDevice::inject(Injected injected) {
  std::lock_guard lock(mutex_);
  injected_.push_back(std::move(injected));
}

int SimScsiDevice::resets() const {
  std::lock_guard lock(mutex_);
  return resets_;
}

std::vector<std::vector<std::uint8_t>> SimScsiDevice::cdbs() const {
  std::lock_guard lock(mutex_);
  return cdbs_;
}

void SimScsiHost::show(Arrived arrived, Gone gone) {
  arrived_ = std::move(arrived);
  gone_ = std::move(gone);
  for (const auto& [address, device] : devices_) arrived_(device);
}

std::shared_ptr<SimScsiDevice> SimScsiHost::add(const SimDeviceOptions& options) {
  auto device = std::make_shared<SimScsiDevice>(options);
  devices_[options.address] = device;
  if (arrived_) arrived_(device);
  return device;
}

void SimScsiHost::remove(const ScsiAddress& address) {
  if (devices_.erase(address) > 0 && gone_) gone_(address);
}

SimScsiDevice* SimScsiHost::find(const ScsiAddress& address) const {
  auto found = devices_.find(address);
  return found == devices_.end() ? nullptr : found->second.get();
}

}  // namespace uscst::handlers
