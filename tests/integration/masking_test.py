"""Which initiator sees which LUNs, and how sessions and nexuses are told apart."""

import os
import unittest

import rig
import srp_peer


class Masking(unittest.TestCase):
    def setUp(self):
        self.one = rig.Rig()
        self.addCleanup(self.one.__exit__, None, None, None)
        self.one.start()
        for number, name in enumerate(("disk1", "disk2", "disk3"), 1):
            self.one.add_disk(name, lun=None, size_bytes=number * rig.MIB)
        self.one.enable()

    def group(self, name, patterns, luns):
        self.one.write(f"create {name}", self.one.target_path("ini_groups/mgmt"))
        for device, lun in luns.items():
            self.one.write(f"add {device} {lun}", self.one.target_path("ini_groups", name, "luns/mgmt"))
        for pattern in patterns:
            self.one.write(f"add {pattern}", self.one.target_path("ini_groups", name, "initiators/mgmt"))

    def seen_from(self, source):
        """{LUN: product} as REPORT LUNS and INQUIRY say."""
        answer = self.one.initiator("luns", source=source)
        self.assertEqual(answer["exit"], 0, answer)
        return {row["lun"]: row["inquiry"]["product"] for row in answer["luns"] if "inquiry" in row}

    def size_from(self, source, lun):
        answer = self.one.initiator("capacity", "--lun", str(lun), source=source)
        return answer.get("bytes") if answer["exit"] == 0 else None

    def test_two_initiators_see_different_luns(self):
        self.one.write("add disk1 0", self.one.target_path("luns/mgmt"))
        self.group("grp1", ["127.0.0.2"], {"disk2": 0})
        self.group("grp2", ["127.0.0.3"], {"disk3": 0, "disk2": 5})
        self.assertEqual(self.size_from("127.0.0.1", 0), 1 * rig.MIB)
        self.assertEqual(self.size_from("127.0.0.2", 0), 2 * rig.MIB)
        self.assertEqual(self.size_from("127.0.0.3", 0), 3 * rig.MIB)
        self.assertEqual(self.size_from("127.0.0.3", 5), 2 * rig.MIB)
        self.assertIsNone(self.size_from("127.0.0.2", 5))
        self.assertIsNone(self.size_from("127.0.0.1", 5))
        self.assertEqual(self.seen_from("127.0.0.1"), {0: "disk1"})
        self.assertEqual(self.seen_from("127.0.0.2"), {0: "disk2"})
        self.assertEqual(self.seen_from("127.0.0.3"), {0: "disk3", 5: "disk2"})

    def test_data_go_to_the_own_disk_only(self):
        self.group("grp1", ["127.0.0.2"], {"disk2": 0})
        self.group("grp2", ["127.0.0.3"], {"disk3": 0})
        self.assertEqual(self.one.initiator("verify", "--seed", "2", source="127.0.0.2")["exit"], 0)
        self.assertEqual(self.one.initiator("verify", "--seed", "3", source="127.0.0.3")["exit"], 0)
        self.assertEqual(self.one.initiator("verify", "--seed", "2", "--read-only", source="127.0.0.2")["exit"], 0)
        self.assertEqual(self.one.initiator("verify", "--seed", "3", "--read-only", source="127.0.0.2")["exit"], 7)
        with open(self.one.path("disk1.img"), "rb") as file:
            self.assertEqual(file.read(), bytes(rig.MIB), "nobody's disk is untouched")

    def test_wildcards(self):
        for pattern, matching, others in (
                ("127.0.0.*", ("127.0.0.2", "127.0.0.33"), ("127.0.1.2",)),
                ("127.0.0.?", ("127.0.0.2",), ("127.0.0.33", "127.0.1.2")),
                ("*.2", ("127.0.0.2", "127.0.1.2"), ("127.0.0.3",)),
                ("!127.0.0.2", ("127.0.0.3", "127.0.1.2"), ("127.0.0.2",)),
                ("!127.0.0.*", ("127.0.1.2",), ("127.0.0.2", "127.0.0.33"))):
            with self.subTest(pattern=pattern):
                self.group("wild", [pattern], {"disk2": 0})
                for source in matching:
                    self.assertEqual(self.seen_from(source), {0: "disk2"}, source)
                for source in others:
                    self.assertEqual(self.seen_from(source), {}, source)
                rig.wait_until(lambda: not self.one.sessions(), "the sessions to end")
                self.one.write("del wild", self.one.target_path("ini_groups/mgmt"))

    def test_first_group_wins(self):
        self.group("first", ["127.0.0.2"], {"disk1": 0})
        self.group("all", ["*"], {"disk2": 0})
        self.assertEqual(self.seen_from("127.0.0.2"), {0: "disk1"})
        self.assertEqual(self.seen_from("127.0.0.3"), {0: "disk2"})

    def test_session_moves_with_its_name(self):
        self.one.write("add disk1 0", self.one.target_path("luns/mgmt"))
        self.group("grp1", [], {"disk2": 0})
        link = self.one.at(self.one.target_path("sessions/127.0.0.2/luns"))
        with self.one.held_session(source="127.0.0.2"):
            self.assertEqual(os.readlink(link), "../../luns")
            self.one.write("add 127.0.0.2", self.one.target_path("ini_groups/grp1/initiators/mgmt"))
            self.assertEqual(os.readlink(link), "../../ini_groups/grp1/luns")
            self.assertTrue(os.path.isdir(self.one.at(self.one.target_path("sessions/127.0.0.2/lun0"))))
            self.one.write("add disk3 7", self.one.target_path("ini_groups/grp1/luns/mgmt"))
            self.assertTrue(os.path.isdir(self.one.at(self.one.target_path("sessions/127.0.0.2/lun7"))))
            self.one.write("del 127.0.0.2", self.one.target_path("ini_groups/grp1/initiators/mgmt"))
            self.assertEqual(os.readlink(link), "../../luns")
            self.assertFalse(os.path.exists(self.one.at(self.one.target_path("sessions/127.0.0.2/lun7"))))


