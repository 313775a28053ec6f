"""Looking at a mounted tree: single files, everything below a directory, and what changed since the last look."""

import errno
import os
import re
import stat

PAGE_BYTES = 65536

# Content that moves by itself. Recorded changes have these files with their mode alone (data/transcripts/README.md: statistics,
# process ids, sgv/, latency/, usage texts, and the result of the operation itself), so they are not read when looking for changes.
MOVING = re.compile(r"""
      (^|/)sgv(/|$)
    | /latency/
    | thread_pid$ | /active_commands$ | /commands$ | req_lim(_delta)?$
    | _cmd_count$ | _io_count_kb$
    | ^last_sysfs_mgmt_res$ | ^version$
    | ^handlers/[^/]*/(mgmt|type)$ | ^targets/[^/]*/mgmt$
    | /(luns|initiators|ini_groups|devices|target_groups)/mgmt$
    | dif_capabilities$ | sg_tablesize$
    """, re.VERBOSE)


def error_name(number):
    return errno.errorcode.get(number, str(number))


def to_text(data):
    return data.decode("latin-1")


def to_bytes(text):
    return text.encode("latin-1")


def read_file(path, once=False):
    """The whole content as text; `once` with a single read call."""
    fd = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while True:
            part = os.read(fd, PAGE_BYTES)
            parts.append(part)
            if once or not part:
                return to_text(b"".join(parts))
    finally:
        os.close(fd)


def content_or_error(path, once=False):
    """As in a dump: a Python string or !ERRNO."""
    try:
        return repr(read_file(path, once))
    except OSError as error:
        return "!" + error_name(error.errno)


def status_of(status):
    kinds = {stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFREG: "f"}
    return {"type": kinds.get(stat.S_IFMT(status.st_mode), "?"), "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            "size": status.st_size, "nlink": status.st_nlink, "blocks": status.st_blocks, "blksize": status.st_blksize,
            "uid": status.st_uid, "gid": status.st_gid}


def walk(root, below=""):
    """(path, lstat) of everything below, each directory before what is in it, sorted within a directory."""
    top = os.path.join(root, below) if below else root
    try:
        names = sorted(os.listdir(top))
    except OSError:
        return
    for name in names:
        path = f"{below}/{name}" if below else name
        try:
            status = os.lstat(os.path.join(root, path))
        except OSError:
            continue
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            yield from walk(root, path)


def file_content(root, path, mode):
    return content_or_error(os.path.join(root, path)) if mode & 0o444 else "<write-only>"


def dump(root):
    """The lines of a .dump."""
    for path, status in walk(root):
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            yield f"d {mode:04o} {path} nl={status.st_nlink}"
        elif stat.S_ISLNK(status.st_mode):
            yield f"l {mode:04o} {path} -> {os.readlink(os.path.join(root, path))}"
        else:
            yield f"f {mode:04o} {path} sz={status.st_size} = {file_content(root, path, mode)}"


def listing(root, below):
    """{path: node} of the operation `tree`; its files that cannot be read are <write-only>."""
    nodes = {}
    for path, status in walk(root, below):
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            nodes[path] = "d"
        elif stat.S_ISLNK(status.st_mode):
            nodes[path] = "l -> " + os.readlink(os.path.join(root, path))
        else:
            nodes[path] = f"f {mode:04o} = {file_content(root, path, mode)}"
    return nodes


class Watcher:
    """Tells what changed below a directory since it was last asked about it.

    A mode is asked for once, as long as the node is there: the recordings have a changed mode only where a stat says so.
    """

    def __init__(self, root):
        self.root = root
        self.known = {}
        self.known = self.look("")

    def changes(self, scope=""):
        now = self.look(scope)
        if scope:
            before = {path: node for path, node in self.known.items() if path.startswith(scope + "/")}
            kept = {path: node for path, node in self.known.items() if not path.startswith(scope + "/")}
            self.known = {**kept, **now}
        else:
            before, self.known = self.known, now
        return difference(before, now)

    def look(self, scope):
        found, waiting = {}, [scope]
        while waiting:
            directory = waiting.pop()
            try:
                entries = list(os.scandir(os.path.join(self.root, directory) if directory else self.root))
            except OSError:
                continue
            for entry in entries:
                path = f"{directory}/{entry.name}" if directory else entry.name
                node = self.node(path, entry)
                if node is not None:
                    found[path] = node
                    if node.startswith("d "):
                        waiting.append(path)
        return found

    def node(self, path, entry):
        try:
            if entry.is_symlink():
                return "l -> " + os.readlink(entry.path)
            kind = "d" if entry.is_dir(follow_symlinks=False) else "f"
            before = self.known.get(path, "")
            mode = before[2:6] if before.startswith(kind + " ") else f"{stat.S_IMODE(os.lstat(entry.path).st_mode):04o}"
        except OSError:
            return None
        if kind == "d" or MOVING.search(path):
            return f"{kind} {mode}"
        return f"f {mode} = " + (content_or_error(entry.path, True) if int(mode, 8) & 0o444 else "<write-only>")


def difference(before, now):
    gone = {path for path in before if path not in now}
    changes = {"added": {path: node for path, node in now.items() if path not in before},
               "removed": sorted(path for path in gone if os.path.dirname(path) not in gone),
               "changed": {path: [before[path], node] for path, node in now.items() if path in before and before[path] != node}}
    return {kind: what for kind, what in changes.items() if what}
