"""scst_local: its LUNs through the control socket on the target host itself, while an SRP initiator works too."""

import os
import signal
import subprocess
import unittest

import rig

LOCAL = "targets/scst_local"


class Local(unittest.TestCase):
    def setUp(self):
        self.one = self.enterContext(rig.Rig())
        self.one.start()
        self.socket = self.one.path("pid.sock")

    def two_luns(self):
        for name in ("d0", "d1"):
            path = self.one.make_file(name + ".img", 8 * rig.MIB)
            self.one.write(f"add_device {name} filename={path}", "handlers/vdisk_fileio/mgmt")
        self.one.write("add_target loc session_name=here\n", LOCAL, "mgmt")
        for number, name in enumerate(("d0", "d1")):
            self.one.write(f"add {name} {number}", LOCAL, "loc/luns/mgmt")

    def command(self, where, action, *words):
        return [rig.INITIATOR, "--control", self.socket, "--local", where, action, *words]

    def local(self, where, action, *words, status=0):
        done = rig.run(self.command(where, action, *words))
        self.assertEqual(done.returncode, status, done)
        return done.stdout + done.stderr

    def sessions(self):
        return sorted(self.one.listdir(LOCAL, "loc/sessions"))

    def count(self, name, session="here"):
        return int(self.one.read(LOCAL, "loc/sessions", session, name).split()[0])

    def test_two_luns_while_an_srp_session_runs(self):
        self.two_luns()
        self.one.write("add d1 0", self.one.target_path("luns/mgmt"))
        self.one.enable()
        self.assertRegex(self.local("loc/here", "luns"), r"LUN +0 .*d0[^\n]*\nLUN +1 .*d1")
        self.assertIn("16384 blocks of 512 bytes", self.local("loc", "capacity", "--lun", "1"))
        self.assertIn('"d1"', self.local("loc/here", "inquiry", "--lun", "1"))
        srp = self.one.start_initiator("verify", "--lba", "8192", "--blocks", "8192", "--seed", "5")
        self.assertIn("16384 blocks of 512 bytes verified", self.local("loc/here", "verify", "--seed", "3", "--queue-depth", "16"))
        self.assertIn("verified", self.local("loc/here", "verify", "--lun", "1", "--blocks", "8192", "--seed", "4"))
        out, err = srp.communicate(timeout=rig.PATIENCE_S)
        self.assertEqual(srp.returncode, 0, out + err)
        # Each sees what the other wrote: one disk.
        self.assertIn("verified", self.local("loc", "verify", "--lun", "1", "--lba", "8192", "--blocks", "8192", "--seed", "5", "--read-only"))
        self.assertEqual(self.one.initiator("verify", "--blocks", "8192", "--seed", "4", "--read-only")["exit"], 0)
        data = self.one.path("data")
        with open(data, "wb") as file:
            file.write(os.urandom(100 * 512))
        self.local("loc/here", "write", "--lba", "7", "--file", data, "--fua")
        self.local("loc/here", "read", "--lba", "7", "--blocks", "100", "--file", data + ".back")
        with open(data, "rb") as there, open(data + ".back", "rb") as back:
            self.assertEqual(there.read(), back.read())
        self.assertGreater(self.count("write_io_count_kb"), 8192)
        self.assertEqual(self.sessions(), ["here"], "sessions of connections end with them")
        self.local("loc/here", "reset", "--lun", "1")
        self.assertEqual(self.one.read(LOCAL, "stats"), "Aborts: 0, Device Resets: 1, Target Resets: 0\n")

    def test_a_client_killed_mid_command_leaves_nothing(self):
        self.two_luns()
        descriptors = lambda: len(os.listdir(f"/proc/{self.one.process.pid}/fd"))
        self.local("loc/here", "luns")
        before = descriptors()
        self.one.write("1", "devices/d1/block")
        for where, session in (("loc/here", "here"), ("loc/own", "own")):
            client = subprocess.Popen(self.command(where, "verify", "--lun", "1", "--queue-depth", "8"),
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            rig.wait_until(lambda: session in self.sessions() and self.count("commands", session) > 0, "a held command")
            client.send_signal(signal.SIGKILL)
            client.wait()
            rig.wait_until(lambda: self.sessions() == ["here"] and self.count("commands") == 0, "nothing to be left")
        self.assertIn("blocks", self.local("loc/here", "capacity"), "the other LUN answers meanwhile")
        self.local("loc/here", "read", "--lun", "1", "--blocks", "1", "--file", "/dev/null", "--timeout", "0.5", status=6)
        self.one.write("0", "devices/d1/block")
        self.local("loc/here", "verify", "--lun", "1", "--blocks", "100")
        rig.wait_until(lambda: descriptors() == before, "all descriptors to be closed")

    def test_groups_hold_for_whom_one_says_to_be(self):
        self.two_luns()
        self.one.write("create g", LOCAL, "loc/ini_groups/mgmt")
        self.one.write("add d1 5", LOCAL, "loc/ini_groups/g/luns/mgmt")
        self.one.write("add host*", LOCAL, "loc/ini_groups/g/initiators/mgmt")
        self.assertRegex(self.local("loc/hostA", "luns"), r"^LUN +5 .*d1[^\n]*\n$")
        self.assertIn("LUN     0", self.local("loc/other", "luns"))

    def test_what_is_refused(self):
        self.assertIn("no target", self.local("nosuch", "luns", status=4))
        self.assertEqual(os.stat(self.socket).st_mode & 0o7777, 0o600)
        self.assertEqual(self.one.write_error("add_target t session_name=a;bad=1\n", LOCAL, "mgmt"), rig.errno.EINVAL)
        self.assertNotIn("t", self.one.listdir(LOCAL))
        os.chmod(self.one.directory, 0o755)
        done = rig.run(self.command("nosuch", "luns"), user=65534)
        self.assertEqual(done.returncode, 3, done)
        self.assertIn("Permission denied", done.stderr)

    def test_a_target_goes_under_its_clients(self):
        self.two_luns()
        clients = [subprocess.Popen(self.command(where, "bench", "--seconds", "60"), stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True) for where in ("loc/here", "loc/own")]
        rig.wait_until(lambda: len(self.sessions()) == 2 and self.count("read_cmd_count", "own") > 100, "traffic")
        self.one.write("del_target loc\n", LOCAL, "mgmt")
        self.assertNotIn("loc", self.one.listdir(LOCAL))
        for client in clients:
            err = client.communicate(timeout=rig.PATIENCE_S)[1]
            self.assertEqual(client.returncode, 6, err)
        links = [os.readlink(self.one.at("devices/d0/exported", name)) for name in self.one.listdir("devices/d0/exported")]
        self.assertEqual([link for link in links if "scst_local" in link], [])

    def test_the_daemon_stops_with_a_client_connected(self):
        self.two_luns()
        client = subprocess.Popen(self.command("loc/here", "hold"), stderr=subprocess.PIPE, text=True)
        self.assertIn("holding", client.stderr.readline())
        self.assertEqual(self.one.stop(), 0)
        self.assertFalse(os.path.exists(self.socket))
        client.terminate()
        client.communicate()

    def test_a_transport_id_is_bytes(self):
        self.two_luns()
        path = self.one.at(LOCAL, "loc/sessions/here/transport_id")
        with open(path, "rb") as file:
            first = file.read()
        self.assertEqual(first[:8].hex(), "060000005feede40")
        self.assertEqual(len(first), 24)
        fd = os.open(path, os.O_WRONLY)
        os.write(fd, first[::-1])
        os.close(fd)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), first[::-1])


class Module(unittest.TestCase):
    def test_the_default_target(self):
        with rig.Rig(extra=["--module-option", "scst_local add_default_tgt=1"]) as one:
            one.start()
            self.assertEqual(one.listdir(LOCAL, "scst_local_tgt/sessions"), ["scst_local_host"])

    def test_a_killed_daemons_socket_is_no_obstacle(self):
        with rig.Rig() as one:
            one.start()
            one.kill()
            self.assertTrue(os.path.exists(one.path("pid.sock")))
            one.unmount()
            one.start()
            done = rig.run([rig.INITIATOR, "--control", one.path("pid.sock"), "--local", "x", "luns"])
            self.assertEqual(done.returncode, 4, done)


if __name__ == "__main__":
    rig.main()
