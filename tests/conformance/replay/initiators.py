"""The hooks of the recordings: logins and I/O, with uscst-initiator.

The recorded initiator logged in with one channel a processor, of which there were two.
"""

import os
import select
import subprocess

CHANNELS = 2
ANSWER_LIMIT_S = 60
TRANSFER_BYTES = 4096


class HookFailed(Exception):
    pass


class Login:
    """One uscst-initiator that stays logged in and takes commands, a line each."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.answer()

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise HookFailed(f"{line}: the initiator has ended") from error
        return self.answer()

    def answer(self):
        if not select.select([self.process.stdout], [], [], ANSWER_LIMIT_S)[0]:
            raise HookFailed("no answer from the initiator")
        line = self.process.stdout.readline().strip()
        if not line.startswith("ok"):
            raise HookFailed(line or "the initiator has ended")
        return line.split()[1:]

    def logout(self):
        self.process.stdin.close()
        try:
            self.process.wait(ANSWER_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Initiators:
    def __init__(self, build, root, target, destination, source):
        self.program = os.path.join(build, "bin/uscst-initiator")
        self.login_info = os.path.join(root, "targets/ib_srpt", target, "login_info")
        self.destination, self.source = destination, source
        self.logins = []
        self.notes = []        # what went wrong

    def hook(self, arguments):
        """Exit status of the hook: 0, or 1 with a note."""
        name, *words = arguments
        actions = {"srp_login": self.login, "srp_logout": self.logout,
                   "io_read": lambda *words: self.transfer("read", *words), "io_write": lambda *words: self.transfer("write", *words)}
        if name not in actions:
            self.notes.append(f"no such hook: {name}")
            return 1
        try:
            actions[name](*words)
            return 0
        except (HookFailed, OSError, KeyError, ValueError) as error:
            self.notes.append(f"{' '.join(arguments)}: {error}")
            return 1

    def login(self, *_options):
        """The options are those of Linux's add_target (max_sect=..., queue_size=...): sizes of its own."""
        with open(self.login_info, encoding="ascii") as file:
            values = dict(word.split("=", 1) for word in file.readline().strip().split(",") if "=" in word)
        self.logins.append(Login([
            self.program, "hold", "--commands", "--channels", str(CHANNELS), "--dest", self.destination, "--source", self.source,
            "--id-ext", values["tid_ext"], "--ioc-guid", values["ioc_guid"], "--initiator-ext", f"{len(self.logins) + 1:x}"]))

    def logout(self):
        for login in self.logins:
            login.logout()
        self.logins = []

    def transfer(self, direction, lun, count):
        """`count` commands of 4096 bytes each, as a direct dd sends them; the channels take turns."""
        if not self.logins:
            raise HookFailed("not logged in")
        _, block_bytes = self.logins[-1].ask(f"capacity {lun}")
        blocks = max(TRANSFER_BYTES // int(block_bytes), 1)
        for number in range(int(count)):
            self.logins[-1].ask(f"{direction} {lun} {number * blocks} {blocks}")

    def close(self):
        self.logout()
