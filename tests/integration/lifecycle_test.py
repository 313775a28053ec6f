"""Starting and stopping: exit statuses, who is told what and when, and that nothing is left behind."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import unittest

import rig


class Foreground(unittest.TestCase):
    def test_stop_leaves_nothing(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            before = rig.mountinfo()
            with rig.Rig() as one:
                one.start()
                self.assertEqual(one.pid(), one.process.pid)
                self.assertEqual([mount[2] for mount in rig.mounts_at(one.tree)], [one.tree])
                self.assertTrue(one.read("version").startswith("SCST version: 3."))
                one.add_disk("disk1")
                one.enable()
                self.assertEqual(one.initiator("inquiry")["inquiry"]["vendor"], "SCST_FIO")
                self.assertEqual(one.stop(how), 0)
                self.assertFalse(os.path.exists(one.pid_file))
                self.assertFalse(os.path.exists(one.tree), "the directory that it made")
                self.assertEqual(rig.mountinfo(), before)

    def test_directory_that_was_there_stays(self):
        with rig.Rig() as one:
            os.mkdir(one.tree)
            one.start()
            self.assertEqual(one.stop(), 0)
            self.assertEqual(os.listdir(one.tree), [])

    def test_stop_under_io(self):
        before = rig.mountinfo()
        with rig.Rig() as one:
            one.start()
            one.add_disk("disk1")
            one.enable()
            load = one.start_initiator("bench", "--seconds", "60", "--channels", "4", "--queue-depth", "16", "--read-percent", "50")
            rig.wait_until(lambda: len(one.sessions()) == 4, "four sessions")
            self.assertEqual(one.stop(), 0)
            self.assertEqual(load.wait(rig.PATIENCE_S), 6, "the initiator lost its connection")
            load.communicate()
            self.assertEqual(rig.mountinfo(), before)

    def test_stop_with_an_open_file(self):
        before = rig.mountinfo()
        with rig.Rig() as one:
            one.start()
            fd = os.open(one.at("version"), os.O_RDONLY)
            try:
                self.assertEqual(one.stop(), 0)
                self.assertEqual(rig.mountinfo(), before)
                with self.assertRaises(OSError):
                    os.read(fd, 100)
            finally:
                with contextlib.suppress(OSError):
                    os.close(fd)

    def test_state_is_kept(self):
        with rig.Rig() as one:
            one.targets = []
            one.start()
            names, login = sorted(one.listdir("targets/ib_srpt")), None
            ports = [name for name in names if os.path.isdir(one.at("targets/ib_srpt", name))]
            self.assertGreaterEqual(len(ports), 1)
            for name in ports:
                self.assertRegex(name, r"^[0-9a-f]{4}(:[0-9a-f]{4}){7}$")
            login = one.read("targets/ib_srpt", ports[0], "login_info")
            kept = rig.read_file(os.path.join(one.state, "ib_srpt.ports"))
            self.assertIn("service_guid", kept)
            self.assertEqual(one.stop(), 0)
            one.start()
            self.assertEqual(sorted(one.listdir("targets/ib_srpt")), names)
            self.assertEqual(one.read("targets/ib_srpt", ports[0], "login_info"), login)
            self.assertEqual(rig.read_file(os.path.join(one.state, "ib_srpt.ports")), kept)
            self.assertEqual(one.stop(), 0)
            # A name given out is kept even when the machine would now choose another.
            edited = re.sub(r"(?m)^service_guid .*$", "service_guid 00112233445566ff", kept)
            with open(os.path.join(one.state, "ib_srpt.ports"), "w") as file:
                file.write(edited)
            one.start()
            self.assertIn("ioc_guid=00112233445566ff", one.read("targets/ib_srpt", ports[0], "login_info"))


class Background(unittest.TestCase):
    def test_returns_when_ready(self):
        before = rig.mountinfo()
        with rig.Rig() as one:
            started = rig.run(one.command())
            self.assertEqual(started.returncode, 0, started)
            pid = one.pid()
            self.assertTrue(pid)
            self.assertTrue(one.read("version"))
            self.assertEqual(os.getsid(pid), pid, "a session of its own")
            self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
            os.kill(pid, signal.SIGTERM)
            rig.wait_until(lambda: not rig.alive(pid), "the daemon to end")
            self.assertFalse(os.path.exists(one.pid_file))
            self.assertEqual(rig.mountinfo(), before)

    def test_relative_paths(self):
        """They mean where it was started, though it goes on elsewhere."""
        with rig.Rig() as one:
            words = [word.replace(one.directory + "/", "") for word in one.command()]
            self.assertIn("tree", words)
            started = rig.run(words, cwd=one.directory)
            self.assertEqual(started.returncode, 0, started)
            self.assertTrue(one.read("version"))
            self.assertTrue(os.path.isdir(os.path.join(one.state, "pr")))
            pid = one.pid()
            os.kill(pid, signal.SIGTERM)
            rig.wait_until(lambda: not rig.alive(pid), "the daemon to end")
            self.assertFalse(os.path.exists(one.pid_file))

    def test_failure_is_told_to_the_caller(self):
        with rig.Rig() as one, socket.socket() as taken:
            taken.bind(("127.0.0.1", one.port))
            taken.listen()
            started = rig.run(one.command())
            self.assertEqual(started.returncode, 1, started)
            self.assertIn(f"cannot listen on 127.0.0.1 port {one.port}", started.stderr)
            self.assertEqual(rig.mounts_at(one.tree), [])
            self.assertFalse(os.path.exists(one.pid_file))

    def test_ready_descriptor(self):
        with rig.Rig() as one:
            ready, theirs = os.pipe()
            started = subprocess.run(one.command("--ready-fd", str(theirs)), pass_fds=[theirs], capture_output=True, timeout=60)
            os.close(theirs)
            self.assertEqual(started.returncode, 0, started)
            self.assertEqual(os.read(ready, 100), b"ready\n")
            self.assertEqual(os.read(ready, 100), b"", "closed once it is written")
            os.close(ready)


class Refusals(unittest.TestCase):
    def test_second_instance(self):
        with rig.Rig() as one:
            one.start()
            second = rig.run(one.command("--foreground"))
            self.assertEqual(second.returncode, 1)
            self.assertIn("another uscstd runs", second.stderr)
            # With a pid file of its own, the tree in use stops it.
            words = one.command("--foreground")
            words[words.index(one.pid_file)] = one.path("other-pid")
            second = rig.run(words)
            self.assertEqual(second.returncode, 1, second)
            self.assertIn("served by another daemon", second.stderr)
            self.assertFalse(os.path.exists(one.path("other-pid")))
            self.assertTrue(one.read("version"), "the first one goes on")
            self.assertEqual(one.pid(), one.process.pid)
            self.assertEqual(one.stop(), 0)

    def test_pid_file_of_a_dead_process(self):
        with rig.Rig() as one:
            with open(one.pid_file, "w") as file:
                file.write("1\n")  # alive, but it does not hold the lock
            one.start()
            self.assertEqual(one.pid(), one.process.pid)

    def test_wrong_command_lines(self):
        for words in (["--nonsense"], ["--listen", "127.0.0.1"], ["--listen", "127.0.0.1:99999"], ["--fabric", "carrier-pigeon"],
                      ["--module-option", "ib_srpt srp_max_req_size=10"], ["--target", "=1.2.3.4"]):
            done = rig.run([rig.USCSTD, *words])
            self.assertEqual(done.returncode, 2, (words, done))
            self.assertTrue(done.stderr.strip(), words)
            self.assertEqual(done.stdout, "")

    def test_what_only_prints(self):
        for words, text in ((["--version"], "uscstd "), (["--help"], "--sysfs"), (["--show-parameters"], "srp_max_req_size")):
            done = rig.run([rig.USCSTD, *words])
            self.assertEqual(done.returncode, 0, done)
            self.assertIn(text, done.stdout)

    def test_places_that_cannot_be_used(self):
        with rig.Rig() as one:
            for change, text in ((("tree", "/"), "directory"), (("tree", one.path("a/b")), one.path("a/b")), (("state", "/proc/nowhere"), "/proc/nowhere"), (("pid_file", one.path("c/pid")), one.path("c/pid"))):
                kept = getattr(one, change[0])
                setattr(one, *change)
                done = rig.run(one.command("--foreground"))
                setattr(one, change[0], kept)
                self.assertEqual(done.returncode, 1, (change, done))
                self.assertIn(text, done.stderr)
                self.assertNotIn("ready", done.stderr)


if __name__ == "__main__":
    rig.main()
