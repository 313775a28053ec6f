// The tree through real system calls.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <thread>

#include "tests/unit/sysfsfs/served_tree.h"

namespace uscst::sysfsfs {
namespace {

using namespace std::chrono_literals;

class FilesystemTest : public testing::Test {
 protected:
  void SetUp() override {
    if (auto why_not = prepare_mounts(); !why_not.empty()) GTEST_SKIP() << why_not;
    char name[] = "/tmp/uscst-tree-XXXXXX";
    directory_ = mkdtemp(name);
    served_ = std::make_unique<ServedTree>(MountOptions{.directory = directory_});
    ASSERT_TRUE(served_->mounted()) << served_->tree().error().text;
  }
  void TearDown() override {
    served_.reset();
    if (!directory_.empty()) std::filesystem::remove(directory_);
  }

  std::string path(std::string_view name) const { return served_->path(name); }
  static int code(long result) { return result < 0 ? errno : 0; }
  int open_code(std::string_view name, int flags) {
    int fd = open(path(name).c_str(), flags, 0644);
    int error = code(fd);
    if (fd >= 0) close(fd);
    return error;
  }
  int write_to(std::string_view name, std::string_view text, int flags = O_WRONLY) {
    int fd = open(path(name).c_str(), flags);
    if (fd < 0) return errno;
    ssize_t written = write(fd, text.data(), text.size());
    int error = code(written);
    if (error == 0) {
      EXPECT_EQ(static_cast<std::size_t>(written), std::min<std::size_t>(text.size(), 4096));
    }
    close(fd);
    return error;
  }
  std::string read_from(std::string_view name) {
    int fd = open(path(name).c_str(), O_RDONLY);
    if (fd < 0) return "open: " + std::to_string(errno);
    char buffer[8192];
    ssize_t length = read(fd, buffer, sizeof(buffer));
    std::string text =
        length < 0 ? "read: " + std::to_string(errno) : std::string(buffer, static_cast<std::size_t>(length));
    close(fd);
    return text;
  }

