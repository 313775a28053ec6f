"""What is never compared, by rule: the READMEs of the recordings name it, since it differs from run to run on SCST itself.

Each rule blanks that part of a text and leaves its shape, so a process id must still be a number. What the rules do not cover
and still cannot agree stands in the allow-list, entry by entry.
"""

import re

# Fields of an outcome.
NOT_COMPARED = frozenset(("log", "slow_s", "note"))

# "the SCSI devices which that made there are left out (devices/H:C:I:L with H > 0)": the recording machine was the initiator, too.
INITIATORS_DISKS = re.compile(r"^(devices|handlers/[^/]*)/[1-9]\d*:\d+:\d+:\d+(/|$)")

COUNTER = re.compile(r"^targets/.*(_cmd_count|_io_count_kb|/commands)$")
LATENCY = re.compile(r"/latency/[nrwb]\d+$")
LATENCY_ROW = re.compile(r"^\w+ \d+ \S+ \S+ \S+ \S+ us\n$")
NUMBER = re.compile(r"^\d+\n$")
NUMBERS = re.compile(r"^\d+( \d+)*\n$")


def numbers_after_name(text):
    """A statistics table: names stay, numbers and the room they take don't."""
    return "\n".join(re.sub(r"\d+", "#", re.sub(r" +", " ", rest)) if not name else name + re.sub(r"\d+", "#", re.sub(r" +", " ", rest))
                     for name, rest in (re.match(r"( *\S*)(.*)$", line).groups() for line in text.split("\n")))


def latency(text, says_whether):
    """Rows stay as one, and where the initiator's own commands may have made them, not even that."""
    lines = text.splitlines(keepends=True)
    if not lines or not all(LATENCY_ROW.match(line) for line in lines[1:]):
        return text
    return lines[0] + ("# rows\n" if len(lines) > 1 and says_whether else "")


def number(text):
    return "#\n" if NUMBER.match(text) else text


def comparable(path, content, logged_in, asked_for=False):
    """`content` of the file at `path` with what differs from run to run blanked. `asked_for`: by an operation of its own."""
    if content is None:
        return None
    if path.startswith("sgv/"):
        return numbers_after_name(content)
    if path.endswith("/thread_pid"):
        return "#\n" if NUMBERS.match(content) else content
    if path.endswith(("/comp_vector", "/host_no")):
        return number(content)
    if logged_in and COUNTER.search(path):
        return number(content)
    if LATENCY.search(path):
        return latency(content, asked_for)
    if path == "version":
        return re.sub(r"(SCST build date: )[^\n]*", r"\1#", content)
    return content


def comparable_link(path, link):
    """A session of scst_local links to its SCSI host, by number."""
    return re.sub(r"\bhost\d+\b", "host#", link) if link is not None and path.endswith("/host") else link


def left_out(path):
    return bool(INITIATORS_DISKS.search(path))


def same_listing(path, out):
    """`ls` of the top shows the directory above, which is no part of the tree; the widths of the columns follow from it."""
    if path:
        return out
    lines = [re.sub(r" +", " ", line) for line in out.splitlines() if not line.endswith(" ..")]
    return "\n".join(lines)
