#include "engine/local/service.h"

#include <fmt/format.h>

#include <map>

#include "engine/local/wire.h"

namespace uscst::local {
namespace {

using target::LocalSession;
using target::TaskManagementFunction;
using target::TaskManagementResult;

std::uint8_t result_code(TaskManagementResult result) {
  switch (result) {
    case TaskManagementResult::kComplete: return static_cast<std::uint8_t>(ManagementResult::kComplete);
    case TaskManagementResult::kNotSupported: return static_cast<std::uint8_t>(ManagementResult::kNotSupported);
    case TaskManagementResult::kFailed: break;
  }
  return static_cast<std::uint8_t>(ManagementResult::kFailed);
}

// Shared with the commands under way, which may end after the connection.
class LocalConversation final : public control::Conversation {
 public:
  LocalConversation(Driver& driver, control::ControlConnection& connection, std::shared_ptr<Session> session, bool own)
      : driver_(driver), connection_(connection), session_(std::move(session)), own_session_(own) {}

  // What is under way ends with the session, or is aborted one by one where others use it too.
  ~LocalConversation() override {
    if (own_session_) {
      session_->close();
      return;
    }
    for (const auto& [tag, command] : under_way_) {
      session_->manage(TaskManagementFunction::kAbortTask, command.lun, command.tag, [](TaskManagementResult) {});
    }
  }

  base::Result<std::size_t> received(base::Bytes bytes) override {
    auto request = parse_request(bytes);
    if (!request && request.error().code == EAGAIN) return 0;
    if (!request) return std::unexpected(request.error());
    const std::size_t length = kRequestBytes + request->data_out_bytes;
    if (bytes.size() < length) return 0;
    const std::size_t data_bytes = request->data_out_bytes + request->data_in_bytes;
    const bool full =
        under_way_.size() + managing_ >= kMaximumCommands || bytes_under_way_ + data_bytes > kMaximumBytesUnderWay;
    if (full) return 0;
    if (under_way_.contains(request->tag)) return base::fail(EPROTO, "a tag that is in use already");
    if (request->kind == FrameKind::kTaskManagement) {
      manage(*request);
    } else {
      submit(*request, bytes.subspan(kRequestBytes, request->data_out_bytes));
    }
    return length;
  }

 private:
  struct UnderWay {
    target::CommandTag tag{};
    scsi::LunBytes lun{};
    std::size_t data_bytes = 0;
  };

  void submit(const Request& request, base::Bytes data_out) {
    LocalSession::Ask ask{.cdb = {request.cdb.begin(), request.cdb.end()},
                          .lun = request.lun,
                          .data_out = {data_out.begin(), data_out.end()},
                          .data_in_length_bytes = request.data_in_bytes,
                          .attribute = static_cast<scsi::TaskAttribute>(request.attribute)};
    const std::size_t data_bytes = request.data_out_bytes + request.data_in_bytes;
    auto answer = [this, alive = std::weak_ptr<int>(alive_), tag = request.tag](LocalSession::Answer from) {
      if (!alive.expired()) answered(tag, from);
    };
    under_way_[request.tag] = {session_->submit(std::move(ask), std::move(answer)), request.lun, data_bytes};
    bytes_under_way_ += data_bytes;
  }

  void answered(std::uint64_t tag, const LocalSession::Answer& from) {
    const auto found = under_way_.find(tag);
    bytes_under_way_ -= found->second.data_bytes;
    under_way_.erase(found);
    const Answer answer{.kind = FrameKind::kCommand,
                        .answered = from.responded,
                        .status = static_cast<std::uint8_t>(from.status),
                        .sense_bytes = static_cast<std::uint8_t>(std::min(from.sense.size(), kMaximumSenseBytes)),
                        .tag = tag,
                        .residual = from.residual_bytes,
                        .data_in_bytes = static_cast<std::uint32_t>(from.data_in.size())};
    const auto frame = encode(answer);
    std::vector<std::uint8_t> bytes(frame.begin(), frame.end());
    bytes.insert(bytes.end(), from.sense.begin(), from.sense.begin() + answer.sense_bytes);
    bytes.insert(bytes.end(), from.data_in.begin(), from.data_in.end());
    go_on(std::move(bytes));
  }

