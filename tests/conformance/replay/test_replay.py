"""The runner's own parts: what it reads out of recordings, what it compares, what an allow-list may say."""

import os
import tempfile
import unittest

import allow_list
import compare
import recordings
import rules
import tree


def entry(**more):
    row = {"path": "devices/*/size", "field": "content", "class": "timing", "reason": "It is a test."}
    return allow_list.entry_of({**row, **more})


class Recordings(unittest.TestCase):
    def test_nodes(self):
        self.assertEqual(recordings.parse_node("d 0755 a/b nl=3"), ("a/b", recordings.Node("d", "0755", links=3)))
        self.assertEqual(recordings.parse_node("l 0777 a/b -> ../c"), ("a/b", recordings.Node("l", "0777", link="../c")))
        self.assertEqual(recordings.parse_node("f 0644 a sz=4096 = 'x = 1\\n'"), ("a", recordings.Node("f", "0644", size=4096, content="x = 1\n")))
        self.assertEqual(recordings.parse_node("f 0200 a sz=4096 = <write-only>"), ("a", recordings.Node("f", "0200", size=4096)))
        self.assertEqual(recordings.parse_node("f 0444 a sz=4096 = !EIO"), ("a", recordings.Node("f", "0444", size=4096, error="EIO")))
        with self.assertRaises(recordings.BadRecording):
            recordings.parse_node("x 0444 a")

    def test_needs(self):
        with tempfile.TemporaryDirectory() as place:
            def needs(text, name="a"):
                path = os.path.join(place, name + ".setup")
                with open(path, "w", encoding="ascii") as file:
                    file.write(text)
                return recordings.needs_of(path)
            self.assertTrue(needs("# one device\n").starting_state())
            self.assertTrue(needs("# one device\n").disk)
            core = needs("# modules scst and scst_vdisk only; no target driver, no SCSI disk\n")
            self.assertEqual((core.modules, core.disk), (("scst", "scst_vdisk"), False))
            self.assertEqual(needs("# modules scst, scst_vdisk, ib_srpt (one port); no SCSI disk\n").modules, ("scst", "scst_vdisk", "ib_srpt"))
            self.assertIn("iscsi_scst", needs("# all handlers, ib_srpt, iscsi-scst with its daemon running\n", "base").modules)
            self.assertIn("iscsi_scst", needs("# starting from base\necho \"1\" > x\n").modules)
            self.assertEqual(needs("! losetup -r /dev/loop1 x\n! losetup /dev/loop0 x\n").loops, ("loop0", "loop1"))

    def test_all_of_the_project(self):
        data = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
        found = recordings.find(data)
        self.assertGreater(len(found), 40)
        for one in found:
            if one.kind == "tree":
                self.assertGreater(len(recordings.dump_of(one)), 100, one.label)
                recordings.setup_of(one)
            else:
                self.assertEqual(len(recordings.operations_of(one)), len(recordings.outcomes_of(one)[0]), one.label)


