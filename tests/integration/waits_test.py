"""Management writes that wait, with a second process that lets them go on, and signals to those who wait."""

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
        """A read that is held back by a block of its device until that is lifted."""
        self.one.write("1", f"devices/disk{lun + 1}/block")
        reader = self.child(self.one.start_initiator("read", "--lun", str(lun), "--length", "4096", "--output", "/dev/null"))
        rig.wait_until(lambda: "EXEC_CHECK_BLOCKING" in self.one.read("trace_cmds"), "the command to be held")
        return reader

    def stuck_in_execution(self):
        """A command that has passed the gates: its backing file is a FIFO's other end nobody serves."""

    def everything_else_goes_on(self):
        self.assertEqual(self.one.initiator("capacity", "--lun", "1")["exit"], 0, "logins and I/O go on")
        self.assertEqual(self.one.read("devices/disk1/type").split()[0], "0")
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

    def slow_disk(self):
        """I/O without end on LUN 0, so that a drain has something to wait for."""
        return self.child(self.one.start_initiator("bench", "--lun", "0", "--seconds", "60", "--queue-depth", "8"))

    def test_block_under_load_waits_for_nothing_but_its_commands(self):
        self.slow_disk()
        rig.wait_until(lambda: self.one.sessions(), "the login")
        for _ in range(20):
            self.assertEqual(self.result(self.writer("1", "devices/disk1/block")), 0)
            self.assertEqual(self.one.read("devices/disk1/block"), "1 0\n")
            self.everything_else_goes_on()
            self.one.write("0", "devices/disk1/block")
            self.assertEqual(self.one.read("devices/disk1/block"), "0 0\n")

    def test_group_commands_wait_for_held_ones_of_nobody(self):
        """A command that a block holds has not passed the gate: a suspending change does not wait for it."""
        self.stuck_command()
        self.one.write("create g", self.one.target_path("ini_groups/mgmt"))
        self.assertEqual(self.one.read("last_sysfs_mgmt_res"), "0\n")
        self.one.write("0", "devices/disk1/block")


class WaitsOnAStuckDisk(Waits):
    """The backing file stands on a device that is suspended: commands stay in execution until it is resumed."""

    DEVICE = "uscst-waits-%d" % os.getpid()

    def setUp(self):
        super().setUp()


if __name__ == "__main__":
    rig.main()
