// A session without a fabric: its commands are submitted by code of this process, with the data in memory, and run on a
// reactor like any other. The copy manager talks to the devices through one; scst_local's sessions are such. Made on
// the control thread, shared: jobs under way keep it alive. Whoever opened it closes it; it is gone with `ended`.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/target/session.h"
#include "engine/target/shard.h"

namespace uscst::target {

class LocalSession : public std::enable_shared_from_this<LocalSession>,
                     public CommandTransport,
                     public SessionTransport {
 public:
  // What is asked. The data direction follows from the lengths: out before in, none when both are 0.
  struct Ask {
    std::vector<std::uint8_t> cdb;
    scsi::LunBytes lun{};
    std::vector<std::uint8_t> data_out{};
    std::uint64_t data_in_length_bytes = 0;  // the most that is taken
    scsi::TaskAttribute attribute = scsi::TaskAttribute::kSimple;
    bool own = false;  // see Command::Request
  };
  struct Answer {
    bool responded = false;  // false: aborted, and nothing below holds
    scsi::Status status = scsi::Status::kGood;
    std::vector<std::uint8_t> sense;
    std::vector<std::uint8_t> data_in;
    std::int64_t residual_bytes = 0;  // of the length given; see Command::residual_bytes()
  };
  using AnswerDone = std::move_only_function<void(Answer)>;

  explicit LocalSession(Shard& shard) : shard_(shard) {}
  ~LocalSession() override;

  // --- control thread
  // Enters the session into the target's directory; commands may be submitted from now on. `ended` runs once after
  // close(), when the session is out of the directory again.
  void open(Target& target, const std::string& initiator_name, std::shared_ptr<Nexus> nexus, io::Job ended);
  // A nexus that no other session will share: every call makes another.
  static std::shared_ptr<Nexus> make_own_nexus(Target& target);
  const std::shared_ptr<Session>& session() const { return session_; }
  bool is_open() const { return session_ != nullptr; }
  bool closing() const { return closing_; }
  // Aborts what runs; their answers come before `ended`. Closing twice does nothing.
  void close() override;
  std::span<const Attribute<Session>> attributes() const override { return {}; }
  bool can_close() const override { return false; }

  // `done` runs later, on the control thread, exactly once. On a closed session it is answered as aborted. The tag
  // names the command for manage().
  CommandTag submit(Ask ask, AnswerDone done);
  void manage(TaskManagementFunction function, const scsi::LunBytes& lun, const CommandTag& tag,
              TaskManagementDone done);

  // --- reactor
  void fetch_data(Command& command) override;
  void send_data(Command&) override {}  // goes with the status
  void send_status(Command& command) override;
  void ended(Command& command, bool responded) override;

 private:
  struct Slot final : Command, io::AutoUnlinkList {
    explicit Slot(LocalSession& session) : Command(session) {}
    std::vector<std::uint8_t> data_out;
    Answer answer;
    AnswerDone done;
  };

  void start(SessionTasks& tasks, Ask ask, const CommandTag& tag, AnswerDone done);
  void close_ended();

  Shard& shard_;
  // --- control thread
  std::shared_ptr<Session> session_;
  io::Job ended_;
  bool closing_ = false;
  std::uint64_t last_tag_ = 0;
  // --- reactor
  std::list<Slot> slots_;
  boost::intrusive::list<Slot, boost::intrusive::constant_time_size<false>> free_slots_;
};

}  // namespace uscst::target
