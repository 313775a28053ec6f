"""A backing store that fails gives sense data, never a silent success."""

import os
import subprocess
import unittest

import rig
import srp_peer

MEDIUM_ERROR, DATA_PROTECT = 3, 7
SPACE_ALLOCATION_FAILED = (7, 0x27, 7)
BLOCKS = rig.MIB // 512


class Failing(unittest.TestCase):
    def setUp(self):
        self.one = rig.Rig()
        self.addCleanup(self.one.__exit__, None, None, None)
        self.one.start()

    def login(self):
        self.one.enable()
        peer = srp_peer.Peer("127.0.0.1", self.one.port)
        self.addCleanup(peer.close)
        answer = peer.login(bytes.fromhex("".join(self.one.identifiers())))
        self.assertIsInstance(answer, srp_peer.LoginAnswer, answer)
        srp_peer.until_ready(peer)
        return peer

    def test_file_cut_under_the_daemon(self):
        path = self.one.add_disk("disk1", size_bytes=rig.MIB)
        peer = self.login()
        with open(path, "r+b") as file:
            file.write(b"A" * rig.MIB)
        os.truncate(path, rig.MIB // 2)
        inside, data = peer.read_blocks(0, 8)
        self.assertEqual((inside.status, data), (0, b"A" * 4096))
        for lba, blocks in ((BLOCKS // 2, 1), (BLOCKS // 2 - 4, 8), (BLOCKS - 8, 8)):
            answer, _ = peer.read_blocks(lba, blocks)
            self.assertEqual(answer.status, 2, (lba, answer))
            self.assertEqual(srp_peer.sense_key(answer)[0], MEDIUM_ERROR, (lba, answer))
        # Still there and still right where there is something.
        inside, data = peer.read_blocks(BLOCKS // 2 - 8, 8)
        self.assertEqual((inside.status, data), (0, b"A" * 4096))
        done = self.one.initiator("read", "--blocks", str(BLOCKS), "--file", self.one.path("copy"))
        self.assertEqual(done["exit"], 5, done)

    def test_no_space(self):
        place = self.one.path("small")
        os.mkdir(place)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "small", place], check=True)
        try:
            path = os.path.join(place, "disk.img")
            with open(path, "wb") as file:
                file.truncate(4 * rig.MIB)  # sparse: sixteen times what there is
            self.one.add_disk("disk1", path=path)
            peer = self.login()
            good, failed = [], []
            for number in range(128):
                answer = peer.execute(srp_peer.immediate_write(number + 1, number * 16, bytes([number]) * 8192))
                (good if answer.status == 0 else failed).append(number)
                if answer.status:
                    self.assertEqual(answer.status, 2, answer)
                    self.assertEqual(srp_peer.sense_key(answer), SPACE_ALLOCATION_FAILED, answer)
            self.assertGreater(len(failed), 60)
            self.assertGreater(len(good), 16)
            for number in good:
                answer, data = peer.read_blocks(number * 16, 16)
                self.assertEqual((answer.status, data), (0, bytes([number]) * 8192))
            self.assertEqual(self.one.initiator("verify")["exit"], 5)
            self.one.kill()
        finally:
            self.one.kill()
            subprocess.run(["umount", "-l", place], check=True)

    def test_file_missing(self):
        self.assertEqual(self.one.write_error(f"add_device disk1 filename={self.one.path('nothing')}", "handlers/vdisk_fileio/mgmt"), 2)
        self.assertEqual(self.one.listdir("devices"), [])

    def test_read_only_file_system(self):
        place = self.one.path("frozen")
        os.mkdir(place)
        subprocess.run(["mount", "-t", "tmpfs", "frozen", place], check=True)
        try:
            path = os.path.join(place, "disk.img")
            with open(path, "wb") as file:
                file.truncate(rig.MIB)
            subprocess.run(["mount", "-o", "remount,ro", place], check=True)
            self.one.add_disk("disk1", path=path, options="read_only=1")
            peer = self.login()
            answer = peer.execute(srp_peer.immediate_write(1, 0, bytes(512)))
            self.assertEqual(answer.status, 2)
            self.assertEqual(srp_peer.sense_key(answer)[0], DATA_PROTECT)
            self.assertEqual(peer.read_blocks(0, 1)[0].status, 0)
            self.one.kill()
        finally:
            self.one.kill()
            subprocess.run(["umount", "-l", place], check=True)


if __name__ == "__main__":
    rig.main()
