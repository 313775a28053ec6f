"""Without CAP_SYS_ADMIN, as in a container: what works, and what the refusal says."""

import os
import shutil
import subprocess
import unittest

import rig

# Not even a setuid helper gets the capability back.
WITHOUT_SYS_ADMIN = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]


class Unprivileged(unittest.TestCase):
    def setUp(self):
        if not shutil.which("setpriv"):
            self.skipTest("setpriv (package util-linux) is not installed")
        probe = rig.run([*WITHOUT_SYS_ADMIN, "unshare", "-Um", "true"])
        self.namespaces = probe.returncode == 0
        self.why_not = probe.stderr.strip()

    def refused(self, tree=None):
        with rig.Rig(tree=tree) as target:
            if tree is None:
                os.makedirs(target.tree)
            return rig.run([*WITHOUT_SYS_ADMIN, *target.command("--foreground")])

    def test_the_default_tree_is_refused_with_what_to_use_instead(self):
        done = self.refused(rig.DEFAULT_TREE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CAP_SYS_ADMIN", done.stderr)
        self.assertIn("--sysfs DIR", done.stderr)

    def test_a_directory_is_refused_with_what_to_use_instead(self):
        done = self.refused()
        self.assertEqual(done.returncode, 1)
        self.assertIn("CAP_SYS_ADMIN", done.stderr)
        self.assertIn("--private-mount", done.stderr)

    def test_a_private_mount_serves(self):
        if not self.namespaces:
            self.skipTest(f"no user namespace: {self.why_not}")
        with rig.Rig() as target:
            os.makedirs(target.tree, exist_ok=True)
            command = [*WITHOUT_SYS_ADMIN, *target.command("--foreground", "--private-mount")]
            with open(target.log_path, "a") as log:
                target.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            rig.wait_until(lambda: "ready" in target.log(), "uscstd to be ready")
            inside = ["nsenter", "-t", str(target.pid()), "-U", "-m", "--preserve-credentials", "sh", "-ec"]
            port = f"{target.tree}/targets/ib_srpt/{rig.TARGET}"
            script = (f"echo 'add_device null1 size_mb=16' >{target.tree}/handlers/vdisk_nullio/mgmt; "
                      f"echo 'add null1 0' >{port}/luns/mgmt; echo 1 >{port}/enabled; cat {port}/login_info")
            done = rig.run([*inside, script])
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            guid = done.stdout.split("ioc_guid=")[1][:16]
            luns = rig.run([rig.INITIATOR, "luns", "--dest", f"127.0.0.1:{target.port}", "--id-ext", guid, "--ioc-guid", guid])
            self.assertIn("null1", luns.stdout)
            self.assertEqual(rig.mounts_at(target.tree), [])  # nobody outside sees it
            self.assertEqual(target.stop(), 0)


if __name__ == "__main__":
    rig.main()
