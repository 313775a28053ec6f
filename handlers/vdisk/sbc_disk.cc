#include "handlers/vdisk/sbc_disk.h"

#include <bit>
#include <cerrno>
#include <system_error>

#include "engine/io/blocking_call.h"
#include "engine/scsi/capacity.h"
#include "engine/scsi/identifiers.h"
#include "engine/scsi/report.h"
#include "engine/scsi/rules.h"
#include "engine/target/alua_view.h"
#include "handlers/null_store.h"
#include "handlers/vdisk/handler.h"
#include "handlers/vdisk/steps.h"

namespace uscst::handlers {
namespace {

constexpr std::uint32_t kDefaultOptimalTransferBytes = 512u << 10;
constexpr std::string_view kProductRevision = "3110";  // SCST 3.11.0
constexpr std::uint32_t kPageBytes = 4096;
constexpr base::Duration kWarningInterval = std::chrono::seconds(1);

std::uint32_t pack(const scsi::ControlState& state) {
  return static_cast<std::uint32_t>(state.tst | state.qam << 4 | state.qerr << 8 | state.tmf_only << 12 |
                                    state.dpicz << 13 | state.d_sense << 14 | state.swp << 15 | state.tas << 16);
}

scsi::ControlState unpack(std::uint32_t word) {
  scsi::ControlState state;
  state.tst = static_cast<std::uint8_t>(word & 0xF);
  state.qam = static_cast<std::uint8_t>(word >> 4 & 0xF);
  state.qerr = static_cast<std::uint8_t>(word >> 8 & 0xF);
  state.tmf_only = (word >> 12 & 1) != 0;
  state.dpicz = (word >> 13 & 1) != 0;
  state.d_sense = (word >> 14 & 1) != 0;
  state.swp = (word >> 15 & 1) != 0;
  state.tas = (word >> 16 & 1) != 0;
  return state;
}

DiskIdentity generated_identity(const std::string& name, const VdiskConfig& config, std::uint32_t setup_id) {
  const scsi::GeneratedIds ids = scsi::generate_ids(name, setup_id);
  DiskIdentity identity;
  identity.t10_vendor_id = config.kind == VdiskKind::kBlockio ? "SCST_BIO" : "SCST_FIO";
  identity.vendor_specific_id = ids.t10_device_id;
  identity.product_id = ids.product_id;
  identity.product_revision = kProductRevision;
  identity.t10_device_id = config.t10_device_id.empty() ? ids.t10_device_id : config.t10_device_id;
  identity.serial_number = ids.serial_number;
  return identity;
}

template <class Bytes>
void answer(target::Command& command, const scsi::SenseResult<Bytes>& answer) {
  if (!answer) return command.complete(answer.error());
  command.complete_with(*answer);
}

}  // namespace

scsi::ModePages default_mode_pages(const VdiskConfig& config) {
  scsi::ModePages pages;
  pages.control.tst = config.tst;
  pages.caching.wce = !config.write_through;
  return pages;
}

SbcDisk::SbcDisk(VdiskEnvironment& environment, target::Registry& registry, std::string name, VdiskConfig config,
                 std::span<const target::Attribute<target::Device>> attributes)
    : environment_(environment),
      registry_(registry),
      name_(std::move(name)),
      config_(std::move(config)),
      attributes_(attributes),
      optimal_transfer_bytes_(kDefaultOptimalTransferBytes),
      identity_(generated_identity(name_, config_, registry.settings.setup_id)) {
  environment_.serial_numbers.add(identity_.serial_number);
  set_mode_pages(default_mode_pages(), default_mode_pages(), false);
  if (config_.kind == VdiskKind::kNullio) {
    Geometry geometry;
    geometry.size_bytes = config_.size_bytes;
    install({geometry, std::make_shared<NullStore>()});
  }
}

SbcDisk::~SbcDisk() {
  environment_.serial_numbers.remove(identity_.serial_number);
  // Closing may write back; that is not for the control thread.
  if (auto store = remove_store()) environment_.pool.run([store = std::move(store)] {});
}

// --- state

scsi::DeviceTraits SbcDisk::traits() const {
  scsi::DeviceTraits traits;
  if (config_.kind == VdiskKind::kCdrom) traits.type = scsi::DeviceType::kCdrom;
  traits.block_shift = config_.block_shift;
  traits.thin_provisioned = thin_provisioned();
  traits.explicit_alua = explicit_alua();
  return traits;
}

// Not told to initiators, who never see such a disk: no command carries protection information yet.
target::Protection SbcDisk::protection() const {
  const ProtectionConfig& protection = config_.protection;
  return {static_cast<std::uint8_t>(protection.type), (protection.mode & ProtectionConfig::kTarget) != 0,
          config_.block_size()};
}

scsi::ControlState SbcDisk::control() const { return unpack(control_word_.load(std::memory_order_relaxed)); }

scsi::ModePages SbcDisk::mode_pages() const { return {control(), {write_back()}}; }

void SbcDisk::put_mode_pages(const scsi::ModePages& pages) {
  control_word_.store(pack(pages.control), std::memory_order_relaxed);
  write_back_.store(pages.caching.wce, std::memory_order_relaxed);
}

void SbcDisk::set_mode_pages(const scsi::ModePages& current, const scsi::ModePages& saved, bool saving_possible) {
  std::lock_guard lock(mutex_);
  saved_ = saved;
  saving_possible_ = saving_possible;
  put_mode_pages(current);
}

// SCST goes back to write-back here, whatever was configured or saved; that would lose data of a write-through disk.
void SbcDisk::reset() {
  std::lock_guard lock(mutex_);
  put_mode_pages(saved_);
  medium_removal_prevented_ = false;
}

void SbcDisk::follow_alua_state(target::Device& device, bool serves, target::Done done) {
  environment_.log.info("device {}: its ALUA state changes, the backing store is {}", name_,
                        serves == config_.active ? "left as it is"
                        : serves                 ? "opened"
                                                 : "closed");
  set_active(device, serves, std::move(done));
}

DiskIdentity SbcDisk::identity() const {
  std::lock_guard lock(mutex_);
  return identity_;
}

void SbcDisk::install(OpenedStore opened) {
  set_geometry(opened.geometry);
  flush_failure_ = std::make_shared<std::atomic<bool>>(false);
  store_owner_ = std::move(opened.store);
  store_.store(store_owner_.get(), std::memory_order_release);
}

std::shared_ptr<BackingStore> SbcDisk::remove_store() {
  store_.store(nullptr, std::memory_order_release);
  return std::move(store_owner_);
}

void SbcDisk::close(std::shared_ptr<BackingStore> store, std::move_only_function<void()> done) {
  if (!store) return done();
  auto let_go = [store = std::move(store)]() mutable {
    store.reset();
    return 0;
  };
  io::run_blocking(environment_.control, std::move(let_go), [done = std::move(done)](int) mutable { done(); });
}

void SbcDisk::retire(std::move_only_function<void()> done) { close(remove_store(), std::move(done)); }

void SbcDisk::set_geometry(const Geometry& geometry) {
  std::lock_guard lock(mutex_);
  geometry_ = geometry;
  set_size(geometry.size_bytes);
  const bool optimum_fits = geometry.optimal_io_bytes != 0 && geometry.optimal_io_bytes % config_.block_size() == 0;
  if (optimum_fits && !optimal_transfer_set_) optimal_transfer_bytes_ = geometry.optimal_io_bytes;
  thin_ = geometry.can_unmap && config_.thin_provisioned.value_or(config_.kind == VdiskKind::kBlockio);
}

std::uint64_t SbcDisk::max_unmap_blocks() const {
  std::lock_guard lock(mutex_);
  return std::min<std::uint64_t>(geometry_.discard.max_bytes >> config_.block_shift, UINT32_MAX);
}

void SbcDisk::note_flush_failure(std::int64_t error) {
  if (!flush_failure_->exchange(true, std::memory_order_acq_rel)) {
    log_error("flushing failed; writes are refused as unstable until `active` is set to 0 and 1 again", error);
  }
}

void SbcDisk::note_write_failure(std::int64_t error, io::Durability durability) {
  warn("writing failed", error);
  const bool transient = error == -ENOSPC || error == -EDQUOT || error == -EAGAIN || error == -ENOMEM;
  if (durability == io::Durability::kData && !transient) note_flush_failure(error);
}

void SbcDisk::log_error(std::string_view what, std::int64_t error) const {
  environment_.log.error("device {} ({}): {}: {}", name_, config_.filename, what,
                         std::generic_category().message(static_cast<int>(-error)));
}

void SbcDisk::warn(std::string_view what, std::int64_t error) const {
  const std::int64_t now_ns = environment_.control.clock().now().since_start.count();
  std::int64_t next_ns = next_warning_ns_.load(std::memory_order_relaxed);
  if (now_ns < next_ns || !next_warning_ns_.compare_exchange_strong(next_ns, now_ns + kWarningInterval.count())) return;
  log_error(what, error);
}

// --- commands

// A drive without a medium says so to all but INQUIRY, and as data to REQUEST SENSE.
bool SbcDisk::answers_without_store(const scsi::DecodedCdb& cdb) const {
  if (config_.kind != VdiskKind::kCdrom) return scsi::passes_inactive_device(cdb);
  return cdb.operation() == scsi::Operation::kInquiry || cdb.operation() == scsi::Operation::kRequestSense;
}

bool SbcDisk::takes_part_in(scsi::Operation operation) const {
  return config_.kind == VdiskKind::kCdrom && operation == scsi::Operation::kRequestSense;
}

void SbcDisk::execute(target::Command& command) {
  using scsi::Operation;
  const scsi::DecodedCdb& cdb = command.decoded();
  if (store() == nullptr && !answers_without_store(cdb)) return command.complete(scsi::kNoMedium);
  if (auto sense = scsi::check_range(cdb, block_count())) return command.complete(*sense);
  switch (cdb.operation()) {
    case Operation::kTestUnitReady:
    case Operation::kSendDiagnostic: return command.complete();
    case Operation::kInquiry: return execute_inquiry(command);
    case Operation::kReadCapacity10:
    case Operation::kReadCapacity16: return execute_read_capacity(command);
    case Operation::kRequestSense:
      return command.complete_with(scsi::request_sense(cdb, store() == nullptr ? scsi::kNoMedium : scsi::kNoSense));
    case Operation::kRead: return execute_read(*this, command);
    case Operation::kWrite: return execute_write(*this, command);
    case Operation::kWriteAndVerify: return execute_write_and_verify(*this, command);
    case Operation::kVerify: return execute_verify(*this, command);
    case Operation::kStartStopUnit:
    case Operation::kSynchronizeCache: return execute_synchronize(*this, command);
    case Operation::kWriteSame: return execute_write_same(*this, command);
    case Operation::kUnmap: return execute_unmap(*this, command);
    case Operation::kCompareAndWrite: return execute_compare_and_write(*this, command);
    case Operation::kModeSense: return execute_mode_sense(command);
    case Operation::kModeSelect: return execute_mode_select(*this, command);
    case Operation::kLogSense:
    case Operation::kLogSelect: return command.complete(scsi::kInvalidFieldInCdb.at_cdb(2, 0));  // no pages
    case Operation::kPreventAllowMediumRemoval: return execute_prevent_allow(command);
    default: return command.complete(scsi::kInvalidOpcode);
  }
}

// --- INQUIRY (SPC-5 6.7)

scsi::InquiryDevice SbcDisk::inquiry_device() const {
  scsi::InquiryDevice device;
  device.traits = traits();
  device.removable = config_.removable;
  device.has_write_cache = !config_.nv_cache && write_back();
  device.rotational = config_.rotational;
  device.optimal_transfer_bytes = optimal_transfer_bytes_;
  std::lock_guard lock(mutex_);
  device.vendor_id = identity_.t10_vendor_id;
  device.product_id = identity_.product_id;
  device.product_revision = identity_.product_revision;
  device.vendor_specific = identity_.inquiry_text;
  device.serial_number = identity_.serial_number;
  device.t10_device_id = identity_.t10_device_id;
  device.vendor_specific_id = identity_.vendor_specific_id;
  device.scsi_device_name = identity_.scsi_device_name;
  device.eui64_id = identity_.eui64_id;
  device.naa_id = identity_.naa_id;
  const DiscardLimits& discard = geometry_.discard;
  const auto blocks = [this](std::uint64_t bytes) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes >> config_.block_shift, UINT32_MAX));
  };
  device.unmap = {blocks(discard.max_bytes), std::max(blocks(discard.granularity_bytes), 1u),
                  blocks(discard.alignment_bytes)};
  return device;
}

