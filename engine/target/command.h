// A SCSI command (task, SAM-5 4.8) on its way: an explicit state machine that runs on its session's reactor from the
// first to the last step. Owned by the transport, which keeps it until ended() and may use it again afterwards.
#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "engine/base/clock.h"
#include "engine/io/buffer.h"
#include "engine/io/executor.h"
#include "engine/scsi/cdb.h"
#include "engine/scsi/lun.h"
#include "engine/scsi/rules.h"
#include "engine/scsi/sense.h"

namespace uscst::target {

class Command;
class Device;
class LatencyStatistics;
class NexusLun;
class Session;
class SessionTasks;
class Shard;
class SweepToken;
// Opaque: echoed to the initiator and compared bytewise.
using CommandTag = std::array<std::uint8_t, 8>;

// What a command does, or waits for, now. The same words label the latency statistics.
enum class CommandState : std::uint8_t {
  kReceived,    // nothing decided yet
  kParsed,      // LUN found, CDB decoded
  kWaitBuffer,  // for memory
  kFetchData,   // for the initiator's data
  kWaitOrder,   // for its turn among the commands of its nexus
  kWaitGate,    // for a change of the configuration, or a transition of ALUA states, to end
  kChecks,      // reservations, unit attentions, write protection
  kExecuting,   // for the logical unit
  kSendData,    // data-in is handed to the transport
  kSendStatus,  // for the response to be sent
  kFinished,
};
inline constexpr int kCommandStates = 11;

// Why a command shall end without having been carried out.
enum class AbortReason : std::uint8_t {
  kNone,
  kOwnNexus,    // the initiator asked: no status
  kOtherNexus,  // another did: TASK ABORTED status if TAS, otherwise none and a unit attention
  kSessionEnd,
};

// What the transport does for its commands; on the reactor.
class CommandTransport {
 public:
  virtual ~CommandTransport() = default;
  // Brings data_out_length() bytes into command.data(), then calls command.data_fetched().
  virtual void fetch_data(Command& command) = 0;
  // Hands data-in to the fabric in front of the status. Must not wait.
  virtual void send_data(Command& command) = 0;
  // Sends the response, then calls command.status_sent().
  virtual void send_status(Command& command) = 0;
  // The command has ended: with a response, or without one (aborted). It is the transport's again.
  virtual void ended(Command& command, bool responded) = 0;
};

using CommandListHook = boost::intrusive::list_base_hook<boost::intrusive::tag<struct CommandListTag>>;
using CommandWaitHook = boost::intrusive::list_base_hook<boost::intrusive::tag<struct CommandWaitTag>,
                                                         boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// TaskOrder's queue; guarded by its mutex.
using CommandOrderHook = boost::intrusive::list_base_hook<boost::intrusive::tag<struct CommandOrderTag>>;

class Command : public CommandListHook, public CommandWaitHook, public CommandOrderHook {
 public:
  static constexpr std::size_t kScratchBytes = 768;

  explicit Command(CommandTransport& transport) : transport_(transport) {}
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  ~Command();

  // --- transport: what the initiator asks. Set before SessionTasks::start().
  struct Request {
    CommandTag tag{};
    scsi::LunBytes lun{};
    scsi::TaskAttribute attribute = scsi::TaskAttribute::kSimple;
    bool invalid_fields = false;  // data descriptors that do not add up: 5/24/00
    scsi::Direction direction = scsi::Direction::kNone;
    std::uint64_t expected_length_bytes = 0;  // sum of the descriptors
    boost::container::small_vector<std::uint8_t, 32> cdb;
    bool own = false;  // the daemon's, not an initiator's: where a block holds it, nobody waits for it
  };
  Request request;

  // --- transport: results
  void data_fetched(bool ok);
  void status_sent(bool ok);
  scsi::Status status() const { return status_; }
  base::Bytes sense() const { return sense_.bytes(); }
  // Data-in: bytes of data() to send; already cut at what the initiator expects.
  std::size_t data_in_length_bytes() const { return data_in_length_bytes_; }
  // Data-out: bytes to fetch.
  std::size_t data_out_length_bytes() const { return data_out_length_bytes_; }
  // Of the data direction of the request: positive when less moved than expected, negative when more was wanted.
  std::int64_t residual_bytes() const { return residual_bytes_; }

  // --- logical unit and engine
  const scsi::DecodedCdb& decoded() const { return decoded_; }
  base::Bytes cdb() const { return {request.cdb.data(), request.cdb.size()}; }
  io::Buffer& data() { return data_; }
  Session& session() const;
  CommandTransport& transport() const { return transport_; }
  SessionTasks& tasks() const { return *tasks_; }
  Shard& shard() const { return *shard_; }
  Device& device() const;
  NexusLun* nexus_lun() const { return nexus_lun_.get(); }
  bool read_only_lun() const { return read_only_lun_; }
  bool aborted() const { return abort_reason_ != AbortReason::kNone; }
  CommandState state() const { return state_; }
  bool counted() const { return counted_; }  // among the active commands of its nexus and LUN
  // When it came, as of Clock::recently().
  base::TimePoint started() const { return started_; }

  // Ends the execution; exactly one of these, once.
  void complete(std::size_t data_in_length_bytes = 0);  // GOOD
  void complete(const scsi::Sense& sense);              // CHECK CONDITION
  void complete(scsi::Status status);                   // any other status
  void complete_with_sense(base::Bytes sense);          // CHECK CONDITION with encoded sense data, cut where too long
  // GOOD with data-in made from `bytes`, cut at the allocation length (decoded().data_length_bytes).
  void complete_with(base::Bytes bytes);

