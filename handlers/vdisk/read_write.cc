// READ and WRITE (SBC-4 5.13 .. 5.19, 5.43 ..): one request at the store.
#include "handlers/vdisk/steps.h"

namespace uscst::handlers {
namespace {

// What the CDB asks for, or less where the initiator offered less.
std::size_t transfer_bytes(target::Command& command, std::uint8_t block_shift) {
  const std::uint64_t asked = command.decoded().blocks << block_shift;
  return static_cast<std::size_t>(std::min<std::uint64_t>(asked, command.data().length_bytes()));
}

class ReadSteps final : public DiskSteps {
 public:
  ReadSteps(SbcDisk& disk, target::Command& command) : DiskSteps(disk, command) {}

 private:
  bool next() override {
    if (asked_) return result_ < 0 ? failed(scsi::kReadError) : end(static_cast<std::size_t>(result_));
    asked_ = true;
    store().read(request_, context(),
                 {&command_.data(), 0, transfer_bytes(command_, disk_.config().block_shift), start_bytes()});
    return true;
  }
  bool asked_ = false;
};

class WriteSteps final : public DiskSteps {
 public:
  WriteSteps(SbcDisk& disk, target::Command& command) : DiskSteps(disk, command), durability_(durability()) {}

 private:
  bool next() override {
    if (asked_) return written();
    if (durability_ == io::Durability::kData && disk_.flush_failed()) return refuse(scsi::kWriteError);
    asked_ = true;
    // A part of a block has no place on the medium.
    const std::size_t length =
        transfer_bytes(command_, disk_.config().block_shift) & ~(std::size_t{disk_.config().block_size()} - 1);
    store().write(request_, context(), {&command_.data(), 0, length, start_bytes()}, durability_);
    return true;
  }
  bool written() {
    if (result_ >= 0) return end();
    disk_.note_write_failure(result_, durability_);
    return failed(scsi::kWriteError);
  }
  const io::Durability durability_;
  bool asked_ = false;
};

}  // namespace

void execute_read(SbcDisk& disk, target::Command& command) {
  if (command.decoded().blocks == 0 || command.data().empty()) return command.complete();
  command.emplace_scratch<ReadSteps>(disk, command).run_in_range();
}

void execute_write(SbcDisk& disk, target::Command& command) {
  if (command.decoded().blocks == 0 || command.data().empty()) return command.complete();
  command.emplace_scratch<WriteSteps>(disk, command).run_in_range();
}

}  // namespace uscst::handlers
