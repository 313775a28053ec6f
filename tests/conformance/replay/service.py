"""One recording's run, in namespaces of its own: places, uscstd, the operations, and the end.

The process that runs this is the first of its PID namespace: what a recording leaves running in the background ends with it, as
its mounts and its network do. Loop devices are the one thing that outlives it; loops.py, on the outside, takes those back.
"""

import contextlib
import json
import os
import signal
import stat
import subprocess
import time

import commands
import recordings
import scst_local_disks
from initiators import Initiators

INITIATOR = "192.168.7.1"      # the recording machine, which was target and initiator
PORT = 5000
DISK_NODE, DISK_BYTES = "sda", 8 << 20   # the SCSI disk 0:0:0:0
START_LIMIT_S = 60
STOP_LIMIT_S = 60
LOG_TAIL_BYTES = 6000
SANITIZER_MARKS = ("WARNING: ThreadSanitizer", "ERROR: AddressSanitizer", "ERROR: LeakSanitizer", ": runtime error: ")


class NoService(Exception):
    """Why uscstd could not be brought up."""


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def nearest_directory(path):
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def make_places(values, root, loops):
    """Empty directories as the recordings started with; loop devices under the names they have there."""
    mount("-t", "tmpfs", "none", "/run")
    mount("-t", "tmpfs", "none", "/var/lib")
    for name in ("pr", "vdev_mode_pages", "dif_tags"):
        os.makedirs(f"/var/lib/scst/{name}")
    directory = values["DIR"]
    if nearest_directory(os.path.dirname(directory)) != os.path.dirname(directory):
        raise NoService(f"there is no place for {directory}")
    os.makedirs(directory, exist_ok=True)
    mount("-t", "tmpfs", "none", directory)
    if root != "/sys/kernel/scst_tgt":
        os.makedirs(root, exist_ok=True)
    if loops:
        make_devices(loops)


def make_devices(loops):
    """A /dev of our own with block devices of these names, in place of what has them on this machine."""
    os.makedirs("/run/dev")
    mount("-t", "tmpfs", "-o", "dev,mode=755", "none", "/run/dev")
    for entry in os.scandir("/dev"):
        copy, status = f"/run/dev/{entry.name}", entry.stat(follow_symlinks=False)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), copy)
        elif entry.is_dir():
            os.mkdir(copy)
            mount("--rbind", entry.path, copy)
        elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode) and entry.name not in loops:
            os.mknod(copy, status.st_mode, status.st_rdev)
            os.chmod(copy, stat.S_IMODE(status.st_mode))
    for name, device in loops.items():
        os.mknod(f"/run/dev/{name}", stat.S_IFBLK | 0o600, os.makedev(*device))
    mount("--move", "/run/dev", "/dev")
    if DISK_NODE in loops:
        os.mkdir("/run/disk")
        mount("-t", "ramfs", "none", "/run/disk")      # which punches no holes, as that disk discarded nothing
        with open("/run/disk/image", "wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run(["losetup", "/dev/" + DISK_NODE, "/run/disk/image"], check=True)


def two_processors():
    """The recordings' machine had two: masks and thread counts tell."""
    possible = "/sys/devices/system/cpu/possible"
    with open("/run/possible", "w", encoding="ascii") as file:
        file.write("0-1\n")
    mount("--bind", "/run/possible", possible)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def make_network():
    for words in (["link", "set", "lo", "up"], ["address", "add", f"{INITIATOR}/32", "dev", "lo"]):
        subprocess.run(["ip", *words], check=True)


class Service:
    """uscstd from start() to stop()."""

    def __init__(self, build, root, options):
        self.build, self.root, self.options = build, root, options
        self.log_path = "/run/uscstd.log"
        self.process = None

    def start(self):
        ready, theirs = os.pipe()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.build, "bin/uscstd"), "--foreground", "--ready-fd", str(theirs), "--sysfs", self.root,
                 "--state", "/var/lib/scst", "--listen", f"{INITIATOR}:{PORT}", *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[theirs])
        os.close(theirs)
        line = os.read(ready, 100)
        os.close(ready)
        if line != b"ready\n":
            raise NoService(f"uscstd ended with status {self.process.wait(START_LIMIT_S)}: {self.log()[-1000:]}")

    def stop(self):
        """What was wrong about its end; an empty text when nothing was."""
        if self.process is None:
            return ""
        if self.process.poll() is not None:
            return f"uscstd had ended with status {self.process.returncode}: {self.log()[-LOG_TAIL_BYTES:]}"
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"uscstd did not stop within {STOP_LIMIT_S} s"
        log = self.log()
        if status != 0 or any(mark in log for mark in SANITIZER_MARKS):
            return f"uscstd stopped with status {status}: {log[-LOG_TAIL_BYTES:]}"
        return ""

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()


def linux_disks(recording, root):
    """What brings /sys/block up to date before a shell's turn, where the recording looks there."""
    if not scst_local_disks.wanted(recordings.lines_of(recording.inputs)):
        return lambda: None
    scst_local_disks.install()
    return lambda: scst_local_disks.present(root)


def run(job):
    """`job` as made by runs.Run.job(). Writes JSON lines: {"outcome": ...}, {"dump": ...}, {"problem": ...}, {"done": true}."""
    with open(job["out"], "w", encoding="utf-8") as out:
        def tell(**what):
            out.write(json.dumps(what) + "\n")
            out.flush()
        try:
            run_telling(job, tell)
        except (NoService, OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            tell(problem=f"{type(error).__name__}: {error}")
            return 1
    return 0


def run_telling(job, tell):
    (recording,) = recordings.find(job["recordings"], [job["label"]])
    make_network()
    make_places(job["values"], job["root"], job["loops"])
    two_processors()
    service = Service(job["build"], job["root"], job["options"])
    initiators = Initiators(job["build"], job["root"], job["values"]["TGT"], f"{INITIATOR}:{PORT}", INITIATOR)
    started = time.monotonic()
    try:
        service.start()
        player = commands.player_of(job, initiators.hook)
        player.before_shell = linux_disks(recording, job["root"])
        if recording.kind == "transcript":
            for outcome in player.play(recordings.operations_of(recording)):
                tell(outcome=outcome)
        else:
            for problem in player.set_up(recordings.setup_of(recording)):
                tell(setup=problem)
            tell(dump=player.dump())
    finally:
        with contextlib.suppress(OSError):
            initiators.close()
        problem = service.stop()
        if job.get("keep_log"):
            with open(job["keep_log"], "w", encoding="utf-8") as file:
                file.write(service.log())
    if problem:
        tell(problem=problem)
    tell(done=True, took_s=round(time.monotonic() - started, 1), hooks=initiators.notes)
