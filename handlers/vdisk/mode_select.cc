// MODE SELECT (SPC-5 6.11): flushes where a volatile cache is switched off, saves where asked to, then takes effect and
// tells the other nexuses.
#include "handlers/vdisk/saved_pages.h"
#include "handlers/vdisk/steps.h"

namespace uscst::handlers {

class ModeSelectSteps final : public DiskSteps {
 public:
  ModeSelectSteps(SbcDisk& disk, target::Command& command, const scsi::ModeSelection& selection)
      : DiskSteps(disk, command), selection_(selection) {}

 private:
  enum class State { kBegin, kFlushed, kSaved };

  bool next() override {
    switch (state_) {
      case State::kBegin: return begin();
      case State::kFlushed: return flushed();
      case State::kSaved: return result_ < 0 ? not_saved() : publish();
    }
    return refuse(scsi::kHardwareFailure);
  }

  // What the cache holds must be stable before the initiator is told that there is none (SBC-4 6.5.6).
  bool begin() {
    const bool cache_goes = disk_.write_back() && !selection_.pages.caching.wce && disk_.store() != nullptr;
    state_ = State::kFlushed;
    if (!cache_goes) return flushed();
    if (disk_.flush_failed()) return refuse(scsi::kWriteError);
    store().flush(request_, context());
    return true;
  }

  bool flushed() {
    if (result_ < 0) {
      disk_.note_flush_failure(result_);
      return failed(scsi::kWriteError);
    }
    state_ = State::kSaved;
    if (!selection_.save) return publish();
    return save();
  }

  bool save() {
    auto write = [directory = disk_.environment().state_directory + "/vdev_mode_pages", name = disk_.name(),
                  pages = selection_.pages,
                  defaults = disk_.default_mode_pages()] { return save_mode_pages(directory, name, pages, defaults); };
    if (io::Reactor* reactor = context().reactor) {
      reactor->block(operation_, std::move(write));
    } else {
      save_ended(write());
    }
    return true;
  }
  void save_ended(int result) {
    result_ = result;
    run();
  }

  bool not_saved() {
    disk_.warn("saving the mode pages failed", result_);
    return refuse(scsi::Status::kBusy);
  }

  bool publish() {
    {
      std::lock_guard lock(disk_.mutex_);
      if (selection_.save) disk_.saved_ = selection_.pages;
      disk_.put_mode_pages(selection_.pages);
    }
    command_.device().raise_for_all(scsi::kUaModeParametersChanged, command_.nexus_lun()->nexus_id());
    return end();
  }

  const scsi::ModeSelection selection_;
  State state_ = State::kBegin;
  io::Operation operation_{io::Call<int>::to<&ModeSelectSteps::save_ended>(this)};
};

void execute_mode_select(SbcDisk& disk, target::Command& command) {
  std::vector<std::uint8_t> list(command.data().length_bytes());
  command.data().copy_out(0, list);
  auto selection = scsi::mode_select(command.decoded(), list, disk.mode_device(command));
  if (!selection) return command.complete(selection.error());
  if (!*selection) return command.complete();
  command.emplace_scratch<ModeSelectSteps>(disk, command, **selection).run();
}

}  // namespace uscst::handlers
