// The link by the control socket, against a daemon that the test plays.
#include "engine/initiator/local_link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "engine/initiator/blocking_session.h"
#include "engine/local/wire.h"

namespace uscst::initiator {
namespace {

using local::Request;

class LocalLinkTest : public testing::Test {
 protected:
  LocalLinkTest() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    unlink(path_.c_str());
    EXPECT_EQ(bind(listener_, static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    host_ = std::move(*Host::start(log_));
  }
  ~LocalLinkTest() override {
    if (daemon_.joinable()) daemon_.join();
    close(listener_);
    unlink(path_.c_str());
  }
  // The daemon takes one connection, reads the first line, answers with `answer` and goes on with `rest`.
  void play(std::string answer, std::function<void(int)> rest = {}) {
    daemon_ = std::thread([this, answer = std::move(answer), rest = std::move(rest)] {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      for (char c = 0; c != '\n' && recv(fd, &c, 1, 0) == 1;) line_ += c;
      send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      if (rest) rest(fd);
      close(fd);
    });
  }
  base::Result<std::unique_ptr<BlockingSession>> open(double timeout_s = 30) {
    LocalOptions options{.socket = path_, .target = "t", .session = "s"};
    options.command_timeout = std::chrono::milliseconds(static_cast<int>(timeout_s * 1000));
    options.management_timeout = std::chrono::milliseconds(300);
    return BlockingSession::open_local(*host_, options);
  }
  static std::optional<Request> next(int fd) {
    std::array<std::uint8_t, local::kRequestBytes> bytes{};
    if (recv(fd, bytes.data(), bytes.size(), MSG_WAITALL) != static_cast<ssize_t>(bytes.size())) return std::nullopt;
    auto request = local::parse_request(bytes);
    return request ? std::optional(*request) : std::nullopt;
  }
  static void reply(int fd, const local::Answer& answer, const std::vector<std::uint8_t>& rest = {}) {
    const auto frame = local::encode(answer);
    std::vector<std::uint8_t> bytes(frame.begin(), frame.end());
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    for (std::uint8_t byte : bytes) send(fd, &byte, 1, MSG_NOSIGNAL);  // cut everywhere
  }

  base::Log log_{[](base::LogLevel, std::string_view) {}, base::LogLevel::kError};
  const std::string path_ = testing::TempDir() + "uscst-local-link-" + std::to_string(getpid());
  const int listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string line_;
  std::unique_ptr<Host> host_;
  std::thread daemon_;
};

TEST_F(LocalLinkTest, RefusalsAndOtherAnswers) {
  play("error 2 driver scst_local has no target 't'\n");
  auto refused = open();
  EXPECT_EQ(refused.error().code, EACCES);
  EXPECT_EQ(refused.error().text, "refused: driver scst_local has no target 't'");
  daemon_.join();
  EXPECT_EQ(line_, "local t s\n");
  for (const char* answer : {"what?\n", "", "ok"}) {
    play(answer);
    EXPECT_EQ(open().error().code, EPROTO) << answer;
    daemon_.join();
  }
  close(listener_);
  unlink(path_.c_str());
  EXPECT_EQ(open().error().code, ENOENT);
}

TEST_F(LocalLinkTest, DataSenseAndResidual) {
  play("ok\n", [](int fd) {
    auto read = next(fd);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->data_in_bytes, 8U);
    reply(fd, {.answered = true, .tag = read->tag, .residual = 4, .data_in_bytes = 4}, {1, 2, 3, 4});
    auto write = next(fd);
    ASSERT_TRUE(write);
    EXPECT_EQ(write->data_out_bytes, 3U);
    std::array<std::uint8_t, 3> data{};
    EXPECT_EQ(recv(fd, data.data(), 3, MSG_WAITALL), 3);
    EXPECT_EQ(data[2], 9);
    reply(fd, {.answered = true, .status = 2, .sense_bytes = 14, .tag = write->tag},
          {0x70, 0, 5, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0x20, 0});
    auto gone = next(fd);
    ASSERT_TRUE(gone);
    reply(fd, {.answered = false, .tag = gone->tag});
    auto reset = next(fd);
    ASSERT_TRUE(reset);
    EXPECT_EQ(reset->attribute, 8);
    reply(fd, {.kind = local::FrameKind::kTaskManagement, .answered = true, .status = 2, .tag = reset->tag});
    while (next(fd)) {
    }
  });
  auto session = open();
  ASSERT_TRUE(session) << session.error().text;
  Answer read = (*session)->execute(make_lun(3), inquiry(8), 8);
  EXPECT_TRUE(read.outcome.good());
  EXPECT_EQ(read.data, (std::vector<std::uint8_t>{1, 2, 3, 4}));
  Answer write = (*session)->execute_out(make_lun(3), synchronize_cache(), {7, 8, 9});
  EXPECT_EQ(write.outcome.status, kStatusCheckCondition);
  EXPECT_EQ(write.outcome.sense.size(), 14U);
  EXPECT_EQ((*session)->execute({}, test_unit_ready()).outcome.delivery, Delivery::kAborted);
  EXPECT_EQ((*session)->manage(srp::TaskFunction::kLogicalUnitReset, {}).code, srp::ResponseCode::kFailed);
}

TEST_F(LocalLinkTest, ACommandWithoutAnAnswerIsAborted) {
  play("ok\n", [](int fd) {
    auto silent = next(fd);
    auto abort = next(fd);
    ASSERT_TRUE(silent && abort);
    EXPECT_EQ(abort->attribute, 1);
    EXPECT_EQ(abort->task_tag, silent->tag);
    reply(fd, {.answered = false, .tag = silent->tag});
    reply(fd, {.kind = local::FrameKind::kTaskManagement, .answered = true, .tag = abort->tag});
    auto again = next(fd);
    ASSERT_TRUE(again);
    reply(fd, {.answered = true, .tag = again->tag});
    next(fd);
  });
  auto session = open(0.2);
  ASSERT_TRUE(session);
  EXPECT_EQ((*session)->execute({}, test_unit_ready()).outcome.delivery, Delivery::kTimedOut);
  EXPECT_TRUE((*session)->execute({}, test_unit_ready()).outcome.good());
}

TEST_F(LocalLinkTest, AnAbortWithoutAnAnswerEndsTheLink) {
  play("ok\n", [](int fd) {
    while (next(fd)) {
    }
  });
  auto session = open(0.1);
  ASSERT_TRUE(session);
  EXPECT_EQ((*session)->execute({}, test_unit_ready()).outcome.delivery, Delivery::kDisconnected);
  EXPECT_EQ((*session)->link().why_closed(), "no answer to a task management function");
  EXPECT_EQ((*session)->execute({}, test_unit_ready()).outcome.delivery, Delivery::kDisconnected);
}

TEST_F(LocalLinkTest, GarbageAndTheDaemonsEndEndTheLink) {
  play("ok\n", [](int fd) {
    next(fd);
    const std::array<std::uint8_t, 24> garbage{0xFF};
    send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL);
    next(fd);
  });
  auto session = open();
  ASSERT_TRUE(session);
  EXPECT_EQ((*session)->execute({}, test_unit_ready()).outcome.delivery, Delivery::kDisconnected);
  EXPECT_EQ((*session)->link().why_closed(), "the daemon sent a frame with an impossible kind");
  session->reset();
  daemon_.join();
  play("ok\n", [](int fd) { next(fd); });
  session = open();
  ASSERT_TRUE(session);
  EXPECT_EQ((*session)->execute({}, test_unit_ready()).outcome.delivery, Delivery::kDisconnected);
}

}  // namespace
}  // namespace uscst::initiator
