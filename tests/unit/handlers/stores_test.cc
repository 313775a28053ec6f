// Files behind real reactors of both kinds, and a block device where a loop device can be made.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "engine/io/blocking_pool.h"
#include "handlers/examine.h"
#include "handlers/file_store.h"
#include "tests/unit/handlers/disk_rig.h"

namespace uscst::handlers::test {
namespace {

constexpr std::uint64_t kSize = 4u << 20;

class Stores : public testing::TestWithParam<io::ReactorKind> {
 protected:
  void SetUp() override {
    auto made = io::make_reactor(GetParam(), pool, log);
    if (!made) GTEST_SKIP() << made.error().text;
    reactor = std::move(*made);
  }
  // Makes one request, waits for its end.
  std::int64_t run(const std::function<void(StoreRequest&, StoreContext)>& make) {
    struct Waiting {
      io::Reactor& reactor;
      std::int64_t result = 0;
      StoreRequest request{io::Call<std::int64_t>::to<&Waiting::ended>(this)};
      void ended(std::int64_t value) {
        result = value;
        reactor.stop();
      }
    } waiting{*reactor};
    reactor->post([&] { make(waiting.request, {*reactor, reactor.get()}); });
    reactor->run();
    return waiting.result;
  }
  io::Buffer buffer(std::size_t length) {
    io::Buffer made;
    EXPECT_TRUE(buffers.allocate(length, made));
    return made;
  }
  VdiskConfig config(const std::string& path, VdiskKind kind = VdiskKind::kFileio) {
    VdiskConfig made;
    made.kind = kind;
    made.filename = path;
    return made;
  }
  // Writes a pattern over several slices, reads it back, unmaps the middle.
  void exercise(BackingStore& store, bool can_unmap) {
    const std::size_t length = 1u << 20;
    Data pattern(length);
    for (std::size_t i = 0; i < length; ++i) pattern[i] = static_cast<std::uint8_t>(i * 13 + i / 4096);
    io::Buffer data = buffer(length), back = buffer(length);
    data.copy_in(0, pattern);
    const auto size = static_cast<std::int64_t>(length);
    EXPECT_EQ(run([&](auto& r, auto c) { store.write(r, c, {&data, 0, length, 65536}, io::Durability::kData); }), size);
    EXPECT_EQ(run([&](auto& r, auto c) { store.flush(r, c); }), 0);
    EXPECT_EQ(run([&](auto& r, auto c) { store.read(r, c, {&back, 0, length, 65536}); }), size);
    Data read(length);
    back.copy_out(0, read);
    EXPECT_EQ(read, pattern);
    if (!can_unmap) return;
    EXPECT_EQ(run([&](auto& r, auto c) { store.unmap(r, c, 131072, 65536); }), 0);
    EXPECT_EQ(run([&](auto& r, auto c) { store.read(r, c, {&back, 0, 65536, 131072}); }), 65536);
    back.copy_out(0, std::span(read).first(65536));
    EXPECT_EQ(Data(read.begin(), read.begin() + 65536), Data(65536));
  }