  void manage(const Request& request) {
    count(request.attribute);
    const auto task = under_way_.find(request.task_tag);
    const target::CommandTag tag = task == under_way_.end() ? target::CommandTag{} : task->second.tag;
    ++managing_;
    auto answer = [this, alive = std::weak_ptr<int>(alive_), own = request.tag](TaskManagementResult result) {
      if (!alive.expired()) managed(own, result);
    };
    if (request.attribute == kTargetReset) return reset_all(std::move(answer));
    session_->manage(static_cast<TaskManagementFunction>(request.attribute), request.lun, tag, std::move(answer));
  }

  void managed(std::uint64_t tag, TaskManagementResult result) {
    --managing_;
    const auto frame =
        encode(Answer{.kind = FrameKind::kTaskManagement, .answered = true, .status = result_code(result), .tag = tag});
    go_on({frame.begin(), frame.end()});
  }

  // Every LUN of the session; answered when the last has been reset.
  void reset_all(target::TaskManagementDone done) {
    struct Resets {
      explicit Resets(target::TaskManagementDone when_done) : done(std::move(when_done)) {}
      ~Resets() { done(result); }
      Resets(const Resets&) = delete;
      Resets& operator=(const Resets&) = delete;
      target::TaskManagementDone done;
      TaskManagementResult result = TaskManagementResult::kComplete;
    };
    if (!session_->is_open()) return done(TaskManagementResult::kFailed);
    const auto resets = std::make_shared<Resets>(std::move(done));
    const auto luns = session_->session()->lun_map();
    for (const auto& entry : luns->entries) {
      session_->manage(TaskManagementFunction::kLogicalUnitReset,
                       scsi::encode_lun(entry.lun, scsi::LunAddressing::kPeripheral), {},
                       [resets](TaskManagementResult result) {
                         if (result != TaskManagementResult::kComplete) resets->result = result;
                       });
    }
  }

  void count(std::uint8_t function) {
    if (function == static_cast<std::uint8_t>(TaskManagementFunction::kAbortTask)) ++driver_.statistics.aborts;
    if (function == static_cast<std::uint8_t>(TaskManagementFunction::kLogicalUnitReset)) {
      ++driver_.statistics.device_resets;
    }
    if (function == kTargetReset) ++driver_.statistics.target_resets;
  }

  void go_on(std::vector<std::uint8_t> bytes) {
    connection_.send(std::move(bytes));
    if (session_->is_open() && !session_->closing()) {
      connection_.look_again();
    } else if (under_way_.empty()) {
      connection_.close_when_sent();
    }
  }

  Driver& driver_;
  control::ControlConnection& connection_;
  const std::shared_ptr<Session> session_;
  const bool own_session_;
  std::map<std::uint64_t, UnderWay> under_way_;
  std::size_t managing_ = 0, bytes_under_way_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace

control::ControlService make_service(Driver& driver) {
  return [&driver](control::ControlConnection& connection,
                   const std::vector<std::string>& words) -> base::Result<std::unique_ptr<control::Conversation>> {
    if (words.empty() || words.size() > 2) return base::fail(EINVAL, "local TARGET [SESSION]");
    target::Target* target = driver.find_open_target(words[0]);
    if (!target) return base::fail(ENOENT, fmt::format("driver scst_local has no target '{}'", words[0]));
    const std::string name = words.size() == 2 ? words[1] : std::string(kOwnSessionName);
    auto session = words.size() == 2 ? driver.find_session(*target, name) : nullptr;
    const bool own = session == nullptr;
    if (own) session = driver.add_session(*target, name);
    connection.send_status({});
    return std::make_unique<LocalConversation>(driver, connection, std::move(session), own);
  };
}

}  // namespace uscst::local
