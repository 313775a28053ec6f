"""An SRP initiator made of a plain TCP socket, so that a test can say anything, right or wrong, at any byte.

MPA, DDP and RDMAP (RFC 5044, 5041, 5040), SRP r16a. `Peer` answers the target's RDMA Reads and takes its RDMA Writes out of
and into `memory`: {STag: bytearray}, with the offset 0 at its first byte.
"""

import collections
import socket
import struct

REQUEST_KEY, REPLY_KEY = b"MPA ID Req Frame", b"MPA ID Rep Frame"
CRC_WANTED, REJECTED, ENHANCED = 0x40, 0x20, 0x10
WRITE, READ_REQUEST, READ_RESPONSE, SEND, TERMINATE = 0, 1, 2, 3, 7
IMMEDIATE_OFFSET = 68

IU_TOO_LARGE, NO_RESOURCES, WRONG_PORT, BAD_FORMAT = 0x00010002, 0x00010001, 0x00010003, 0x00010004


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


class Closed(Exception):
    """The target closed the connection; `reset` when it did so with an RST."""

    def __init__(self, reset=False):
        super().__init__("connection reset" if reset else "connection closed")
        self.reset = reset


class Terminated(Exception):
    def __init__(self, layer, kind, code):
        super().__init__(f"Terminate {layer}/{kind}/{code}")
        self.what = (layer, kind, code)


Response = collections.namedtuple("Response", "tag delta flags status out_residual in_residual data sense")
Rejected = collections.namedtuple("Rejected", "reason tag formats flags")
LoginAnswer = collections.namedtuple("LoginAnswer", "delta tag max_it max_ti formats flags")


def login_request(target, initiator=bytes(16), tag=0, max_it=8260, formats=6, flags=0x80, offset=IMMEDIATE_OFFSET, kind=0):
    """The 56 bytes of an RDMA/CM login (srp.h, srp_login_req_rdma)."""
    return struct.pack(">QHBBI", tag, formats, flags, kind, max_it) + initiator + target + struct.pack(">H6x", offset)


def mpa_request(private_data, flags=ENHANCED, revision=2, ird=4, ord=0, length=None):
    data = (struct.pack(">HH", ird, ord) if flags & ENHANCED and revision == 2 else b"") + private_data
    return REQUEST_KEY + struct.pack(">BBH", flags, revision, len(data) if length is None else length) + data


def fpdu(ulpdu, crc=False, damage=0):
    frame = struct.pack(">H", len(ulpdu)) + ulpdu
    frame += bytes(-len(frame) % 4)
    return frame + struct.pack("<I", (crc32c(frame) ^ damage) if crc else 0)


def untagged(opcode, queue, sequence, offset, payload, last=True, version=1):
    return struct.pack(">BBIIII", (0x40 if last else 0) | version, 0x40 | opcode, 0, queue, sequence, offset) + payload


def tagged(opcode, stag, offset, payload, last=True):
    return struct.pack(">BBIQ", 0x80 | (0x40 if last else 0) | 1, 0x40 | opcode, stag, offset) + payload


def direct(length, stag, address=0):
    return struct.pack(">QII", address, stag, length)


def indirect(parts, total=None, table_length=None, table_stag=0xFFFF):
    """parts: (length, stag, address) of the list that the IU itself carries."""
    listed = b"".join(direct(*part) for part in parts)
    length = 16 * len(parts) if table_length is None else table_length
    return direct(length, table_stag) + struct.pack(">I", sum(p[0] for p in parts) if total is None else total) + listed


def command(tag, cdb, lun=0, formats=0, out_count=0, in_count=0, descriptors=b"", attribute=0, additional=0, kind=2):
    return (struct.pack(">BBxxxBBBQ4xHHHHxBxB", kind, 0, formats, out_count, in_count, tag, lun, 0, 0, 0, attribute, additional) +
            cdb.ljust(16, b"\0") + descriptors)


def task_management(tag, function, lun=0, task_tag=0):
    return struct.pack(">B7xQ4xHHHHxxBxQ8x", 1, tag, lun, 0, 0, 0, function, task_tag)


def read_10(lba, blocks):
    return struct.pack(">BBIBHB", 0x28, 0, lba, 0, blocks, 0)


def write_10(lba, blocks, fua=False):
    return struct.pack(">BBIBHB", 0x2A, 8 if fua else 0, lba, 0, blocks, 0)


