#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <array>
#include <numeric>

#include "tests/unit/io/reactor_fixture.h"

namespace uscst::io {
namespace {

class FileTest : public ReactorTest {
 protected:
  FileTest() : file(::open(testing::TempDir().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    EXPECT_GE(file.get(), 0);
  }
  int wait_for(Recorded& recorded) {
    EXPECT_TRUE(recorded.results.empty()) << "completed from within the submission";
    EXPECT_TRUE(run_until([&] { return !recorded.results.empty(); }));
    return recorded.last();
  }
  FileDescriptor file;
};

TEST_P(FileTest, WhatIsWrittenIsReadBackAcrossParts) {
  std::vector<std::uint8_t> out(10'000), in(10'000);
  std::iota(out.begin(), out.end(), std::uint8_t{7});
  std::array<iovec, 3> from{iovec{out.data(), 1}, {out.data() + 1, 4999}, {out.data() + 5000, 5000}};
  std::array<iovec, 2> into{iovec{in.data(), 9000}, {in.data() + 9000, 1000}};
  Recorded written, read, single;
  reactor->write(written.op, file.get(), from, 4096, Durability::kVolatile);
  EXPECT_EQ(wait_for(written), 10'000);
  reactor->read(read.op, file.get(), into, 4096);
  EXPECT_EQ(wait_for(read), 10'000);
  EXPECT_EQ(in, out);
  std::ranges::fill(in, std::uint8_t{0});
  reactor->read(single.op, file.get(), std::span(into).first(1), 4096 + 5000);
  EXPECT_EQ(wait_for(single), 5000);  // cut at the end of the file
  EXPECT_TRUE(std::equal(in.begin(), in.begin() + 5000, out.begin() + 5000));
}

TEST_P(FileTest, DurableWritesAndSync) {
  std::array<std::uint8_t, 512> data{};
  data.fill(0x5A);
  std::array<iovec, 1> one{iovec{data.data(), data.size()}};
  std::array<iovec, 2> two{iovec{data.data(), 256}, {data.data() + 256, 256}};
  Recorded first, second, synced;
  reactor->write(first.op, file.get(), one, 0, Durability::kData);
  EXPECT_EQ(wait_for(first), 512);
  reactor->write(second.op, file.get(), two, 512, Durability::kData);
  EXPECT_EQ(wait_for(second), 512);
  reactor->sync(synced.op, file.get());
  EXPECT_EQ(wait_for(synced), 0);
  struct stat status{};
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  EXPECT_EQ(status.st_size, 1024);
}

TEST_P(FileTest, AllocateExtendsAndPunches) {
  Recorded extended, punched, refused;
  reactor->allocate(extended.op, file.get(), 0, 0, 1 << 20);
  EXPECT_EQ(wait_for(extended), 0);
  struct stat status{};
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  EXPECT_EQ(status.st_size, 1 << 20);
  auto blocks = status.st_blocks;
  reactor->allocate(punched.op, file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 19);
  EXPECT_EQ(wait_for(punched), 0);
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  EXPECT_EQ(status.st_size, 1 << 20);
  EXPECT_LT(status.st_blocks, blocks);
  reactor->allocate(refused.op, file.get(), 0, 0, 0);
  EXPECT_EQ(wait_for(refused), -EINVAL);
}

TEST_P(FileTest, ErrorsArriveAsNegativeErrno) {
  FileDescriptor read_only(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::array<std::uint8_t, 8> data{};
  std::array<iovec, 1> parts{iovec{data.data(), data.size()}};
  Recorded written, synced;
  reactor->write(written.op, read_only.get(), parts, 0, Durability::kVolatile);
  EXPECT_EQ(wait_for(written), -EBADF);
  reactor->sync(synced.op, 1'000'000);
  EXPECT_EQ(wait_for(synced), -EBADF);
}

TEST_P(FileTest, ManyAtOnce) {
  constexpr std::size_t kCount = 300;
  std::vector<std::array<std::uint8_t, 512>> blocks(kCount);
  std::vector<iovec> parts(kCount);
  std::vector<std::unique_ptr<Recorded>> all;
  std::size_t done = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    blocks[i].fill(static_cast<std::uint8_t>(i));
    parts[i] = {blocks[i].data(), 512};
    all.push_back(std::make_unique<Recorded>());
    all.back()->then = [&] { ++done; };
    reactor->write(all.back()->op, file.get(), std::span(parts).subspan(i, 1), i * 512, Durability::kVolatile);
  }
  ASSERT_TRUE(run_until([&] { return done == kCount; }));
  for (std::size_t i = 0; i < kCount; ++i) {
    std::array<std::uint8_t, 512> back{};
    ASSERT_EQ(::pread(file.get(), back.data(), 512, static_cast<off_t>(i * 512)), 512);
    EXPECT_EQ(all[i]->last(), 512);
    EXPECT_EQ(back, blocks[i]);
  }
}

USCST_BOTH_REACTORS(FileTest);

}  // namespace
}  // namespace uscst::io
