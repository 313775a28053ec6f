"""Recordings of SCST's tree: where they are, what is in them, and what they need of the machine and of uscstd.

A transcript is NAME.ops (operations) with NAME.txt (what happened); a tree is NAME.setup (writes) with NAME.dump (the tree
afterwards). data/transcripts/README.md and data/trees/README.md say what each line means.
"""

import ast
import dataclasses
import json
import os
import re

TARGET = "fe80:0000:0000:0000:0000:00ff:fe00:0001"
DISK = "0:0:0:0"
DIRECTORY = "/var/lib/scst-test"

# What is loaded in the starting state (data/transcripts/README.md).
STARTING_MODULES = ("scst", "scst_vdisk", "scst_disk", "scst_cdrom", "scst_tape", "scst_changer", "scst_modisk", "scst_processor",
                    "scst_raid", "scst_user", "ib_srpt", "scst_local")
# Words of a setup's note that name a module which the starting state has not.
OTHER_MODULES = {"iscsi-scst": "iscsi_scst", "iscsi_scst": "iscsi_scst"}


class BadRecording(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class Needs:
    modules: tuple = STARTING_MODULES
    disk: bool = True          # a SCSI disk DISK
    loops: tuple = ()          # the block devices that it uses: loop0, ..., and sda, which is the SCSI disk

    def starting_state(self):
        return self.modules == STARTING_MODULES


@dataclasses.dataclass(frozen=True)
class Recording:
    name: str
    kind: str                  # "transcript" or "tree"
    inputs: str                # the .ops or .setup
    outcome: str               # the .txt or .dump
    needs: Needs

    @property
    def label(self):
        return f"{self.kind}s/{self.name}" if self.kind == "transcript" else f"trees/{self.name}"


def lines_of(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return [line.rstrip("\n") for line in file]


def find(directory, names=()):
    """All recordings below directory (in it, or in its trees/ and transcripts/), in order of name; `names` selects."""
    found = {}
    for folder in ("", "trees", "transcripts"):
        base = os.path.join(directory, folder)
        if not os.path.isdir(base):
            continue
        for file in sorted(os.listdir(base)):
            stem, extension = os.path.splitext(os.path.join(base, file))
            if extension == ".setup":
                found[("tree", os.path.basename(stem))] = (stem + ".setup", stem + ".dump")
            elif extension == ".ops":
                found[("transcript", os.path.basename(stem))] = (stem + ".ops", stem + ".txt")
    recordings = [Recording(name, kind, *files, needs_of(files[0])) for (kind, name), files in found.items()]
    unknown = [name for name in names if not any(name in (r.name, r.label) for r in recordings)]
    if unknown:
        raise BadRecording(f"no such recording: {', '.join(unknown)}")
    return [r for r in recordings if not names or r.name in names or r.label in names]


# --- what a recording needs

def notes_of(path):
    """The comment lines at the start of a .setup or .ops."""
    notes = []
    for line in lines_of(path):
        if not line.startswith("#"):
            break
        notes.append(line.lstrip("# "))
    return " ".join(notes)


def needs_of(path):
    notes = notes_of(path)
    base = re.match(r"starting from ([\w-]+)$", notes)
    if base:
        other = os.path.join(os.path.dirname(path), base.group(1) + ".setup")
        needs = needs_of(other) if os.path.exists(other) else Needs()
    else:
        needs = Needs(modules_in(notes), not re.search(r"\bno SCSI disk\b", notes))
    loops = {name for line in lines_of(path) for name in re.findall(r"/dev/(loop\d+|sda)\b", line)}
    return dataclasses.replace(needs, loops=tuple(sorted(loops)))


def modules_in(notes):
    """`modules a, b and c ...` names them all; otherwise it is the starting state and what is named on top of it."""
    listed = re.match(r"modules ((?:[a-z_]+(?: \([^)]*\))?(?:, | and )?)+)", notes)
    if listed:
        words = re.findall(r"[a-z_]+", re.sub(r"\([^)]*\)", "", listed.group(1)))
        return tuple(word for word in words if word in STARTING_MODULES)
    more = tuple(module for word, module in OTHER_MODULES.items() if re.search(rf"\b{re.escape(word)}\b", notes))
    return STARTING_MODULES + more


# --- transcripts

def operations_of(recording):
    return [json.loads(line) for line in lines_of(recording.inputs) if line.strip() and not line.startswith("#")]


def outcomes_of(recording):
    """The recorded outcomes, and the values of the placeholders when they were recorded."""
    outcomes, values = [], {}
    for line in lines_of(recording.outcome):
        if not line.strip():
            continue
        entry = json.loads(line)
        if "meta" in entry:
            values = entry["meta"].get("vars", {})
        else:
            outcomes.append(entry)
    return outcomes, values


# --- trees

@dataclasses.dataclass(frozen=True)
class SetupLine:
    kind: str                  # write, sh, hook, sleep
    path: str = ""
    text: str = ""             # the data, the command, the arguments, the seconds
    line: str = ""


def setup_of(recording):
    steps = []
    for line in lines_of(recording.inputs):
        if not line.strip() or line.startswith("#"):
            continue
        write = re.match(r'echo( -n)? "((?:[^"\\]|\\.)*)" > (\S+)$', line)
        if write:
            data = re.sub(r"\\(.)", r"\1", write.group(2)) + ("" if write.group(1) else "\n")
            steps.append(SetupLine("write", write.group(3), data, line))
        elif line.startswith("! "):
            steps.append(SetupLine("sh", "", line[2:], line))
        elif line.startswith(("hook ", "sleep ")):
            kind, _, text = line.partition(" ")
            steps.append(SetupLine(kind, "", text, line))
        else:
            raise BadRecording(f"{recording.inputs}: {line}")
    return steps


@dataclasses.dataclass(frozen=True)
class Node:
    type: str                  # d, l, f
    mode: str
    links: int = None
    size: int = None
    link: str = None
    content: str = None        # None: write-only or unreadable
    error: str = None          # the errno of reading


NODE_LINE = re.compile(r"(?s)d (?P<dm>\d{4}) (?P<dp>.*) nl=(?P<nl>\d+)$"
                       r"|l (?P<lm>\d{4}) (?P<lp>.*?) -> (?P<to>.*)$"
                       r"|f (?P<fm>\d{4}) (?P<fp>.*?) sz=(?P<sz>\d+) = (?P<text>.*)$")


def parse_node(line):
    match = NODE_LINE.match(line)
    if not match:
        raise BadRecording(f"not a node: {line[:200]}")
    if match["dp"] is not None:
        return match["dp"], Node("d", match["dm"], links=int(match["nl"]))
    if match["lp"] is not None:
        return match["lp"], Node("l", match["lm"], link=match["to"])
    content, error = parse_content(match["text"])
    return match["fp"], Node("f", match["fm"], size=int(match["sz"]), content=content, error=error)


def parse_content(text):
    """Content as it stands in dumps and diffs: a Python string, <write-only>, or !ERRNO; as (content, error)."""
    if text == "<write-only>":
        return None, None
    if text.startswith("!"):
        return None, text[1:]
    return ast.literal_eval(text), None


def dump_of(recording):
    return dict(parse_node(line) for line in lines_of(recording.outcome) if line)
