"""The manners of the tree as the kernel's file system layer lets them be seen: what sysfs does, this does."""

import ctypes
import errno
import os
import stat
import subprocess
import sys
import threading
import time
import unittest

import rig


def error_of(call, *words, **named):
    try:
        result = call(*words, **named)
    except OSError as error:
        return error.errno
    if isinstance(result, int) and call is os.open:
        os.close(result)
    return 0


class Manners(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.one = rig.Rig().start()
        cls.one.add_disk("disk1")

    @classmethod
    def tearDownClass(cls):
        cls.one.__exit__(None, None, None)

    def test_mode_bits_hold_for_root(self):
        read_only, write_only = self.one.at("version"), self.one.at("devices/disk1/resync_size")
        self.assertEqual(stat.S_IMODE(os.stat(read_only).st_mode), 0o444)
        self.assertEqual(stat.S_IMODE(os.stat(write_only).st_mode), 0o200)
        self.assertEqual(error_of(os.open, read_only, os.O_WRONLY), errno.EACCES)
        self.assertEqual(error_of(os.open, read_only, os.O_RDWR), errno.EACCES)
        self.assertEqual(error_of(os.open, write_only, os.O_RDONLY), errno.EACCES)
        self.assertTrue(os.access(read_only, os.W_OK), "access(2) says yes to root")
        os.chmod(read_only, 0o666)
        try:
            fd = os.open(read_only, os.O_WRONLY)
            self.assertEqual(error_of(os.write, fd, b"x"), errno.EIO, "no store")
            os.close(fd)
        finally:
            os.chmod(read_only, 0o444)

    def test_what_stat_says(self):
        file = os.stat(self.one.at("threads"))
        self.assertEqual((file.st_size, file.st_blocks, file.st_blksize, file.st_nlink), (4096, 0, 4096, 1))
        self.assertEqual((stat.S_IMODE(file.st_mode), file.st_uid, file.st_gid), (0o644, 0, 0))
        directory = os.stat(self.one.at("devices"))
        self.assertEqual((directory.st_size, directory.st_nlink, stat.S_IMODE(directory.st_mode)), (0, 3, 0o755))
        link = os.lstat(self.one.at("handlers/vdisk_fileio/disk1"))
        self.assertEqual((stat.S_IMODE(link.st_mode), link.st_size), (0o777, 0))
        self.assertEqual(os.readlink(self.one.at("handlers/vdisk_fileio/disk1")), "../../devices/disk1")
        self.assertEqual(os.readlink(self.one.at("devices/disk1/handler")), "../../handlers/vdisk_fileio")

    def test_creating_and_removing_is_refused(self):
        at = self.one.at
        self.assertEqual(error_of(os.mkdir, at("new")), errno.EPERM)
        self.assertEqual(error_of(os.mkdir, at("devices")), errno.EEXIST)
        self.assertEqual(error_of(os.rmdir, at("devices")), errno.EPERM)
        self.assertEqual(error_of(os.rmdir, at("version")), errno.ENOTDIR)
        self.assertEqual(error_of(os.unlink, at("version")), errno.EPERM)
        self.assertEqual(error_of(os.unlink, at("devices")), errno.EISDIR)
        self.assertEqual(error_of(os.rename, at("version"), at("other")), errno.EPERM)
        self.assertEqual(error_of(os.symlink, "x", at("new")), errno.EPERM)
        self.assertEqual(error_of(os.link, at("version"), at("new")), errno.EPERM)
        self.assertEqual(error_of(os.link, at("version"), self.one.path("new")), errno.EXDEV)
        self.assertEqual(error_of(os.mkfifo, at("new")), errno.EPERM)
        self.assertEqual(error_of(os.mknod, at("new"), 0o600 | stat.S_IFREG), errno.EACCES)
        self.assertEqual(error_of(os.open, at("new"), os.O_CREAT | os.O_WRONLY), errno.EACCES)
        self.assertEqual(error_of(os.open, at("nothing"), os.O_RDONLY), errno.ENOENT)
        self.assertEqual(error_of(os.open, at("version"), os.O_RDONLY | os.O_CREAT | os.O_EXCL), errno.EEXIST)
        self.assertEqual(error_of(os.open, at("version"), os.O_RDONLY | os.O_DIRECT), errno.EINVAL)
        self.assertEqual(error_of(os.open, at("."), os.O_TMPFILE | os.O_RDWR), errno.EOPNOTSUPP)

    def test_truncating_does_nothing(self):
        path = self.one.at("threads")
        before = rig.read_file(path)
        os.truncate(path, 0)
        os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))
        self.assertEqual(rig.read_file(path), before)
        self.assertEqual(os.stat(path).st_size, 4096)

    def test_attributes_beyond_the_mode(self):
        self.assertEqual(os.listxattr(self.one.at("version")), [])
        self.assertEqual(error_of(os.getxattr, self.one.at("version"), "user.a"), errno.ENODATA)
        self.assertEqual(error_of(os.setxattr, self.one.at("version"), "user.a", b"1"), errno.EOPNOTSUPP)

    def test_one_write_is_one_command(self):
        mgmt = self.one.at("handlers/vdisk_nullio/mgmt")
        fd = os.open(mgmt, os.O_WRONLY)
        self.assertEqual(os.write(fd, b""), 0)
        self.assertEqual(os.writev(fd, [b"add_device ", b"null1"]), 16)
        self.assertEqual(os.pwrite(fd, b"del_device null1\n", 50), 17)
        self.assertEqual(error_of(os.write, fd, b"del_device null1"), errno.EINVAL)
        self.assertEqual(error_of(os.write, fd, b"frobnicate"), errno.EINVAL)
        os.close(fd)
        self.assertEqual(self.one.read("last_sysfs_mgmt_res"), "-22\n")
        self.one.write("add_device null1", "handlers/vdisk_nullio/mgmt")
        self.assertEqual(self.one.read("last_sysfs_mgmt_res"), "0\n")
        self.assertEqual(self.one.write_error("add_device null1", "handlers/vdisk_nullio/mgmt"), errno.EEXIST)
        self.one.write("del_device null1", "handlers/vdisk_nullio/mgmt")

    def test_text_is_made_when_reading_begins(self):
        fd = os.open(self.one.at("threads"), os.O_RDONLY)
        try:
            first = os.read(fd, 1)
            self.assertEqual(len(first), 1)
            rest = os.read(fd, 4096)
            self.assertEqual(os.read(fd, 4096), b"")
            os.lseek(fd, 0, os.SEEK_SET)
            self.assertEqual(os.read(fd, 4096), first + rest)
            self.assertEqual(os.lseek(fd, 0, os.SEEK_END), 4096)
        finally:
            os.close(fd)

    def test_open_file_of_a_removed_object(self):
        self.one.write("add_device gone blocksize=4096", "handlers/vdisk_nullio/mgmt")
        reading = os.open(self.one.at("devices/gone/blocksize"), os.O_RDONLY)
        writing = os.open(self.one.at("devices/gone/threads_num"), os.O_WRONLY)
        self.assertTrue(os.read(reading, 10))
        self.one.write("del_device gone", "handlers/vdisk_nullio/mgmt")
        self.assertEqual(error_of(os.pread, reading, 10, 0), errno.ENODEV)
        self.assertEqual(error_of(os.write, writing, b"1"), errno.ENODEV)
        self.one.write("add_device gone", "handlers/vdisk_nullio/mgmt")
        self.assertEqual(error_of(os.pread, reading, 10, 0), errno.ENODEV, "also when one of that name is back")
        self.assertEqual(os.fstat(reading).st_size, 4096)
        os.close(reading)
        os.close(writing)
        self.one.write("del_device gone", "handlers/vdisk_nullio/mgmt")

    def test_backing_file_in_the_own_tree(self):
        self.assertNotEqual(self.one.write_error(f"add_device loop filename={self.one.at('version')}", "handlers/vdisk_fileio/mgmt"), 0)


