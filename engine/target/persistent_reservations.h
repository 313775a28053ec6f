// Persistent reservations of one device (SPC-4 5.9): who is registered, what is reserved, and the text that
// `devices/D/pr_state` reads and takes. ReservationState is a value and knows no thread; PersistentReservations holds
// the current one for a device.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/result.h"

namespace uscst::target {

inline constexpr std::size_t kCommonTransportIdBytes = 24;  // of every protocol but iSCSI (SPC-4 7.6.4)
inline constexpr std::uint8_t kReservationTypeNone = 0xFF;  // of a device that is not reserved

// Reservation types that all registrants hold (SPC-4 table 69).
constexpr bool is_all_registrants(std::uint8_t type) { return type == 0x07 || type == 0x08; }

// The length that the TransportID at the start of `bytes` says it has, at most what is there; nothing otherwise.
std::optional<std::size_t> transport_id_length(base::Bytes bytes);
// Whether two TransportIDs name the same initiator port. iSCSI names are compared without case, up to their first NUL,
// and without the session part where only one has it.
bool same_transport_id(base::Bytes a, base::Bytes b);

struct Registrant {
  std::vector<std::uint8_t> transport_id;
  std::uint16_t relative_port = 0;  // rel_tgt_id of the target
  std::uint64_t key = 0;
  friend bool operator==(const Registrant&, const Registrant&) = default;
};

struct ReservationState {
  static constexpr std::size_t kMaximumRegistrants = 8192;

  std::vector<Registrant> registrants;  // in the order of registration
  std::uint32_t generation = 0;
  bool persists = false;  // APTPL: saved when it changes
  bool reserved = false;
  std::uint8_t type = kReservationTypeNone, scope = 0;
  std::optional<std::size_t> holder;  // its registrant; empty where all registrants hold it

  std::optional<std::size_t> find(base::Bytes transport_id, std::uint16_t relative_port) const;
  bool is_holder(std::size_t registrant) const;
  // False when the I_T nexus is registered already, or there is no room.
  bool add(Registrant registrant);
  // The holder's reservation goes with it; who is told is the caller's business.
  void remove(std::size_t registrant);
  void clear();
  // `registrant` counts only where the type is not one that all registrants hold.
  void reserve(std::uint8_t new_type, std::uint8_t new_scope, std::size_t registrant);
  void release();

  friend bool operator==(const ReservationState&, const ReservationState&) = default;
};

// "version 1", "generation N", ... without the newline that ends the text.
std::string format_reservation_state(const ReservationState& state);
// Replaces the state by what the text says, as SCST reads it: unknown lines are gathered in `ignored`. EINVAL for
// another version, a bad TransportID or a reservation without a holder; ENOMEM for a nexus named twice. What came
// before the first bad line is kept, but for the first line: with another version nothing changes.
base::Status parse_reservation_state(std::string_view text, ReservationState& state, std::vector<std::string>& ignored);
// Lines for the log.
std::vector<std::string> describe(const ReservationState& state, std::string_view device);

// Owned by the Device. States are immutable once published: a command looks at the snapshot it took.
class PersistentReservations {
 public:
  // --- any thread
  // False: no command needs to be checked. One load, for the path of every command.
  bool reserved() const { return reserved_.load(std::memory_order_acquire); }
  std::shared_ptr<const ReservationState> state() const;
  // The only way to change it: `change` gets a copy and is called with the object locked, so changes follow one
  // another. PERSISTENT RESERVE OUT calls this on its reactor; the caller sees to unit attentions, aborts and saving.
  template <class Change>
  auto change(Change change) {
    std::lock_guard lock(mutex_);
    auto next = std::make_shared<ReservationState>(*state_);
    auto result = change(*next);
    publish(std::move(next));
    return result;
  }
  void replace(ReservationState state);

  // --- control thread; changed only while no nexus is at the device, so that PERSISTENT RESERVE OUT may read it
  const std::string& file_name() const { return file_name_; }
  bool file_name_set() const { return file_name_set_; }  // by pr_file_name, not the default
  void set_file_name(std::string name, bool set) {
    file_name_ = std::move(name);
    file_name_set_ = set;
  }

 private:
  void publish(std::shared_ptr<const ReservationState> state);

  std::atomic<bool> reserved_{false};
  mutable std::mutex mutex_;  // guards state_
  std::shared_ptr<const ReservationState> state_ = std::make_shared<ReservationState>();
  std::string file_name_;
  bool file_name_set_ = false;
};

}  // namespace uscst::target
