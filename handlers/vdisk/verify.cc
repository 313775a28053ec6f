// VERIFY and WRITE AND VERIFY (SBC-4 5.36 .., 5.47 ..): write or flush, then read in pieces and compare.
#include "handlers/vdisk/steps.h"

namespace uscst::handlers {
namespace {

constexpr std::size_t kPieceBytes = 1u << 20;

class VerifySteps final : public DiskSteps {
 public:
  VerifySteps(SbcDisk& disk, target::Command& command, bool write)
      : DiskSteps(disk, command),
        state_(write ? State::kWrite : State::kFlush),
        compare_(write || command.decoded().byte_check) {
    left_ = length_bytes();
    // Where the initiator sent less than the CDB says, only that is written and compared.
    if (compare_)
      left_ = std::min<std::uint64_t>(left_,
                                      command.data().length_bytes() & ~std::uint64_t{disk.config().block_size() - 1});
  }

 private:
  enum class State { kWrite, kFlush, kPrepare, kRead, kCheck };

  bool next() override {
    switch (state_) {
      case State::kWrite: return write();
      case State::kFlush: return flush();
      case State::kPrepare: return prepare();
      case State::kRead: return read();
      case State::kCheck: return check();
    }
    return refuse(scsi::kHardwareFailure);
  }

  bool write() {
    state_ = State::kPrepare;
    durability_ = disk_.nv_cache() ? io::Durability::kVolatile : io::Durability::kData;
    if (durability_ == io::Durability::kData && disk_.flush_failed()) return refuse(scsi::kWriteError);
    store().write(request_, context(), {&command_.data(), 0, left_, start_bytes()}, durability_);
    return true;
  }

  // VERIFY looks at the medium, so what is cached goes there first.
  bool flush() {
    state_ = State::kPrepare;
    if (disk_.flush_failed()) return refuse(scsi::kWriteError);
    if (disk_.nv_cache()) return prepare();
    flushing_ = true;
    store().flush(request_, context());
    return true;
  }

  bool prepare() {
    if (result_ < 0) {
      if (flushing_) disk_.note_flush_failure(result_);
      if (!flushing_) disk_.note_write_failure(result_, durability_);
      return failed(scsi::kWriteError);
    }
    if (!command_.allocate_second(std::min<std::uint64_t>(left_, kPieceBytes))) return refuse(scsi::Status::kBusy);
    return read();
  }

  bool read() {
    if (left_ == 0 || command_.aborted()) return end();
    state_ = State::kCheck;
    piece_ = std::min<std::size_t>(left_, command_.second_data().length_bytes());
    store().read(request_, context(), {&command_.second_data(), 0, piece_, start_bytes() + done_});
    return true;
  }

  bool check() {
    if (result_ < 0) return failed(scsi::kReadError);
    if (compare_ && first_difference(command_.data(), done_, command_.second_data(), piece_))
      return refuse(scsi::kMiscompare);
    done_ += piece_;
    left_ -= piece_;
    return read();
  }

  State state_;
  const bool compare_;
  bool flushing_ = false;
  io::Durability durability_ = io::Durability::kVolatile;
  std::uint64_t left_ = 0;
  std::size_t done_ = 0, piece_ = 0;
};

void begin(SbcDisk& disk, target::Command& command, bool write) {
  const bool nothing_sent =
      (write || command.decoded().byte_check) && command.data().length_bytes() < disk.config().block_size();
  if (command.decoded().blocks == 0 || nothing_sent || disk.config().kind == VdiskKind::kNullio)
    return command.complete();
  command.emplace_scratch<VerifySteps>(disk, command, write).run_in_range();
}

}  // namespace

void execute_verify(SbcDisk& disk, target::Command& command) { begin(disk, command, false); }
void execute_write_and_verify(SbcDisk& disk, target::Command& command) { begin(disk, command, true); }

}  // namespace uscst::handlers
