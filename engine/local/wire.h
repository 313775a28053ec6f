// What travels on the control socket once the first line, "local TARGET [SESSION]\n", was answered with "ok\n": frames
// with SCSI commands and task management functions one way, their answers in any order the other. Big-endian; reserved
// bytes are 0. Values and bytes only: no state, any thread.
//
//   request  0  kind            1 command, 2 task management
//            1  attribute       task attribute (SAM-5 8), or the function (values of SRP r16a 6.7; 0x20 resets every
//            LUN) 2  CDB length      1..32; 0 for task management 3  reserved 4  tag             8 bytes; no two at a
//            time on one connection
//           12  LUN             8 bytes (SAM-5 4.7)
//           20  task tag        8 bytes: of the task to abort; else 0
//           28  data-in         4 bytes: the most that is taken
//           32  data-out        4 bytes: of them follow the frame
//           36  CDB             32 bytes
//   answer   0  kind            of the request
//            1  answered        1; 0 for a command that was aborted without a status
//            2  status          SCSI status; task management: 0 complete, 1 not supported, 2 failed
//            3  sense length    of sense data follow the frame, then data-in
//            4  tag             8 bytes
//           12  residual        8 bytes, two's complement: see SRP r16a 6.9; positive: less moved than asked for
//           20  data-in         4 bytes
#pragma once

#include <array>
#include <boost/container/static_vector.hpp>
#include <cstdint>

#include "engine/base/bytes.h"
#include "engine/base/result.h"

namespace uscst::local {

inline constexpr std::size_t kRequestBytes = 68, kAnswerBytes = 24;
inline constexpr std::size_t kMaximumCdbBytes = 32;
inline constexpr std::uint32_t kMaximumDataBytes = 4 << 20;  // of one command and direction
inline constexpr std::size_t kMaximumSenseBytes = 252;

enum class FrameKind : std::uint8_t { kCommand = 1, kTaskManagement = 2 };
inline constexpr std::uint8_t kTargetReset = 0x20;  // what Linux asks for where SAM-5 has no function any more

enum class ManagementResult : std::uint8_t { kComplete = 0, kNotSupported = 1, kFailed = 2 };

struct Request {
  FrameKind kind = FrameKind::kCommand;
  std::uint8_t attribute = 0;  // or function
  std::uint64_t tag = 0, task_tag = 0;
  std::array<std::uint8_t, 8> lun{};
  std::uint32_t data_in_bytes = 0, data_out_bytes = 0;
  boost::container::static_vector<std::uint8_t, kMaximumCdbBytes> cdb{};
  friend bool operator==(const Request&, const Request&) = default;
};

struct Answer {
  FrameKind kind = FrameKind::kCommand;
  bool answered = false;
  std::uint8_t status = 0;
  std::uint8_t sense_bytes = 0;
  std::uint64_t tag = 0;
  std::int64_t residual = 0;
  std::uint32_t data_in_bytes = 0;
  friend bool operator==(const Answer&, const Answer&) = default;
};

// The frame; what follows it is the caller's to add.
std::array<std::uint8_t, kRequestBytes> encode(const Request& request);
std::array<std::uint8_t, kAnswerBytes> encode(const Answer& answer);
// From the first bytes. EAGAIN: more are needed. EPROTO: what is beyond the limits or against the table above.
base::Result<Request> parse_request(base::Bytes bytes);
base::Result<Answer> parse_answer(base::Bytes bytes);

}  // namespace uscst::local
