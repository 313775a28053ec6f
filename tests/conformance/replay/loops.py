"""Loop devices for recordings that use /dev/loop0, /dev/loop1, ... or /dev/sda: fresh ones, which stand in under those names.

They belong to the machine, not to a namespace. Each is added under a number nobody has (the kernel refuses a number twice, so
runs side by side don't meet), and taken away in the end, attached or not.
"""

import contextlib
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
        yield {name: device_of(number) for name, number in zip(names, taken)}
    finally:
        for number in taken:
            remove(control, number)
        os.close(control)


def add(control):
    for number in range(FIRST, LAST + 1):
        try:
            return fcntl.ioctl(control, LOOP_CTL_ADD, number)
        except FileExistsError:
            continue
        except OSError as error:
            raise NoLoops(f"no loop device: {error.strerror}") from error
    raise NoLoops(f"loop devices {FIRST} to {LAST} are all taken")


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
        except OSError:
            if time.monotonic() > end:
                return
            time.sleep(0.05)


def detach(number):
    node = f"/dev/loop{number}"
    fd = os.open(node, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, LOOP_CLR_FD)
    finally:
        os.close(fd)
