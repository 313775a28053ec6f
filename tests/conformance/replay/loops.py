"""Loop devices for recordings that use /dev/loop0, /dev/loop1, ... or /dev/sda: fresh ones, which stand in under those names.

They belong to the machine, not to a namespace. Each is added under a number nobody has (the kernel refuses a number twice, so
runs side by side don't meet), and taken away in the end, attached or not.
"""

import contextlib
import errno
import fcntl
import os
import time

CONTROL = "/dev/loop-control"
LOOP_CTL_ADD, LOOP_CTL_REMOVE, LOOP_CLR_FD = 0x4C80, 0x4C81, 0x4C01
FIRST, LAST = 300, 999
PATIENCE_S = 10


class NoLoops(Exception):
    """Why there are none to be had."""


@contextlib.contextmanager
def borrowed(names):
    """{name: (major, minor)} for the `names`, such as {"loop0": (7, 300)}."""
    if not names:
        yield {}
        return
    try:
        control = os.open(CONTROL, os.O_RDWR)
    except OSError as error:
        raise NoLoops(f"{CONTROL}: {error.strerror}") from error
    taken = []
    try:
        for _ in names:
            taken.append(add(control))
        yield {name: device_of(number) for name, (number, _) in zip(names, taken)}
    finally:
        for number, lock in taken:
            remove(control, number)
            os.unlink(lock_of(number))
            os.close(lock)
        os.close(control)


def lock_of(number):
    return f"/run/uscst-replay-loop{number}.lock"


def add(control):
    """(number, lock): the lock says that whoever added the device is still there."""
    for number in range(FIRST, LAST + 1):
        take_away_left_behind(control, number)
        lock = os.open(lock_of(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fcntl.ioctl(control, LOOP_CTL_ADD, number), lock
        except (BlockingIOError, FileExistsError):
            os.close(lock)
        except OSError as error:
            os.close(lock)
            raise NoLoops(f"no loop device: {error.strerror}") from error
    raise NoLoops(f"loop devices {FIRST} to {LAST} are all taken")


def take_away_left_behind(control, number):
    """Of a run that was killed with no time to clean up: its lock file is there, and nobody holds it."""
    if not os.path.exists(lock_of(number)):
        return
    with open(lock_of(number), "rb") as lock:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(control, number)


def device_of(number):
    with open(f"/sys/block/loop{number}/dev", encoding="ascii") as file:
        major, minor = file.read().strip().split(":")
    return int(major), int(minor)


def remove(control, number):
    """A daemon that was killed a moment ago may still be letting go of it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError):
            detach(number)
        try:
            fcntl.ioctl(control, LOOP_CTL_REMOVE, number)
            return
        except OSError as error:
            if error.errno == errno.ENODEV or time.monotonic() > end:
                return
            time.sleep(0.05)


def detach(number):
    node = f"/dev/loop{number}"
    fd = os.open(node, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, LOOP_CLR_FD)
    finally:
        os.close(fd)
