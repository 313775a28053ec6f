#include "engine/target/local_session.h"

#include <fmt/format.h>

#include <cassert>
#include <cstring>

#include "engine/target/registry.h"

namespace uscst::target {

LocalSession::~LocalSession() = default;

std::shared_ptr<Nexus> LocalSession::make_own_nexus(Target& target) {
  NexusKey key;
  key.peer = fmt::format("local {}", target.registry().next_id());
  return target.make_nexus(key);
}

void LocalSession::open(Target& target, const std::string& initiator_name, std::shared_ptr<Nexus> nexus,
                        io::Job ended) {
  assert(!session_);
  ended_ = std::move(ended);
  session_ = target.add_session(initiator_name, std::move(nexus), shard_, *this);
  shard_.executor().post([self = shared_from_this(), session = session_] { self->shard_.attach(session->tasks()); });
}

void LocalSession::close() {
  if (!session_ || closing_) return;
  closing_ = true;
  shard_.executor().post([self = shared_from_this(), session = session_] {
    session->tasks().close([self] { self->shard_.group().control().post([self] { self->close_ended(); }); });
  });
}

// On the control thread, behind the answers of all commands.
void LocalSession::close_ended() {
  auto keep = shared_from_this();
  session_->target().remove_session(*session_);
  session_.reset();
  if (ended_) std::exchange(ended_, nullptr)();
}

CommandTag LocalSession::submit(Ask ask, AnswerDone done) {
  CommandTag tag;
  ++last_tag_;
  std::memcpy(tag.data(), &last_tag_, tag.size());
  if (!session_ || closing_) {
    shard_.group().control().post([done = std::move(done)]() mutable { done({}); });
    return tag;
  }
  shard_.executor().post(
      [self = shared_from_this(), session = session_, ask = std::move(ask), tag, done = std::move(done)]() mutable {
        self->start(session->tasks(), std::move(ask), tag, std::move(done));
      });
  return tag;
}

void LocalSession::manage(TaskManagementFunction function, const scsi::LunBytes& lun, const CommandTag& tag,
                          TaskManagementDone done) {
  io::Executor& control = shard_.group().control();
  auto answer = [&control, done = std::move(done)](TaskManagementResult result) mutable {
    control.post([result, done = std::move(done)]() mutable { done(result); });
  };
  if (!session_ || closing_) return answer(TaskManagementResult::kFailed);
  shard_.executor().post([session = session_, function, lun, tag, answer = std::move(answer)]() mutable {
    session->tasks().manage(function, lun, tag, std::move(answer));
  });
}

// --- reactor

void LocalSession::start(SessionTasks& tasks, Ask ask, const CommandTag& tag, AnswerDone done) {
  Slot* slot = nullptr;
  if (free_slots_.empty()) {
    slot = &slots_.emplace_back(*this);
  } else {
    slot = &free_slots_.front();
    free_slots_.pop_front();
  }
  slot->answer = {};
  slot->done = std::move(done);
  slot->data_out = std::move(ask.data_out);
  Command::Request& request = slot->request;
  request.tag = tag;
  request.lun = ask.lun;
  request.attribute = ask.attribute;
  request.own = ask.own;
  request.direction = !slot->data_out.empty()        ? scsi::Direction::kOut
                      : ask.data_in_length_bytes > 0 ? scsi::Direction::kIn
                                                     : scsi::Direction::kNone;
  request.expected_length_bytes = slot->data_out.empty() ? ask.data_in_length_bytes : slot->data_out.size();
  request.cdb.assign(ask.cdb.begin(), ask.cdb.end());
  tasks.start(*slot);
}

void LocalSession::fetch_data(Command& command) {
  auto& slot = static_cast<Slot&>(command);
  base::Bytes bytes(slot.data_out);
  command.data().copy_in(0, bytes.first(std::min(bytes.size(), command.data_out_length_bytes())));
  command.data_fetched(true);
}

void LocalSession::send_status(Command& command) {
  Answer& answer = static_cast<Slot&>(command).answer;
  answer.status = command.status();
  answer.sense.assign(command.sense().begin(), command.sense().end());
  answer.residual_bytes = command.residual_bytes();
  answer.data_in.resize(command.data_in_length_bytes());
  command.data().copy_out(0, answer.data_in);
  command.status_sent(true);
}

void LocalSession::ended(Command& command, bool responded) {
  auto& slot = static_cast<Slot&>(command);
  slot.answer.responded = responded;
  slot.data_out.clear();
  shard_.group().control().post(
      [answer = std::move(slot.answer), done = std::move(slot.done)]() mutable { done(std::move(answer)); });
  free_slots_.push_front(slot);
}

}  // namespace uscst::target