  std::string directory_;
  std::unique_ptr<ServedTree> served_;
  const std::string target_ = "targets/ib_srpt/" + std::string(kTargetName);
};

TEST_F(FilesystemTest, CommandsAndWhatTheyShow) {
  EXPECT_EQ(write_to("handlers/vdisk_nullio/mgmt", "add_device n1 size_mb=4\n", O_WRONLY | O_TRUNC | O_CREAT), 0);
  EXPECT_EQ(write_to("handlers/vdisk_nullio/mgmt", "add_device n1"), EEXIST);
  EXPECT_EQ(read_from("last_sysfs_mgmt_res"), "-17\n");
  EXPECT_EQ(write_to(target_ + "/luns/mgmt", "add n1 0\n"), 0);
  EXPECT_EQ(read_from(target_ + "/luns/0/device/size_mb"), "4\n") << "links lead there";
  EXPECT_EQ(read_from("devices/n1/handler/type"), "0 - Direct-access device (e.g., magnetic disk)\n");
  EXPECT_EQ(std::filesystem::read_symlink(path("devices/n1/exported/export0")), "../../../" + target_ + "/luns/0");
  EXPECT_TRUE(std::filesystem::exists(path("devices/n1/exported/export0/read_only")));
  EXPECT_EQ(write_to("threads", std::string(5000, ' ')), EINVAL);
  EXPECT_EQ(write_to(target_ + "/comment", std::string(5000, 'c')), 0);
}

TEST_F(FilesystemTest, EveryEntryIsThereInTheOrderOfTheHashes) {
  std::vector<std::string> names;
  DIR* directory = opendir(path("").c_str());
  ASSERT_TRUE(directory);
  while (const dirent* entry = readdir(directory)) names.emplace_back(entry->d_name);
  closedir(directory);
  const std::vector<std::string> expected = {".",
                                             "..",
                                             "setup_id",
                                             "cluster_name",
                                             "threads",
                                             "trace_mcmds",
                                             "handlers",
                                             "devices",
                                             "force_global_sgv_pool",
                                             "targets",
                                             "last_sysfs_mgmt_res",
                                             "max_tasklet_cmd",
                                             "sgv",
                                             "suspend",
                                             "device_groups",
                                             "measure_latency",
                                             "async_lun_replace",
                                             "trace_level",
                                             "version",
                                             "trace_cmds",
                                             "poll_us"};
  EXPECT_EQ(names, expected);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path(""))) {
    struct stat attributes{};
    EXPECT_EQ(lstat(entry.path().c_str(), &attributes), 0) << entry.path();
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_GT(files, 50U);
}

TEST_F(FilesystemTest, StatAsRecorded) {
  struct stat file{}, directory{};
  ASSERT_EQ(stat(path("threads").c_str(), &file), 0);
  EXPECT_EQ(file.st_size, 4096);
  EXPECT_EQ(file.st_blksize, 4096);
  EXPECT_EQ(file.st_blocks, 0);
  EXPECT_EQ(file.st_mode, static_cast<mode_t>(S_IFREG | 0644));
  ASSERT_EQ(stat(directory_.c_str(), &directory), 0);
  EXPECT_EQ(directory.st_size, 0);
  EXPECT_EQ(directory.st_nlink, 7U);
}

TEST_F(FilesystemTest, CreatingAndRemovingIsRefusedAsRecorded) {
  ASSERT_EQ(write_to("handlers/vdisk_nullio/mgmt", "add_device n1\n"), 0);
  auto p = [&](std::string_view name) { return path(name); };
  EXPECT_EQ(code(mkdir(p("newdir").c_str(), 0755)), EPERM);
  EXPECT_EQ(code(mkdir(p("devices/n1").c_str(), 0755)), EEXIST);
  EXPECT_EQ(open_code("newfile", O_CREAT | O_WRONLY), EACCES);
  EXPECT_EQ(code(mknod(p("newfile").c_str(), S_IFREG | 0644, 0)), EACCES);
  EXPECT_EQ(code(mkfifo(p("newfile").c_str(), 0644)), EPERM);
  EXPECT_EQ(code(symlink("x", p("newfile").c_str())), EPERM);
  EXPECT_EQ(code(unlink(p("version").c_str())), EPERM);
  EXPECT_EQ(code(unlink(p("devices/n1").c_str())), EISDIR);
  EXPECT_EQ(code(rmdir(p("devices/n1").c_str())), EPERM);
  EXPECT_EQ(code(rmdir(p("version").c_str())), ENOTDIR);
  EXPECT_EQ(code(unlink(p("devices/n1/handler").c_str())), EPERM);
  EXPECT_EQ(code(rename(p("threads").c_str(), p("poll_us").c_str())), EPERM);
  EXPECT_EQ(code(rename(p("nosuch").c_str(), p("poll_us").c_str())), ENOENT);
  EXPECT_EQ(code(link(p("version").c_str(), p("linked").c_str())), EPERM);
  EXPECT_EQ(code(link(p("version").c_str(), "/tmp/x")), EXDEV);
  EXPECT_EQ(open_code("version", O_CREAT | O_RDONLY), 0);
  EXPECT_EQ(open_code("version", O_CREAT | O_EXCL | O_RDONLY), EEXIST);
  EXPECT_EQ(open_code("", O_TMPFILE | O_WRONLY), EOPNOTSUPP);
  EXPECT_EQ(open_code("devices", O_WRONLY), EISDIR);
  EXPECT_EQ(open_code("devices/n1/nosuch", O_RDONLY), ENOENT);
  EXPECT_EQ(open_code("devices/n1/size_mb/x", O_RDONLY), ENOTDIR);
  EXPECT_EQ(open_code("devices/n1/handler", O_NOFOLLOW), ELOOP);
}

TEST_F(FilesystemTest, OpeningAsRecorded) {
  ASSERT_EQ(write_to("handlers/vdisk_nullio/mgmt", "add_device n1\n"), 0);
  EXPECT_EQ(open_code("version", O_WRONLY), EACCES);
  EXPECT_EQ(open_code("devices/n1/dump_prs", O_RDONLY), EACCES);
  EXPECT_EQ(access(path("version").c_str(), W_OK), 0) << "root may, says access(2)";
  EXPECT_EQ(open_code("threads", O_DIRECT), EINVAL);
  ASSERT_EQ(chmod(path("version").c_str(), 0666), 0);
  EXPECT_EQ(write_to("version", "1\n"), EIO);
  EXPECT_EQ(code(truncate(path("threads").c_str(), 10000)), 0);
  EXPECT_EQ(code(truncate(path("devices").c_str(), 0)), EISDIR);
  EXPECT_EQ(write_to("threads", "3\n", O_WRONLY | O_TRUNC), 0);
  EXPECT_EQ(read_from("threads"), "3\n[key]\n");
  struct stat attributes{};
  EXPECT_EQ(chown(path("threads").c_str(), 1000, 1000), 0);
  EXPECT_EQ(stat(path("threads").c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_uid, 1000U);
  EXPECT_EQ(code(setxattr(path("threads").c_str(), "user.x", "1", 1, 0)), ENOTSUP);
  EXPECT_EQ(code(setxattr(path("threads").c_str(), "trusted.x", "1", 1, 0)), 0);
  char value[8];
  EXPECT_EQ(code(getxattr(path("threads").c_str(), "user.x", value, sizeof(value))), ENODATA);
}

TEST_F(FilesystemTest, OneWriteIsOneCommandWhereverItIsWritten) {
  int fd = open(path("threads").c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  char buffer[100];
  EXPECT_EQ(read(fd, buffer, 10), 2);
  EXPECT_EQ(write(fd, "3\n", 2), 2);
  EXPECT_EQ(read(fd, buffer, 10), 4) << "made anew, from offset 4";
  EXPECT_EQ(std::string(buffer, 4), "ey]\n");
  EXPECT_EQ(pwrite(fd, "4\n", 2, 100), 2);
  EXPECT_EQ(pread(fd, buffer, 1, 0), 1);
  EXPECT_EQ(buffer[0], '4');
  char first[] = "2", second[] = "\n";
  iovec parts[] = {{first, 1}, {second, 1}};
  EXPECT_EQ(writev(fd, parts, 2), 2);
  EXPECT_EQ(read_from("threads"), "2\n");
  EXPECT_EQ(write(fd, "", 0), 0);
  EXPECT_EQ(lseek(fd, 0, SEEK_END), 4096);
  EXPECT_EQ(read(fd, buffer, 10), 0);
  EXPECT_EQ(fsync(fd), 0);
  pollfd waiting{.fd = fd, .events = POLLIN | POLLOUT | POLLPRI, .revents = 0};
  EXPECT_EQ(poll(&waiting, 1, 0), 1);
  EXPECT_EQ(waiting.revents, POLLIN | POLLOUT);
  close(fd);
}

TEST_F(FilesystemTest, OpenFilesOfRemovedObjects) {
  ASSERT_EQ(write_to("handlers/vdisk_nullio/mgmt", "add_device gone\n"), 0);
  int fd = open(path("devices/gone/size_mb").c_str(), O_RDWR);
  char buffer[100];
  EXPECT_EQ(read(fd, buffer, sizeof(buffer)), 3);
  ASSERT_EQ(write_to("handlers/vdisk_nullio/mgmt", "del_device gone\n"), 0);
  ASSERT_EQ(write_to("handlers/vdisk_nullio/mgmt", "add_device gone\n"), 0);
  EXPECT_EQ(code(pread(fd, buffer, sizeof(buffer), 0)), ENODEV);
  EXPECT_EQ(code(write(fd, "5\n", 2)), ENODEV);
  struct stat attributes{};
  EXPECT_EQ(fstat(fd, &attributes), 0);
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waiting, 1, 0), 1);
  EXPECT_EQ(waiting.revents, POLLIN | POLLERR);
  close(fd);
}

TEST_F(FilesystemTest, InitiatorNamesWithASlashSpoilTheListing) {
  ASSERT_EQ(write_to(target_ + "/ini_groups/mgmt", "create g\n"), 0);
  ASSERT_EQ(write_to(target_ + "/ini_groups/g/initiators/mgmt", "add a/b\n"), 0);
  DIR* directory = opendir(path(target_ + "/ini_groups/g/initiators").c_str());
  ASSERT_TRUE(directory);
  errno = 0;
  while (readdir(directory)) {
  }
  EXPECT_EQ(errno, EIO);
  closedir(directory);
}

TEST_F(FilesystemTest, AWaitingWriteHoldsNobodyUp) {
  auto waiting =
      std::async(std::launch::async, [&] { return write_to("handlers/vdisk_nullio/mgmt", "add_device slow\n"); });
  while (read_from("last_sysfs_mgmt_res") != "read: " + std::to_string(EAGAIN)) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(write_to("handlers/vdisk_nullio/mgmt", "add_device n1\n"), 0) << "the same file";
  EXPECT_EQ(write_to("handlers/vdisk_nullio/mgmt", "add_device n2\n", O_WRONLY | O_TRUNC | O_CREAT), 0);
  struct stat attributes{};
  EXPECT_EQ(stat(path("handlers/vdisk_nullio/mgmt").c_str(), &attributes), 0);
  EXPECT_EQ(waiting.wait_for(0s), std::future_status::timeout);
  served_->call([&] { served_->engine().nullio.finish_slow(); });
  EXPECT_EQ(waiting.get(), 0);
  EXPECT_EQ(read_from("last_sysfs_mgmt_res"), "0\n");
}

TEST_F(FilesystemTest, WritersThatOpenedBeforeEitherWroteDoNotWaitForEachOther) {
  int first = open(path("handlers/vdisk_nullio/mgmt").c_str(), O_WRONLY);
  int second = open(path("handlers/vdisk_nullio/mgmt").c_str(), O_WRONLY);
  auto waiting = std::async(std::launch::async, [&] { return write(first, "add_device slow\n", 16); });
  while (read_from("last_sysfs_mgmt_res") == "0\n") std::this_thread::sleep_for(1ms);
  EXPECT_EQ(write(second, "add_device n1\n", 14), 14);
  served_->call([&] { served_->engine().nullio.finish_slow(); });
  EXPECT_EQ(waiting.get(), 16);
  close(first);
  close(second);
}

TEST_F(FilesystemTest, AKilledWriterReturnsAtOnceAndTheWorkGoesOn) {
  std::string mgmt = path("handlers/vdisk_nullio/mgmt");
  pid_t child = fork();
  if (child == 0) {
    int fd = open(mgmt.c_str(), O_WRONLY);
    _exit(write(fd, "add_device slow\n", 16) == 16 ? 0 : 1);
  }
  while (read_from("last_sysfs_mgmt_res") == "0\n") std::this_thread::sleep_for(1ms);
  kill(child, SIGKILL);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(read_from("last_sysfs_mgmt_res"), "read: " + std::to_string(EAGAIN)) << "the work goes on";
  served_->call([&] { served_->engine().nullio.finish_slow(); });
  EXPECT_EQ(read_from("last_sysfs_mgmt_res"), "0\n");
  EXPECT_TRUE(std::filesystem::exists(path("devices/slow")));
}

TEST_F(FilesystemTest, UnmountedUnderWaitingWriters) {
  int fd = open(path("handlers/vdisk_nullio/mgmt").c_str(), O_WRONLY);
  auto waiting = std::async(std::launch::async, [&] {
    ssize_t written = write(fd, "add_device slow\n", 16);
    return written < 0 ? errno : 0;
  });
  while (read_from("last_sysfs_mgmt_res") == "0\n") std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(served_->unmount());
  served_.reset();
  EXPECT_NE(waiting.get(), 0);
  close(fd);
}

}  // namespace
}  // namespace uscst::sysfsfs
