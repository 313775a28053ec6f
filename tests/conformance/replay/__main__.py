"""Replays what was recorded from SCST against uscstd, and compares: tests/conformance/README.md.

  python3 tests/conformance/replay --build build/release [--recordings DIR] [NAME ...]

Exit status: 0 all agrees, 1 differences, 2 wrong usage, 77 it cannot run here.
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys

import allow_list
import recordings
import report
import runs
import service

HERE = os.path.dirname(os.path.abspath(__file__))
CONFORMANCE = os.path.dirname(HERE)
DATA = os.path.join(CONFORMANCE, "data")
ALLOW_LIST = os.path.join(CONFORMANCE, "allow-list.toml")
SKIPPED = 77


def arguments():
    parser = argparse.ArgumentParser(prog="replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="recordings, such as 10-luns or trees/empty (default: all)")
    parser.add_argument("--build", default="build/release", help="build directory with bin/uscstd and bin/uscst-initiator")
    parser.add_argument("--uscstd", help="the uscstd of a build directory, instead of --build")
    parser.add_argument("--recordings", default=DATA, help="directory with trees/*.{setup,dump} and transcripts/*.{ops,txt}, or with such files")
    parser.add_argument("--target", help="name of the SRP target (default: the recorded one)")
    parser.add_argument("--root", default="/sys/kernel/scst_tgt", help="where the tree is mounted (in a namespace of its own)")
    parser.add_argument("--allow-list", default=ALLOW_LIST)
    parser.add_argument("--option", action="append", default=[], help="one more word for uscstd (repeatable)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--limit", type=float, default=300, help="seconds for one recording")
    parser.add_argument("--keep", help="directory for outcomes and logs")
    parser.add_argument("--json", help="file for every difference, as JSON")
    parser.add_argument("--all", action="store_true", help="print every difference, not the first of each recording")
    parser.add_argument("--quiet", action="store_true", help="the summary alone")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args()


def reason_to_skip(build):
    if not os.access(os.path.join(build, "bin/uscstd"), os.X_OK):
        return f"{build}/bin/uscstd is not built"
    if os.geteuid() != 0:
        return "root is needed for namespaces and mounts"
    if not os.path.exists("/dev/fuse"):
        return "there is no /dev/fuse"
    for tool in ("unshare", "mount", "ip"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    probe = subprocess.run([*runs.NAMESPACES, "true"], capture_output=True, text=True, check=False)
    return f"no namespaces of our own: {probe.stderr.strip()}" if probe.returncode else ""


def in_order_of_length(found):
    """What takes longest first: the waits that SCST had, too."""
    def length(recording):
        if recording.kind == "tree":
            return os.path.getsize(recording.inputs) / 10000
        outcomes, _ = recordings.outcomes_of(recording)
        return sum(o.get("slow_s", 0) + o.get("settle", 0) + 0.05 for o in outcomes)
    return sorted(found, key=length, reverse=True)


def main():
    options = arguments()
    if options.inside:
        return service.run(json.loads(options.inside))
    build = os.path.abspath(options.build if not options.uscstd else os.path.dirname(os.path.dirname(options.uscstd)))
    reason = reason_to_skip(build)
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    try:
        found = recordings.find(os.path.abspath(options.recordings), options.names)
        entries = allow_list.load(options.allow_list)
    except (recordings.BadRecording, allow_list.BadAllowList, OSError, ValueError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
    settings = runs.Settings(build, os.path.abspath(options.recordings), options.target, options.root, tuple(options.option), options.limit,
                             os.path.abspath(options.keep) if options.keep else None)
    verdicts = run_all(found, settings, entries, options)
    complete = not options.names and os.path.samefile(options.recordings, DATA) and not any(v.skipped for v in verdicts if v.recording.needs.loops)
    return report.finish(verdicts, entries, complete, options.json)


def run_all(found, settings, entries, options):
    known = runs.daemon_help(settings.build)
    verdicts = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(runs.run, recording, settings, known) for recording in in_order_of_length(found)]
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: sys.exit(128 + number))
        try:
            for done in concurrent.futures.as_completed(running):
                verdict = done.result()
                runs.apply_allow_list(verdict, entries)
                verdicts.append(verdict)
                if not options.quiet:
                    report.one(verdict, options.all or len(found) == 1)
        except BaseException:
            settings.stopping.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return sorted(verdicts, key=lambda verdict: verdict.recording.label)


if __name__ == "__main__":
    sys.exit(main())
