// COMPARE AND WRITE (SBC-4 5.3): reads the blocks, compares them with the first half of the data sent and, where they
// are the same, writes the second half. The range is its own meanwhile.
#include "handlers/vdisk/steps.h"

namespace uscst::handlers {
namespace {

constexpr std::uint16_t kBlocksField = 13;

class CompareAndWriteSteps final : public DiskSteps {
 public:
  CompareAndWriteSteps(SbcDisk& disk, target::Command& command)
      : DiskSteps(disk, command), durability_(durability()), length_(static_cast<std::size_t>(length_bytes())) {}

 private:
  enum class State { kRead, kCompare, kWritten };

  bool next() override {
    switch (state_) {
      case State::kRead: return read();
      case State::kCompare: return compare();
      case State::kWritten: return written();
    }
    return refuse(scsi::kHardwareFailure);
  }

  bool read() {
    if (!command_.allocate_second(length_)) return refuse(scsi::Status::kBusy);
    state_ = State::kCompare;
    store().read(request_, context(), {&command_.second_data(), 0, length_, start_bytes()});
    return true;
  }

  bool compare() {
    if (result_ < 0) return failed(scsi::kReadError);
    if (command_.aborted()) return end();
    if (auto offset = first_difference(command_.data(), 0, command_.second_data(), length_))
      return refuse(scsi::kMiscompare.with_information(*offset));
    return write();
  }

  bool write() {
    if (durability_ == io::Durability::kData && disk_.flush_failed()) return refuse(scsi::kWriteError);
    state_ = State::kWritten;
    store().write(request_, context(), {&command_.data(), length_, length_, start_bytes()}, durability_);
    return true;
  }

  bool written() {
    if (result_ >= 0) return end();
    disk_.note_write_failure(result_, durability_);
    return failed(scsi::kWriteError);
  }

  State state_ = State::kRead;
  const io::Durability durability_;
  const std::size_t length_;
};

}  // namespace

void execute_compare_and_write(SbcDisk& disk, target::Command& command) {
  const scsi::DecodedCdb& cdb = command.decoded();
  if (cdb.blocks == 0) return command.complete();
  // Half of it must not be taken for what is to be compared: neither less nor more than twice the blocks.
  if (command.request.expected_length_bytes != cdb.data_length_bytes)
    return command.complete(scsi::kInvalidFieldInCdb.at_cdb(kBlocksField));
  command.emplace_scratch<CompareAndWriteSteps>(disk, command).run_in_range(RangeLock::Use::kExclusive);
}

}  // namespace uscst::handlers
