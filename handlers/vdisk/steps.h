// A command carried out in steps, each a request at the backing store. Lives in the command's scratch memory, on its
// reactor.
#pragma once

#include <optional>

#include "engine/scsi/unmap.h"
#include "handlers/vdisk/range_lock.h"
#include "handlers/vdisk/sbc_disk.h"

namespace uscst::handlers {

// Ends a command whose request failed. `medium` tells what was tried: a read or a write error.
void complete_failed(target::Command& command, std::int64_t error, const scsi::Sense& medium);

inline StoreContext context_of(const target::Command& command) {
  return {command.shard().executor(), command.shard().reactor()};
}

// Where the first `length` bytes of one buffer, from an offset, and of another differ.
std::optional<std::size_t> first_difference(const io::Buffer& a, std::size_t a_offset_bytes, const io::Buffer& b,
                                            std::size_t length_bytes);

class DiskSteps {
 public:
  // Goes on: called to begin, and by the end of each request. Stores may complete within the call, so that the loop is
  // here and not in the stack.
  void run();
  // Begins once the CDB's blocks are the command's, and keeps them until it ends.
  void run_in_range(RangeLock::Use use = RangeLock::Use::kShared) {
    if (take({command_.decoded().lba, command_.decoded().blocks}, use)) run();
  }

 protected:
  DiskSteps(SbcDisk& disk, target::Command& command)
      : disk_(disk), command_(command), range_(command.shard().executor(), io::Call<>::to<&DiskSteps::granted>(this)) {}
  ~DiskSteps() = default;

  // Looks at result_, makes the next request and gives true, or ends the command, which destroys this, and gives false.
  virtual bool next() = 0;

  // A command holds one range at a time. False: next() is called when it is the command's.
  bool take(const scsi::BlockRange& range, RangeLock::Use use);
  void leave_range() { range_.leave(); }

  // The range is left before the answer goes out: an initiator that is slow to take it holds nobody up.
  bool end() { return leave_range(), command_.complete(), false; }
  bool end(std::size_t data_in_length_bytes) { return leave_range(), command_.complete(data_in_length_bytes), false; }
  bool refuse(const scsi::Sense& sense) { return leave_range(), command_.complete(sense), false; }
  bool refuse(scsi::Status status) { return leave_range(), command_.complete(status), false; }
  bool failed(const scsi::Sense& medium) {
    if (medium == scsi::kReadError) disk_.warn("reading failed", result_);
    leave_range();
    return complete_failed(command_, result_, medium), false;
  }

  BackingStore& store() const { return *disk_.store(); }
  StoreContext context() const { return context_of(command_); }
  // Write-through, or FUA where the cache is volatile.
  io::Durability durability() const;
  std::uint64_t start_bytes() const { return command_.decoded().lba << disk_.config().block_shift; }
  std::uint64_t length_bytes() const { return command_.decoded().blocks << disk_.config().block_shift; }

  SbcDisk& disk_;
  target::Command& command_;
  StoreRequest request_{io::Call<std::int64_t>::to<&DiskSteps::ended>(this)};
  std::int64_t result_ = 0;

 private:
  void ended(std::int64_t result) {
    result_ = result;
    run();
  }
  void granted();
  void abandon();

  RangeLock::Hold range_;
  bool running_ = false, again_ = false;
};

// One function a family of commands; each ends the command, now or later. The range has been checked.
void execute_read(SbcDisk& disk, target::Command& command);
void execute_write(SbcDisk& disk, target::Command& command);
void execute_verify(SbcDisk& disk, target::Command& command);
void execute_write_and_verify(SbcDisk& disk, target::Command& command);
void execute_synchronize(SbcDisk& disk, target::Command& command);  // START STOP UNIT as well
void execute_unmap(SbcDisk& disk, target::Command& command);
void execute_compare_and_write(SbcDisk& disk, target::Command& command);
void execute_write_same(SbcDisk& disk, target::Command& command);
void execute_mode_select(SbcDisk& disk, target::Command& command);

}  // namespace uscst::handlers
