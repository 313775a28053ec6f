"""Starts a recording's run in namespaces of its own, and judges what came of it. Runs outside of them."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import allow_list
import commands
import compare
import loops
import operations
import recordings

NAMESPACES = ["unshare", "--mount", "--propagation", "private", "--net", "--ipc", "--pid", "--kill-child=KILL", "--mount-proc"]
LOOK_S = 0.5


@dataclasses.dataclass
class Settings:
    build: str
    directory: str             # of the recordings
    target: str = None         # None: the recorded one
    root: str = "/sys/kernel/scst_tgt"
    options: tuple = ()        # more of uscstd
    limit_s: float = 300
    keep: str = None           # a directory for what came of each run
    tool: tuple = ()           # what {SCSTADMIN} stands for
    stopping: threading.Event = dataclasses.field(default_factory=threading.Event)     # end what runs, and clean up


@dataclasses.dataclass
class Verdict:
    recording: recordings.Recording
    skipped: str = ""
    problems: list = dataclasses.field(default_factory=list)    # of the run itself
    compared: int = 0          # operations or nodes
    agreeing: int = 0          # without any difference
    hidden: int = 0            # those whose differences are all on the allow-list
    differences: list = dataclasses.field(default_factory=list)
    took_s: float = 0

    def failed(self):
        return bool(self.problems or self.differences)


def daemon_help(build):
    return subprocess.run([os.path.join(build, "bin/uscstd"), "--help"], capture_output=True, text=True, check=True).stdout


def service_options(recording, settings, values, known):
    """Options of uscstd for what the recording needs, or the reason why that cannot be had; `known` is its --help."""
    options = ["--target", values["TGT"], *settings.options]
    if not recording.needs.starting_state():
        wanted = recording.needs.modules
        missing = [module for module in wanted if module not in recordings.STARTING_MODULES]
        if missing:
            return None, f"uscstd has no module {', '.join(missing)}"
        if "--modules" not in known:
            return None, f"uscstd cannot be started with {', '.join(wanted)} alone"
        options += ["--modules", ",".join(wanted)]
    if recording.needs.disk and "--scsi-host" in known:
        options += ["--scsi-host", "sim:" + recordings.DISK]
    return options, ""


def values_of(recording, settings):
    values = {"TGT": recordings.TARGET, "DIR": recordings.DIRECTORY, "HCIL": recordings.DISK}
    if recording.kind == "transcript":
        values.update(recordings.outcomes_of(recording)[1])
    if settings.target:
        values["TGT"] = settings.target
    return values


def run(recording, settings, known):
    """Plays the recording and compares; never raises for what the recording or uscstd does."""
    verdict = Verdict(recording)
    values = values_of(recording, settings)
    options, verdict.skipped = service_options(recording, settings, values, known)
    if verdict.skipped:
        return verdict
    try:
        with loops.borrowed(recording.needs.loops) as devices, tempfile.TemporaryDirectory(prefix="uscst-replay-") as place:
            job = {"recordings": settings.directory, "label": recording.label, "build": settings.build, "root": settings.root,
                   "values": values, "options": options, "loops": devices, "tool": list(settings.tool),
                   "out": os.path.join(settings.keep or place, f"{recording.name}.out")}
            if settings.keep:
                job["keep_log"] = os.path.join(settings.keep, f"{recording.name}.log")
            problem = play(job, settings)
            with open(job["out"], encoding="utf-8") as file:
                told = [json.loads(line) for line in file if line.endswith("\n")]
    except loops.NoLoops as error:
        verdict.skipped = str(error)
        return verdict
    judge(verdict, told)
    if problem:
        verdict.problems.append(problem)
    return verdict


def play(job, settings):
    """What went wrong with the process; an empty text when nothing did. The namespaces end with this thread, whatever ends it."""
    with open(job["out"], "w", encoding="utf-8"):
        pass
    end_with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    command = [*end_with_us, *NAMESPACES, sys.executable, "-B", os.path.dirname(os.path.abspath(__file__)), "--inside", json.dumps(job)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        end = time.monotonic() + settings.limit_s
        while True:
            try:
                output, _ = process.communicate(timeout=LOOK_S)
                break
            except subprocess.TimeoutExpired:
                if not settings.stopping.is_set() and time.monotonic() < end:
                    continue
            process.kill()
            output, _ = process.communicate()
            return f"not done within {settings.limit_s:.0f} s, or stopped; {output[-500:]}"
    return f"status {process.returncode}: {output[-2000:]}" if process.returncode != 0 else ""


def judge(verdict, told):
    """`told`: the lines that service.run() wrote."""
    recording = verdict.recording
    for entry in told:
        if "problem" in entry:
            verdict.problems.append(entry["problem"])
        if "setup" in entry:
            verdict.differences.append(compare.Difference("setup", "result", "OK", entry["setup"]))
        if "done" in entry:
            verdict.took_s = entry["took_s"]
            verdict.problems += [f"hook: {note}" for note in entry["hooks"]]
    if recording.kind == "transcript":
        judge_operations(verdict, [entry["outcome"] for entry in told if "outcome" in entry])
    else:
        dumps = [entry["dump"] for entry in told if "dump" in entry]
        logged_in = any(line.kind == "hook" or "add_session" in line.text for line in recordings.setup_of(recording))
        expected = recordings.dump_of(recording)
        verdict.compared, found = compare.tree_differences(expected, dumps[0] if dumps else [], logged_in)
        verdict.differences += found


def judge_operations(verdict, outcomes):
    expected, _ = recordings.outcomes_of(verdict.recording)
    logged_in = False
    for number, wanted in enumerate(expected):
        verdict.compared += 1
        logged_in = logged_in or operations.mentions_login(wanted)
        if number >= len(outcomes):
            verdict.differences.append(compare.Difference(wanted.get("path", wanted["op"]), "result", wanted["result"], "not reached", number))
            continue
        verdict.differences += compare.operation_differences(number, commands.comparable(wanted), commands.comparable(outcomes[number]), logged_in)


def apply_allow_list(verdict, entries):
    """Takes hidden differences out of the verdict, and counts what agrees: operations, or nodes of a tree."""
    if verdict.skipped:
        return
    left, units, open_units = [], set(), set()
    follows = {}               # operation: the entry that hides its result
    in_order = sorted(verdict.differences, key=lambda difference: difference.field != "result")
    for difference in in_order:
        unit = difference.operation if difference.operation is not None else difference.path
        units.add(unit)
        entry = follows.get(difference.operation)
        if entry is not None:
            entry.hides += 1
            continue
        entry = allow_list.hiding(entries, verdict.recording.name, difference)
        if entry is None:
            left.append(difference)
            open_units.add(unit)
        elif difference.field == "result" and difference.operation is not None:
            follows[difference.operation] = entry
    verdict.agreeing = max(verdict.compared - len(units), 0)
    verdict.hidden = len(units - open_units)
    verdict.differences = sorted(left, key=lambda difference: -1 if difference.operation is None else difference.operation)
