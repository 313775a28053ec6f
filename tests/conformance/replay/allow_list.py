"""The allow-list: differences that cannot be avoided, each with its reason. Generates docs/reference/differences.md, too.

An entry hides differences of one field at paths of one pattern. Regular expressions narrow it further: `data` is found in what the
operation wrote, `expected` in the recorded value, `match` is the part of the text that may differ. No pattern may cover a whole file
or directory, so `**` and a bare `*` at the end are refused. Where the result of an operation is hidden, so are its effects: they follow.
"""

import dataclasses
import fnmatch
import re
import tomllib

import rules

MOST_ENTRIES = 40
CLASSES = ("kernel address", "thread id", "CPU count", "timing", "kernel only", "machine", "kernel fault", "safety", "standard", "own text")
FIELDS = ("present", "type", "mode", "nlink", "size", "link", "content", "order", "added", "removed", "changed", "result", "mgmt_res", "n",
          "out", "rc", "stderr", "stdout", "steps", "ok", "value", "blocks", "blksize", "uid", "gid", "target")
KEYS = {"path", "field", "class", "reason", "recording", "data", "expected", "match"}


class BadAllowList(Exception):
    pass


@dataclasses.dataclass
class Entry:
    path: str
    field: str
    reason_class: str
    reason: str
    recording: str = ""
    data: str = ""
    expected: str = ""
    match: str = ""
    hides: int = 0

    def covers(self, recording, difference):
        return (self.field == difference.field and (not self.recording or self.recording == recording) and
                (not self.data or re.search(self.data, difference.data) is not None) and
                (not self.expected or re.search(self.expected, difference.expected) is not None) and
                path_matches(self.path, difference.path) and self.match_covers(difference))

    def match_covers(self, difference):
        if not self.match:
            return True
        left, right = (re.sub(self.match, "#", rules.comparable(difference.path, text, True), flags=re.MULTILINE)
                       for text in (difference.expected, difference.actual))
        return left == right

    def text(self):
        more = ", ".join(f"{key} {value}" for key, value in (("in", self.recording), ("after", self.data), ("where it was", self.expected), ("only", self.match)) if value)
        return f"{self.path} [{self.field}]{' (' + more + ')' if more else ''}"


def path_matches(pattern, path):
    wanted, have = pattern.split("/"), path.split("/")
    return len(wanted) == len(have) and all(fnmatch.fnmatchcase(name, one) for one, name in zip(wanted, have))


def load(path):
    with open(path, "rb") as file:
        table = tomllib.load(file)
    entries = [entry_of(row) for row in table.get("difference", [])]
    if len(entries) > MOST_ENTRIES:
        raise BadAllowList(f"{len(entries)} entries; at most {MOST_ENTRIES} are allowed")
    return entries


def entry_of(row):
    missing, unknown = {"path", "field", "class", "reason"} - row.keys(), row.keys() - KEYS
    if missing or unknown:
        raise BadAllowList(f"{row}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    if row["field"] not in FIELDS:
        raise BadAllowList(f"{row['path']}: no such field: {row['field']}")
    if row["class"] not in CLASSES:
        raise BadAllowList(f"{row['path']}: no such class: {row['class']}")
    components = row["path"].split("/")
    if "**" in row["path"] or not re.search(r"[\w.]", components[-1]) or row["path"].startswith("/"):
        raise BadAllowList(f"{row['path']}: covers more than one kind of file")
    if not row["reason"].strip().endswith("."):
        raise BadAllowList(f"{row['path']}: the reason is not a sentence")
    return Entry(row["path"], row["field"], row["class"], row["reason"], row.get("recording", ""), row.get("data", ""),
                 row.get("expected", ""), row.get("match", ""))


def hiding(entries, recording, difference):
    """The entry that hides it, counted there; None when there is none."""
    for entry in entries:
        if entry.covers(recording, difference):
            entry.hides += 1
            return entry
    return None
