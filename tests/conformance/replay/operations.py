"""Carries out recorded operations on a mounted tree and notes what happened, in the form of the recordings.

data/transcripts/README.md describes operations and outcomes. One Player is one recording's run; it works in its own
process, whose effective user it changes for operations that ask for it.
"""

import contextlib
import os
import re
import stat
import subprocess
import time

import steps
import tree

# After these nothing can have changed.
ONLY_LOOKING = frozenset(("read", "stat", "lstat", "readdir", "readlink", "realpath", "access", "ls", "tree", "comment", "listxattr",
                          "getxattr", "conf", "file"))
LONGEST_AFTER = 600
SHOWN_OF_LONG = 200
QUEUE_POLLS = 1200
QUEUE_POLL_S = 0.1


class Player:
    """`values`: what {TGT}, {DIR}, {HCIL} stand for. `hook(arguments)` returns an exit status; `before_shell()` prepares the
    surroundings."""

    def __init__(self, root, values, hook, before_shell=lambda: None):
        self.root = root.rstrip("/")
        self.values = dict(values)
        self.hook = hook
        self.before_shell = before_shell
        self.watcher = None

    # --- placeholders

    def filled_in(self, thing):
        if isinstance(thing, str):
            for name, value in self.values.items():
                thing = thing.replace("{" + name + "}", value)
            return thing.replace("{ROOT}", self.root)
        if isinstance(thing, list):
            return [self.filled_in(item) for item in thing]
        if isinstance(thing, dict):
            return {key: self.filled_in(value) for key, value in thing.items()}
        return thing

    def as_recorded(self, thing):
        """With the target's name and the tree's place as placeholders again; directories and disks are spelt out."""
        if isinstance(thing, str):
            return thing.replace(self.values["TGT"], "{TGT}").replace(self.root, "{ROOT}")
        if isinstance(thing, list):
            return [self.as_recorded(item) for item in thing]
        if isinstance(thing, dict):
            return {self.as_recorded(key): self.as_recorded(value) for key, value in thing.items()}
        return thing

    def at(self, path):
        if path.startswith("/"):
            return path
        return os.path.join(self.root, path) if path else self.root

    # --- a transcript

    def play(self, operations):
        """Yields the outcome of each operation (with the operation's own fields)."""
        self.watcher = tree.Watcher(self.root)
        for operation in operations:
            outcome = self.observed(self.filled_in(operation))
            yield {**operation, **self.as_recorded(outcome)}

    def observed(self, operation):
        started = time.monotonic()
        outcome = self.perform(operation)
        took_s = time.monotonic() - started
        if operation.get("settle"):
            time.sleep(operation["settle"])
        if operation["op"] in ("write", "echo"):
            outcome["mgmt_res"] = self.queue_result(wait=outcome.get("result") == "EAGAIN")
            if not operation["path"].endswith("mgmt"):
                outcome["after"] = self.after(operation)
        if operation["op"] not in ONLY_LOOKING and not operation.get("nodiff"):
            changes = self.watcher.changes(operation.get("scope", ""))
            if changes:
                outcome["diff"] = changes
        if took_s > 1.5:
            outcome["slow_s"] = round(took_s, 1)
        return outcome

    def after(self, operation):
        content = self.content(operation["path"])
        if isinstance(content, str) and len(content) > LONGEST_AFTER and not operation.get("full"):
            return f"{content[:SHOWN_OF_LONG]}...({len(content)} bytes)"
        return content

    def content(self, path):
        try:
            return tree.read_file(self.at(path))
        except OSError as error:
            return {"err": tree.error_name(error.errno)}

    def queue_result(self, wait):
        """What last_sysfs_mgmt_res says; with `wait`, once it no longer says EAGAIN."""
        for _ in range(QUEUE_POLLS if wait else 1):
            content = self.content("last_sysfs_mgmt_res")
            if isinstance(content, str):
                return content.strip()
            if content["err"] != "EAGAIN":
                return content["err"]
            if wait:
                time.sleep(QUEUE_POLL_S)
        return "EAGAIN"

    # --- one operation

    def perform(self, operation):
        """The outcome's fields; placeholders are filled in already."""
        action = getattr(self, "do_" + operation["op"], None)
        if action is None:
            return {"result": "UNKNOWN-OP"}
        outcome = {}
        try:
            with acting_as(operation.get("uid")):
                action(operation, outcome)
            outcome["result"] = "OK"
        except OSError as error:
            outcome["result"] = tree.error_name(error.errno)
        except ValueError as error:
            outcome["result"] = f"ValueError: {error}"
        return outcome

    def path_of(self, operation):
        return self.at(operation["path"])

    @contextlib.contextmanager
    def opened(self, operation, default):
        flags = 0
        for name in operation.get("flags", [default]):
            flags |= getattr(os, name)
        fd = os.open(self.path_of(operation), flags, operation.get("mode", 0o644))
        try:
            yield fd
        finally:
            os.close(fd)

    def do_write(self, operation, outcome):
        data = tree.to_bytes(operation["data"])
        with self.opened(operation, "O_WRONLY") as fd:
            done = os.pwrite(fd, data, operation["off"]) if "off" in operation else os.write(fd, data)
        if done != len(data):
            outcome["n"] = done

    def do_echo(self, operation, outcome):
        done = subprocess.run(["/bin/sh", "-c", 'printf %s "$1" > "$2"', "sh", operation["data"], self.path_of(operation)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        outcome.update(rc=done.returncode, stderr=tree.to_text(done.stderr))

    def do_read(self, operation, outcome):
        if "reads" not in operation:
            outcome["content"] = tree.read_file(self.path_of(operation))
            return
        with self.opened(operation, "O_RDONLY") as fd:
            outcome["reads"] = [steps.take(fd, ["pread", *where], self.perform) for where in operation["reads"]]

    def do_fd(self, operation, outcome):
        with self.opened(operation, "O_RDWR") as fd:
            outcome["steps"] = [steps.take(fd, step, self.perform) for step in operation["steps"]]

    def do_open(self, operation, _):
        with self.opened(operation, "O_RDONLY"):
            pass

    def do_stat(self, operation, outcome):
        outcome["stat"] = tree.status_of(os.stat(self.path_of(operation)))

    def do_lstat(self, operation, outcome):
        outcome["stat"] = tree.status_of(os.lstat(self.path_of(operation)))

    def do_readlink(self, operation, outcome):
        outcome["target"] = os.readlink(self.path_of(operation))

    def do_realpath(self, operation, outcome):
        outcome["target"] = os.path.relpath(os.path.realpath(self.path_of(operation)), self.root)

    def do_readdir(self, operation, outcome):
        outcome["names"] = os.listdir(self.path_of(operation))

    def do_access(self, operation, outcome):
        path, effective = self.path_of(operation), operation.get("uid") is not None
        outcome["ok"] = {letter: os.access(path, getattr(os, letter + "_OK"), effective_ids=effective) for letter in "FRWX"}

    def do_ls(self, operation, outcome):
        done = subprocess.run(["ls", operation.get("opt", "-la"), "--time-style=+T", self.path_of(operation)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        outcome["out"] = tree.to_text(done.stdout)

    def do_tree(self, operation, outcome):
        outcome["tree"] = tree.listing(self.root, operation["path"])

    def do_mkdir(self, operation, _):
        os.mkdir(self.path_of(operation), operation.get("mode", 0o755))

    def do_rmdir(self, operation, _):
        os.rmdir(self.path_of(operation))

    def do_unlink(self, operation, _):
        os.unlink(self.path_of(operation))

    def do_rename(self, operation, _):
        os.rename(self.path_of(operation), self.at(operation["to"]))

    def do_link(self, operation, _):
        os.link(self.path_of(operation), self.at(operation["to"]))

    def do_symlink(self, operation, _):
        os.symlink(operation["target"], self.path_of(operation))

    def do_mknod(self, operation, _):
        os.mknod(self.path_of(operation), stat.S_IFREG | 0o644)

    def do_mkfifo(self, operation, _):
        os.mkfifo(self.path_of(operation))

    def do_chmod(self, operation, _):
        os.chmod(self.path_of(operation), operation["mode"])

    def do_chown(self, operation, _):
        os.chown(self.path_of(operation), operation["to_uid"], operation["to_gid"])

    def do_truncate(self, operation, _):
        os.truncate(self.path_of(operation), operation["size"])

    def do_utime(self, operation, _):
        os.utime(self.path_of(operation), (operation.get("t", 10**9),) * 2)

    def do_setxattr(self, operation, _):
        os.setxattr(self.path_of(operation), operation["name"], tree.to_bytes(operation["value"]))

    def do_getxattr(self, operation, outcome):
        outcome["value"] = tree.to_text(os.getxattr(self.path_of(operation), operation["name"]))

    def do_listxattr(self, operation, outcome):
        outcome["names"] = os.listxattr(self.path_of(operation))

    def do_mtime(self, operation, outcome):
        path = self.path_of(operation)
        os.utime(path, (10**9, 10**9))
        before = os.lstat(path)
        if "data" in operation:
            fd = os.open(path, os.O_WRONLY | (os.O_TRUNC if operation.get("trunc") else 0))
            try:
                os.write(fd, tree.to_bytes(operation["data"]))
            except OSError as error:
                outcome["write"] = tree.error_name(error.errno)
            finally:
                os.close(fd)
        else:
            tree.read_file(path)
        now = os.lstat(path)
        outcome.update(mtime_moved=before.st_mtime_ns != now.st_mtime_ns, atime_moved=before.st_atime_ns != now.st_atime_ns)

    def do_sh(self, operation, outcome):
        self.before_shell()
        done = subprocess.run(["/bin/sh", "-c", operation["cmd"]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        outcome["rc"] = done.returncode
        if operation.get("out"):
            outcome["out"] = tree.to_text(done.stdout)

    def do_hook(self, operation, outcome):
        outcome["rc"] = self.hook(operation["args"])

    def do_sleep(self, operation, _):
        time.sleep(operation["s"])

    def do_comment(self, _, __):
        pass

    def do_file(self, operation, outcome):
        outcome["content"] = tree.read_file(self.path_of(operation))

    # --- a tree's setup

    def set_up(self, lines):
        """Carries out a .setup; returns what went wrong, a text each. A line that fails does not end it."""
        problems = []
        for line in lines:
            problem = self.set_up_line(line)
            if problem:
                problems.append(f"{problem}: {line.line}")
        return problems

    def set_up_line(self, line):
        text = self.filled_in(line.text)
        if line.kind == "write":
            result = self.perform({"op": "write", "path": self.filled_in(line.path), "data": text})["result"]
            if result == "EAGAIN":
                self.queue_result(wait=True)
            return "" if result == "OK" else result
        if line.kind == "sleep":
            time.sleep(float(text))
            return ""
        kind = {"op": "sh", "cmd": text} if line.kind == "sh" else {"op": "hook", "args": text.split()}
        outcome = self.perform(kind)
        return "" if outcome.get("rc") == 0 else f"exit status {outcome.get('rc')} ({outcome['result']})"

    def dump(self):
        return [self.as_recorded(line) for line in tree.dump(self.root)]


@contextlib.contextmanager
def acting_as(uid):
    if uid is not None:
        os.seteuid(uid)
    try:
        yield
    finally:
        if uid is not None:
            os.seteuid(0)


def mentions_login(operation):
    return operation["op"] == "hook" and operation["args"][:1] == ["srp_login"] or \
        bool(re.match(r"\s*add_session\b", operation.get("data", ""), re.IGNORECASE))