class Comparing(unittest.TestCase):
    def differences(self, expected, actual, logged_in=False):
        return [(d.path, d.field) for d in compare.operation_differences(0, {"op": "write", "path": "p", **expected}, {"op": "write", "path": "p", **actual}, logged_in)]

    def test_outcomes(self):
        self.assertEqual(self.differences({"result": "OK"}, {"result": "OK", "slow_s": 9, "log": ["x"]}), [])
        self.assertEqual(self.differences({"result": "OK"}, {"result": "EIO"}), [("p", "result")])
        self.assertEqual(self.differences({"after": "1\n"}, {"after": {"err": "EIO"}}), [("p", "content")])
        self.assertEqual(self.differences({"n": 4096}, {}), [("p", "n")])
        self.assertEqual(self.differences({"names": ["a", "b"]}, {"names": ["b", "a"]}), [("p", "order")])
        self.assertEqual(self.differences({"names": ["a"]}, {"names": ["a", "b"]}), [("p/b", "present")])
        self.assertEqual(self.differences({"stat": {"size": 0, "mode": "0644"}}, {"stat": {"size": 1, "mode": "0644"}}), [("p", "size")])

    def test_changes(self):
        added = {"diff": {"added": {"a": "f 0644 = '1\\n'", "l": "l -> ../x"}}}
        self.assertEqual(self.differences(added, added), [])
        self.assertEqual(self.differences(added, {"diff": {"added": {"a": "f 0444 = '1\\n'", "l": "l -> ../y"}}}), [("a", "mode"), ("l", "link")])
        self.assertEqual(self.differences(added, {}), [("a", "added"), ("l", "added")])
        self.assertEqual(self.differences({"diff": {"removed": ["a"]}}, {}), [("a", "removed")])
        self.assertEqual(self.differences({"diff": {"changed": {"a": ["f 0644 = '1'", "f 0644 = '2'"]}}}, {}), [("a", "changed")])

    def test_what_moves(self):
        self.assertEqual(rules.comparable("a/thread_pid", "17\n", False), rules.comparable("a/thread_pid", "4\n", False))
        self.assertNotEqual(rules.comparable("a/thread_pid", "17\n", False), rules.comparable("a/thread_pid", "", False))
        counter = "targets/ib_srpt/t/read_cmd_count"
        self.assertNotEqual(rules.comparable(counter, "1\n", False), rules.comparable(counter, "0\n", False))
        self.assertEqual(rules.comparable(counter, "1\n", True), rules.comparable(counter, "0\n", True))
        self.assertEqual(rules.comparable("sgv/a/stats", "sgv-4K   1  0\n", False), rules.comparable("sgv/a/stats", "sgv-4K   10 22\n", False))
        self.assertNotEqual(rules.comparable("sgv/a/stats", "sgv-4K   1  0\n", False), rules.comparable("sgv/a/stats", "sgv-8K   1  0\n", False))
        self.assertTrue(rules.left_out("devices/1:0:0:0/type") and not rules.left_out("devices/0:0:0:0"))

    def test_trees(self):
        expected = dict([recordings.parse_node("d 0755 devices nl=4"), recordings.parse_node("d 0755 devices/n1 nl=2")])
        self.assertEqual(compare.tree_differences(expected, ["d 0755 devices nl=3", "d 0755 devices/n1 nl=2"], True), (2, []))
        count, found = compare.tree_differences(expected, ["d 0755 devices nl=3", "f 0644 devices/n2 sz=4096 = ''"], True)
        self.assertEqual((count, [(d.path, d.field) for d in found]), (2, [("devices/n1", "present"), ("devices/n2", "present")]))

    def test_changes_between_looks(self):
        self.assertEqual(tree.difference({"a": "d 0755", "a/b": "f 0644 = '1'", "c": "f 0644 = '1'"}, {"c": "f 0644 = '2'", "d": "d 0755"}),
                         {"added": {"d": "d 0755"}, "removed": ["a"], "changed": {"c": ["f 0644 = '1'", "f 0644 = '2'"]}})


class AllowList(unittest.TestCase):
    def test_refused(self):
        for bad in ({"path": "**"}, {"path": "devices/**/size"}, {"path": "devices/*"}, {"path": "*"}, {"path": "/devices/a"}, {"field": "everything"},
                    {"class": "laziness"}, {"reason": "no sentence"}, {"more": 1}):
            with self.assertRaises(allow_list.BadAllowList, msg=str(bad)):
                entry(**bad)

    def test_covers(self):
        difference = compare.Difference("devices/n1/size", "content", "5 x\n", "5 y\n", 3, "write this")
        self.assertTrue(entry().covers("r", difference))
        self.assertTrue(entry(match="[xy]").covers("r", difference))
        self.assertFalse(entry(match="5").covers("r", difference))
        self.assertTrue(entry(data="this$").covers("r", difference))
        self.assertFalse(entry(data="^this").covers("r", difference))
        self.assertFalse(entry(expected="y").covers("r", difference))
        self.assertFalse(entry(recording="other").covers("r", difference))
        self.assertFalse(entry(path="devices/*/size_mb").covers("r", difference))
        self.assertFalse(entry(path="*/size").covers("r", difference))

    def test_at_most_forty(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            for number in range(allow_list.MOST_ENTRIES + 1):
                file.write(f'[[difference]]\npath = "a{number}"\nfield = "content"\nclass = "timing"\nreason = "A test."\n')
            file.flush()
            with self.assertRaises(allow_list.BadAllowList):
                allow_list.load(file.name)


if __name__ == "__main__":
    unittest.main()
