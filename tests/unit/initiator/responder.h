// The other end for tests of the initiator: a fabric that delivers through an executor's queue, and an SRP target with
// a small disk in memory behind it. One thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "engine/fabric/fabric.h"
#include "engine/io/executor.h"
#include "engine/srp/iu.h"
#include "engine/srp/login.h"

namespace uscst::initiator::test {

struct ResponderOptions {
  srp::PortId target = srp::make_port_id(0x11, 0x22);
  std::uint32_t credits = 64;
  std::uint32_t max_it_iu_bytes = 8276;
  bool immediate = true;
  unsigned unit_attentions = 1;  // per channel
  std::uint32_t block_bytes = 512;
  std::uint64_t blocks = 4096;
  bool answer_aborts = true;
  bool login_without_response = false;
};

class Responder;

// The target's side of one channel, and the fabric's endpoint of the initiator's.
class FakeEndpoint final : public fabric::Endpoint {
 public:
  FakeEndpoint(Responder& responder, io::Executor& executor, fabric::EndpointEvents& events);
  ~FakeEndpoint() override;

  void post(fabric::Request& request) override;
  void disconnect() override { end(fabric::DisconnectReason::kLocal, ""); }
  fabric::RemoteBuffer expose(base::MutableBytes memory, fabric::Access access) override;
  void withdraw(std::uint32_t key) override { exposed_.erase(key); }

  // --- the target's side
  void end(fabric::DisconnectReason reason, std::string detail);
  void deliver(std::vector<std::uint8_t> message);
  // RDMA as the target would do it; false when the initiator does not allow it.
  bool read(const fabric::RemoteBuffer& from, base::MutableBytes into);
  bool write(base::Bytes from, const fabric::RemoteBuffer& to);
  std::size_t exposed_count() const { return exposed_.size(); }

 private:
  struct Region {
    base::MutableBytes memory;
    fabric::Access access;
  };
  void later(std::move_only_function<void(FakeEndpoint&)> work);
  base::MutableBytes region(const fabric::RemoteBuffer& remote, fabric::Access access);

  Responder& responder_;
  io::Executor& executor_;
  fabric::EndpointEvents& events_;
  std::shared_ptr<FakeEndpoint*> self_;
  std::map<std::uint32_t, Region> exposed_;
  std::deque<fabric::Request*> posted_;
  std::uint32_t next_key_ = 1;
  bool ended_ = false;
};

class Responder final : public fabric::Fabric {
 public:
  explicit Responder(ResponderOptions how = {}) : options(how), disk(how.blocks * how.block_bytes) {}

  base::Result<std::unique_ptr<fabric::Listener>> listen(const fabric::Address&, fabric::OnConnection) override {
    return base::fail(EOPNOTSUPP, "a test's fabric only connects");
  }
  void connect(io::Executor& executor, const fabric::Address& to, base::Bytes private_data,
               fabric::EndpointEvents& events, fabric::OnConnected on_connected) override;

  void message(FakeEndpoint& from, base::Bytes bytes);
  void gone(FakeEndpoint& endpoint);

  ResponderOptions options;
  std::vector<std::uint8_t> disk;

  // What was seen and what is to be done.
  std::vector<srp::LoginRequest> logins;
  std::vector<FakeEndpoint*> channels;
  unsigned immediate_writes = 0, direct_transfers = 0, indirect_transfers = 0, logouts = 0, credit_answers = 0;
  std::vector<srp::TaskManagement> managed;
  std::set<std::uint64_t> silent_lbas;                // commands that get no answer
  std::map<std::uint64_t, std::uint8_t> status_once;  // LBA -> a status to answer the next command with
  int next_delta = 1;

 private:
  struct Reply {
    std::uint8_t status = 0;
    srp::Residual in = 0, out = 0;
    std::vector<std::uint8_t> sense;
  };
  base::Result<std::vector<std::uint8_t>> decide(const srp::LoginRequest& login, std::vector<std::uint8_t>& refusal);
  void command(FakeEndpoint& from, base::Bytes bytes);
  Reply execute(FakeEndpoint& from, const srp::Command& command);
  Reply transfer(FakeEndpoint& from, const srp::Command& command, bool write, std::uint64_t lba, std::uint32_t blocks);
  Reply send_data(FakeEndpoint& from, const srp::Command& command, std::vector<std::uint8_t> data);
  Reply check_condition(std::uint8_t key, std::uint8_t asc, std::uint8_t ascq) const;
  void management(FakeEndpoint& from, base::Bytes bytes);

  std::map<FakeEndpoint*, unsigned> attentions_;
};

}  // namespace uscst::initiator::test
