"""init.d/scst with the real daemon and scstadmin, in a directory of its own."""

import os
import signal
import unittest

import rig

CONFIG = """HANDLER vdisk_fileio {
	DEVICE disk1 {
		filename %s
	}
}

TARGET_DRIVER ib_srpt {
	TARGET %s {
		enabled 1
		rel_tgt_id 1

		LUN 0 disk1
	}
}
"""


class InitScript(unittest.TestCase):
    def setUp(self):
        self.before = rig.mountinfo()
        self.one = rig.Rig()
        self.addCleanup(self.one.__exit__, None, None, None)
        self.conf = self.one.path("scst.conf")
        self.options = f"--state {self.one.state} --listen 127.0.0.1:{self.one.port} --target {self.one.targets[0]}"

    def script(self, action, status=0, **environment):
        done = rig.run(["sh", rig.INIT_SCRIPT, action], env={
            **os.environ, "SCST_DEFAULTS": "/nonexistent", "SCST_CONF": self.conf, "SYSFS": self.one.tree, "USCSTD": rig.USCSTD,
            "PIDFILE": self.one.pid_file, "SCSTADMIN": rig.SCSTADMIN, "SCST_DAEMON_OPTIONS": self.options, **environment})
        self.assertEqual(done.returncode, status, (action, done))
        return done.stdout + done.stderr

    def write_conf(self, more=""):
        image = self.one.make_file("disk1.img", 4 * rig.MIB)
        with open(self.conf, "w") as file:
            file.write(CONFIG % (image, self.one.targets[0]) + more)

    def test_life(self):
        self.assertIn("Not running", self.script("status", 3))
        self.write_conf()
        self.assertIn("Loading and configuring SCST", self.script("start"))
        self.assertIn("OK", self.script("status"))
        self.assertIn("Already started", self.script("start"))
        self.assertEqual(self.one.initiator("verify", "--channels", "2", "--seed", "11")["exit"], 0)

        # As with the kernel's: what runs is written to the file that the next start takes.
        first = self.one.write_config()
        written = self.one.scstadmin("-write_config", self.conf)
        self.assertEqual(written.returncode, 0, written)
        pid = self.one.pid()
        self.script("reload")
        self.assertEqual(self.one.pid(), pid, "reload keeps the process")
        self.assertEqual(self.one.write_config(), first)

        self.script("restart")
        self.assertNotEqual(self.one.pid(), pid)
        self.assertEqual(self.one.write_config(), first)
        self.assertEqual(self.one.initiator("verify", "--seed", "11", "--read-only")["exit"], 0, "the data are still there")
        self.script("try-restart")
        self.script("force-reload")
        self.assertEqual(self.one.write_config(), first)

        self.assertIn("Stopping SCST", self.script("stop"))
        self.assertIn("Not running", self.script("status", 3))
        self.assertIn("Stopping SCST", self.script("stop"), "once more is fine")
        self.assertIsNone(self.one.pid())
        self.assertEqual(rig.mountinfo(), self.before)
        self.assertFalse(os.path.exists(self.one.pid_file))

    def test_reload_adds_and_keeps_sessions(self):
        self.write_conf()
        self.script("start")
        with self.one.held_session():
            second = self.one.make_file("disk2.img", rig.MIB)
            self.write_conf()
            text = rig.read_file(self.conf)
            text = text.replace("HANDLER vdisk_fileio {\n", "HANDLER vdisk_fileio {\n\tDEVICE disk2 {\n\t\tfilename %s\n\t}\n" % second)
            text = text.replace("\t\tLUN 0 disk1\n", "\t\tLUN 0 disk1\n\t\tLUN 1 disk2\n")
            with open(self.conf, "w") as file:
                file.write(text)
            self.script("reload")
            self.assertEqual(self.one.sessions(), ["127.0.0.1"], "the session stays")
            self.assertTrue(os.path.isdir(self.one.at(self.one.target_path("sessions/127.0.0.1/lun1"))))
        self.script("stop")

    def test_bad_configuration(self):
        with open(self.conf, "w") as file:
            file.write("TARGET_DRIVER ib_srpt {\n\tTARGET nowhere {\n\t\tHW_TARGET\n\t\tenabled 1\n\t}\n}\n")
        self.script("start", 1)
        self.script("status", 3)
        self.assertEqual(rig.mountinfo(), self.before)

    def test_daemon_that_cannot_start(self):
        self.write_conf()
        self.script("start", 5, SCST_DAEMON_OPTIONS="--nonsense")
        self.script("start", 5, USCSTD="/nonexistent/uscstd")
        self.assertEqual(rig.mountinfo(), self.before)

    def test_after_kill_9(self):
        self.write_conf()
        self.script("start")
        first = self.one.write_config()
        self.assertEqual(self.one.initiator("verify", "--seed", "12")["exit"], 0)
        for _ in range(3):
            os.kill(self.one.pid(), signal.SIGKILL)
            self.script("start")
            self.assertIn("OK", self.script("status"))
            self.assertEqual(self.one.write_config(), first)
            self.assertEqual(len(rig.mounts_at(self.one.tree)), 1)
        self.assertEqual(self.one.initiator("verify", "--seed", "12", "--read-only")["exit"], 0)
        self.script("stop")
        self.assertEqual(rig.mountinfo(), self.before)


if __name__ == "__main__":
    rig.main()
