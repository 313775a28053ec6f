#include "engine/srp/driver.h"

#include <algorithm>

#include "engine/base/cpu_mask.h"

namespace uscst::srp {

Driver::Driver(target::Registry& registry, base::Log& log, const Parameters& parameters, std::uint64_t service_guid)
    : registry_(registry), log_(log), parameters_(parameters), service_guid_(service_guid) {}

Driver::~Driver() = default;

Driver::Port& Driver::add_port(PortInfo info) {
  target::Target& target = add_target(registry_, info.name);
  return ports_.emplace_back(
      Port{.info = std::move(info), .target = &target, .vectors = base::full_cpu_mask(vectors())});
}

Driver::Port& Driver::port_of(const target::Target& target) {
  return *std::find_if(ports_.begin(), ports_.end(), [&](const Port& port) { return port.target == &target; });
}

const Driver::Port& Driver::port_of(const target::Target& target) const {
  return *std::find_if(ports_.begin(), ports_.end(), [&](const Port& port) { return port.target == &target; });
}

// --- login (SRP r16a 6.2; the order of checks is SCST's)

// The port that has the address called; else the one that takes all others; else (loopback) the first.
Driver::Port* Driver::port_for(const fabric::Address& local) {
  auto has_address = [&](const Port& p) {
    return std::ranges::find(p.info.addresses, local.host) != p.info.addresses.end();
  };
  auto found = std::find_if(ports_.begin(), ports_.end(), has_address);
  if (found == ports_.end())
    found = std::find_if(ports_.begin(), ports_.end(), [](const Port& p) { return p.info.addresses.empty(); });
  if (found == ports_.end()) found = ports_.begin();
  return found == ports_.end() ? nullptr : &*found;
}

std::optional<RejectReason> Driver::refusal(const LoginRequest& login, const Port& port) const {
  if (login.max_it_iu_bytes < kMinimumIuBytes || login.max_it_iu_bytes > parameters_.srp_max_req_size) {
    return RejectReason::kIuTooLarge;
  }
  if (!port.target->enabled || stopping_) return RejectReason::kInsufficientResources;
  if (login.target != make_port_id(service_guid_, service_guid_)) return RejectReason::kWrongTargetPort;
  if ((login.formats & ~kFormatsSupported) != 0) return RejectReason::kUnsupportedFormat;
  return std::nullopt;
}

void Driver::connection_requested(std::unique_ptr<fabric::ConnectionRequest> request) {
  Login login{.request = std::move(request), .login = {}};
  const fabric::Address& peer = login.request->peer();
  auto parsed = parse_login_request(login.request->private_data());
  login.port = port_for(login.request->local());
  if (!parsed || !login.port) {
    log_.warning("login from {}: {}", peer.host,
                 parsed ? "there is no target" : "the private data are no SRP_LOGIN_REQ");
    return login.request->reject({});
  }
  login.login = *parsed;
  proceed(std::move(login));
}

void Driver::reject(Login& login, RejectReason reason) {
  log_.warning("target {}: login from {} rejected: {} ({:#010x}); asked for target port {}, IU length {}",
               login.port->info.name, login.request->peer().host, describe(reason), static_cast<std::uint32_t>(reason),
               login.login.target.hex(), login.login.max_it_iu_bytes);
  LoginReject answer;
  answer.tag = login.login.tag;
  answer.reason = reason;
  login.request->reject(encode(answer));
}

// Every iWARP initiator's port identifier is zero unless configured: then its address tells it from the others.
target::NexusKey Driver::nexus_key(const Login& login) const {
  target::NexusKey key;
  std::copy(login.login.initiator.extension.begin(), login.login.initiator.extension.end(), key.initiator_port.begin());
  std::copy(login.login.initiator.guid.begin(), login.login.initiator.guid.end(), key.initiator_port.begin() + 8);
  std::copy(login.login.target.extension.begin(), login.login.target.extension.end(), key.target_port.begin());
  std::copy(login.login.target.guid.begin(), login.login.target.guid.end(), key.target_port.begin() + 8);
  if (login.login.initiator.all_zero()) key.peer = login.request->peer().host;
  return key;
}

// A SINGLE login takes the place of its nexus' channels: it is answered when nothing of theirs can reach the medium any
// more.
void Driver::proceed(Login login) {
  if (auto reason = refusal(login.login, *login.port)) return reject(login, *reason);
  target::Target& target = *login.port->target;
  target::NexusKey key = nexus_key(login);
  auto nexus = target.find_nexus(key);
  if (login.login.action == MultiChannel::kMulti) {
    bool existed = nexus != nullptr;
    return admit(login, existed ? std::move(nexus) : target.make_nexus(key), existed);
  }
  if (nexus && close_channels_of(target, *nexus)) {
    login.replaced_channels = true;
    waiting_logins_.push_back(std::move(login));
    return;
  }
  admit(login, target.make_nexus(key), false);
}

bool Driver::close_channels_of(const target::Target& target, const target::Nexus& nexus) {
  bool any = false;
  for (const auto& session : target.sessions()) {
    if (&session->nexus() != &nexus) continue;
    session->transport->close();
    any = true;
  }
  return any;
}

void Driver::admit(Login& login, std::shared_ptr<target::Nexus> nexus, bool existed) {
  LoginResponse response = response_to(login, existed);
  ChannelTerms terms;
  terms.credits = response.request_limit;
  terms.response_limit_bytes = std::min(
      {parameters_.srp_max_rsp_size, response.max_ti_iu_bytes, static_cast<std::uint32_t>(kResponseCapacityBytes)});
  terms.immediate_offset_bytes = response.immediate_supported ? login.login.immediate_offset_bytes : std::uint16_t{0};
  target::Shard& shard = next_shard(*login.port);
  auto channel =
      std::make_shared<Channel>(terms, shard, log_, [this](const std::shared_ptr<Channel>& c) { channel_ended(c); });
  auto session = login.port->target->add_session(login.request->peer().host, std::move(nexus), shard, *channel);
  log_.info("target {}: session {} for initiator port {}, group '{}'", login.port->info.name, session->name(),
            login.login.initiator.hex(), session->group().name());
  channel->set_session(std::move(session));
  channels_.push_back(channel);
  channel->start(std::move(login.request), response);
}

LoginResponse Driver::response_to(const Login& login, bool existed) const {
  LoginResponse response;
  response.tag = login.login.tag;
  response.request_limit = credits();
  response.max_it_iu_bytes = parameters_.srp_max_req_size;
  response.max_ti_iu_bytes = login.login.max_it_iu_bytes;
  response.result = login.replaced_channels                                 ? MultiChannelResult::kTerminated
                    : login.login.action == MultiChannel::kMulti || existed ? MultiChannelResult::kMaintained
                                                                            : MultiChannelResult::kNoneExisted;
  response.immediate_supported =
      login.login.immediate_requested && login.login.immediate_offset_bytes >= kCommandBytes && !parameters_.use_srq;
  return response;
}

// As many as any device takes from one nexus, so that an initiator that uses all of them never sees TASK SET FULL.
std::uint32_t Driver::credits() const {
  std::uint32_t least = kMaximumCredits;
  for (const auto& [name, device] : registry_.devices()) {
    if (!device->has_handler) continue;
    auto limit = static_cast<std::uint32_t>(std::max(device->maximum_commands.load(), 2));
    least = std::min(least, limit);
  }
  return least;
}

target::Shard& Driver::next_shard(Port& port) const {
  do {
    port.next_vector = (port.next_vector + 1) % vectors();
  } while (!base::in_cpu_mask(port.vectors, port.next_vector));
  return *shards()[port.next_vector];
}

// --- the end of channels

void Driver::channel_ended(const std::shared_ptr<Channel>& channel) {
  target::Target& target = channel->session()->target();
  std::uint64_t id = channel->session()->id();
  target.remove_session(*channel->session());
  std::erase(channels_, channel);
  for (auto i = disabling_.begin(); i != disabling_.end();) {
    if (std::erase(i->sessions, id) == 0 || !i->sessions.empty()) {
      ++i;
      continue;
    }
    target::Done done = std::move(i->done);
    i = disabling_.erase(i);
    done({});
  }
  resume_waiting();
  if (stopping_ && channels_.empty() && stopped_) std::exchange(stopped_, nullptr)();
}

// Each looks again at all there is; one whose channels have not ended yet waits on.
void Driver::resume_waiting() {
  std::list<Login> waiting = std::move(waiting_logins_);
  waiting_logins_.clear();
  for (Login& login : waiting) proceed(std::move(login));
}

void Driver::set_enabled(target::Target& target, bool enabled, target::Done done) {
  target.enabled = enabled;
  if (enabled || target.sessions().empty()) return done({});
  Disabling disabling{.sessions = {}, .done = std::move(done)};
  for (const auto& session : target.sessions()) {
    session->transport->close();
    disabling.sessions.push_back(session->id());
  }
  disabling_.push_back(std::move(disabling));
}

void Driver::remove_targets(target::Done done) {
  stop([this, done = std::move(done)]() mutable {
    while (!targets_.empty()) registry_.delete_target(*targets_.back());
    ports_.clear();
    stopping_ = false;
    done({});
  });
}

void Driver::stop(io::Job done) {
  stopping_ = true;
  if (channels_.empty()) return done();
  stopped_ = std::move(done);
  for (const auto& channel : channels_) channel->close();
}

}  // namespace uscst::srp
