"""Management writes that wait, with a second process that lets them go on, and signals to those who wait."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
import unittest

import rig

# One write in a process of its own; what it prints is the errno, 0 for success.
WRITER = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY)
try:
    os.write(fd, sys.argv[2].encode())
    print(0)
except OSError as error:
    print(error.errno)
"""
SHORT_S = 0.5  # long enough for a write that does not wait


class Waits(unittest.TestCase):
    def setUp(self):
        self.one = rig.Rig()
        self.addCleanup(self.one.__exit__, None, None, None)
        self.one.start()
        self.one.add_disk("disk1", size_bytes=4 * rig.MIB)
        self.one.add_disk("disk2", lun=1, size_bytes=4 * rig.MIB)
        self.one.enable()
        self.children = []
        self.addCleanup(self.end_children)

    def end_children(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate(timeout=rig.PATIENCE_S)

    def child(self, process):
        self.children.append(process)
        return process

    def writer(self, text, *names):
        return self.child(subprocess.Popen([sys.executable, "-c", WRITER, self.one.at(*names), text],
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))

    def result(self, writer):
        out, err = writer.communicate(timeout=rig.PATIENCE_S)
        self.assertEqual(err, "")
        return int(out)

    def assert_waits(self, process):
        time.sleep(SHORT_S)
        self.assertIsNone(process.poll(), "it does not wait")

    def stuck_command(self, lun=0):
        """A command that is held back by a block of its device until that is lifted."""
        self.one.write("1", f"devices/disk{lun + 1}/block")
        reader = self.child(self.one.start_initiator("capacity", "--lun", str(lun)))
        rig.wait_until(lambda: "EXEC_CHECK_BLOCKING" in self.one.read("trace_cmds"), "the command to be held")
        return reader

    def everything_else_goes_on(self):
        self.assertEqual(self.one.initiator("capacity", "--lun", "1")["exit"], 0, "logins and I/O go on")
        self.assertEqual(self.one.read("devices/disk2/type").split()[0], "0")
        self.one.write("5", "poll_us")
        self.assertEqual(self.one.read("poll_us"), "5\n[key]\n")

    def test_trace_cmds_tells_the_command(self):
        self.stuck_command()
        line = self.one.read("trace_cmds")
        self.assertRegex(line, r"^cmd [0-9a-f]{16}: state EXEC_CHECK_BLOCKING; op [A-Z ()0-9]+; proc time \d+ sec; tgtt ib_srpt; "
                               rf"tgt {self.one.targets[0]}; session 127.0.0.1; grp {self.one.targets[0]}; LUN 0; ini 127.0.0.1; "
                               r"cdb( [0-9a-f]{2})+\n$")
        session = self.one.target_path("sessions", "127.0.0.1")
        self.assertEqual(self.one.read(session, "active_commands"), "1\n")
        self.assertEqual(self.one.read(session, "lun0/active_commands"), "1\n")
        self.assertEqual(self.one.read(session, "lun1/active_commands"), "0\n")
        self.assertEqual(self.one.read(session, "commands"), "1\n")
        self.one.write("0", "devices/disk1/block")
        rig.wait_until(lambda: self.one.read("trace_cmds") == "", "the command to end")

    def test_suspend_holds_commands_and_is_lifted_by_another(self):
        self.one.write("0", "suspend")
        reader = self.child(self.one.start_initiator("capacity", "--lun", "0"))
        self.assert_waits(reader)
        self.assertEqual(self.one.read("suspend"), "1\n")
        self.one.write("-1", "suspend")
        self.assertEqual(self.one.read("suspend"), "0\n")
        reader.communicate(timeout=rig.PATIENCE_S)
        self.assertEqual(reader.returncode, 0)

    def test_a_suspending_change_does_not_wait_for_held_commands(self):
        """A command that a block holds has not passed the gate: a suspending change does not wait for it."""
        self.stuck_command()
        self.one.write("create g", self.one.target_path("ini_groups/mgmt"))
        self.assertEqual(self.one.read("last_sysfs_mgmt_res"), "0\n")
        self.one.write("0", "devices/disk1/block")

    @contextlib.contextmanager
    def commands_that_do_not_end(self):
        """An initiator that is stopped in the middle of large reads: their data cannot leave, so they stay in execution."""
        bench = self.child(self.one.start_initiator("bench", "--lun", "0", "--seconds", "60", "--queue-depth", "32",
                                                    "--block-size", "1M", "--read-percent", "100"))
        commands = self.one.target_path("sessions", "127.0.0.1", "commands")
        rig.wait_until(lambda: self.one.sessions() and int(self.one.read(commands)) > 8, "commands")
        bench.send_signal(signal.SIGSTOP)
        try:
            time.sleep(SHORT_S)  # what the sockets hold leaves yet
            self.assertGreater(int(self.one.read(commands)), 0)
            yield bench
        finally:
            bench.send_signal(signal.SIGCONT)
            bench.kill()

    def test_block_is_released_by_another_process(self):
        with self.commands_that_do_not_end():
            blocker = self.writer("1", "devices/disk1/block")
            self.assert_waits(blocker)
            self.assertEqual(self.one.read("devices/disk1/block"), "1 1\n")
            self.everything_else_goes_on()
            self.one.write("0", "devices/disk1/block")
            self.assertEqual(self.result(blocker), 0)
            self.assertEqual(self.one.read("devices/disk1/block"), "0 0\n")

    def test_block_ends_with_the_commands(self):
        with self.commands_that_do_not_end() as bench:
            blocker = self.writer("1", "devices/disk1/block")
            self.assert_waits(blocker)
            bench.send_signal(signal.SIGCONT)
            self.assertEqual(self.result(blocker), 0)
            self.assertEqual(self.one.read("devices/disk1/block"), "1 0\n")
            self.one.write("0", "devices/disk1/block")

    def test_suspend_is_released_by_minus_one(self):
        with self.commands_that_do_not_end():
            suspender = self.writer("0", "suspend")
            self.assert_waits(suspender)
            self.assertEqual(self.one.read("suspend"), "1\n")
            self.one.write("-1", "suspend")
            self.assertEqual(self.result(suspender), 0)
            self.assertEqual(self.one.read("suspend"), "0\n")
            self.everything_else_goes_on()

    def test_suspend_with_a_limit(self):
        with self.commands_that_do_not_end():
            began = time.monotonic()
            self.assertEqual(self.one.write_error("1", "suspend"), errno.EBUSY)
            self.assertGreaterEqual(time.monotonic() - began, 0.9)
            self.assertEqual(self.one.read("suspend"), "0\n")
            self.assertEqual(self.one.read("last_sysfs_mgmt_res"), "0\n")

    def test_kill_of_a_waiting_suspend_takes_it_back(self):
        with self.commands_that_do_not_end():
            suspender = self.writer("0", "suspend")
            self.assert_waits(suspender)
            suspender.kill()
            self.assertEqual(suspender.wait(timeout=5), -signal.SIGKILL)
            rig.wait_until(lambda: self.one.read("suspend") == "0\n", "the suspend to be taken back")
            self.everything_else_goes_on()

    def test_kill_of_a_waiting_queued_writer_leaves_the_work(self):
        with self.commands_that_do_not_end() as bench:
            creator = self.writer("create g", self.one.target_path("ini_groups/mgmt"))
            self.assert_waits(creator)
            creator.kill()
            self.assertEqual(creator.wait(timeout=5), -signal.SIGKILL)
            with open(self.one.at("last_sysfs_mgmt_res"), "rb", buffering=0) as file:
                self.assertIsNone(file.read(), "EAGAIN")
            self.assertNotIn("g", self.one.listdir(self.one.target_path("ini_groups")))
            self.one.write("7", "poll_us")
            with self.one.held_session(source="127.0.0.2"):
                self.assertIn("127.0.0.2", self.one.sessions(), "logins go on")
            bench.send_signal(signal.SIGCONT)
            rig.wait_until(lambda: "g" in self.one.listdir(self.one.target_path("ini_groups")), "the group")
            self.assertEqual(self.one.read("last_sysfs_mgmt_res"), "0\n")

    def test_deleting_a_device_waits_for_its_commands(self):
        with self.commands_that_do_not_end() as bench:
            deleter = self.writer("del_device disk1", "handlers/vdisk_fileio/mgmt")
            self.assert_waits(deleter)
            self.everything_else_goes_on()
            bench.send_signal(signal.SIGCONT)
            self.assertEqual(self.result(deleter), 0)
            self.assertNotIn("disk1", self.one.listdir("devices"))

    def test_block_under_load(self):
        self.child(self.one.start_initiator("bench", "--lun", "0", "--seconds", "60", "--queue-depth", "8"))
        rig.wait_until(self.one.sessions, "the login")
        for _ in range(20):
            self.assertEqual(self.one.write_error("1", "devices/disk1/block"), 0)
            self.assertEqual(self.one.read("devices/disk1/block"), "1 0\n")
            self.one.write("0", "devices/disk1/block")
        self.everything_else_goes_on()

    def test_latency_is_measured_only_when_asked(self):
        with self.one.held_session():
            session = self.one.target_path("sessions", "127.0.0.1")
            empty = "state count min max avg stddev\n"
            self.assertEqual(self.one.read(session, "latency/n512"), empty)
        self.one.write("1", "measure_latency")
        self.child(self.one.start_initiator("bench", "--lun", "1", "--seconds", "60", "--block-size", "4k"))
        path = self.one.target_path("sessions", "127.0.0.1", "latency/r4096")
        rig.wait_until(lambda: self.one.sessions() and "EXEC_WAIT" in self.one.read(path), "measurements")
        lines = self.one.read(path).splitlines()
        self.assertEqual(lines[0] + "\n", empty)
        for line in lines[1:-1]:
            self.assertRegex(line, r"^[A-Z_0-9]+ \d+ \d+\.\d \d+\.\d \d+\.\d \d+\.\d us$")
        self.assertRegex(lines[-1], r"^total \d+ - - \d+\.\d \d+\.\d us$")
        self.one.write("0", "measure_latency")
        self.assertEqual(self.one.read(path), empty)
        pool = "".join(self.one.read("sgv", name, "stats") for name in self.one.listdir("sgv") if name.startswith("sgv-clust-"))
        self.assertRegex(pool, r"sgv-clust-\d+-4K +[1-9]\d* +[1-9]")


if __name__ == "__main__":
    rig.main()
