"""Makes the part of docs/reference/differences.md that is the allow-list; the rest of the page is written by hand.

differences.py --write makes it anew; differences.py --check fails when the page has not what would be made.
"""

import os
import sys

import allow_list

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
PAGE = os.path.join(SOURCE, "docs/reference/differences.md")
ALLOW_LIST = os.path.join(SOURCE, "tests/conformance/allow-list.toml")
BEGIN, END = "<!-- made of tests/conformance/allow-list.toml -->\n", "<!-- until here -->\n"

FIELDS = {"content": "content", "changed": "content, as it changes", "added": "is added", "removed": "is removed", "present": "is there",
          "result": "result of a write, and what it does", "steps": "calls on an open file", "out": "output of a command",
          "mgmt_res": "result in the queue", "nlink": "links", "order": "order in the listing"}


def cell(text):
    return text.replace("|", "\\|").replace("{TGT}", "*")


def table(entries):
    lines = ["| file | what of it | why | |", "|---|---|---|---|"]
    for entry in sorted(entries, key=lambda entry: (entry.reason_class, entry.path, entry.field)):
        where = "(a command's output)" if entry.path == "sh" else f"`{cell(entry.path)}`"
        lines.append(f"| {where} | {FIELDS.get(entry.field, entry.field)} | {entry.reason_class} | {cell(entry.reason)} |")
    return "\n".join(lines)


def current_page():
    with open(PAGE, encoding="utf-8") as file:
        return file.read()


def made(page):
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks {BEGIN.strip()} or {END.strip()}")
    return before + begin + "\n" + table(allow_list.load(ALLOW_LIST)) + "\n\n" + end + after


def main(words):
    if words == ["--write"]:
        text = made(current_page())
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(text)
        return 0
    if words == ["--check"]:
        current = made(current_page()) == current_page()
        print("differences.md is current" if current else "differences.md has not the allow-list's table: run differences.py --write")
        return 0 if current else 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