void SbcDisk::execute_inquiry(target::Command& command) const {
  scsi::InquiryPath path = target::inquiry_path(command);
  if (config_.dummy) path.qualifier = scsi::PeripheralQualifier::kNotSupported;
  answer(command, scsi::inquiry(command.decoded(), inquiry_device(), path));
}

// --- READ CAPACITY (SBC-4 5.20, 5.21)

void SbcDisk::execute_read_capacity(target::Command& command) const {
  scsi::Capacity capacity;
  capacity.block_count = block_count();
  if (show_physical_exponent_) {
    std::lock_guard lock(mutex_);
    const std::uint32_t physical =
        config_.kind == VdiskKind::kBlockio ? std::max(geometry_.physical_block_bytes, 1u) : kPageBytes;
    const int exponent = std::bit_width(physical) - 1 - config_.block_shift;
    capacity.physical_block_exponent = static_cast<std::uint8_t>(std::max(exponent, 0));
  }
  const bool ten = command.decoded().operation() == scsi::Operation::kReadCapacity10;
  answer(command, (ten ? scsi::read_capacity_10 : scsi::read_capacity_16)(command.decoded(), traits(), capacity));
}

// --- MODE SENSE, PREVENT ALLOW MEDIUM REMOVAL

scsi::ModeDevice SbcDisk::mode_device(const target::Command& command) const {
  scsi::ModeDevice device;
  device.traits = traits();
  device.block_count = block_count();
  device.read_only = command.read_only_lun() || config_.read_only;
  device.nv_cache = config_.nv_cache;
  device.current = mode_pages();
  device.defaults = default_mode_pages();
  std::lock_guard lock(mutex_);
  device.saving_possible = saving_possible_;
  device.saved = saved_;
  return device;
}

void SbcDisk::execute_mode_sense(target::Command& command) const {
  answer(command, scsi::mode_sense(command.decoded(), mode_device(command)));
}

void SbcDisk::execute_prevent_allow(target::Command& command) {
  medium_removal_prevented_ = (command.decoded().bytes[4] & 0x01) != 0;
  command.complete();
}

}  // namespace uscst::handlers
