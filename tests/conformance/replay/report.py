"""Prints what came of the runs: a line a recording with its first differences, then totals and the allow-list's share."""

import dataclasses
import json

FIRST = 4
WIDEST = 300


def unit(verdict):
    return "operations" if verdict.recording.kind == "transcript" else "nodes"


def summary(verdict):
    if verdict.skipped:
        return f"{verdict.recording.label}: skipped: {verdict.skipped}"
    hidden = f", {verdict.hidden} differ as the allow-list says" if verdict.hidden else ""
    differing = verdict.compared - verdict.agreeing - verdict.hidden
    more = f", {differing} DIFFER ({len(verdict.differences)} values)" if verdict.differences else ""
    return (f"{verdict.recording.label}: {verdict.agreeing} of {verdict.compared} {unit(verdict)} agree{hidden}{more}"
            f" ({verdict.took_s:.0f} s)")


def cut(text):
    text = repr(text)
    return text if len(text) <= WIDEST else text[:WIDEST] + f"... ({len(text)})"


def one(verdict, every):
    print(summary(verdict))
    for problem in verdict.problems:
        print(f"    PROBLEM: {problem}")
    shown = verdict.differences if every else verdict.differences[:FIRST]
    for difference in shown:
        print(f"    {difference.text()}\n        expected {cut(difference.expected)}\n        actual   {cut(difference.actual)}")
    if len(shown) < len(verdict.differences):
        print(f"    ... and {len(verdict.differences) - len(shown)} more")


def finish(verdicts, entries, complete, json_path):
    """Prints the summary; returns the exit status."""
    print("\nPer recording:")
    for verdict in verdicts:
        print("  " + summary(verdict))
    print("\nIn total:")
    for kind, what in (("transcript", "operations"), ("tree", "nodes")):
        chosen = [v for v in verdicts if v.recording.kind == kind and not v.skipped]
        compared, agreeing, hidden = (sum(getattr(v, field) for v in chosen) for field in ("compared", "agreeing", "hidden"))
        print(f"  {what}: {agreeing} of {compared} agree, {hidden} differ as the allow-list says, {compared - agreeing - hidden} differ"
              f" ({len(chosen)} {kind}s)")
    print(f"\nAllow-list, {len(entries)} entries, with how many values each hides:")
    for entry in entries:
        print(f"  {entry.hides:6}  {entry.text()}: {entry.reason_class}")
    idle = [entry for entry in entries if not entry.hides]
    if complete and idle:
        print(f"\n{len(idle)} entries of the allow-list hide nothing.")
    if json_path:
        write_json(verdicts, json_path)
    return 1 if any(v.failed() for v in verdicts) or (complete and idle) else 0


def write_json(verdicts, path):
    rows = [{"recording": v.recording.label, "skipped": v.skipped, "problems": v.problems, "compared": v.compared, "agreeing": v.agreeing,
             "hidden": v.hidden, "took_s": v.took_s, "differences": [dataclasses.asdict(d) for d in v.differences]} for v in verdicts]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)
