"""kill -9 around every kind of management command, and under I/O: the next start takes the stale mount away, the configuration
goes on again, and what was acknowledged is there. $USCST_CRASHES: how many times under I/O (5)."""

import os
import random
import struct
import threading
import time
import unittest

import rig
import srp_peer

CRASHES = int(os.environ.get("USCST_CRASHES", "5"))
SEED = int(os.environ.get("USCST_SEED", str(random.SystemRandom().randrange(1 << 32))))


class Commands(unittest.TestCase):
    """The state before each command is the same configuration; after a crash that configuration must be had again."""

    def configure(self, one):
        one.start()
        one.add_disk("disk1")
        one.add_disk("disk2", lun=None)
        one.write("add_device null1 blocksize=4096", "handlers/vdisk_nullio/mgmt")
        one.write("create grp1", one.target_path("ini_groups/mgmt"))
        one.write("create grp2", one.target_path("ini_groups/mgmt"))
        one.write("add disk2 3", one.target_path("ini_groups/grp1/luns/mgmt"))
        one.write("add 127.0.0.2", one.target_path("ini_groups/grp1/initiators/mgmt"))
        one.enable()
        one.make_file("new.img", rig.MIB)

    def commands(self, one):
        target = one.target_path
        group = lambda *names: target("ini_groups/grp1", *names)  # noqa: E731
        return [
            (f"add_device new1 filename={one.path('new.img')}", "handlers/vdisk_fileio/mgmt"),
            ("add_device new2 size_mb=10", "handlers/vdisk_nullio/mgmt"),
            ("del_device disk1", "handlers/vdisk_fileio/mgmt"),
            ("del_device null1", "handlers/vdisk_nullio/mgmt"),
            ("add null1 5", target("luns/mgmt")),
            ("replace null1 0", target("luns/mgmt")),
            ("del 0", target("luns/mgmt")),
            ("clear", target("luns/mgmt")),
            ("create grp3", target("ini_groups/mgmt")),
            ("del grp1", target("ini_groups/mgmt")),
            ("add null1 1", group("luns/mgmt")),
            ("del 3", group("luns/mgmt")),
            ("clear", group("luns/mgmt")),
            ("add 127.0.0.9", group("initiators/mgmt")),
            ("del 127.0.0.2", group("initiators/mgmt")),
            ("move 127.0.0.2 grp2", group("initiators/mgmt")),
            ("clear", group("initiators/mgmt")),
            ("0", target("enabled")),
            ("7", target("rel_tgt_id")),
            ("4", "threads"),
            ("3", "devices/disk1/threads_num"),
            ("per_initiator", "devices/disk1/threads_pool_type"),
            ("resync", "devices/disk1/resync_size"),
            ("2", "setup_id"),
            ("serial9", "devices/disk1/usn"),
            ("hello", target("comment")),
        ]

    def crash_around(self, one, session, when):
        """`when`: kills at that moment, given the thread that writes."""
        self.configure(one)
        wanted = one.write_config()
        kept = one.path("kept.conf")
        with open(kept, "w") as file:
            file.write(wanted)
        for text, path in self.commands(one):
            with self.subTest(command=text, path=path):
                held = one.start_initiator("hold") if session else None
                if held:
                    self.assertIn("holding", held.stderr.readline())
                writing = threading.Thread(target=self.write_ignoring_the_end, args=(one, text, path))
                if when == "before":
                    one.kill()
                    self.assertNotEqual(one.write_error(text, path), 0, "nobody is there")
                else:
                    writing.start()
                    if when == "after":
                        writing.join(rig.PATIENCE_S)
                    else:
                        time.sleep(random.random() * 0.002)
                    one.kill()
                    writing.join(rig.PATIENCE_S)
                self.assertFalse(writing.is_alive(), "a writer that still waits for a dead daemon")
                if held:
                    held.kill()
                    held.communicate()
                one.start()
                self.assertEqual(len(rig.mounts_at(one.tree)), 1)
                one.apply_config(kept)
                self.assertEqual(one.write_config(), wanted)
        self.assertEqual(one.stop(), 0)

    @staticmethod
    def write_ignoring_the_end(one, text, path):
        try:
            one.write(text, path)
        except OSError:
            pass

    def test_before(self):
        with rig.Rig() as one:
            self.crash_around(one, False, "before")

    def test_right_after(self):
        with rig.Rig() as one:
            self.crash_around(one, False, "after")

    def test_while_it_runs(self):
        with rig.Rig() as one:
            self.crash_around(one, True, "during")


