// The blocking session over real connections: our own iWARP over loopback, against the target in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "engine/fabric/iwarp/fabric.h"
#include "engine/initiator/blocking_session.h"
#include "engine/initiator/pattern.h"
#include "engine/initiator/sense_text.h"
#include "tests/perf/memory_target.h"

namespace uscst::initiator {
namespace {

class IwarpTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    target_host_ = std::move(*Host::start(log_));
    host_ = std::move(*Host::start(log_));
    config_.require_crc = GetParam();
    target_fabric_ = std::make_unique<fabric::iwarp::IwarpFabric>(target_host_->reactor(), config_, log_);
    fabric_ = std::make_unique<fabric::iwarp::IwarpFabric>(host_->reactor(), config_, log_);
    target_host_->run([this] {
      listener_ = std::move(*target_fabric_->listen({"127.0.0.1", 0}, [this](auto request) {
        peers_.push_back(request->peer().host);
        target_.connection(target_host_->reactor(), std::move(request));
      }));
    });
  }
  void TearDown() override {
    target_host_->run([this] {
      listener_.reset();
      target_.disconnect_all();
    });
    for (std::size_t left = 1; left != 0; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
      target_host_->run([&] { left = target_.channel_count(); });
    }
    host_->stop();
    target_host_->stop();
  }
  base::Result<std::unique_ptr<BlockingSession>> login(unsigned channels = 1, unsigned pieces = 1,
                                                       bool immediate = true, std::uint64_t id_ext = 0x11) {
    LoginOptions options;
    options.channels = channels;
    options.channel.to = listener_->address();
    options.channel.target = srp::make_port_id(id_ext, 0x22);
    options.channel.pieces = pieces;
    options.channel.immediate = immediate;
    return BlockingSession::login(*host_, *fabric_, options);
  }
  void write_and_check(BlockingSession& session, std::uint32_t blocks) {
    std::vector<std::uint8_t> data(blocks * 512);
    fill_pattern(data, 512, 100, blocks);
    EXPECT_TRUE(session.execute_out({}, write_blocks(100, blocks), data).outcome.good());
    Answer answer = session.execute({}, read_blocks(100, blocks), data.size());
    EXPECT_TRUE(answer.outcome.good());
    ASSERT_EQ(answer.data.size(), data.size());
    EXPECT_TRUE(check_pattern(answer.data, 512, 100, blocks));
  }

  base::Log log_{[](base::LogLevel, std::string_view) {}};
  std::unique_ptr<Host> target_host_, host_;
  fabric::iwarp::Config config_;
  std::unique_ptr<fabric::iwarp::IwarpFabric> target_fabric_, fabric_;
  perf::MemoryTarget target_{{.disk_bytes = 4 << 20}};
  std::unique_ptr<fabric::Listener> listener_;
  std::vector<std::string> peers_;
};

TEST_P(IwarpTest, AsksAndIsAnswered) {
  auto session = login(3);
  ASSERT_TRUE(session);
  EXPECT_EQ((*session)->luns()->size(), 1u);
  auto capacity = (*session)->capacity({});
  ASSERT_TRUE(capacity);
  EXPECT_EQ(capacity->blocks, 8192u);
  EXPECT_GE((*session)->unit_attentions_skipped(), 1u);
  Answer answer = (*session)->execute({}, inquiry(255), 255);
  EXPECT_EQ(answer.data.size(), 36u);
  EXPECT_EQ(base::as_text(base::Bytes(answer.data).subspan(8, 6)), "MEMORY");
  answer = (*session)->execute({}, read_blocks(8192, 1), 512);
  EXPECT_THAT(describe(answer.outcome), testing::HasSubstr("(5/21/00)"));
  EXPECT_EQ((*session)->manage(srp::TaskFunction::kLogicalUnitReset, {}).code, srp::ResponseCode::kComplete);
}

TEST_P(IwarpTest, MovesDataInEveryForm) {
  auto immediate = login();
  auto direct = login(1, 1, false);
  auto indirect = login(2, 7);
  ASSERT_TRUE(immediate && direct && indirect);
  for (std::uint32_t blocks : {1u, 8u, 16u, 17u, 300u, 1500u}) {
    write_and_check(**immediate, blocks);
    write_and_check(**direct, blocks);
    write_and_check(**indirect, blocks);
  }
  std::uint64_t immediate_writes = 0;
  target_host_->run([&] { immediate_writes = target_.immediate_writes(); });
  EXPECT_EQ(immediate_writes, 3u);
}

TEST_P(IwarpTest, WrongTargetIsSaidInWords) {
  auto session = login(1, 1, true, 0x99);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, EACCES);
  EXPECT_THAT(session.error().text, testing::HasSubstr("0x00010003"));
}

TEST_P(IwarpTest, ALostTargetIsNoticed) {
  auto session = login(2);
  ASSERT_TRUE(session);
  target_host_->run([this] { target_.disconnect_all(); });
  Outcome outcome;
  for (int i = 0; i < 1000 && outcome.delivery == Delivery::kAnswered; ++i) {
    outcome = (*session)->execute_once(0, {}, test_unit_ready());
  }
  EXPECT_EQ(outcome.delivery, Delivery::kDisconnected);
}

TEST_P(IwarpTest, ConnectsFromTheStatedAddress) {
  config_.source = "127.0.0.2";
  fabric::iwarp::IwarpFabric from(host_->reactor(), config_, log_);
  LoginOptions options;
  options.channel.to = listener_->address();
  options.channel.target = srp::make_port_id(0x11, 0x22);
  {
    auto session = BlockingSession::login(*host_, from, options);
    ASSERT_TRUE(session);
    target_host_->run([this] { EXPECT_EQ(peers_, std::vector<std::string>{"127.0.0.2"}); });
  }
  host_->stop();
}

INSTANTIATE_TEST_SUITE_P(Crc, IwarpTest, testing::Bool(), [](const auto& param) { return param.param ? "On" : "Off"; });

}  // namespace
}  // namespace uscst::initiator