class Sessions(unittest.TestCase):
    def setUp(self):
        self.one = rig.Rig()
        self.addCleanup(self.one.__exit__, None, None, None)
        self.one.start()
        self.one.add_disk("disk1")
        self.one.enable()
        self.target = bytes.fromhex("".join(self.one.identifiers()))

    def peer(self, source=None, **login):
        peer = srp_peer.Peer("127.0.0.1", self.one.port, source)
        self.addCleanup(peer.close)
        answer = peer.login(self.target, **login)
        self.assertIsInstance(answer, srp_peer.LoginAnswer, answer)
        return peer, answer.flags & 3

    def test_hosts_with_zero_port_ids_stay_apart(self):
        first, result = self.peer("127.0.0.2")
        self.assertEqual(result, 0)
        second, result = self.peer("127.0.0.3")
        self.assertEqual(result, 0, "the other host's login is none of its business")
        srp_peer.until_ready(first)
        srp_peer.until_ready(second)
        self.assertEqual(self.one.sessions(), ["127.0.0.2", "127.0.0.3"])
        # Two nexuses: a reservation of one keeps the other out.
        self.assertEqual(first.execute(srp_peer.command(9, bytes([0x16, 0, 0, 0, 0, 0]))).status, 0)
        self.assertEqual(second.read_blocks(0, 1)[0].status, 0x18, "RESERVATION CONFLICT")
        self.assertEqual(first.read_blocks(0, 1)[0].status, 0)

    def test_single_login_replaces_the_same_host(self):
        first, _ = self.peer("127.0.0.2")
        srp_peer.until_ready(first)
        _, result = self.peer("127.0.0.2")
        self.assertEqual(result, 1, "existing channels terminated")
        with self.assertRaises(srp_peer.Closed):
            first.receive()
        rig.wait_until(lambda: len(self.one.sessions()) == 1, "one session")

    def test_two_initiator_ports_of_one_host(self):
        first, _ = self.peer(initiator=bytes(15) + b"\1")
        second, result = self.peer(initiator=bytes(15) + b"\2")
        self.assertEqual(result, 0)
        srp_peer.until_ready(first)
        srp_peer.until_ready(second)
        self.assertEqual(self.one.sessions(), ["127.0.0.1", "127.0.0.1_1"])

    def test_multi_channel(self):
        with self.one.held_session("--channels", "4"):
            names = self.one.sessions()
            self.assertEqual(names, ["127.0.0.1", "127.0.0.1_1", "127.0.0.1_2", "127.0.0.1_3"])
            for name in names:
                path = self.one.target_path("sessions", name)
                self.assertEqual(self.one.read(path, "initiator_name"), "127.0.0.1\n")
                self.assertEqual(os.readlink(self.one.at(path, "luns")), "../../luns")
                self.assertTrue({"lun0", "active_commands", "commands", "force_close", "latency", "read_cmd_count",
                                 "req_lim", "ch_state"} <= set(self.one.listdir(path)), self.one.listdir(path))
                self.assertEqual(self.one.read(path, "commands"), "0\n")
        rig.wait_until(lambda: not self.one.sessions(), "the sessions to end")

    def test_channels_of_one_nexus(self):
        first, _ = self.peer("127.0.0.2")
        second, result = self.peer("127.0.0.2", flags=0x81)
        self.assertEqual(result, 2, "existing channels maintained")
        srp_peer.until_ready(first)
        # One nexus, so one set of unit attentions and one reservation.
        self.assertEqual(second.test_unit_ready().status, 0)
        self.assertEqual(first.execute(srp_peer.command(9, bytes([0x16, 0, 0, 0, 0, 0]))).status, 0)
        self.assertEqual(second.read_blocks(0, 1)[0].status, 0)

    def test_force_close(self):
        first, _ = self.peer("127.0.0.2")
        srp_peer.until_ready(first)
        self.one.write("1", self.one.target_path("sessions/127.0.0.2/force_close"))
        with self.assertRaises(srp_peer.Closed):
            first.receive()
        rig.wait_until(lambda: not self.one.sessions(), "the session to end")

    def test_disable_closes_and_refuses(self):
        with self.one.held_session("--channels", "2"):
            self.one.enable(False)
            self.assertEqual(self.one.sessions(), [])
            self.assertEqual(self.one.initiator("luns")["exit"], 4, "rejected")
        self.one.enable()
        self.assertEqual(self.one.initiator("luns")["exit"], 0)


if __name__ == "__main__":
    rig.main()