class Writer(threading.Thread):
    """Writes generations of its own blocks and remembers, for each, what was sent and what was acknowledged."""

    BLOCKS = 8  # a write

    def __init__(self, one, number, lun, first, count, history):
        super().__init__(daemon=True)
        self.lun, self.first, self.count = lun, first, count
        self.acknowledged, self.sent = history  # {lba: generation}, kept over crashes
        self.dice = random.Random(SEED + number)
        self.generation = max(self.sent.values(), default=0)
        self.fault = None
        self.peer = srp_peer.Peer("127.0.0.1", one.port, f"127.0.1.{number + 1}", timeout_s=rig.PATIENCE_S)
        answer = self.peer.login(bytes.fromhex("".join(one.identifiers())))
        assert isinstance(answer, srp_peer.LoginAnswer), answer
        srp_peer.until_ready(self.peer, lun)
        self.start()

    @classmethod
    def data(cls, lba, generation):
        return b"".join(struct.pack(">QQ", lba + i, generation) * 32 for i in range(cls.BLOCKS))

    def run(self):
        under_way = {}
        try:
            while True:
                while len(under_way) < 16:
                    busy = {lba for lba, _ in under_way.values()}
                    lba = self.first + self.dice.randrange(self.count) * self.BLOCKS
                    if lba in busy:
                        continue
                    self.generation += 1
                    data = self.data(lba, self.generation)
                    self.sent[lba] = self.generation
                    under_way[self.generation] = (lba, self.generation)
                    if self.dice.random() < 0.5:
                        self.peer.send(srp_peer.immediate_write(self.generation, lba, data, self.lun, fua=self.dice.random() < 0.3))
                    else:
                        stag = self.generation & 0xFFFFFFFF
                        self.peer.memory[stag] = bytearray(data)
                        self.peer.send(srp_peer.command(self.generation, srp_peer.write_10(lba, self.BLOCKS), self.lun, formats=0x10,
                                                        descriptors=srp_peer.direct(len(data), stag)))
                answer = self.peer.response()
                if answer.status != 0:
                    self.fault = f"{answer}"
                    return
                lba, generation = under_way.pop(answer.tag)
                self.peer.memory.pop(answer.tag & 0xFFFFFFFF, None)
                self.acknowledged[lba] = max(generation, self.acknowledged.get(lba, 0))
        except (srp_peer.Closed, OSError):
            pass
        except Exception as error:  # noqa: the test tells
            self.fault = repr(error)
        finally:
            self.peer.close()


class UnderIo(unittest.TestCase):
    WRITERS = 3
    PLACES = 200

    def test_what_was_acknowledged_is_there(self):
        print(f"seed {SEED}, {CRASHES} crashes")
        dice = random.Random(SEED)
        with rig.Rig() as one:
            one.start()
            one.add_disk("through", lun=0, options="write_through=1")
            one.add_disk("back", lun=1)
            one.add_disk("bench", lun=2)
            one.enable()
            kept = one.path("kept.conf")
            wanted = one.write_config()
            with open(kept, "w") as file:
                file.write(wanted)
            self.assertEqual(one.initiator("verify", "--lun", "2", "--blocks", "4096", "--seed", "5", "--write-only")["exit"], 0)
            histories = [({}, {}) for _ in range(self.WRITERS)]
            for crash in range(CRASHES):
                with self.subTest(crash=crash, seed=SEED):
                    writers = [Writer(one, number, number % 2, number * self.PLACES * Writer.BLOCKS, self.PLACES, histories[number])
                               for number in range(self.WRITERS)]
                    load = one.start_initiator("verify", "--lun", "2", "--lba", "8192", "--channels", "4", "--seed", str(crash), "--write-only")
                    time.sleep(dice.random() * 0.7)
                    one.kill()
                    load.wait(rig.PATIENCE_S)
                    load.communicate()
                    for writer in writers:
                        writer.join(rig.PATIENCE_S)
                        self.assertFalse(writer.is_alive(), "an initiator that still waits for a dead target")
                        self.assertIsNone(writer.fault)
                    one.start()
                    one.apply_config(kept)
                    self.assertEqual(rig.without_copy_manager(one.write_config()), rig.without_copy_manager(wanted))
                    for number, writer in enumerate(writers):
                        self.check(one, writer, number)
            self.assertGreater(sum(len(acknowledged) for acknowledged, _ in histories), 0, "nothing was ever acknowledged")
            self.assertEqual(one.initiator("verify", "--lun", "2", "--blocks", "4096", "--seed", "5", "--read-only")["exit"], 0)
            self.assertEqual(one.stop(), 0)

    def check(self, one, writer, number):
        peer = srp_peer.Peer("127.0.0.1", one.port, f"127.0.2.{number + 1}", timeout_s=rig.PATIENCE_S)
        try:
            self.assertIsInstance(peer.login(bytes.fromhex("".join(one.identifiers()))), srp_peer.LoginAnswer)
            srp_peer.until_ready(peer, writer.lun)
            for lba, sent in writer.sent.items():
                answer, data = peer.read_blocks(lba, Writer.BLOCKS, writer.lun)
                self.assertEqual(answer.status, 0)
                least = writer.acknowledged.get(lba, 0)
                for block in range(Writer.BLOCKS):
                    place, generation = struct.unpack(">QQ", data[block * 512:block * 512 + 16])
                    if place or generation:
                        self.assertEqual(place, lba + block)
                        self.assertEqual(data[block * 512:block * 512 + 512], struct.pack(">QQ", place, generation) * 32)
                    self.assertGreaterEqual(generation, least, f"LBA {lba + block}: an acknowledged write is lost")
                    self.assertLessEqual(generation, sent)
        finally:
            peer.close()


if __name__ == "__main__":
    rig.main()
