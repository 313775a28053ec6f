#!/usr/bin/env python3
"""Replays the recorded runs of SCST's scstadmin against uscstd, with our scstadmin and with the stock one, and compares.

  tests/conformance/scstadmin_replay.py --build build/release [--recordings DIR] [NAME ...]

Output, exit status, files and what changes in the tree must be as recorded. The stock tool is run when SCST_SOURCE names a source tree of
SCST; otherwise that half says "skipped". Exit status: 0 all agrees, 1 differences, 2 wrong usage, 77 it cannot run here.
"""

import argparse
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "replay"))
# pylint: disable=wrong-import-position
import allow_list
import recordings
import report
import runs

DATA = os.path.join(HERE, "data/scstadmin")
SKIPPED = 77


def stock_tool(place):
    """The words to run SCST's scstadmin, out of a copy with its library where it looks for it; or why there is none."""
    source = os.environ.get("SCST_SOURCE")
    if not source:
        return None, "SCST_SOURCE is not set"
    if shutil.which("perl") is None:
        return None, "there is no perl"
    tool = os.path.join(source, "scstadmin/scstadmin.sysfs")
    if not os.path.exists(os.path.join(tool, "scstadmin")):
        return None, f"{tool} has no scstadmin"
    copy = os.path.join(place, "scstadmin.sysfs")
    shutil.copytree(tool, copy)
    shutil.copytree(os.path.join(copy, "scst-1.0.0/lib"), os.path.join(copy, "scst-1.0.0/blib/lib"), dirs_exist_ok=True)
    return ("perl", os.path.join(copy, "scstadmin")), ""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="recordings, such as simple (default: all)")
    parser.add_argument("--build", default="build/release", help="build directory with bin/uscstd and bin/scstadmin")
    parser.add_argument("--recordings", default=DATA, help="directory with *.ops, *.txt and *.conf")
    parser.add_argument("--tool", choices=("ours", "stock", "both"), default="both")
    parser.add_argument("--limit", type=float, default=600, help="seconds for one recording")
    parser.add_argument("--option", action="append", default=[], help="one more word for uscstd (repeatable)")
    parser.add_argument("--keep", help="directory for outcomes and logs")
    parser.add_argument("--all", action="store_true", help="print every difference")
    return parser.parse_args()


def replay(name, tool, options, build, entries):
    """How many recordings differ with `tool`."""
    print(f"\nWith {name} scstadmin:")
    keep = os.path.join(options.keep, name) if options.keep else None
    if keep:
        os.makedirs(keep, exist_ok=True)
    settings = runs.Settings(build, os.path.abspath(options.recordings), options=tuple(options.option), limit_s=options.limit, keep=keep, tool=tool)
    known = runs.daemon_help(build)
    failed = 0
    for recording in recordings.find(settings.directory, options.names):
        verdict = runs.run(recording, settings, known)
        runs.apply_allow_list(verdict, entries)
        report.one(verdict, options.all)
        failed += verdict.failed()
    return failed


def main():
    options = arguments()
    build = os.path.abspath(options.build)
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse") or not os.access(os.path.join(build, "bin/uscstd"), os.X_OK):
        print("skipped: root, /dev/fuse and a built uscstd are needed")
        return SKIPPED
    entries = allow_list.load(os.path.join(HERE, "scstadmin-allow-list.toml"))
    failed = 0
    if options.tool != "stock":
        failed += replay("our", (os.path.join(build, "bin/scstadmin"),), options, build, entries)
    with tempfile.TemporaryDirectory(prefix="uscst-stock-") as place:
        tool, reason = stock_tool(place)
        if options.tool != "ours" and tool is None:
            print(f"\nWith the stock scstadmin: skipped: {reason}")
        elif options.tool != "ours":
            failed += replay("the stock", tool, options, build, entries)
    print(f"\n{failed} recordings differ." if failed else "\nAll agree.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
