"""Modules loaded and unloaded while the service runs, as scripts do it with modprobe."""

import os
import subprocess
import unittest

import rig

MODPROBE = os.path.join(rig.BIN, "uscst-modprobe")


class Modules(unittest.TestCase):
    def start(self, *options):
        self.one = rig.Rig(extra=["--scsi-host", "sim:0:0:0:0", *options])
        self.addCleanup(self.one.__exit__, None, None, None)
        self.control = self.one.path("control.sock")
        self.one.extra += ["--control", self.control]
        return self.one.start()

    def modprobe(self, *words, environment=None):
        return rig.run([MODPROBE, "--control", self.control, *words], env={**os.environ, **(environment or {})})

    def load(self, *words):
        done = self.modprobe(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def listed(self):
        return dict(line.split() for line in self.load("--list").splitlines())

    def test_all_are_there_when_nothing_is_said(self):
        self.start()
        self.assertEqual(set(self.listed().values()), {"loaded"})
        self.assertEqual(set(self.one.listdir("targets")), {"copy_manager", "ib_srpt", "scst_local"})
        self.assertNotIn("scst_local_tgt", self.one.listdir("targets/scst_local"))

    def test_only_those_named(self):
        self.start("--modules", "scst,scst-vdisk")
        self.assertEqual(set(self.one.listdir("handlers")), {"vcdrom", "vdisk_blockio", "vdisk_fileio", "vdisk_nullio"})
        self.assertEqual(self.one.listdir("targets"), ["copy_manager"])
        self.load("scst_local")
        self.assertIn("scst_local_host", self.one.listdir("targets/scst_local/scst_local_tgt/sessions"))
        self.load("-r", "scst_local")
        self.load("scst_local", "add_default_tgt=0")
        self.assertEqual(set(self.one.listdir("targets/scst_local")), {"mgmt", "stats", "trace_level", "version"})

    def test_a_handler_takes_its_devices_along(self):
        self.start()
        self.one.add_disk("disk", lun=3)
        self.one.write("add_device null", "handlers/vdisk_nullio/mgmt")
        self.one.enable()
        with self.one.held_session():
            self.load("-r", "scst_vdisk")
            self.assertEqual(self.one.listdir("devices"), ["0:0:0:0"])
            self.assertEqual(self.one.listdir(self.one.target_path("luns")), ["mgmt"])
            self.assertEqual(len(self.one.sessions()), 1)
        self.assertNotIn("vdisk_fileio", self.one.listdir("handlers"))
        self.load("scst_vdisk", "num_threads=5")
        self.one.add_disk("disk", lun=3)
        self.assertEqual(self.one.read("devices/disk/threads_num"), "5\n")
        self.assertEqual(self.one.initiator("verify", "--lun", "3")["exit"], 0)

    def test_scsi_devices_stay_without_their_handler(self):
        self.start()
        self.one.write("add_device 0:0:0:0", "handlers/dev_disk/mgmt")
        self.load("-r", "scst_disk")
        self.assertNotIn("handler", self.one.listdir("devices/0:0:0:0"))
        self.load("scst_disk")
        self.one.write("add_device 0:0:0:0", "handlers/dev_disk/mgmt")

    def test_a_driver_takes_its_sessions_along(self):
        self.start()
        self.one.add_disk("disk")
        self.one.enable()
        with self.one.held_session():
            self.load("-r", "ib_srpt")
            self.assertNotIn("ib_srpt", self.one.listdir("targets"))
        self.assertEqual(os.listdir(self.one.at("devices/disk/exported")), ["export0"], "the copy manager's")
        self.load("ib_srpt")
        self.assertEqual(self.one.read(self.one.target_path("enabled")), "0\n")
        self.one.write("add disk 0", self.one.target_path("luns/mgmt"))
        self.one.enable()
        self.assertEqual(self.one.initiator("verify")["exit"], 0)

    def test_what_is_refused(self):
        self.start()
        for words, text in ((["iscsi_scst"], "none of this name"), (["-r", "scst"], "other modules use it"),
                            (["scst_vdisk", "-r", "-q"], None)):
            done = self.modprobe(*words)
            if text is None:
                self.assertEqual(done.returncode, 0)
                continue
            self.assertEqual(done.returncode, 1)
            self.assertIn(text, done.stderr)
        done = self.modprobe("ib_srpt", "srp_max_req_size=1")
        self.assertEqual(done.returncode, 0, "loaded already: nothing is changed")
        self.load("-r", "ib_srpt")
        done = self.modprobe("ib_srpt", "srp_max_req_size=1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("srp_max_req_size", done.stderr)
        self.assertNotIn("ib_srpt", self.one.listdir("targets"))

    def test_the_service_comes_with_the_first_module_and_goes_with_the_last(self):
        self.start("--modules", "scst")
        self.load("-r", "scst")
        self.assertEqual(self.one.process.wait(rig.PATIENCE_S), 0)
        self.one.process = None
        self.assertEqual(self.modprobe("-r", "scst").returncode, 0)
        self.assertEqual(self.modprobe("--list").returncode, 1)
        options = f"--sysfs {self.one.tree} --state {self.one.state} --pid-file {self.one.pid_file} --listen 127.0.0.1:{self.one.port}"
        defaults = self.one.path("defaults")
        with open(defaults, "w") as file:
            file.write(f'SCST_DAEMON_OPTIONS="{options}"\nUSCSTD={rig.USCSTD}\n')
        done = self.modprobe("scst_local", "add_default_tgt=0", environment={"SCST_DEFAULTS": defaults})
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(set(self.one.listdir("targets")), {"copy_manager", "scst_local"})
        self.assertEqual(set(self.one.listdir("targets/scst_local")), {"mgmt", "stats", "trace_level", "version"})
        self.load("-r", "scst_local")
        self.load("-r", "scst")
        rig.wait_until(lambda: not rig.mounts_at(self.one.tree), "the service to end")


if __name__ == "__main__":
    rig.main()
