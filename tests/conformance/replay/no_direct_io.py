"""Backing files lay on a file system without O_DIRECT when the recordings were made (tmpfs, before Linux 6.6).

A newer tmpfs takes O_DIRECT. There the service gets a system call filter instead: openat() with O_DIRECT fails with EINVAL, as it
did on that file system. Opens with O_EXCL are those of block devices, which had O_DIRECT, and are let through.
"""

import ctypes
import errno
import os
import platform
import struct

OPENAT = {"x86_64": 257, "aarch64": 56}
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ALLOW, FAIL = 0x7FFF0000, 0x00050000

LOAD, JUMP_EQUAL, JUMP_ANY, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER_AT, FLAGS_AT = 0, 16 + 2 * 8


def wanted(directory):
    """True when O_DIRECT fails there anyway (or nothing can be done about it)."""
    probe = os.path.join(directory, ".direct")
    with open(probe, "wb"):
        pass
    try:
        os.close(os.open(probe, os.O_RDWR | os.O_DIRECT))
    except OSError:
        return True
    finally:
        os.unlink(probe)
    return platform.machine() not in OPENAT


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def refuse():
    """For the calling process and what it starts; needs CAP_SYS_ADMIN."""
    lines = [
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_EQUAL, 0, 4, OPENAT[platform.machine()]),
        (LOAD, 0, 0, FLAGS_AT),
        (JUMP_ANY, 2, 0, os.O_EXCL),
        (JUMP_ANY, 0, 1, os.O_DIRECT),
        (RETURN, 0, 0, FAIL | errno.EINVAL),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in lines)
    program = Program(len(lines), code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")
