#include "engine/initiator/blocking_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/initiator/sense_text.h"

namespace uscst::initiator {
namespace {

// Carries a completion to the thread that waits for it.
struct Waiter {
  std::move_only_function<void(bool)> answer;
  void done(bool sent) { std::exchange(answer, nullptr)(sent); }
  void task_done(Task&) { done(true); }
  void management_done(ManagementTask&) { done(true); }
};

}  // namespace

base::Error error_of(const Outcome& outcome, std::string_view doing) {
  int code = EIO;
  if (outcome.delivery == Delivery::kDisconnected || outcome.delivery == Delivery::kAborted) code = ECONNRESET;
  if (outcome.delivery == Delivery::kTimedOut) code = ETIMEDOUT;
  return {code, fmt::format("{}: {}", doing, describe(outcome))};
}

base::Result<std::unique_ptr<BlockingSession>> BlockingSession::login(Host& host, fabric::Fabric& fabric,
                                                                      LoginOptions options) {
  auto session = std::make_unique<Session>(fabric, host.reactor(), std::move(options));
  base::Status status = host.wait_for<base::Status>(
      [&](std::move_only_function<void(base::Status)> answer) { session->login(std::move(answer)); });
  if (!status) {
    host.run([&] { session.reset(); });
    return std::unexpected(status.error());
  }
  Session* srp = session.get();
  return std::unique_ptr<BlockingSession>(new BlockingSession(host, std::move(session), srp));
}

base::Result<std::unique_ptr<BlockingSession>> BlockingSession::open_local(Host& host, LocalOptions options) {
  auto link = LocalLink::open(host.reactor(), std::move(options));
  if (!link) return std::unexpected(link.error());
  host.run([&] { (*link)->begin(); });
  return std::unique_ptr<BlockingSession>(new BlockingSession(host, std::move(*link), nullptr));
}

BlockingSession::~BlockingSession() {
  host_.wait_for<bool>([this](std::move_only_function<void(bool)> answer) {
    link_->logout([answer = std::move(answer)]() mutable { answer(true); });
  });
  host_.run([this] { link_.reset(); });
}

Outcome BlockingSession::execute_once(std::size_t channel, const srp::Lun& lun, const Cdb& cdb) {
  Waiter waiter;
  Task task(io::Call<Task&>::to<&Waiter::task_done>(&waiter));
  task.lun = lun;
  task.cdb = cdb;
  const bool sent = host_.wait_for<bool>([&](std::move_only_function<void(bool)> answer) {
    waiter.answer = std::move(answer);
    if (!link_->submit(channel, task)) waiter.done(false);
  });
  if (!sent) task.outcome.delivery = Delivery::kDisconnected;
  return task.outcome;
}

Answer BlockingSession::skip_attentions(const srp::Lun& lun, const Cdb& cdb, Direction direction,
                                        std::vector<std::uint8_t> data) {
  Waiter waiter;
  Task task(io::Call<Task&>::to<&Waiter::task_done>(&waiter));
  task.lun = lun;
  task.cdb = cdb;
  task.direction = data.empty() ? Direction::kNone : direction;
  task.data = data;
  for (unsigned attempt = 0;; ++attempt) {
    const bool sent = host_.wait_for<bool>([&](std::move_only_function<void(bool)> answer) {
      waiter.answer = std::move(answer);
      if (!link_->submit(task)) waiter.done(false);
    });
    if (!sent) task.outcome.delivery = Delivery::kDisconnected;
    if (!is_unit_attention(task.outcome) || attempt == kMaximumUnitAttentions) break;
    ++skipped_;
  }
  const srp::Residual kept = std::int64_t(data.size()) - task.outcome.residual;
  if (direction == Direction::kIn) {
    data.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(kept, 0, std::int64_t(data.size()))));
  }
  return {task.outcome, std::move(data)};
}

Answer BlockingSession::execute(const srp::Lun& lun, const Cdb& cdb, std::size_t data_in_bytes) {
  return skip_attentions(lun, cdb, Direction::kIn, std::vector<std::uint8_t>(data_in_bytes));
}

Answer BlockingSession::execute_out(const srp::Lun& lun, const Cdb& cdb, std::vector<std::uint8_t> data_out) {
  return skip_attentions(lun, cdb, Direction::kOut, std::move(data_out));
}

BlockingSession::Managed BlockingSession::manage(srp::TaskFunction function, const srp::Lun& lun) {
  Waiter waiter;
  ManagementTask task(io::Call<ManagementTask&>::to<&Waiter::management_done>(&waiter));
  task.function = function;
  task.lun = lun;
  const bool sent = host_.wait_for<bool>([&](std::move_only_function<void(bool)> answer) {
    waiter.answer = std::move(answer);
    if (!link_->submit(0, task)) waiter.done(false);
  });
  return {sent ? task.delivery : Delivery::kDisconnected, task.code};
}

base::Result<Capacity> BlockingSession::capacity(const srp::Lun& lun) {
  Answer answer = execute(lun, read_capacity_10(), 8);
  if (!answer.outcome.good()) return std::unexpected(error_of(answer.outcome, "READ CAPACITY(10)"));
  auto capacity = parse_capacity_10(answer.data);
  // All ones in the short form means: ask the long one.
  if (!capacity || capacity->blocks != std::uint64_t{UINT32_MAX} + 1) return capacity;
  answer = execute(lun, read_capacity_16(32), 32);
  if (!answer.outcome.good()) return std::unexpected(error_of(answer.outcome, "READ CAPACITY(16)"));
  return parse_capacity_16(answer.data);
}

base::Result<std::vector<srp::Lun>> BlockingSession::luns() {
  constexpr std::uint32_t kLunListBytes = 8 + 8 * 16384;
  Answer answer = execute(srp::Lun{}, report_luns(kLunListBytes), kLunListBytes);
  if (!answer.outcome.good()) return std::unexpected(error_of(answer.outcome, "REPORT LUNS"));
  return parse_luns(answer.data);
}

}  // namespace uscst::initiator
