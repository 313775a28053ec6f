"""Peers that send what they should not, stop in the middle, or stop reading: the exact answer or a closed connection, a line in
the log that names it, and another session that goes on undisturbed meanwhile."""

import socket
import struct
import threading
import time
import unittest

import rig
import srp_peer
from srp_peer import command, direct, fpdu, immediate_write, indirect, login_request, read_10, tagged, untagged, write_10

INVALID_FIELD = (5, 0x24, 0)
HOST = "127.0.0.1"


class GoodSession(threading.Thread):
    """Verified I/O on a disk of its own for as long as the tests run."""

    def __init__(self, port, target):
        super().__init__(daemon=True)
        self.peer = srp_peer.Peer(HOST, port, "127.0.0.77", timeout_s=rig.PATIENCE_S)
        answer = self.peer.login(target)
        assert isinstance(answer, srp_peer.LoginAnswer), answer
        srp_peer.until_ready(self.peer, lun=1)
        self.rounds = 0
        self.fault = None
        self.stopping = False
        self.start()

    def run(self):
        try:
            while not self.stopping:
                lba, pattern = self.rounds % 64 * 8, struct.pack(">Q", self.rounds) * 512
                answer = self.peer.execute(immediate_write(3, lba, pattern, lun=1))
                assert answer.status == 0, answer
                answer, data = self.peer.read_blocks(lba, 8, lun=1)
                assert answer.status == 0 and data == pattern, answer
                self.rounds += 1
        except Exception as error:  # noqa: whatever it is, the test tells
            self.fault = error

    def check_undisturbed(self):
        seen = self.rounds
        rig.wait_until(lambda: self.fault or self.rounds > seen + 3, "the other session's I/O to go on")
        assert self.fault is None, repr(self.fault)


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.one = rig.Rig().start()
        cls.one.add_disk("victim", lun=0)
        cls.one.add_disk("other", lun=1)
        cls.one.enable()
        cls.target = bytes.fromhex("".join(cls.one.identifiers()))
        cls.pid = cls.one.pid()
        cls.good = GoodSession(cls.one.port, cls.target)

    @classmethod
    def tearDownClass(cls):
        cls.good.stopping = True
        cls.good.join(rig.PATIENCE_S)
        cls.good.peer.close()
        cls.one.__exit__(None, None, None)

    def setUp(self):
        self.mark = self.one.log_mark()

    def tearDown(self):
        self.good.check_undisturbed()
        self.assertEqual(self.one.pid(), self.pid, "the same process still serves")
        rig.wait_until(lambda: self.one.sessions() == ["127.0.0.77"], "the hostile session to be gone")

    def connect(self):
        peer = srp_peer.Peer(HOST, self.one.port)
        self.addCleanup(peer.close)
        return peer

    def login(self, crc=False, **request):
        peer = self.connect()
        answer = peer.login(self.target, mpa={"flags": 0x50} if crc else {}, **request)
        self.assertIsInstance(answer, srp_peer.LoginAnswer, answer)
        self.assertEqual(peer.crc, crc)
        srp_peer.until_ready(peer)
        return peer

    def logged(self, *texts):
        line = rig.wait_until(lambda: next((line for line in self.one.log()[self.mark:].splitlines()
                                            if all(text in line for text in texts)), None), f"a line with {texts} in the log", 15)
        self.mark = self.one.log_mark()
        return line

    # --- the TCP port

    def test_garbage(self):
        for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 100, b"\xff" * 5000, b"SSH-2.0-OpenSSH\r\n", b"MPA ID Rep Frame\x10\x02\0\0"):
            peer = self.connect()
            peer.push(garbage)
            with self.assertRaises(srp_peer.Closed):
                peer.take(1)
            self.logged("127.0.0.1", "refused", "MPA")

    def test_wrong_mpa_requests(self):
        login = login_request(self.target)
        for name, request in (("revision 0", srp_peer.mpa_request(login, revision=0)),
                              ("revision 3", srp_peer.mpa_request(login, revision=3)),
                              ("enhanced without room", srp_peer.mpa_request(b"", flags=0)[:16] + struct.pack(">BBHH", 0x10, 2, 2, 0)),
                              ("513 bytes", srp_peer.mpa_request(login, length=513)),
                              ("65535 bytes", srp_peer.mpa_request(login, length=65535))):
            with self.subTest(name):
                peer = self.connect()
                peer.push(request)
                peer.expect_closed()
                self.logged("127.0.0.1", "refused")

    def test_markers(self):
        peer = self.connect()
        flags, data = peer.start(login_request(self.target), flags=0x90)
        self.assertTrue(flags & srp_peer.REJECTED)
        peer.expect_closed()
        self.logged("127.0.0.1", "refused", "marker")

    def test_private_data_that_are_no_login(self):
        for data in (b"", b"short", b"\xff" * 56, login_request(self.target, kind=2)):
            peer = self.connect()
            flags, answer = peer.start(data)
            self.assertTrue(flags & srp_peer.REJECTED)
            self.assertEqual(answer, b"")
            peer.expect_closed()
            self.logged("127.0.0.1", "no SRP_LOGIN_REQ")

    def test_handshake_torn_at_any_byte(self):
        request = srp_peer.mpa_request(login_request(self.target, max_it=1))
        for count in range(len(request)):
            with srp_peer.Peer(HOST, self.one.port) as peer:
                peer.push(request[:count])
                if count % 2:
                    peer.reset()
        # In single bytes it is as good as in one piece.
        peer = self.connect()
        for byte in request:
            peer.push(bytes([byte]))
        self.assertTrue(peer.reply()[0] & srp_peer.REJECTED)

    def test_gone_before_the_answer(self):
        """Nobody knows its address any more then: no session without a name, which would spoil the directory."""
        for _ in range(300):
            with srp_peer.Peer(HOST, self.one.port) as peer:
                peer.push(srp_peer.mpa_request(login_request(self.target)))
                peer.reset()
            for name in self.one.sessions():
                self.assertRegex(name, r"^127\.")
        self.assertNotIn("session  for", self.one.log()[self.mark:])

    def test_silence(self):
        peers = [self.connect() for _ in range(3)]
        peers[1].push(b"MPA ID")
        for peer in peers:
            peer.expect_closed()
        self.logged("127.0.0.1", "no MPA request within")

    def test_many_silent_connections(self):
        peers = [self.connect() for _ in range(400)]
        self.login().close()
        for peer in peers:
            peer.close()

    # --- logins

    def rejected(self, reason, **request):
        target = request.pop("target", self.target)
        peer = self.connect()
        answer = peer.login(target, tag=0x1122334455667788, **request)
        self.assertIsInstance(answer, srp_peer.Rejected)
        self.assertEqual((answer.reason, answer.tag, answer.formats), (reason, 0x1122334455667788, 6))
        peer.expect_closed()
        self.logged("127.0.0.1", "rejected", f"{reason:#010x}")

    def test_wrong_target_port(self):
        half = self.target[:8]
        wrong = bytes(7) + b"\1"
        for target in (wrong + half, half + wrong, wrong + wrong, bytes(16)):
            self.rejected(srp_peer.WRONG_PORT, target=target)

    def test_iu_length_out_of_range(self):
        for length in (0, 1, 63, 8277, 65536, 0xFFFFFFFF):
            self.rejected(srp_peer.IU_TOO_LARGE, max_it=length)
        for length in (64, 8276):
            self.login(max_it=length).close()

    def test_unsupported_formats(self):
        self.rejected(srp_peer.BAD_FORMAT, formats=0x000E)

    def test_disabled_target(self):
        with rig.Rig() as one:
            one.start()
            one.add_disk("disk1")
            # The length is looked at before, the port after (as SCST does).
            good, wrong = bytes.fromhex("".join(one.identifiers())), bytes(16)
            for target, length, reason in ((good, 8260, srp_peer.NO_RESOURCES), (wrong, 8260, srp_peer.NO_RESOURCES),
                                           (good, 1, srp_peer.IU_TOO_LARGE)):
                mark = one.log_mark()
                with srp_peer.Peer(HOST, one.port) as peer:
                    self.assertEqual(peer.login(target, max_it=length).reason, reason)
                    peer.expect_closed()
                one.wait_for_log(f"{reason:#010x}", mark)
            self.assertEqual(one.sessions(), [])

    # --- FPDUs

    def terminated(self, what, ulpdu, crc=False, damage=0):
        """Sends it (a function makes it of the next message number) after a good login: the Terminate, the end, a line in the log."""
        peer = self.login(crc)
        self.mark = self.one.log_mark()
        peer.push(fpdu(ulpdu(peer.sequence + 1), crc, damage))
        with self.assertRaises(srp_peer.Terminated) as caught:
            peer.receive()
        self.assertEqual(caught.exception.what, what)
        with self.assertRaises(srp_peer.Closed):
            peer.take(1)
        self.logged("session 127.0.0.1", "lost")

    def test_wrong_crc(self):
        head = command(9, bytes(6))
        self.terminated((2, 0, 2), lambda number: untagged(3, 0, number, 0, head), crc=True, damage=1)

    def test_wrong_headers(self):
        body = command(9, bytes(6))
        self.terminated((1, 2, 6), lambda number: untagged(3, 0, number, 0, body, version=2))
        self.terminated((1, 2, 3), lambda number: untagged(3, 0, number + 1, 0, body))
        self.terminated((1, 2, 1), lambda number: untagged(3, 5, number, 0, body))
        self.terminated((0, 2, 6), lambda number: struct.pack(">BB", 0x41, 0x4F) + bytes(16) + body)

    def test_writing_and_reading_our_memory(self):
        self.terminated((1, 1, 0), lambda number: tagged(srp_peer.WRITE, 0x1234, 0, b"x" * 64))
        request = struct.pack(">IQIIQ", 1, 0, 4096, 0x1234, 0)
        self.terminated((0, 1, 0), lambda number: untagged(srp_peer.READ_REQUEST, 1, 1, 0, request))
        self.terminated((1, 1, 0), lambda number: tagged(srp_peer.READ_RESPONSE, 0x1234, 0, b"x" * 64))

    def test_message_too_long(self):
        self.terminated((1, 2, 5), lambda number: untagged(3, 0, number, 0, bytes(20000)))

    def test_command_torn_at_any_byte(self):
        before = self.good.rounds
        self.login().close()
        for iu in (command(9, read_10(0, 8), formats=1, descriptors=direct(4096, 0x51)), immediate_write(9, 0, b"!" * 512)):
            with srp_peer.Peer(HOST, self.one.port) as probe:
                length = len(probe.send_bytes(iu))
            for count in [*range(0, 110), length - 5, length - 1] if length > 110 else range(length):
                with srp_peer.Peer(HOST, self.one.port) as peer:
                    self.assertIsInstance(peer.login(self.target, flags=0x81), srp_peer.LoginAnswer)
                    peer.memory[0x51] = bytearray(4096)
                    peer.push(peer.send_bytes(iu)[:count])
                    if count % 2:
                        peer.reset()
        rig.wait_until(lambda: self.one.sessions() == ["127.0.0.77"], "the torn sessions to be gone")
        peer = self.login()
        answer, data = peer.read_blocks(0, 1)
        self.assertEqual((answer.status, data), (0, bytes(512)), "half a write must not be written")
        self.assertGreater(self.good.rounds, before)
        peer.close()

    def test_torn_in_the_middle_of_rdma(self):
        """The target reads our memory; the answer comes in part, then nothing."""
        for count in (0, 1, 15, 16, 17, 40, 1000):
            peer = self.login()
            peer.send(command(9, write_10(0, 128), formats=0x10, descriptors=direct(65536, 0x51)))
            while peer.take_ulpdu()[1] & 15 != srp_peer.READ_REQUEST:
                pass
            peer.push(fpdu(tagged(srp_peer.READ_RESPONSE, 1, 0, bytes(1400), False))[:count])
            peer.reset()
            rig.wait_until(lambda: self.one.sessions() == ["127.0.0.77"], "the session to be gone")

    def test_wrong_read_response(self):
        peer = self.login()
        peer.send(command(9, write_10(0, 8), formats=0x10, descriptors=direct(4096, 0x51)))
        ulpdu = peer.take_ulpdu()
        sink, offset = struct.unpack(">IQ", ulpdu[18:30])
        # Beyond what was asked for.
        peer.push(fpdu(tagged(srp_peer.READ_RESPONSE, sink, offset, bytes(8192))))
        with self.assertRaises((srp_peer.Terminated, srp_peer.Closed)):
            peer.receive()
        self.logged("session 127.0.0.1", "lost")

    # --- information units

    def refused(self, iu, sense=INVALID_FIELD, logged="refused"):
        peer = self.login()
        self.mark = self.one.log_mark()
        answer = peer.execute(iu)
        self.assertEqual((answer.status, srp_peer.sense_key(answer)), (2, sense), answer)
        if logged:
            self.logged("session 127.0.0.1", logged)
        self.assertEqual(peer.test_unit_ready().status, 0, "the session goes on")
        peer.close()

    def closed(self, iu, text):
        peer = self.login()
        self.mark = self.one.log_mark()
        peer.send(iu)
        peer.expect_closed()
        self.logged("session 127.0.0.1", text)

    def test_descriptors_that_do_not_add_up(self):
        read = read_10(0, 8)
        parts = [(2048, 0x51, 0), (2048, 0x52, 0)]
        self.refused(command(9, read, formats=2, in_count=2, descriptors=indirect(parts, total=8192)))
        self.refused(command(9, read, formats=2, in_count=2, descriptors=indirect(parts, total=100)))
        self.refused(command(9, read, formats=2, in_count=2, descriptors=indirect([(0xFFFFFFFF, 1, 0), (4097, 2, 0)], total=4096)))
        self.refused(command(9, read, formats=2, in_count=2, descriptors=indirect(parts[:1], total=4096)))
        self.refused(command(9, read, formats=2, in_count=255, descriptors=indirect(parts)))
        self.refused(command(9, read, formats=2, in_count=2, descriptors=indirect(parts)[:30]))
        self.refused(command(9, read, formats=2, in_count=2, descriptors=indirect(parts, table_length=16 * 9)))
        self.refused(command(9, read, formats=1, descriptors=direct(4096, 0x51)[:15]))
        self.refused(command(9, read, formats=1))
        self.refused(command(9, write_10(0, 8), formats=0x20, out_count=2, descriptors=indirect(parts, total=1 << 31)))

    def test_unknown_formats(self):
        for formats in (0x04, 0x0F, 0x40, 0xF0, 0x03):
            self.refused(command(9, read_10(0, 8), formats=formats, descriptors=direct(4096, 0x51)))

    def test_additional_cdb_beyond_the_end(self):
        self.refused(command(9, bytes(6), additional=0xFC))

    def test_immediate_data_beyond_the_end(self):
        whole = immediate_write(9, 0, bytes(4096))
        self.refused(whole[:-1])
        self.refused(whole[:68])
        self.refused(whole[:50])
        huge = command(9, write_10(0, 8), formats=0x30, descriptors=struct.pack(">I", 0xFFFFFFF0)).ljust(68, b"\0") + bytes(4096)
        self.refused(huge)

    def test_less_data_than_the_command_wants(self):
        """Residuals, not memory that nobody offered."""
        peer = self.login()
        peer.memory[0x51] = bytearray(4096)
        answer = peer.execute(command(9, read_10(0, 16), formats=1, descriptors=direct(4096, 0x51)))
        self.assertEqual(answer.flags & 0x10, 0x10, answer)
        self.assertEqual(answer.in_residual, 4096)
        peer.memory[0x52] = bytearray(16384)
        answer = peer.execute(command(9, read_10(0, 8), formats=1, descriptors=direct(16384, 0x52)))
        self.assertEqual((answer.status, answer.flags & 0x20, answer.in_residual), (0, 0x20, 12288))
        peer.close()

    def test_no_such_lun(self):
        for lun in (2, 255, 0x3FFF, 0xC101, 0xFFFF):
            self.refused(command(9, bytes(6), lun=lun), (5, 0x25, 0), None)

    def test_unknown_types(self):
        for kind in (0x00, 0x04, 0x7F, 0xC0, 0xC2, 0xFF):
            peer = self.login()
            self.mark = self.one.log_mark()
            peer.send(command(9, bytes(6), kind=kind))
            logout = peer.receive()
            self.assertEqual((logout[0], struct.unpack(">I", logout[4:8])[0], len(logout)), (0x80, 2, 16), logout.hex())
            peer.expect_closed()
            self.logged("session 127.0.0.1", "unknown type")

    def test_short_ius(self):
        self.closed(command(9, bytes(6))[:47], "SRP_CMD of 47 bytes")
        self.closed(command(9, bytes(6))[:1], "SRP_CMD of 1 bytes")
        self.closed(srp_peer.task_management(9, 8)[:20], "SRP_TSK_MGMT of 20 bytes")

    def test_logout(self):
        self.closed(struct.pack(">B7xQ", 3, 5), "logged out")

    def test_unknown_task_management(self):
        peer = self.login()
        for function in (0, 3, 0x10, 0xFF):
            peer.send(srp_peer.task_management(7, function))
            answer = peer.response()
            self.assertEqual((answer.tag, answer.flags & 3, answer.data[-1]), (7, 1, 4), answer)
        peer.send(srp_peer.task_management(8, 1, task_tag=12345))
        self.assertEqual(peer.response().data[-1], 0, "a task that is gone is as good as aborted")
        peer.close()

    def test_more_commands_than_credits(self):
        peer = self.login()
        self.one.write("1", "devices/victim/block")
        try:
            self.mark = self.one.log_mark()
            for tag in range(peer.limit + 1):
                peer.push(peer.send_bytes(command(100 + tag, bytes(6))))
            self.logged("session 127.0.0.1", "credits")
        finally:
            self.one.write("0", "devices/victim/block")
        with self.assertRaises(srp_peer.Closed):
            while True:
                peer.receive()

    def test_random_ius(self):
        import random
        dice = random.Random(20260801)
        for _ in range(150):
            peer = self.connect()
            self.assertIsInstance(peer.login(self.target, flags=0x81), srp_peer.LoginAnswer)
            iu = bytearray(command(9, read_10(0, 8), formats=1, descriptors=direct(4096, 0x51)) if dice.random() < 0.5
                           else immediate_write(9, 0, bytes(512)))
            # Not the opcode of a command that writes, and not the LUN: the other session's data are to stay.
            for _ in range(dice.randrange(1, 6)):
                at = dice.choice([*range(0, 8), *range(28, 32), *range(48, len(iu))])
                iu[at] = dice.randrange(256)
            peer.push(peer.send_bytes(bytes(iu)[:dice.choice((len(iu), dice.randrange(1, len(iu))))]))
            if dice.random() < 0.5:
                peer.reset()
            peer.close()

    # --- a peer that stops reading

    def test_peer_that_stops_reading(self):
        peer = self.login()
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for tag in range(peer.limit - 1):
            peer.push(peer.send_bytes(command(100 + tag, read_10(0, 2048), formats=1, descriptors=direct(1 << 20, 0x51))))
        time.sleep(0.5)
        self.good.check_undisturbed()
        # Another host can still log in and work, and the tree still answers.
        with srp_peer.Peer(HOST, self.one.port, "127.0.0.88") as other:
            self.assertIsInstance(other.login(self.target), srp_peer.LoginAnswer)
            srp_peer.until_ready(other)
            self.assertEqual(other.read_blocks(0, 8)[0].status, 0)
        self.assertIn("127.0.0.1", self.one.sessions())
        # And the administrator can be rid of it.
        self.one.write("1", self.one.target_path("sessions/127.0.0.1/force_close"))
        rig.wait_until(lambda: "127.0.0.1" not in self.one.sessions(), "the session to be closed")


if __name__ == "__main__":
    rig.main()
