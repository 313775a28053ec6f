"""One uscstd in a directory of its own, for tests that use it as an administrator and an initiator do.

A test program ends with `rig.main()`: 0 passed, 1 failed, 77 skipped (with the reason printed). The programs under test are
looked for in $USCST_BIN.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BIN = os.environ.get("USCST_BIN", os.path.join(SOURCE, "build/release/bin"))
USCSTD = os.path.join(BIN, "uscstd")
INITIATOR = os.path.join(BIN, "uscst-initiator")
SCSTADMIN = os.path.join(BIN, "scstadmin")
INIT_SCRIPT = os.path.join(SOURCE, "init.d/scst")

TARGET = "fe80:0000:0000:0000:0000:00ff:fe00:0001"
DEFAULT_TREE = "/sys/kernel/scst_tgt"
SKIPPED = 77
# Sanitizers and loaded machines are slow; nothing here measures time, so waiting long costs only what fails.
PATIENCE_S = 60.0
MIB = 1 << 20
SANITIZER_MARKS = ("WARNING: ThreadSanitizer", "ERROR: AddressSanitizer", "ERROR: LeakSanitizer", ": runtime error: ")


def main():
    for program in (USCSTD, INITIATOR, SCSTADMIN):
        if not os.access(program, os.X_OK):
            skip_all(f"{program} is not built")
    if os.geteuid() != 0:
        skip_all("root is needed to mount and to test what root may not do")
    if not os.path.exists("/dev/fuse"):
        skip_all("there is no /dev/fuse")
    in_mount_namespace()
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun and len(result.skipped) == result.testsRun else 0)


def skip_all(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def in_mount_namespace():
    """Runs the whole program again with mounts that nobody else sees or adds to, shared among themselves as under systemd."""
    if os.environ.get("USCST_TEST_NAMESPACE") == str(os.getppid()):
        return
    # The daemon's stage stands in /run: a tmpfs keeps it from those of other tests.
    script = ("mount --make-rshared / && mount -t tmpfs none /run && export USCST_TEST_NAMESPACE=$$ && "
              '"$@"; exit $?')
    probe = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", "true"],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        skip_all(f"no mount namespace of our own: {probe.stderr.strip()}")
    command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", sys.executable, *sys.argv]
    sys.exit(subprocess.run(command).returncode)


def mountinfo():
    """The mounts without what numbers them: ids differ from one mount to the next."""
    lines = []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            words = line.split()
            lines.append((words[2], words[3], words[4], " ".join(words[5:])))
    return lines


def mounts_at(directory):
    return [mount for mount in mountinfo() if mount[2] == directory]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def read_file(path):
    with open(path) as file:
        return file.read()


def wait_until(condition, what, timeout_s=PATIENCE_S):
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(0.02)


def run(command, timeout_s=PATIENCE_S * 3, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL, **options)


class Rig:
    """uscstd with a private tree, state, port and log. Use as a context manager: whatever happens, nothing is left."""

    def __init__(self, tree=None, target=TARGET, extra=()):
        self.directory = tempfile.mkdtemp(prefix="uscst-test-")
        self.tree = tree or self.path("tree")
        self.state = self.path("state")
        self.pid_file = self.path("pid")
        self.log_path = self.path("log")
        self.port = free_port()
        self.targets = [target]
        self.extra = list(extra)
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and not issubclass(kind, unittest.SkipTest):
            print(f"--- log of uscstd ({self.log_path})\n{self.log()[-6000:]}---", file=sys.stderr)
        self.kill()
        self.unmount()
        log = self.log()
        shutil.rmtree(self.directory, ignore_errors=True)
        if kind is None and any(mark in log for mark in SANITIZER_MARKS):
            raise AssertionError(f"a sanitizer complains: {log[-20000:]}")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    # --- the daemon

    def command(self, *more):
        words = [USCSTD, "--sysfs", self.tree, "--state", self.state, "--pid-file", self.pid_file,
                 "--listen", f"127.0.0.1:{self.port}"]
        for target in self.targets:
            words += ["--target", target]
        return [*words, *self.extra, *more]

    def start(self, environment=None):
        """In the foreground, with the log in a file; returns when the tree answers."""
        status = self.start_unready(environment)
        if status is not None:
            raise AssertionError(f"uscstd ended with status {status}: {self.log()[-2000:]}")
        return self

    def start_unready(self, environment=None):
        """None once it is ready; its exit status when it ends before."""
        ready, theirs = os.pipe()
        try:
            with open(self.log_path, "a") as log:
                self.process = subprocess.Popen(self.command("--foreground", "--ready-fd", str(theirs)), stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log, pass_fds=[theirs], env={**os.environ, **(environment or {})})
            os.close(theirs)
            theirs = None
            line = os.read(ready, 100)
        finally:
            os.close(ready)
            if theirs is not None:
                os.close(theirs)
        if line == b"ready\n":
            return None
        return self.process.wait(PATIENCE_S)

    def stop(self, how=signal.SIGTERM):
        """Ends it as asked; returns the exit status."""
        self.process.send_signal(how)
        status = self.process.wait(PATIENCE_S * 2)
        self.process = None
        return status

    def kill(self):
        pid = self.pid()
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
            self.process = None
        elif pid:  # one that an init script or --background left behind
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not alive(pid), f"process {pid} to end")

    def pid(self):
        try:
            pid = int(read_file(self.pid_file))
        except (OSError, ValueError):
            return None
        return pid if alive(pid) else None

    def unmount(self):
        """What a killed daemon left of its mount in a private directory; the default tree goes with its namespace."""
        while self.tree != DEFAULT_TREE and mounts_at(self.tree):
            if subprocess.run(["umount", "-l", self.tree], capture_output=True).returncode != 0:
                break

    def log(self):
        try:
            return read_file(self.log_path)
        except OSError:
            return ""

    def log_mark(self):
        return len(self.log())

    def wait_for_log(self, text, since=0, timeout_s=PATIENCE_S):
        return wait_until(lambda: text in self.log()[since:], f"{text!r} in the log {self.log()[since:]!r}", timeout_s)

    # --- the tree

    def at(self, *names):
        return os.path.join(self.tree, *names)

    def write(self, text, *names):
        """One command, with a single write; OSError with the errno that it fails with."""
        fd = os.open(self.at(*names), os.O_WRONLY)
        try:
            data = text.encode()
            done = os.write(fd, data)
            assert done == len(data), f"{done} of {len(data)} bytes taken by {names}"
        finally:
            os.close(fd)

    def write_error(self, text, *names):
        """The errno of a command that has to fail; 0 when it succeeded."""
        try:
            self.write(text, *names)
        except OSError as error:
            return error.errno
        return 0

    def read(self, *names):
        return read_file(self.at(*names))

    def listdir(self, *names):
        return os.listdir(self.at(*names))

    def target_path(self, *names):
        return os.path.join("targets/ib_srpt", self.targets[0], *names)

    def sessions(self):
        return sorted(self.listdir(self.target_path("sessions")))

    def make_file(self, name, size_bytes):
        path = self.path(name)
        with open(path, "wb") as file:
            file.truncate(size_bytes)
        return path

    def add_disk(self, name, lun=0, size_bytes=16 * MIB, options="", group=None, path=None):
        path = path or self.make_file(name + ".img", size_bytes)
        self.write(f"add_device {name} filename={path}" + (f"; {options}" if options else ""), "handlers/vdisk_fileio/mgmt")
        luns = self.target_path("ini_groups", group, "luns/mgmt") if group else self.target_path("luns/mgmt")
        if lun is not None:
            self.write(f"add {name} {lun}", luns)
        return path

    def enable(self, on=True):
        self.write("1" if on else "0", self.target_path("enabled"))

    def identifiers(self):
        """id_ext and ioc_guid out of login_info; the t before the first is SCST's."""
        first = self.read(self.target_path("login_info")).splitlines()[0]
        words = dict(word.split("=", 1) for word in first.split(",") if "=" in word)
        return words["tid_ext"], words["ioc_guid"]

    # --- the programs

    def initiator_command(self, action, *words, source=None):
        id_ext, ioc_guid = self.identifiers()
        line = [INITIATOR, action, "--dest", f"127.0.0.1:{self.port}", "--id-ext", id_ext, "--ioc-guid", ioc_guid, *words]
        return line + (["--source", source] if source else [])

    def initiator(self, action, *words, source=None):
        """What it reports, with "exit" added."""
        done = run(self.initiator_command(action, *words, "--json", source=source))
        try:
            answer = json.loads(done.stdout) if done.stdout.strip() else {}
        except ValueError:
            answer = {"text": done.stdout}
        answer["exit"] = done.returncode
        answer["stderr"] = done.stderr
        return answer

    def start_initiator(self, action, *words, source=None):
        return subprocess.Popen(self.initiator_command(action, *words, source=source), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @contextlib.contextmanager
    def held_session(self, *words, source=None):
        """An initiator that is logged in until the end of the block."""
        process = self.start_initiator("hold", *words, source=source)
        try:
            line = process.stderr.readline()
            if "holding" not in line:
                raise AssertionError(f"no login: {line}{process.stderr.read()}")
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)

    def scstadmin(self, *words):
        return run([SCSTADMIN, *words], env={**os.environ, "SCST_SYSFS": self.tree})

    def write_config(self):
        path = self.path("written.conf")
        done = self.scstadmin("-write_config", path)
        assert done.returncode == 0, done
        return read_file(path)

    def apply_config(self, path, *words):
        done = self.scstadmin("-config", path, *words)
        assert done.returncode == 0, done
        return done.stdout


def without_copy_manager(config):
    """Its LUNs count up by themselves whenever a device is made, so they are others after every start."""
    return re.sub(r"^TARGET_DRIVER copy_manager \{.*?^\}\n+", "", config, flags=re.MULTILINE | re.DOTALL)


def alive(pid):
    """A process that has ended but that nobody has waited for is not alive."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
