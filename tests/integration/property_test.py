"""Random management commands, valid and invalid, against a model of the tree (tree_model.py), while an initiator verifies data
on a LUN that they leave alone. Every command must end with the errno that the model says; at every checkpoint the whole tree
must be what the model says, every link must lead somewhere, and exported/ and luns/ must agree.

USCST_OPERATIONS says how many commands (default 100000), USCST_SEED which (default: by chance; printed).
"""

import errno
import os
import random
import threading
import time
import unittest

import rig
import tree_model

STEADY = "127.0.0.9"
VISITORS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
NAMES = ("a", "b", "c", "d", "e")
PATTERNS = ("host*", "h?st1", "!host*", "HOSTA", "127.0.0.*", "127.0.0.2", "other", "x!y", "*")
HOSTS = ("hostA", "host1", "other", "xz")
LUNS = (0, 1, 2, 7, 255, 256, 16383)
CHECK_EVERY = 1000
VISIT_EVERY = 2500


class Traffic(threading.Thread):
    """Verifies one LUN again and again until told to stop."""

    def __init__(self, one):
        super().__init__()
        self.one, self.rounds, self.failure, self.stopping = one, 0, None, threading.Event()

    def run(self):
        while not self.stopping.is_set() and self.failure is None:
            answer = self.one.initiator("verify", "--seed", str(self.rounds), source=STEADY)
            if answer["exit"] != 0:
                self.failure = answer
            self.rounds += 1

    def end(self):
        self.stopping.set()
        self.join()


