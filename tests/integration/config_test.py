"""A configuration through scstadmin and back: ours always, the stock one when SCST_SOURCE names a checkout of SCST, and the
Perl client that uses the tree as SCST.pm does."""

import os
import shutil
import subprocess
import unittest

import rig

EXAMPLE = os.path.join(rig.SOURCE, "tests/conformance/data/scstadmin/srpt-masking.conf")
PERL_CLIENT = os.path.join(rig.SOURCE, "tests/conformance/perl-client/tree-client.pl")


def masking_example(one):
    """The LUN masking example of SCST's srpt README, its files made."""
    for name in ("a.img", "b.img", "c.img"):
        one.make_file(name, rig.MIB)
    path = one.path("masking.conf")
    with open(path, "w") as file:
        file.write(rig.read_file(EXAMPLE).replace("{DIR}", one.directory).replace("{TGT}", one.targets[0]))
    return path


class Own(unittest.TestCase):
    def test_round_trip(self):
        with rig.Rig() as one:
            one.start()
            example = masking_example(one)
            one.apply_config(example)
            first = one.write_config()
            for words in ("DEVICE disk01", "LUN 0 disk03", "INITIATOR fe80:0000:0000:0000:0002:c903:0005:f34c", "enabled 1",
                          "GROUP grp1", "rel_tgt_id 1"):
                self.assertIn(words, first)
            kept = one.path("kept.conf")
            with open(kept, "w") as file:
                file.write(first)
            cleared = one.scstadmin("-clear_config", "-force", "-noprompt")
            self.assertEqual(cleared.returncode, 0, cleared)
            self.assertEqual(one.listdir("devices"), [])
            self.assertEqual(one.listdir(one.target_path("ini_groups")), ["mgmt"])
            self.assertEqual(one.read(one.target_path("enabled")), "0\n")
            one.apply_config(kept)
            self.assertEqual(rig.without_copy_manager(one.write_config()), rig.without_copy_manager(first))
            self.assertIn("0 change(s) made", one.apply_config(kept), "nothing is left to change")

    def test_check_and_list(self):
        with rig.Rig() as one:
            one.start()
            one.apply_config(masking_example(one))
            for words, text in ((["-check_config", one.path("masking.conf")], "0 warnings"), (["-list_target"], one.targets[0]),
                                (["-list_device"], "disk02"), (["-list_group"], "grp2"), (["-list_handler"], "vdisk_blockio")):
                done = one.scstadmin(*words)
                self.assertEqual(done.returncode, 0, done)
                self.assertIn(text, done.stdout)
            with one.held_session(source="127.0.0.9"):
                done = one.scstadmin("-list_sessions")
                self.assertEqual(done.returncode, 0, done)
                self.assertIn("127.0.0.9", done.stdout)

    def test_bad_configurations_change_nothing(self):
        with rig.Rig() as one:
            one.start()
            before = one.write_config()
            path = one.path("bad.conf")
            with open(path, "w") as file:
                file.write("TARGET_DRIVER ib_srpt {\n\tTARGET nowhere {\n\t\tHW_TARGET\n\t\tenabled 1\n\t}\n}\n")
            self.assertNotEqual(one.scstadmin("-config", path).returncode, 0)
            self.assertEqual(one.write_config(), before)


class PerlClient(unittest.TestCase):
    def test_against_the_daemon(self):
        if not shutil.which("perl"):
            self.skipTest("there is no perl")
        with rig.Rig() as one:
            one.start()
            done = rig.run(["perl", PERL_CLIENT, "--root", one.tree, "--driver", "ib_srpt", "--target", one.targets[0]])
            failed = [line for line in done.stdout.splitlines() if line.startswith(("not ok", "#"))]
            self.assertEqual((done.returncode, failed, done.stderr), (0, [], ""))


class Stock(unittest.TestCase):
    """Needs the tree where the stock tool looks for it, so the default mount."""

    def setUp(self):
        source = os.environ.get("SCST_SOURCE")
        if not source:
            self.skipTest("SCST_SOURCE is not set: no stock scstadmin")
        self.program = os.path.join(source, "scstadmin/scstadmin.sysfs/scstadmin")
        self.library = os.path.join(source, "scstadmin/scstadmin.sysfs/scst-1.0.0/lib")
        if not os.path.exists(self.program):
            self.skipTest(f"there is no {self.program}")

    def stock(self, *words):
        done = rig.run(["perl", "-I", self.library, self.program, *words])
        self.assertEqual(done.returncode, 0, (words, done))
        self.assertNotIn("FATAL", done.stdout + done.stderr)
        return done.stdout

    def written(self, one, name):
        self.stock("-write_config", one.path(name))
        return rig.read_file(one.path(name))

    def test_round_trip(self):
        with rig.Rig(tree=rig.DEFAULT_TREE) as one:
            one.start()
            example = masking_example(one)
            self.stock("-config", example)
            first = self.written(one, "first.conf")
            self.assertIn("INITIATOR fe80:0000:0000:0000:0002:c903:0005:f34b", first)
            self.assertIn(one.targets[0], self.stock("-list_target"))
            with one.held_session("--channels", "2", source="127.0.0.9"):
                sessions = self.stock("-list_sessions")
                self.assertIn("127.0.0.9", sessions)
                self.assertIn("127.0.0.9_1", sessions)
            self.assertEqual(one.write_config(), first, "ours writes what the stock one writes")
            self.stock("-clear_config", "-force", "-noprompt")
            self.assertEqual(one.listdir("devices"), [])
            self.stock("-config", one.path("first.conf"))
            self.assertEqual(self.written(one, "second.conf"), first)
            self.stock("-config", one.path("first.conf"), "-force", "-noprompt")
            self.assertEqual(self.written(one, "third.conf"), first)
            self.stock("-clear_config", "-force", "-noprompt")
            self.assertEqual(one.stop(), 0)


if __name__ == "__main__":
    rig.main()