def immediate_write(tag, lba, data, lun=0, fua=False):
    head = command(tag, write_10(lba, len(data) // 512, fua), lun, formats=0x30, descriptors=struct.pack(">I", len(data)))
    return head.ljust(IMMEDIATE_OFFSET, b"\0") + data


class Peer:
    def __init__(self, host, port, source=None, timeout_s=30):
        self.socket = socket.create_connection((host, port), timeout_s, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.crc = False
        self.sequence = 0
        self.memory = {}
        self.limit = 0
        self.heard = bytearray()
        self._parts = b""

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # --- bytes

    def push(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed(True) from error

    def take(self, count):
        while len(self.heard) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError as error:
                raise Closed(True) from error
            if not more:
                raise Closed()
            self.heard += more
        taken = bytes(self.heard[:count])
        del self.heard[:count]
        return taken

    def expect_closed(self):
        """Nothing more comes but the end."""
        try:
            data = self.take(1)
        except Closed:
            return
        raise AssertionError(f"more data instead of the end: {data + bytes(self.heard)!r}")

    # --- login

    def start(self, private_data, **mpa):
        """Sends the MPA request; returns the reply's flags and private data."""
        self.push(mpa_request(private_data, **mpa))
        return self.reply()

    def reply(self):
        key = self.take(16)
        assert key == REPLY_KEY, key
        flags, revision, length = struct.unpack(">BBH", self.take(4))
        data = self.take(length)
        self.crc = bool(flags & CRC_WANTED)
        if revision == 2 and flags & ENHANCED:
            self.ird, self.ord = struct.unpack(">HH", data[:4])
            data = data[4:]
        return flags, data

    def login(self, target, mpa=None, **request):
        """A LoginAnswer, or what it was Rejected with."""
        flags, data = self.start(login_request(target, **request), **(mpa or {}))
        if flags & REJECTED:
            if not data:
                return Rejected(None, None, None, flags)
            assert len(data) == 32 and data[0] == 0xC2, data.hex()
            return Rejected(*struct.unpack(">4xIQ8xH6x", data), flags)
        assert len(data) == 52 and data[0] == 0xC0, data.hex()
        answer = LoginAnswer(*struct.unpack(">4xIQIIHB25x", data))
        self.limit = answer.delta
        return answer

    # --- messages

    def send_bytes(self, message):
        """The FPDU of one Send."""
        self.sequence += 1
        return fpdu(untagged(SEND, 0, self.sequence, 0, message), self.crc)

    def send(self, message):
        self.limit -= 1
        self.push(self.send_bytes(message))

    def take_ulpdu(self):
        head = self.take(2)
        length = struct.unpack(">H", head)[0]
        rest = self.take(length + -(length + 2) % 4 + 4)
        if self.crc:
            assert struct.unpack("<I", rest[-4:])[0] == crc32c(head + rest[:-4]), "CRC of the target's FPDU"
        return rest[:length]

    def receive(self):
        """The next message that the target sends; RDMA is served meanwhile."""
        while True:
            ulpdu = self.take_ulpdu()
            opcode, last = ulpdu[1] & 0x0F, bool(ulpdu[0] & 0x40)
            if ulpdu[0] & 0x80:
                stag, offset = struct.unpack(">IQ", ulpdu[2:14])
                data = ulpdu[14:]
                room = self.memory.get(stag)
                assert room is not None and offset + len(data) <= len(room), f"write of {len(data)} to {stag:#x}+{offset}"
                room[offset:offset + len(data)] = data
                continue
            payload = ulpdu[18:]
            if opcode == TERMINATE:
                raise Terminated(payload[0] >> 4, payload[0] & 15, payload[1])
            if opcode == READ_REQUEST:
                self.serve_read(*struct.unpack(">IQIIQ", payload[:28]))
                continue
            assert opcode in (SEND, 5), f"opcode {opcode}"
            self._parts += payload
            if last:
                message, self._parts = self._parts, b""
                return message

    def serve_read(self, sink, sink_offset, length, source, source_offset):
        room = self.memory.get(source)
        assert room is not None and source_offset + length <= len(room), f"read of {length} from {source:#x}+{source_offset}"
        data = bytes(room[source_offset:source_offset + length])
        for at in range(0, max(length, 1), 16384):
            part = data[at:at + 16384]
            self.push(fpdu(tagged(READ_RESPONSE, sink, sink_offset + at, part, at + 16384 >= length), self.crc))

    def response(self):
        return self.parse_response(self.receive())

    def parse_response(self, iu):
        assert iu[0] == 0xC1 and len(iu) >= 36, iu.hex()
        delta, tag, flags, status, out, into, sense, data = struct.unpack(">4xiQxxBBIIII", iu[:36])
        assert len(iu) == 36 + data + sense, iu.hex()
        self.limit += delta
        return Response(tag, delta, flags, status, out, into, iu[36:36 + data], iu[36 + data:])

    def execute(self, iu):
        self.send(iu)
        return self.response()

    # --- the usual

    def test_unit_ready(self, tag=1, lun=0):
        return self.execute(command(tag, bytes(6), lun))

    def read_blocks(self, lba, blocks, lun=0, tag=2, stag=0x5100):
        self.memory[stag] = bytearray(blocks * 512)
        answer = self.execute(command(tag, read_10(lba, blocks), lun, formats=1, descriptors=direct(blocks * 512, stag)))
        return answer, bytes(self.memory.pop(stag))


def sense_key(answer):
    """(key, additional code, qualifier) of fixed or descriptor sense."""
    sense = answer.sense
    if not sense:
        return None
    if sense[0] & 0x7F in (0x72, 0x73):
        return sense[1] & 15, sense[2], sense[3]
    return sense[2] & 15, sense[12], sense[13]


def until_ready(peer, lun=0, tries=16):
    """Takes the unit attentions away that a new nexus gets."""
    for _ in range(tries):
        answer = peer.test_unit_ready(lun=lun)
        if answer.status == 0:
            return answer
        assert sense_key(answer)[0] == 6, answer
    raise AssertionError(f"still not ready: {answer}")