  TemporaryDirectory directory;
  base::Log log{[](base::LogLevel, std::string_view) {}};
  io::BlockingPool pool{2};
  io::BufferBudget budget{16u << 20};
  io::BufferPool buffers{budget};
  std::unique_ptr<io::Reactor> reactor;
};

TEST_P(Stores, File) {
  VdiskConfig disk = config(directory.file("a.img", kSize));
  disk.thin_provisioned = true;
  auto opened = open_store(disk, {});
  ASSERT_TRUE(opened.has_value()) << opened.error().text;
  EXPECT_EQ(opened->geometry.size_bytes, kSize);
  EXPECT_EQ(opened->store->size_now(), static_cast<std::int64_t>(kSize));
  exercise(*opened->store, opened->geometry.can_unmap);
  EXPECT_EQ(opened->store->flush_now(), 0);
}

// tmpfs, where there is one: shorter transfers are made at once, longer ones by the reactor.
TEST_P(Stores, FileInMemory) {
  std::string path = "/dev/shm/uscst-stores-XXXXXX";
  const int fd = mkstemp(path.data());
  if (fd < 0) GTEST_SKIP() << "no /dev/shm here";
  ASSERT_EQ(ftruncate(fd, kSize), 0);
  close(fd);
  auto opened = open_store(config(path), {});
  unlink(path.c_str());
  ASSERT_TRUE(opened.has_value()) << opened.error().text;
  exercise(*opened->store, false);
  io::Buffer data = buffer(131072), back = buffer(131072);
  const Data pattern(131072, 0x5A);
  data.copy_in(0, pattern);
  const auto write = [&](auto& r, auto c) {
    opened->store->write(r, c, {&data, 4096, 8192, 512}, io::Durability::kData);
  };
  EXPECT_EQ(run(write), 8192);
  EXPECT_EQ(run([&](auto& r, auto c) { opened->store->read(r, c, {&back, 0, 131072, 512}); }), 131072);
  Data read(131072);
  back.copy_out(0, read);
  EXPECT_EQ(Data(read.begin(), read.begin() + 8192), Data(8192, 0x5A));
  EXPECT_EQ(run([&](auto& r, auto c) { opened->store->read(r, c, {&back, 0, 8192, kSize - 4096}); }), -EIO);
}

TEST_P(Stores, WhatEndsBeforeTheRangeIsAReadError) {
  auto opened = open_store(config(directory.file("a.img", kSize)), {});
  ASSERT_TRUE(opened.has_value());
  ASSERT_EQ(truncate((directory.path() + "/a.img").c_str(), 4096), 0);
  io::Buffer data = buffer(8192);
  EXPECT_EQ(run([&](auto& r, auto c) { opened->store->read(r, c, {&data, 0, 8192, 0}); }), -EIO);
}

TEST_P(Stores, FullDevice) {
  // /dev/full cannot be seeked in, but refuses what is written to it.
  const int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  auto store = std::make_shared<FileStore>(fd);
  io::Buffer data = buffer(4096);
  EXPECT_EQ(run([&](auto& r, auto c) { store->write(r, c, {&data, 0, 4096, 0}, io::Durability::kVolatile); }), -ENOSPC);
}

TEST_P(Stores, ReadOnlyFileIsOpenedReadOnly) {
  VdiskConfig disk = config(directory.file("a.img", kSize));
  disk.read_only = true;
  auto opened = open_store(disk, {});
  ASSERT_TRUE(opened.has_value());
  io::Buffer data = buffer(4096);
  EXPECT_EQ(run([&](auto& r, auto c) { opened->store->write(r, c, {&data, 0, 4096, 0}, io::Durability::kVolatile); }),
            -EBADF);
}

// A loop device over a file, or a skipped test.
class LoopDevice {
 public:
  explicit LoopDevice(const std::string& file) {
    const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) return;
    const int number = ioctl(control, LOOP_CTL_GET_FREE);
    close(control);
    path_ = "/dev/loop" + std::to_string(number);
    fd_ = number < 0 ? -1 : open(path_.c_str(), O_RDWR | O_CLOEXEC);
    const int backing = open(file.c_str(), O_RDWR | O_CLOEXEC);
    bound_ = fd_ >= 0 && backing >= 0 && ioctl(fd_, LOOP_SET_FD, backing) == 0;
    if (backing >= 0) close(backing);
  }
  ~LoopDevice() {
    if (bound_) ioctl(fd_, LOOP_CLR_FD, 0);
    if (fd_ >= 0) close(fd_);
  }
  bool bound() const { return bound_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
  bool bound_ = false;
};

TEST_P(Stores, BlockDevice) {
  LoopDevice loop(directory.file("a.img", kSize));
  if (!loop.bound()) GTEST_SKIP() << "no loop device here";
  VdiskConfig disk = config(loop.path(), VdiskKind::kBlockio);
  auto opened = open_store(disk, {});
  ASSERT_TRUE(opened.has_value()) << opened.error().text;
  EXPECT_EQ(opened->geometry.size_bytes, kSize);
  exercise(*opened->store, opened->geometry.can_unmap);
  EXPECT_EQ(open_store(disk, {}).error().code, EBUSY);  // opened exclusively
  opened->store.reset();
  EXPECT_TRUE(open_store(disk, {}).has_value());
}

INSTANTIATE_TEST_SUITE_P(Reactors, Stores, testing::Values(io::ReactorKind::kUring, io::ReactorKind::kEpoll),
                         [](const auto& kind) {
                           return std::string(kind.param == io::ReactorKind::kUring ? "Uring" : "Epoll");
                         });

}  // namespace
}  // namespace uscst::handlers::test
