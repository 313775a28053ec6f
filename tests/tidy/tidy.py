#!/usr/bin/env python3
"""The house rules that a compiler does not check: who includes whom, how long a file may be, no casts of buffers.

tidy.py [ROOT]: one line a finding, exit status 1 when there are any. tidy.py --self-test checks the checks.
"""
import pathlib
import re
import sys
import tempfile

MAXIMUM_LINES = 600

# What each room may include beside itself (docs/internals/architecture.md). Longest prefix wins.
MAY_INCLUDE = {
    "engine/base": [],
    "engine/io": ["engine/base"],
    "engine/scsi": ["engine/base"],
    "engine/target": ["engine/base", "engine/io", "engine/scsi"],
    "engine/fabric/fabric.h": ["engine/base", "engine/io"],
    "engine/fabric": ["engine/base", "engine/io"],
    "engine/fabric/iwarp": ["engine/base", "engine/io", "engine/fabric/fabric.h", "engine/fabric/memory.h"],
    "engine/fabric/sim": ["engine/base", "engine/io", "engine/fabric/fabric.h", "engine/fabric/memory.h"],
    "engine/fabric/verbs": ["engine/base", "engine/io", "engine/fabric/fabric.h", "engine/fabric/memory.h"],
    "engine/srp": ["engine/base", "engine/io", "engine/scsi", "engine/target", "engine/fabric/fabric.h"],
    "engine/copy_manager": ["engine/base", "engine/io", "engine/scsi", "engine/target"],
    "engine/control": ["engine/base", "engine/io", "engine/target"],
    "engine/local": ["engine/base", "engine/io", "engine/scsi", "engine/target", "engine/control"],
    "engine/local/wire.h": ["engine/base"],
    "engine/local/wire.cc": ["engine/base"],
    "handlers": ["engine/base", "engine/io", "engine/scsi", "engine/target"],
    "sysfsfs": ["engine/base", "engine/io", "engine/target", "engine/control", "engine/scsi/lun.h"],
    "compat/scstadmin": ["engine/base"],
    "engine/daemon": ["engine", "handlers", "sysfsfs"],
    # The other end: the codecs and a fabric, nothing of the target. Its program chooses the kind of fabric.
    "engine/initiator": ["engine/base", "engine/io", "engine/scsi", "engine/fabric/fabric.h", "engine/srp/iu.h", "engine/srp/login.h",
                         "engine/local/wire.h"],
    "engine/initiator/main.cc": ["engine"],
    "engine/initiator/host.cc": ["engine"],
}
ROOTS = ["engine", "handlers", "sysfsfs", "compat", "tests"]
# Text and bytes share one representation; socket addresses are cast by their interface's design.
CASTS_ALLOWED = {"engine/base/bytes.cc", "engine/fabric/iwarp/address.cc"}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
CAST = re.compile(r"\breinterpret_cast\b|__attribute__\s*\(\(\s*packed|#pragma\s+pack")


def under(path, prefix):
    return path == prefix or path.startswith(prefix + "/")


def room_of(path):
    rooms = [room for room in MAY_INCLUDE if under(path, room)]
    return max(rooms, key=len) if rooms else None


def findings_of(root, path):
    text = (root / path).read_text()
    lines = text.count("\n")
    if lines > MAXIMUM_LINES:
        yield f"{path}: {lines} lines, {MAXIMUM_LINES} are the most: it is asking to be two"
    if path.startswith("tests/"):
        return
    if path not in CASTS_ALLOWED:
        for match in CAST.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {match.group(0)}: read bytes through base::Reader or a be<> aggregate"
    room = room_of(path)
    if room is None:
        yield f"{path}: belongs to no room known here"
        return
    allowed = MAY_INCLUDE[room]
    home = room if (root / room).is_dir() else str(pathlib.PurePosixPath(room).parent)
    for included in INCLUDE.findall(text):
        if not under(included, home) and not any(under(included, other) for other in allowed):
            yield f"{path}: includes {included}, which {room} may not (see docs/internals/architecture.md)"


def check(root):
    found = []
    for top in ROOTS:
        for file in sorted((root / top).rglob("*")):
            if file.suffix in (".h", ".cc") and file.is_file():
                found.extend(findings_of(root, file.relative_to(root).as_posix()))
    return found


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for top in ROOTS:
            (root / top).mkdir(parents=True)
        (root / "engine/scsi").mkdir()
        bad = root / "engine/scsi/bad.cc"
        bad.write_text('#include "engine/target/command.h"\nint* p = reinterpret_cast<int*>(0);\n' + "\n" * MAXIMUM_LINES)
        good = root / "engine/scsi/good.cc"
        good.write_text('#include "engine/base/bytes.h"\n#include "engine/scsi/cdb.h"\n')
        found = check(root)
        assert len(found) == 3 and all("bad.cc" in line for line in found), found


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    found = check(root)
    print("\n".join(found) if found else "tidy: nothing to say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
