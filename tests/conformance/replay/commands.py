"""Operations of the recordings of scstadmin: `cmd` a command line, `conf` a configuration out of its template, `file` what a command wrote.

A job whose `tool` is set is played by this Player. Perl goes through a configuration in an order of its own, another in each run, and
says things about itself; comparable() takes both out of what is compared, for the recorded and for the new outcome alike.
"""

import os
import re
import subprocess

import operations
import tree

LIMIT_S = 120
# What Perl says about its own program is no part of scstadmin's interface.
PERL = re.compile(r"^(Use of uninitialized|Argument \").*\n", re.MULTILINE)
PROCESS = re.compile(r"DBG\(\d+\)")
APPLIES = re.compile(r" -config\b")


class ToolPlayer(operations.Player):
    """`tool`: the words that {SCSTADMIN} stands for; `templates`: where the .conf files lie."""

    def __init__(self, root, values, hook, tool, templates):
        super().__init__(root, {**values, "SCSTADMIN": " ".join(tool), "SCSTADMIN_DIR": os.path.dirname(tool[-1])}, hook)
        self.templates = templates

    def do_cmd(self, operation, outcome):
        done = subprocess.run(["/bin/sh", "-c", operation["cmd"]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=LIMIT_S, check=False)
        outcome.update(rc=done.returncode, stdout=tree.to_text(done.stdout), stderr=self.without_place(tree.to_text(done.stderr)))

    def without_place(self, text):
        return text.replace(self.values["SCSTADMIN_DIR"] + "/", "{SCSTADMIN_DIR}/")

    def do_conf(self, operation, _):
        with open(os.path.join(self.templates, operation["name"]), encoding="latin-1") as file:
            text = self.filled_in(file.read())
        with open(operation["to"], "w", encoding="latin-1") as file:
            file.write(text)

    def do_file(self, operation, outcome):
        outcome["content"] = tree.read_file(operation["path"])


def player_of(job, hook):
    if not job.get("tool"):
        return operations.Player(job["root"], job["values"], hook)
    return ToolPlayer(job["root"], job["values"], hook, job["tool"], job["recordings"])


def comparable(outcome):
    """The outcome of a `cmd` with what differs between two runs of the stock tool taken out."""
    if outcome.get("op") != "cmd":
        return outcome
    outcome = dict(outcome)
    outcome["stderr"] = PERL.sub("", outcome.get("stderr", ""))
    outcome["stdout"] = PROCESS.sub("DBG(#)", outcome.get("stdout", ""))
    if APPLIES.search(outcome["cmd"]):
        outcome["stdout"] = "\n".join(sorted(outcome["stdout"].split("\n")))
    return outcome
