"""Single calls on one open file: the `steps` of the operation fd."""

import fcntl
import mmap
import os
import select
import time

import tree


def read_mapping(fd, length):
    with mmap.mmap(fd, length, prot=mmap.PROT_READ) as mapping:
        return tree.to_text(mapping[:length])


def poll(fd, events, timeout_ms):
    poller = select.poll()
    poller.register(fd, events)
    ready = poller.poll(timeout_ms)
    return ready[0][1] if ready else 0


def done(call, *arguments):
    call(*arguments)
    return "OK"


CALLS = {
    "write": lambda fd, text: os.write(fd, tree.to_bytes(text)),
    "read": lambda fd, length: tree.to_text(os.read(fd, length)),
    "pread": lambda fd, offset, length: tree.to_text(os.pread(fd, length, offset)),
    "pwrite": lambda fd, offset, text: os.pwrite(fd, tree.to_bytes(text), offset),
    "writev": lambda fd, texts: os.writev(fd, [tree.to_bytes(text) for text in texts]),
    "lseek": os.lseek,
    "ftruncate": lambda fd, size: done(os.ftruncate, fd, size),
    "fallocate": lambda fd, offset, length: done(os.posix_fallocate, fd, offset, length),
    "fstat": lambda fd: tree.status_of(os.fstat(fd)),
    "fsync": lambda fd: done(os.fsync, fd),
    "fchmod": lambda fd, mode: done(os.fchmod, fd, mode),
    "flock": lambda fd: done(fcntl.flock, fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
    "lockf": lambda fd: done(fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
    "mmap": read_mapping,
    "ioctl": lambda fd, number: fcntl.ioctl(fd, number, 0),
    "poll": poll,
    "select": lambda fd: [len(ready) for ready in select.select([fd], [fd], [fd], 0)],
    "getfl": lambda fd: fcntl.fcntl(fd, fcntl.F_GETFL),
    "sleep": lambda _, seconds: done(time.sleep, seconds),
}


def take(fd, step, perform):
    """The value of one call, or {"err": errno}. `perform` carries out a whole operation, for the step `do`."""
    name, *arguments = step
    try:
        if name == "do":
            return perform(arguments[0])
        return CALLS[name](fd, *arguments) if name in CALLS else "unknown step"
    except OSError as error:
        return {"err": tree.error_name(error.errno)}
    except ValueError:
        return {"err": "ValueError"}