class Commands:
    """Makes the next command: mostly one that may succeed, now and then one that may not."""

    def __init__(self, model, seed):
        self.model, self.random = model, random.Random(seed)
        self.kinds = [(15, self.device), (35, self.lun), (8, self.group), (15, self.initiator), (4, self.target), (8, self.session),
                      (10, self.device_group), (5, self.garbage), (10, self.attribute)]

    def next(self):
        weights = [weight for weight, _ in self.kinds]
        while True:
            kind = self.random.choices(self.kinds, weights)[0][1]
            operation = kind()
            if operation:
                return operation

    def one_of(self, things):
        things = list(things)
        return self.random.choice(things) if things else None

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def device_name(self):
        return self.one_of([*(f"disk{i}" for i in range(12)), *(["no.dot", "a/b", "mgmt", "y" * 65] if self.chance(5) else [])])

    def device(self):
        handler, name = "vdisk_nullio", self.device_name()
        if self.chance(60):
            parameters = self.one_of(("size_mb=8", "size_mb=1; blocksize=4096", "dummy=1", "read_only=1;size_mb=2", ""))
            bad = self.chance(10)
            return self.model.add_device(handler, name, "nonsense=1" if bad else parameters, bad)
        return self.model.del_device(handler, name)

    def some_group(self, with_default=True):
        target = self.one_of(self.model.targets())
        names = [g for g in target.groups if (target.name, g) not in self.model.untouchable_groups]
        if with_default:
            names.append("")
        return target, self.one_of(names)

    def lun(self):
        target, group = self.some_group()
        if group is None:
            return None
        lun = self.one_of(LUNS) if self.chance(95) else self.one_of((16384, -1, "0x", "one"))
        what = self.random.randrange(10)
        if what < 5:
            return self.model.add_lun(target, group, self.device_name(), lun, self.one_of((None, None, 0, 1)))
        if what < 7:
            return self.model.add_lun(target, group, self.device_name(), lun, self.one_of((None, 1)),
                                      self.one_of(("replace", "replace_no_ua")))
        return self.model.clear_luns(target, group) if what == 9 and self.chance(20) else self.model.del_lun(target, group, lun)

    def group(self):
        target = self.one_of(self.model.targets())
        name = self.one_of(NAMES)
        return self.model.create_group(target, name) if self.chance(60) else self.model.del_group(target, name)

    def initiator(self):
        target, group = self.some_group(with_default=False)
        if group is None:
            return None
        pattern, what = self.one_of(PATTERNS), self.random.randrange(10)
        if what < 5:
            return self.model.add_initiator(target, group, pattern)
        if what < 7:
            return self.model.del_initiator(target, group, pattern)
        if what < 9:
            return self.model.move_initiator(target, group, pattern, self.one_of(NAMES))
        return self.model.clear_initiators(target, group)

    def target(self):
        name = self.one_of(("loc1", "loc2", "loc3"))
        return self.model.add_target(name, self.one_of((None, *HOSTS))) if self.chance(70) else self.model.del_target(name)

    def session(self):
        target, host = self.one_of(("loc1", "loc2", "loc3")), self.one_of(HOSTS)
        few = target not in self.model.local or len(self.model.local[target].sessions) < 8
        return self.model.add_session(target, host) if few and self.chance(55) else self.model.del_session(target, host)

    def device_group(self):
        model, name = self.model, self.one_of(("dg1", "dg2"))
        what = self.random.randrange(20)
        if name not in model.device_groups or what == 0:
            return model.create_device_group(name) if self.chance(80) else model.del_device_group(name)
        group = self.one_of(("tg1", "tg2", "tg3"))
        if what < 8:
            return model.add_group_device(name, self.device_name()) if self.chance(60) else model.del_group_device(
                name, self.device_name())
        groups = model.device_groups[name].target_groups
        if group not in groups or what == 8:
            return model.create_target_group(name, group) if self.chance(75) else model.del_target_group(name, group)
        if what < 14:
            member = self.one_of(("loc1", "loc2", "remote1", "remote2", model.srpt.name))
            return model.add_member(name, group, member) if self.chance(60) else model.del_member(name, group, member)
        attribute, values = self.one_of((("state", (*tree_model.STATES, "nonsense")), ("preferred", (0, 1, 2)),
                                         ("group_id", (1, 77, 65535, 0, 65536))))
        return model.write_group_attribute(name, group, attribute, self.one_of(values))

    def attribute(self):
        """Written and not modelled, but for whether it is taken."""
        target, group = self.some_group()
        rows = [(f"{target.path}/comment", "some words", 0), (f"{target.path}/forward_src", "2", errno.EINVAL),
                ("setup_id", "0x12", 0), ("setup_id", "zwölf", errno.EINVAL), ("threads", "3", 0), ("threads", "0", errno.EINVAL),
                ("trace_level", "add scsi", 0), ("trace_level", "add nothing", errno.EINVAL), ("measure_latency", "1", 0),
                ("measure_latency", "0", 0), ("poll_us", "5", 0)]
        if group is not None:
            rows += [(f"{target.group_path(group)}/addr_method", self.one_of(("FLAT", "LUN", "PERIPHERAL")), 0),
                     (f"{target.group_path(group)}/addr_method", "NONE", errno.EINVAL),
                     (f"{target.group_path(group)}/io_grouping_type", self.one_of(("auto", "never", "7")), 0),
                     (f"{target.group_path(group)}/cpu_mask", "xyz", errno.EINVAL)]
        devices = sorted(set(self.model.devices) - self.model.untouchable_devices)
        if devices:
            device = f"devices/{self.one_of(devices)}"
            rows += [(f"{device}/threads_num", "3", 0), (f"{device}/threads_pool_type", "nonsense", errno.EINVAL),
                     (f"{device}/size_mb", self.one_of(("4", "16")), 0), (f"{device}/size", "1000", errno.EINVAL),
                     (f"{device}/max_tgt_dev_commands", self.one_of(("1", "64")), 0), (f"{device}/usn", "x" * 21, errno.EINVAL),
                     (f"{device}/prod_id", "thing", 0),
                     # A block that stays would hold deletions and suspensions back, as it does in SCST.
                     (f"{device}/block", "0", 0)]
        return self.one_of(rows)

    def garbage(self):
        path = self.one_of(("handlers/vdisk_nullio/mgmt", "targets/scst_local/mgmt", f"{self.model.srpt.path}/luns/mgmt",
                            f"{self.model.srpt.path}/ini_groups/mgmt", "device_groups/mgmt"))
        return path, self.one_of(("add", "del", "nonsense", "add_device", "create", "\n", " ", "del_device a b c", "\xff\xfe", "x" * 5000)), \
            errno.EINVAL


