"""kill -9 at every step of mounting, then a start as if nothing had been: /sys/kernel is as it was or shadowed once, never
twice, and after the stop the mounts are what they were."""

import os
import signal
import subprocess
import unittest

import rig

KERNEL = "/sys/kernel"


def mount(*words):
    subprocess.run(["mount", *words], check=True, capture_output=True)


class Steps(unittest.TestCase):
    def setUp(self):
        self.before = rig.mountinfo()

    def crash_at_every_step(self, one, check_crashed):
        """Kills before step 1, 2, ... until there is none left; returns how many there were."""
        step = 0
        while True:
            step += 1
            with self.subTest(step=step):
                status = one.start_unready({"USCST_CRASH_AT": f"mount:{step}"})
                if status is None:
                    self.assertEqual(one.stop(), 0)
                    self.assertEqual(rig.mountinfo(), self.before)
                    return step - 1
                self.assertEqual(status, -signal.SIGKILL, one.log()[-500:])
                check_crashed(step)
                one.start()
                self.assertTrue(one.read("version"))
                self.assertEqual(len([m for m in rig.mountinfo() if "uscst-stage" in m[3]]), 0)
                check_crashed(0)
                self.assertEqual(one.stop(), 0)
                self.assertEqual(rig.mountinfo(), self.before)
            self.assertLess(step, 100)

    def test_private_directory(self):
        with rig.Rig() as one:
            def check(step):
                self.assertLessEqual(len(rig.mounts_at(one.tree)), 1)

            self.assertGreaterEqual(self.crash_at_every_step(one, check), 3)

    def shadow(self):
        if os.path.ismount(rig.DEFAULT_TREE) or os.path.exists(rig.DEFAULT_TREE):
            self.skipTest("there is a /sys/kernel/scst_tgt already")
        return rig.Rig(tree=rig.DEFAULT_TREE)

    def test_default_directory(self):
        names = os.listdir(KERNEL)
        # Something below /sys/kernel, as systemd has it: a mount, and one inside it.
        mount("-t", "tmpfs", "first", "/sys/kernel/debug")
        os.mkdir("/sys/kernel/debug/inner")
        mount("-t", "tmpfs", "second", "/sys/kernel/debug/inner")
        try:
            self.before = rig.mountinfo()
            with self.shadow() as one:
                def check(step):
                    self.assertLessEqual(len(rig.mounts_at(KERNEL)), 1)
                    shown = sorted(set(os.listdir(KERNEL)) - {"scst_tgt"})
                    self.assertEqual(shown, sorted(names))
                    self.assertEqual(os.listdir("/sys/kernel/debug"), ["inner"])

                self.assertGreaterEqual(self.crash_at_every_step(one, check), 10 + len(names))
        finally:
            subprocess.run(["umount", "/sys/kernel/debug/inner"], check=False)
            subprocess.run(["umount", "/sys/kernel/debug"], check=False)
        self.assertFalse(os.path.exists("/run/uscst-stage"))

    def test_killed_while_serving(self):
        with self.shadow() as one:
            for _ in range(3):
                one.start()
                one.add_disk("disk1")
                one.enable()
                one.kill()
                self.assertEqual(len(rig.mounts_at(KERNEL)), 1)
            one.start()
            self.assertEqual(len(rig.mounts_at(KERNEL)), 1, "shadowed once")
            self.assertEqual(one.listdir("devices"), [])
            self.assertTrue(rig.read_file("/sys/kernel/vmcoreinfo"), "the neighbours still answer")
            self.assertEqual(one.stop(), 0)
        self.assertEqual(rig.mountinfo(), self.before)

    def test_what_others_mount_meanwhile_stays(self):
        with self.shadow() as one:
            one.start()
            mount("-t", "tmpfs", "meanwhile", "/sys/kernel/debug")
            try:
                with open("/sys/kernel/debug/file", "w") as file:
                    file.write("kept")
                self.assertEqual(one.stop(), 0)
                self.assertEqual(rig.read_file("/sys/kernel/debug/file"), "kept")
            finally:
                subprocess.run(["umount", "/sys/kernel/debug"], check=False)
        self.assertEqual(rig.mountinfo(), self.before)


if __name__ == "__main__":
    rig.main()
