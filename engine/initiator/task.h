// One SCSI command and one task management function as an initiator sees them. Owned by whoever submits them, kept
// (with their data) until done; they live on their session's reactor.
#pragma once

#include <array>
#include <boost/container/static_vector.hpp>
#include <cstdint>
#include <optional>

#include "engine/base/bytes.h"
#include "engine/base/clock.h"
#include "engine/fabric/fabric.h"
#include "engine/io/executor.h"
#include "engine/srp/iu.h"

namespace uscst::initiator {

using Cdb = boost::container::static_vector<std::uint8_t, 32>;

enum class Direction { kNone, kIn, kOut };

enum class Delivery {
  kAnswered,      // the target answered: status (or code) is valid
  kDisconnected,  // the connection ended first
  kTimedOut,      // no answer in time; the target confirmed the abort
  kAborted,       // the target ended it without a status: another initiator's doing (--local only sees it)
};

inline constexpr std::uint8_t kStatusGood = 0x00, kStatusCheckCondition = 0x02, kStatusBusy = 0x08,
                              kStatusReservationConflict = 0x18, kStatusTaskSetFull = 0x28, kStatusAcaActive = 0x30,
                              kStatusTaskAborted = 0x40;

struct Outcome {
  Delivery delivery = Delivery::kAnswered;
  std::uint8_t status = kStatusGood;
  srp::Residual residual = 0;  // of the command's direction; positive: less moved than asked for
  std::optional<srp::ResponseCode> code;
  boost::container::static_vector<std::uint8_t, 252> sense;

  bool good() const { return delivery == Delivery::kAnswered && status == kStatusGood && !code; }
};

// Most descriptors that one command's data is cut into (ib_srp's default of cmd_sg_entries).
inline constexpr unsigned kMaximumPieces = 12;

class Task : public io::AutoUnlinkList {
 public:
  explicit Task(io::Call<Task&> done) : done_(done), send_(io::Call<bool>::to<&Task::sent>(this)) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  srp::Lun lun{};
  srp::TaskAttribute attribute = srp::TaskAttribute::kSimple;
  Cdb cdb;
  Direction direction = Direction::kNone;
  base::MutableBytes data;

  Outcome outcome;  // valid in and after done

  const srp::Tag& tag() const { return tag_; }  // of the latest submission

 private:
  friend class Channel;
  friend class LocalLink;
  static constexpr std::size_t kIuBytes =
      srp::kCommandBytes + srp::kFixedCdbBytes + srp::kIndirectHeadBytes + kMaximumPieces * srp::kDescriptorBytes;

  void sent(bool ok);

  io::Call<Task&> done_;
  class Channel* channel_ = nullptr;
  srp::Tag tag_{};
  std::uint32_t slot_ = 0;
  bool sending_ = false, answered_ = false;
  base::TimePoint deadline_{};
  fabric::Request send_;
  std::array<std::uint8_t, kIuBytes> iu_{};
  std::array<iovec, 2> parts_{};
  boost::container::static_vector<std::uint32_t, 2> exposed_;
};

class ManagementTask : public io::AutoUnlinkList {
 public:
  explicit ManagementTask(io::Call<ManagementTask&> done)
      : done_(done), send_(io::Call<bool>::to<&ManagementTask::sent>(this)) {}
  ManagementTask(const ManagementTask&) = delete;
  ManagementTask& operator=(const ManagementTask&) = delete;

  srp::TaskFunction function = srp::TaskFunction::kLogicalUnitReset;
  srp::Lun lun{};
  srp::Tag task_tag{};  // ABORT TASK

  Delivery delivery = Delivery::kAnswered;
  srp::ResponseCode code = srp::ResponseCode::kComplete;

 private:
  friend class Channel;
  friend class LocalLink;
  void sent(bool ok);

  io::Call<ManagementTask&> done_;
  class Channel* channel_ = nullptr;
  srp::Tag tag_{};
  bool sending_ = false, answered_ = false;
  fabric::Request send_;
  std::array<std::uint8_t, srp::kTaskManagementBytes> iu_{};
  iovec part_{};
};

}  // namespace uscst::initiator
