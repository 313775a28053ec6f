"""Compares outcomes and trees, value by value: each difference has a path, a field, and both values."""

import dataclasses
import json

import recordings
import rules


@dataclasses.dataclass(frozen=True)
class Difference:
    path: str                  # in the tree; "" for something about the run
    field: str
    expected: str
    actual: str
    operation: int = None      # its number in a transcript, from 0
    data: str = ""             # what it wrote

    def text(self):
        where = f"#{self.operation} " if self.operation is not None else ""
        return f"{where}{self.path or '.'} [{self.field}]{' ' + repr(self.data) if self.data else ''}"


ABSENT = "(absent)"


def shown(value):
    return value if isinstance(value, str) else json.dumps(value)


# --- one node

def parse_short(text):
    """A node as in `diff` and `tree`: d MODE, l -> TARGET, f MODE [= CONTENT]; a plain `d` has no mode."""
    kind, _, rest = text.partition(" ")
    if kind == "d":
        return recordings.Node("d", rest)
    if kind == "l":
        return recordings.Node("l", "", link=rest.removeprefix("-> "))
    mode, equals, content = rest.partition(" = ")
    if not equals:
        return recordings.Node("f", mode)
    text, error = recordings.parse_content(content)
    return recordings.Node("f", mode, content=text, error=error)


def node_differences(path, expected, actual, logged_in):
    """(field, expected, actual) of two recordings.Node."""
    if expected.type != actual.type:
        yield "type", expected.type, actual.type
        return
    if expected.mode != actual.mode:
        yield "mode", expected.mode, actual.mode
    if expected.links != actual.links:
        yield "nlink", expected.links, actual.links
    if expected.size != actual.size:
        yield "size", expected.size, actual.size
    if rules.comparable_link(path, expected.link) != rules.comparable_link(path, actual.link):
        yield "link", expected.link, actual.link
    if expected.error != actual.error:
        yield "content", f"!{expected.error}" if expected.error else expected.content, f"!{actual.error}" if actual.error else actual.content
    elif rules.comparable(path, expected.content, logged_in) != rules.comparable(path, actual.content, logged_in):
        yield "content", expected.content, actual.content


def nodes_differences(expected, actual, logged_in, field="present"):
    """Two {path: Node}; a node that one of them lacks is a difference of `field`."""
    for path in sorted(set(expected) | set(actual)):
        if rules.left_out(path):
            continue
        if path not in actual:
            yield path, field, describe(expected[path]), ABSENT
        elif path not in expected:
            yield path, field, ABSENT, describe(actual[path])
        else:
            for what, old, new in node_differences(path, expected[path], actual[path], logged_in):
                yield path, what, old, new


def describe(node):
    return " ".join(word for word in (node.type, node.mode, f"-> {node.link}" if node.link else "",
                                      f"= {node.content!r}" if node.content is not None else "") if word)


# --- whole trees

def tree_differences(expected, lines, logged_in):
    """How many nodes were compared, and the differences; `lines` are those of a dump."""
    actual = dict(recordings.parse_node(line) for line in lines)
    add_initiators_disks(expected, actual)
    found = [Difference(path, field, shown(old), shown(new)) for path, field, old, new in nodes_differences(expected, actual, logged_in)]
    return len([path for path in expected if not rules.left_out(path)]), found


def add_initiators_disks(expected, actual):
    """The links of devices/ count the initiator's disks, which the dump leaves out: 2, and one a directory."""
    if "devices" not in expected or "devices" not in actual:
        return
    listed = sum(1 for path, node in expected.items() if node.type == "d" and path.startswith("devices/") and path.count("/") == 1)
    left_out = expected["devices"].links - 2 - listed
    if left_out > 0:
        actual["devices"] = dataclasses.replace(actual["devices"], links=actual["devices"].links + left_out)


# --- operations

def operation_differences(number, expected, actual, logged_in):
    path = expected.get("path", expected["op"])
    for where, field, old, new in outcome_differences(path, expected, actual, logged_in):
        yield Difference(where, field, shown(old), shown(new), number, expected.get("data", ""))


def outcome_differences(path, expected, actual, logged_in):
    special = {"diff": diff_differences, "tree": listing_differences, "names": names_differences, "stat": stat_differences,
               "after": content_differences, "content": content_differences, "reads": reads_differences, "out": out_differences}
    for field in sorted((set(expected) | set(actual)) - rules.NOT_COMPARED):
        old, new = expected.get(field), actual.get(field)
        if old == new:
            continue
        if field in special:
            yield from special[field](path, old, new, logged_in)
        else:
            yield path, field, ABSENT if old is None else old, ABSENT if new is None else new


def diff_differences(_path, expected, actual, logged_in):
    expected, actual = expected or {}, actual or {}
    yield from nodes_differences(*({path: parse_short(node) for path, node in side.get("added", {}).items()} for side in (expected, actual)),
                                 logged_in, "added")
    old, new = (set(side.get("removed", [])) for side in (expected, actual))
    for path in sorted(old ^ new):
        if not rules.left_out(path):
            yield path, "removed", "removed" if path in old else "there", "removed" if path in new else "there"
    yield from changed_differences(expected.get("changed", {}), actual.get("changed", {}), logged_in)


def changed_differences(expected, actual, logged_in):
    for path in sorted(set(expected) | set(actual)):
        if rules.left_out(path):
            continue
        if path in expected and path in actual:
            for old, new in zip(expected[path], actual[path]):
                for field, one, other in node_differences(path, parse_short(old), parse_short(new), logged_in):
                    yield path, field, one, other
        else:
            yield path, "changed", *(" to ".join(side[path]) if path in side else "unchanged" for side in (expected, actual))


def listing_differences(_path, expected, actual, logged_in):
    sides = ({path: parse_short(node) for path, node in (side or {}).items()} for side in (expected, actual))
    yield from nodes_differences(*sides, logged_in)


def names_differences(path, expected, actual, _logged_in):
    expected, actual = ([name for name in side or [] if not rules.left_out(f"{path}/{name}")] for side in (expected, actual))
    if sorted(expected) == sorted(actual):
        if expected != actual:
            yield path, "order", expected, actual
        return
    for name in sorted(set(expected) ^ set(actual)):
        yield f"{path}/{name}" if path else name, "present", *("there" if name in side else ABSENT for side in (expected, actual))


def stat_differences(path, expected, actual, _logged_in):
    expected, actual = expected or {}, actual or {}
    for field in sorted(set(expected) | set(actual)):
        if expected.get(field) != actual.get(field):
            yield path, field, expected.get(field, ABSENT), actual.get(field, ABSENT)


def content_differences(path, expected, actual, logged_in):
    if isinstance(expected, str) and isinstance(actual, str) and \
            rules.comparable(path, expected, logged_in, True) == rules.comparable(path, actual, logged_in, True):
        return
    yield path, "content", *(ABSENT if side is None else side for side in (expected, actual))


def reads_differences(path, expected, actual, logged_in):
    for old, new in zip(expected or [], actual or []):
        if old != new:
            yield from content_differences(path, old, new, logged_in)
    if len(expected or []) != len(actual or []):
        yield path, "reads", len(expected or []), len(actual or [])


def out_differences(path, expected, actual, _logged_in):
    if rules.same_listing(path, expected or "") != rules.same_listing(path, actual or ""):
        yield path, "out", expected, actual
