"""Stand-ins for the SCSI disks that Linux makes of the LUNs of scst_local's sessions, for recordings that look for them in
/sys/block and read them with dd.

present() shows them in /sys/block; a dd that comes first in PATH (this program) reads such a disk through the daemon's control socket.
It does what Linux's SCSI error handling does about a command that does not end: abort it after 30 s and send it again; the next time reset
the LUN and ask whether it is ready, for 10 s; then reset the target.
"""

import os
import re
import select
import socket
import string
import struct
import subprocess
import sys
import time

BLOCKS = "/sys/block"
PROGRAMS = "/run/programs"
TABLE = "/run/scst_local_disks"
CONTROL = "/run/uscstd.sock"
BLOCK_BYTES = 512

REQUEST = ">BBBxQ8sQII32s"     # engine/local/wire.h
ANSWER = ">BBBBQqI"
COMMAND, MANAGEMENT = 1, 2
SIMPLE = 0
ABORT_TASK, LUN_RESET, TARGET_RESET = 1, 8, 0x20
COMMAND_LIMIT_S, READY_LIMIT_S = 30, 10
MANAGEMENT_LIMIT_S = 60
SETTLE_S = 5                   # before the next step: what the last one ended is looked at first


# --- showing them

def wanted(texts):
    return any(BLOCKS + "/sd" in text for text in texts)


def install():
    """For the whole run: an empty /sys/block, and dd."""
    subprocess.run(["mount", "-t", "tmpfs", "none", BLOCKS], check=True)
    os.makedirs(PROGRAMS)
    with open(f"{PROGRAMS}/dd", "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\nexec "{sys.executable}" -B "{os.path.abspath(__file__)}" "$@"\n')
    os.chmod(f"{PROGRAMS}/dd", 0o755)
    os.environ["PATH"] = PROGRAMS + ":" + os.environ["PATH"]


def present(root):
    """The disks that there are now: one for each LUN of each session that has a virtual device."""
    names = (f"sd{letter}" for letter in string.ascii_lowercase)
    with open(TABLE, "w", encoding="ascii") as table:
        for (target, session, lun, model), name in zip(luns_of(os.path.join(root, "targets/scst_local")), names):
            os.makedirs(f"{BLOCKS}/{name}/device", exist_ok=True)
            with open(f"{BLOCKS}/{name}/device/model", "w", encoding="ascii") as file:
                file.write(f"{model:16}\n")
            table.write(f"{name} {target} {session} {lun}\n")


def luns_of(driver):
    for target in directories(driver):
        for session in directories(f"{driver}/{target}/sessions"):
            for entry in directories(f"{driver}/{target}/sessions/{session}"):
                lun = re.fullmatch(r"lun(\d+)", entry)
                device = lun and f"{driver}/{target}/sessions/{session}/luns/{lun.group(1)}/device/prod_id"
                if device and os.path.exists(device):
                    with open(device, encoding="ascii") as file:
                        yield target, session, int(lun.group(1)), file.readline().strip()


def directories(path):
    return sorted(name for name in os.listdir(path) if os.path.isdir(f"{path}/{name}")) if os.path.isdir(path) else []


# --- reading one

class Lost(Exception):
    """The session ended."""


class Disk:
    def __init__(self, target, session, lun):
        self.lun = struct.pack(">H6x", lun)
        self.tag = os.getpid() << 16
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(CONTROL)
        self.socket.sendall(f"local {target} {session}\n".encode("ascii"))
        if self.take(3) != b"ok\n":
            raise Lost("login refused")

    def take(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise Lost("the connection ended")
            data += part
        return data

    def send(self, kind, attribute, cdb=b"", task_tag=0, data_in=0):
        self.tag += 1
        self.socket.sendall(struct.pack(REQUEST, kind, attribute, len(cdb), self.tag, self.lun, task_tag, data_in, 0, cdb))
        return self.tag

    def answer(self, tag, limit_s):
        """(answered, status, data-in) of that request; None when there is none in time."""
        while select.select([self.socket], [], [], limit_s)[0]:
            _, answered, status, sense_bytes, got, _, data_bytes = struct.unpack(ANSWER, self.take(struct.calcsize(ANSWER)))
            self.take(sense_bytes)
            data = self.take(data_bytes)
            if got == tag:
                return answered, status, data
        return None

    def manage(self, function, task_tag=0):
        self.answer(self.send(MANAGEMENT, function, task_tag=task_tag), MANAGEMENT_LIMIT_S)

    def ready(self):
        tag = self.send(COMMAND, SIMPLE, bytes(6))
        answer = self.answer(tag, READY_LIMIT_S)
        if answer is None:
            self.manage(ABORT_TASK, tag)
        return answer is not None and answer[1] == 0

    def read(self, lba, blocks):
        """The data, or None when error handling gave the disk up."""
        for handle in (lambda tag: self.manage(ABORT_TASK, tag), lambda tag: self.recover()):
            for _ in range(5):           # unit attentions
                tag = self.send(COMMAND, SIMPLE, struct.pack(">BxIxHx", 0x28, lba, blocks), data_in=blocks * BLOCK_BYTES)
                answer = self.answer(tag, COMMAND_LIMIT_S)
                if answer is None or answer[1] == 0:
                    break
            if answer is not None:
                return answer[2] if answer[1] == 0 else None
            handle(tag)
        return None

    def recover(self):
        self.manage(LUN_RESET)
        if not self.ready():
            time.sleep(SETTLE_S)
            self.manage(TARGET_RESET)
            self.ready()


def dd(words):
    options = dict(word.split("=", 1) for word in words if "=" in word)
    name = os.path.basename(options.get("if", ""))
    with open(TABLE, encoding="ascii") as table:
        rows = [row for row in map(str.split, table) if row[0] == name]
    if not rows or not options["if"].startswith("/dev/"):
        return None
    _, target, session, lun = rows[0]
    blocks = int(options.get("bs", BLOCK_BYTES)) // BLOCK_BYTES
    try:
        disk = Disk(target, session, int(lun))
        with open(options.get("of", "/dev/stdout"), "wb") as out:
            for number in range(int(options.get("count", 1))):
                data = disk.read(number * blocks, blocks)
                if data is None:
                    return 1
                out.write(data)
    except (OSError, Lost):
        return 1
    return 0


def main(words):
    status = dd(words)
    if status is not None:
        return status
    path = os.environ["PATH"].removeprefix(PROGRAMS + ":")
    os.environ["PATH"] = path
    os.execvp("dd", ["dd", *words])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
