#include "engine/local/driver.h"

#include <algorithm>
#include <cctype>

namespace uscst::local {
namespace {

using target::Done;
using target::Target;

constexpr std::string_view kParameterNames[] = {"session_name"};
constexpr std::string_view kUsage =
    "       echo \"add_session target_name session_name\" >mgmt\n"
    "       echo \"del_session target_name session_name\" >mgmt\n";
constexpr unsigned long kDefaultTraceLevel = 0x2508;  // out_of_mem | pid | special | mgmt

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// The words of an own command; further ones are ignored.
struct Words {
  std::string_view action, target, session;
};
Words split(std::string_view text) {
  auto next = [&text] {
    constexpr std::string_view kBetween = " \t\n\v\f\r=";
    text.remove_prefix(std::min(text.find_first_not_of(kBetween), text.size()));
    std::string_view word = text.substr(0, text.find_first_of(kBetween));
    text.remove_prefix(word.size());
    return word;
  };
  Words words;
  words.action = next();
  words.target = next();
  words.session = next();
  return words;
}

base::Status check(const target::Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    if (!equal_without_case(name, kParameterNames[0])) {
      return base::fail(EINVAL, fmt::format("unknown parameter '{}'; known: {}", name, kParameterNames[0]));
    }
  }
  return {};
}

}  // namespace

Driver::Driver(target::Registry& registry, base::Log& log)
    : registry_(registry), log_(log), trace_flags_(kDefaultTraceLevel) {
  trace_level = &trace_flags_;
}

Driver::~Driver() = default;

void Driver::set_enabled(Target& target, bool, Done done) {
  done(base::fail(EINVAL, fmt::format("target {} is always enabled", target.name())));
}

std::span<const std::string_view> Driver::parameter_names() const { return kParameterNames; }
std::string_view Driver::own_usage() const { return kUsage; }

// --- targets

void Driver::create_target(const std::string& name, const base::Result<target::Parameters>& parameters, Done done) {
  if (!parameters) return done(std::unexpected(parameters.error()));
  if (auto status = check(*parameters); !status) return done(std::move(status));
  Target& target = add_target(registry_, name);
  log_.info("driver scst_local: target {} added", name);
  for (const auto& [parameter, value] : *parameters) add_session(target, value);
  done({});
}

void Driver::delete_target(std::string_view name, Done done) {
  Target* target = find_open_target(name);
  if (!target) return done(base::fail(ENOENT, fmt::format("driver scst_local: there is no target '{}'", name)));
  closing_targets_.push_back(target->id());
  close_sessions_of(target, [this, target, done = std::move(done)]() mutable {
    std::erase(closing_targets_, target->id());
    log_.info("driver scst_local: target {} deleted", target->name());
    registry_.delete_target(*target);
    done({});
  });
}

void Driver::add_default_target() {
  add_session(add_target(registry_, std::string(kDefaultTarget)), std::string(kDefaultSession));
}

Target* Driver::find_open_target(std::string_view name) {
  Target* target = find_target(name);
  const bool closing = target && std::ranges::find(closing_targets_, target->id()) != closing_targets_.end();
  return closing ? nullptr : target;
}

// --- sessions

// SCST carries out what it knows; of other commands it only checks the words.
void Driver::own_command(std::string_view text, Done done) {
  const Words words = split(text);
  if (words.target.empty()) return done(base::fail(EINVAL, fmt::format("{}: target name missing", words.action)));
  Target* target = find_open_target(words.target);
  if (!target) return done(base::fail(EINVAL, fmt::format("there is no target '{}'", words.target)));
  if (words.session.empty()) return done(base::fail(EINVAL, fmt::format("{}: session name missing", words.action)));
  if (equal_without_case(words.action, "add_session")) {
    add_session(*target, std::string(words.session));
  } else if (equal_without_case(words.action, "del_session")) {
    auto status = delete_session_name(*target, words.session, done);
    if (status) return;  // done is called when the session has ended
    return done(std::move(status));
  }
  done({});
}

// Sessions are named here as their initiators are: of several of one name the oldest goes.
base::Status Driver::delete_session_name(Target& target, std::string_view initiator_name, Done& done) {
  auto found = std::ranges::find_if(sessions_, [&](const auto& s) {
    return s->is_open() && !s->closing() && &s->session()->target() == &target &&
           s->session()->initiator_name() == initiator_name;
  });
  if (found == sessions_.end()) {
    return base::fail(EINVAL, fmt::format("target {}: there is no session '{}'", target.name(), initiator_name));
  }
  wait_for({(*found)->session()->id()}, [done = std::move(done)]() mutable { done({}); });
  (*found)->close();
  return {};
}

std::shared_ptr<Session> Driver::add_session(Target& target, const std::string& initiator_name) {
  ++last_session_number_;
  auto session = std::make_shared<Session>(next_shard(), last_session_number_, free_host_number());
  sessions_.push_back(session);
  auto id = std::make_shared<std::uint64_t>(0);
  session->open(target, initiator_name, Session::make_own_nexus(target), [this, id] { session_ended(*id); });
  *id = session->session()->id();
  log_.info("target {}: session {}, group '{}'", target.name(), session->session()->name(),
            session->session()->group().name());
  return session;
}

std::shared_ptr<Session> Driver::find_session(const Target& target, std::string_view name) const {
  auto found = std::ranges::find_if(sessions_, [&](const auto& s) {
    return s->is_open() && !s->closing() && &s->session()->target() == &target && s->session()->name() == name;
  });
  return found == sessions_.end() ? nullptr : *found;
}

unsigned Driver::free_host_number() const {
  unsigned number = 1;  // 0 is the machine's first real one
  while (std::ranges::any_of(sessions_, [&](const auto& s) { return s->host_number() == number; })) ++number;
  return number;
}

target::Shard& Driver::next_shard() {
  const auto& shards = registry_.shards().shards;
  return *shards[next_shard_++ % shards.size()];
}

// --- the end of sessions

void Driver::close_sessions_of(const Target* target, io::Job done) {
  std::vector<std::uint64_t> ids;
  for (const auto& session : sessions_) {
    if (!target || &session->session()->target() == target) ids.push_back(session->session()->id());
  }
  wait_for(ids, std::move(done));
  for (const auto& session : std::vector(sessions_)) {
    if (!target || &session->session()->target() == target) session->close();
  }
}

void Driver::wait_for(std::vector<std::uint64_t> sessions, io::Job done) {
  if (sessions.empty()) return done();
  endings_.push_back({std::move(sessions), std::move(done)});
}

void Driver::session_ended(std::uint64_t id) {
  std::erase_if(sessions_, [](const auto& session) { return !session->is_open(); });
  std::vector<io::Job> over;
  std::erase_if(endings_, [&](Ending& ending) {
    if (std::erase(ending.sessions, id) == 0 || !ending.sessions.empty()) return false;
    over.push_back(std::move(ending.done));
    return true;
  });
  for (io::Job& job : over) job();
}

void Driver::remove_targets(target::Done done) {
  stop([this, done = std::move(done)]() mutable {
    while (!targets_.empty()) registry_.delete_target(*targets_.back());
    done({});
  });
}

void Driver::stop(io::Job done) { close_sessions_of(nullptr, std::move(done)); }

}  // namespace uscst::local
