// SYNCHRONIZE CACHE (SBC-4 5.33, 5.34) and START STOP UNIT (SBC-4 5.31), which flushes and does nothing else.
#include "handlers/vdisk/steps.h"

namespace uscst::handlers {
namespace {

class SynchronizeSteps final : public DiskSteps {
 public:
  SynchronizeSteps(SbcDisk& disk, target::Command& command) : DiskSteps(disk, command) {}

 private:
  bool next() override {
    if (asked_) return flushed();
    asked_ = true;
    store().flush(request_, context());
    return true;
  }
  bool flushed() {
    if (result_ >= 0) return end();
    disk_.note_flush_failure(result_);
    return failed(scsi::kWriteError);
  }
  bool asked_ = false;
};

// A flush that goes on after GOOD was sent (IMMED). Owns itself and what it needs: the device may go before it ends.
class BackgroundFlush {
 public:
  static void begin(SbcDisk& disk, StoreContext context) {
    auto* flush = new BackgroundFlush(disk);  // deleted by ended()
    flush->store_->flush(flush->request_, context);
  }

 private:
  explicit BackgroundFlush(SbcDisk& disk)
      : store_(disk.store()->shared_from_this()),
        failure_(disk.flush_failure()),
        log_(disk.environment().log),
        name_(disk.name()) {}
  void ended(std::int64_t result) {
    if (result < 0 && !failure_->exchange(true)) {
      log_.error("device {}: flushing failed after the command was answered (IMMED): errno {}", name_, -result);
    }
    delete this;
  }

  std::shared_ptr<BackingStore> store_;
  std::shared_ptr<std::atomic<bool>> failure_;
  base::Log& log_;
  const std::string name_;
  StoreRequest request_{io::Call<std::int64_t>::to<&BackgroundFlush::ended>(this)};
};

}  // namespace

void execute_synchronize(SbcDisk& disk, target::Command& command) {
  if (disk.nv_cache() || disk.store() == nullptr) return command.complete();
  if (disk.flush_failed()) return command.complete(scsi::kWriteError);
  if (command.decoded().operation() == scsi::Operation::kSynchronizeCache && command.decoded().immed) {
    BackgroundFlush::begin(disk, context_of(command));
    return command.complete();
  }
  command.emplace_scratch<SynchronizeSteps>(disk, command).run();
}

}  // namespace uscst::handlers
