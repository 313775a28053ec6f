// A session for code that waits: every call runs on the reactor's thread and returns its result here. One thread uses
// it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/initiator/cdb.h"
#include "engine/initiator/host.h"
#include "engine/initiator/local_link.h"
#include "engine/initiator/session.h"

namespace uscst::initiator {

struct Answer {
  Outcome outcome;
  std::vector<std::uint8_t> data;  // data-in, cut to what was moved
};

class BlockingSession {
 public:
  // A new nexus reports power on, another nexus's changes, and so on: at most this many are skipped per command.
  static constexpr unsigned kMaximumUnitAttentions = 8;

  // Errors as Session::login().
  static base::Result<std::unique_ptr<BlockingSession>> login(Host& host, fabric::Fabric& fabric, LoginOptions options);
  // By the control socket of a daemon on this host. Errors as LocalLink::open().
  static base::Result<std::unique_ptr<BlockingSession>> open_local(Host& host, LocalOptions options);
  ~BlockingSession();  // logs out
  BlockingSession(const BlockingSession&) = delete;
  BlockingSession& operator=(const BlockingSession&) = delete;

  // Unit attentions are skipped by sending again.
  Answer execute(const srp::Lun& lun, const Cdb& cdb, std::size_t data_in_bytes = 0);
  Answer execute_out(const srp::Lun& lun, const Cdb& cdb, std::vector<std::uint8_t> data_out);
  // On a stated channel, without skipping anything.
  Outcome execute_once(std::size_t channel, const srp::Lun& lun, const Cdb& cdb);

  struct Managed {
    Delivery delivery = Delivery::kAnswered;
    srp::ResponseCode code = srp::ResponseCode::kComplete;
  };
  Managed manage(srp::TaskFunction function, const srp::Lun& lun);

  base::Result<Capacity> capacity(const srp::Lun& lun);
  base::Result<std::vector<srp::Lun>> luns();

  Host& host() { return host_; }
  Link& link() { return *link_; }  // to be used on the reactor's thread
  Session* srp() { return srp_; }  // the same as an SRP login; null where it is none
  unsigned unit_attentions_skipped() const { return skipped_; }

 private:
  BlockingSession(Host& host, std::unique_ptr<Link> link, Session* srp)
      : host_(host), link_(std::move(link)), srp_(srp) {}
  Answer skip_attentions(const srp::Lun& lun, const Cdb& cdb, Direction direction, std::vector<std::uint8_t> data);

  Host& host_;
  std::unique_ptr<Link> link_;
  Session* const srp_;
  unsigned skipped_ = 0;
};

// What a bad outcome means as an error: EIO (SCSI status), ECONNRESET, ETIMEDOUT.
base::Error error_of(const Outcome& outcome, std::string_view doing);

}  // namespace uscst::initiator