  // Memory for what a logical unit needs while it carries the command out; destroyed when the command ends.
  template <class T, class... Args>
  T& emplace_scratch(Args&&... args) {
    static_assert(sizeof(T) <= kScratchBytes && alignof(T) <= alignof(std::max_align_t));
    drop_scratch();
    T* made = new (scratch_.data()) T(std::forward<Args>(args)...);
    destroy_scratch_ = [](void* object) { static_cast<T*>(object)->~T(); };
    return *made;
  }
  // While it executes: `told` is called when it is aborted, once, so that a wait inside the unit need not go on. It may
  // end the command. An empty call takes it back.
  void tell_abort(io::Call<> told) { tell_abort_ = told; }
  // Additional memory beside data(): COMPARE AND WRITE, VERIFY. Gives false when there is none now: answer BUSY.
  bool allocate_second(std::size_t length_bytes);
  io::Buffer& second_data() { return second_data_; }

  // --- engine
  // The first unit attention of its nexus, to be told by this command.
  std::optional<scsi::Sense> take_attention();
  // Asks the command to end; it honours that as soon as the state allows. The first reason counts.
  void abort(AbortReason reason);
  // Holds the sweep until this command has ended.
  void add_sweep(std::shared_ptr<SweepToken> token) { sweeps_.push_back(std::move(token)); }
  // Let through, so that changes of the configuration wait for its end: unless it waits itself for such a change.
  bool past_gate() const { return state_ > CommandState::kWaitGate && !waits_for_configuration_; }
  // Held by its device alone, which suspension waits for as for one that runs.
  bool held_by_device() const {
    return state_ == CommandState::kWaitGate && held_by_device_ && !waits_for_configuration_;
  }
  void wait_for_configuration() { waits_for_configuration_ = true; }
  void gate_opened();
  void buffer_came();
  void order_came();

 private:
  friend class SessionTasks;
  friend class TaskOrder;

  // The step of a state: does its work and returns the next state, or nothing when it waits for an event.
  using Step = std::optional<CommandState>;

  void start(SessionTasks& tasks);
  void advance();
  Step step();
  Step received();
  Step parsed();
  Step wait_buffer();
  Step fetch_data();
  Step wait_order();
  Step wait_gate();
  Step checks();
  Step execute();
  Step send_data();
  Step send_status();
  Step end_aborted();

  Step receive_without_lun();
  bool over_limit();
  void count_no_more();
  scsi::Status full_status() const;
  enum class StillMapped { kYes, kNo, kOther };
  StillMapped look_again();
  enum class Access { kGranted, kRefused, kWait };
  Access check_access_state(scsi::Sense& sense);
  struct TransitionWait;
  std::optional<scsi::Sense> deliverable_attention();
  void give_attention_back();
  Step refuse(const scsi::Sense& sense, CommandState next);
  Step refuse(scsi::Status status, CommandState next);
  void set_sense(const scsi::Sense& sense);
  void set_data_in(std::size_t length_bytes, std::uint64_t wanted_bytes);
  void execution_ended();
  void leave_order();
  void count();
  void measure(LatencyStatistics& latency);
  void end(bool responded);
  void clear();
  void drop_scratch();
  friend void carry_out(Command& command);  // local_commands.cc

  CommandTransport& transport_;
  SessionTasks* tasks_ = nullptr;
  Shard* shard_ = nullptr;
  std::shared_ptr<NexusLun> nexus_lun_;
  std::uint64_t lun_map_version_ = 0;
  scsi::DecodedCdb decoded_;
  io::Buffer data_, second_data_;
  std::size_t data_in_length_bytes_ = 0, data_out_length_bytes_ = 0;
  std::int64_t residual_bytes_ = 0;
  scsi::SenseBytes sense_;
  scsi::Status status_ = scsi::Status::kGood;
  CommandState state_ = CommandState::kFinished;
  base::TimePoint started_{}, state_since_{};  // the second only while latency is measured
  unsigned latency_index_ = 0;
  AbortReason abort_reason_ = AbortReason::kNone;
  bool read_only_lun_ = false;
  bool counted_ = false;       // in the nexus' active commands
  bool in_order_ = false;      // let on by TaskOrder
  bool ordered_ = false;       // ... as an ORDERED command
  bool in_step_ = false;       // events that come now are seen by the loop in advance()
  bool event_ = false;         // what the state waits for has come
  bool event_ok_ = false;      // ... and went well
  bool awaits_event_ = false;  // something outside holds the command: it cannot end before the event
  bool transition_waited_ = false, waits_for_configuration_ = false;
  bool held_by_device_ = false;  // it came to a closed gate of its device while nothing was suspended
  bool data_fetch_begun_ = false, execution_begun_ = false, status_handed_over_ = false;
  std::optional<scsi::Sense> delivered_attention_;  // goes back when the status cannot be sent
  boost::container::small_vector<std::shared_ptr<SweepToken>, 1> sweeps_;
  io::Call<> tell_abort_;
  void (*destroy_scratch_)(void*) = nullptr;
  alignas(std::max_align_t) std::array<std::byte, kScratchBytes> scratch_;
};

// Operations that the engine carries out itself (REPORT LUNS, REQUEST SENSE, RESERVE, ...); ends the command.
void carry_out(Command& command);

}  // namespace uscst::target