class Property(unittest.TestCase):
    # The SCSI host of a session of scst_local: there is none in user space.
    LEAD_NOWHERE = ("host",)

    def setUp(self):
        self.one = rig.Rig(extra=["--scsi-host", "none"])
        self.addCleanup(self.one.__exit__, None, None, None)
        self.one.start()
        self.model = tree_model.Model(rig.TARGET)
        self.model.untouchable_devices.add("steady")
        self.model.untouchable_groups.add((rig.TARGET, "steady"))
        self.visits = {}

    def carry_out(self, operation):
        path, text, expected = operation
        self.assertEqual(errno.errorcode.get(self.one.write_error(text, path), "OK"), errno.errorcode.get(expected, "OK"),
                         f"{text!r} > {path}")

    def test_random_commands(self):
        count = int(os.environ.get("USCST_OPERATIONS", "100000"))
        seed = int(os.environ.get("USCST_SEED", str(random.randrange(1 << 32))))
        print(f"seed {seed}, {count} commands", flush=True)
        commands = Commands(self.model, seed)
        # The steady group is the first, so that no other pattern can take its initiator away.
        steady = self.model.srpt
        self.one.write(f"add_device steady filename={self.one.make_file('steady.img', rig.MIB)}", "handlers/vdisk_fileio/mgmt")
        self.model.devices["steady"] = "vdisk_fileio"
        for operation in (self.model.create_group(steady, "steady"), self.model.add_initiator(steady, "steady", STEADY),
                          self.model.add_lun(steady, "steady", "steady", 0)):
            self.carry_out(operation)
        self.one.enable()
        # Nobody logs in under this name in the model: it comes and goes.
        traffic = Traffic(self.one)
        traffic.start()
        self.addCleanup(self.end_visits)
        self.addCleanup(traffic.end)
        began = time.monotonic()
        for number in range(1, count + 1):
            with self.subTest(operation=number, seed=seed):
                self.carry_out(commands.next())
                if number % VISIT_EVERY == 0:
                    self.visit_or_leave(commands)
                if number % CHECK_EVERY == 0:
                    self.check_tree()
            if not self._outcome.success:
                break  # what follows would only be the consequence
        traffic.end()
        self.assertIsNone(traffic.failure)
        self.assertGreater(traffic.rounds, 0)
        print(f"{number} commands in {time.monotonic() - began:.0f} s, {traffic.rounds} rounds of verified traffic meanwhile")

    def test_four_writers_at_once(self):
        """Without a model of who wins: nothing crashes or hangs, and what is left agrees with itself."""
        count = int(os.environ.get("USCST_OPERATIONS", "100000")) // 10
        seed = int(os.environ.get("USCST_SEED", str(random.randrange(1 << 32))))
        print(f"seed {seed}, 4 x {count} commands", flush=True)
        self.one.write(f"add_device steady filename={self.one.make_file('steady.img', rig.MIB)}", "handlers/vdisk_fileio/mgmt")
        steady = self.one.target_path("ini_groups/steady")
        for text, path in (("create steady", self.one.target_path("ini_groups/mgmt")), (f"add {STEADY}", f"{steady}/initiators/mgmt"),
                           ("add steady 0", f"{steady}/luns/mgmt")):
            self.one.write(text, path)
        self.one.enable()
        traffic = Traffic(self.one)
        traffic.start()
        self.addCleanup(traffic.end)
        failures = []

        def write(number):
            commands = Commands(tree_model.Model(rig.TARGET), seed + number)
            commands.model.untouchable_groups.add((rig.TARGET, "steady"))
            for _ in range(count):
                path, text, _ = commands.next()
                error = self.one.write_error(text, path)
                if error in (errno.EIO, errno.ENOTCONN, errno.ENOSYS, errno.ECONNABORTED, errno.ETIMEDOUT):
                    failures.append((path, text, error))
                    break

        writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        traffic.end()
        self.assertEqual(failures, [])
        self.assertIsNone(traffic.failure)
        self.check_links()
        for device in self.one.listdir("devices"):
            self.check_exports(device, set(self.luns_of(device)))

    def luns_of(self, device):
        for directory, names, _ in os.walk(self.one.at("targets")):
            if os.path.basename(directory) == "luns" and "copy_manager" not in directory:
                for lun in names:
                    path = os.path.join(directory, lun)
                    if os.path.basename(os.readlink(os.path.join(path, "device"))) == device:
                        yield os.path.relpath(path, self.one.tree)

    # --- initiators that stay for a while

    def visit_or_leave(self, commands):
        address = commands.one_of(VISITORS)
        if address in self.visits:
            self.visits.pop(address).__exit__(None, None, None)
            del self.model.srpt.sessions[address]
            rig.wait_until(lambda: address not in self.one.sessions(), f"session {address} to end")
        else:
            held = self.one.held_session(source=address)
            held.__enter__()
            self.visits[address] = held
            self.model.srpt.sessions[address] = address

    def end_visits(self):
        for held in self.visits.values():
            held.__exit__(None, None, None)

    # --- the tree against the model

    def check_tree(self):
        exports = {name: set() for name in self.model.devices}
        for target in self.model.targets():
            self.check_target(target, exports)
        self.assertEqual({n for n in self.one.listdir("devices") if ":" not in n}, set(self.model.devices))
        for device, paths in exports.items():
            self.check_exports(device, paths)
        self.assertEqual(set(self.one.listdir("targets/scst_local")) - {"mgmt", "stats", "trace_level", "version"},
                         set(self.model.local))
        self.check_device_groups()
        self.check_links()

    def names(self, *path):
        return {name for name in self.one.listdir(*path) if name != "mgmt"}

    def check_target(self, target, exports):
        self.assertEqual(self.names(target.path, "ini_groups"), set(target.groups))
        for name, group in target.all_groups():
            path = target.group_path(name)
            self.assertEqual(self.names(path, "luns"), {str(lun) for lun in group.luns}, path)
            for lun, (device, read_only) in group.luns.items():
                at = f"{path}/luns/{lun}"
                self.assertEqual(os.path.basename(os.readlink(self.one.at(at, "device"))), device, at)
                if read_only:
                    self.assertEqual(self.one.read(at, "read_only"), "1\n[key]\n", at)
                exports[device].add(at)
            if name:
                self.assertEqual(self.names(path, "initiators"), set(group.initiators), path)
        self.check_sessions(target)

    def check_sessions(self, target):
        present = set(self.one.listdir(target.path, "sessions")) - {STEADY, f"{STEADY}_1"}
        self.assertEqual(present, set(target.sessions), target.path)
        for session, initiator in target.sessions.items():
            group = target.group_for(initiator)
            at = f"{target.path}/sessions/{session}"
            expected = f"../../ini_groups/{group}/luns" if group else "../../luns"
            self.assertEqual(os.readlink(self.one.at(at, "luns")), expected, at)
            seen = {int(name[3:]) for name in self.one.listdir(at) if name.startswith("lun") and name != "luns"}
            self.assertEqual(seen, set(target.group(group).luns), f"{at}: what the session sees of group {group!r}")

    def check_exports(self, device, paths):
        links = [os.readlink(self.one.at("devices", device, "exported", name)) for name in self.one.listdir("devices", device, "exported")]
        real = [link.replace("../../../", "") for link in links if "copy_manager" not in link]
        self.assertEqual(len(real), len(set(real)), f"{device} is exported twice at one place: {links}")
        self.assertEqual(set(real), paths, f"exported/ of {device}")

    def check_device_groups(self):
        self.assertEqual(self.names("device_groups"), set(self.model.device_groups))
        for name, group in self.model.device_groups.items():
            at = f"device_groups/{name}"
            self.assertEqual(self.names(at, "devices"), group.devices, at)
            self.assertEqual(self.names(at, "target_groups"), set(group.target_groups), at)
            for target_group, members in group.target_groups.items():
                path = f"{at}/target_groups/{target_group}"
                self.assertEqual(self.names(path) - {"group_id", "preferred", "state"}, set(members.members), path)
                self.assertEqual(self.one.read(path, "state"), f"{members.state}\n[key]\n", path)
                self.assertEqual(self.one.read(path, "group_id"), f"{members.group_id}\n[key]\n", path)
                for member, local in members.members.items():
                    self.assertEqual(os.path.islink(self.one.at(path, member)), local is not None, f"{path}/{member}")

    def check_links(self):
        for directory, directories, files in os.walk(self.one.tree):
            for name in directories + files:
                path = os.path.join(directory, name)
                # A session of the traffic may end between being listed and being looked at.
                if os.path.islink(path) and STEADY not in path and name not in self.LEAD_NOWHERE:
                    self.assertTrue(os.path.exists(path), f"{path} -> {os.readlink(path)}")


if __name__ == "__main__":
    rig.main()