class Waiting(unittest.TestCase):
    """Writes that wait must not keep anything else from going on."""

    def test_block_in_one_process_is_released_by_another(self):
        with rig.Rig() as one:
            one.start()
            one.add_disk("disk1")
            one.enable()
            block = one.at("devices/disk1/block")
            load = one.start_initiator("bench", "--seconds", "120", "--queue-depth", "8", "--read-percent", "100")
            rig.wait_until(one.sessions, "a session")
            # Blocks, waits for what runs, returns; the next commands wait in the gate.
            self.assertEqual(subprocess.run(["sh", "-c", 'echo 1 >"$1"', "sh", block], timeout=rig.PATIENCE_S).returncode, 0)
            self.assertEqual(rig.read_file(block).split()[0], "1")
            count = one.target_path("sessions/127.0.0.1/read_cmd_count")
            before = one.read(count)
            time.sleep(0.3)
            self.assertEqual(one.read(count), before, "no command runs")
            self.assertEqual(subprocess.run(["sh", "-c", 'echo 0 >"$1"', "sh", block], timeout=rig.PATIENCE_S).returncode, 0)
            rig.wait_until(lambda: one.read(count) != before, "commands to run again")
            load.kill()
            load.communicate()

    def test_interrupted_writer(self):
        with rig.Rig() as one:
            one.start()
            one.add_disk("disk1")
            one.enable()
            with one.held_session():
                pass
            writer = subprocess.Popen(["sh", "-c", 'echo "add_device n1" >"$1"', "sh", one.at("handlers/vdisk_nullio/mgmt")])
            writer.kill()
            writer.wait()
            self.assertTrue(one.read("version"))


if __name__ == "__main__":
    rig.main()
