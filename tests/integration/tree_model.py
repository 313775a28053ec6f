"""A small model of the tree: what management commands there are, which errno each ends with, and what the tree shows
afterwards. It knows the rules of SCST and nothing of uscst's code; property_test.py holds the two against each other.

An operation is (path, text, errno): 0 for success.
"""

import errno
import re

OK = 0
EINVAL, EEXIST, EBUSY, ENOENT, EFAULT = errno.EINVAL, errno.EEXIST, errno.EBUSY, errno.ENOENT, errno.EFAULT

MAXIMUM_LUN = 16383
STATES = ("active", "nonoptimized", "standby", "unavailable", "offline", "transitioning")


def matches(pattern, name):
    """SCST's wildcards: `*`, `?`, without case; the first `!` inverts what the rest of the pattern says."""

    def match(p, s, may_invert):
        while p:
            if p[0] == "!" and may_invert:
                return not match(p[1:], s, False)
            if p[0] == "*":
                return any(match(p[1:], s[i:], may_invert) for i in range(len(s) + 1))
            if not s or (p[0] != "?" and p[0].lower() != s[0].lower()):
                return False
            p, s = p[1:], s[1:]
        return not s

    return match(pattern, name, True)


class Group:
    """A set of LUNs and the names of those who see it; the default group has no names."""

    def __init__(self):
        self.luns = {}        # number: (device, read only)
        self.initiators = []  # in the order added


class Target:
    def __init__(self, driver, name):
        self.path = f"targets/{driver}/{name}"
        self.driver, self.name = driver, name
        self.default = Group()
        self.groups = {}    # in the order made
        self.sessions = {}  # directory: initiator

    def group_path(self, group):
        return f"{self.path}/ini_groups/{group}" if group else self.path

    def group(self, name):
        return self.groups[name] if name else self.default

    def all_groups(self):
        return [("", self.default), *self.groups.items()]

    def group_for(self, initiator):
        for name, group in self.groups.items():
            if any(matches(pattern, initiator) for pattern in group.initiators):
                return name
        return ""

    def free_session_name(self, initiator):
        name, suffix = initiator, 0
        while name in self.sessions:
            suffix += 1
            name = f"{initiator}_{suffix}"
        return name


class TargetGroup:
    def __init__(self):
        self.group_id, self.preferred, self.state = 0, 0, "active"
        self.members = {}  # name: path of the local target, or None and a relative id in `remote`
        self.remote = {}


class DeviceGroup:
    def __init__(self):
        self.devices, self.target_groups = set(), {}

    def holds_target(self, name):
        return any(name in group.members for group in self.target_groups.values())


class Model:
    def __init__(self, srpt_target):
        self.devices = {}  # name: handler
        self.srpt = Target("ib_srpt", srpt_target)
        self.local = {}
        self.device_groups = {}
        self.untouchable_devices, self.untouchable_groups = set(), set()

    def targets(self):
        return [self.srpt, *self.local.values()]

    # --- devices

    def add_device(self, handler, name, parameters="", bad_parameters=False):
        path = f"handlers/{handler}/mgmt"
        text = f"add_device {name} {parameters}".rstrip()
        if not name or re.search(r"[/.]", name) or len(name) > 64:
            return path, text, EINVAL
        if name in ("mgmt", "type", "trace_level") or name in self.devices:
            return path, text, EEXIST
        if bad_parameters:
            return path, text, EINVAL
        self.devices[name] = handler
        return path, text, OK

    def del_device(self, handler, name):
        path, text = f"handlers/{handler}/mgmt", f"del_device {name}"
        if name not in self.devices:
            return path, text, EINVAL
        del self.devices[name]
        for target in self.targets():
            for _, group in target.all_groups():
                group.luns = {n: lun for n, lun in group.luns.items() if lun[0] != name}
        for group in self.device_groups.values():
            group.devices.discard(name)
        return path, text, OK

    # --- LUNs

    def add_lun(self, target, group, device, lun, read_only=None, action="add"):
        path = f"{target.group_path(group)}/luns/mgmt"
        text = f"{action} {device} {lun}" + ("" if read_only is None else f" read_only={read_only}")
        luns = target.group(group).luns
        if device not in self.devices or not isinstance(lun, int) or lun < 0 or lun > MAXIMUM_LUN:
            return path, text, EINVAL
        if action == "add" and lun in luns:
            return path, text, EEXIST
        luns[lun] = (device, bool(read_only))
        return path, text, OK

    def del_lun(self, target, group, lun):
        path, text = f"{target.group_path(group)}/luns/mgmt", f"del {lun}"
        return path, text, OK if target.group(group).luns.pop(lun, None) else EINVAL

    def clear_luns(self, target, group):
        target.group(group).luns.clear()
        return f"{target.group_path(group)}/luns/mgmt", "clear", OK

    # --- initiator groups

    def create_group(self, target, name):
        path, text = f"{target.path}/ini_groups/mgmt", f"create {name}"
        if not name:
            return path, text, EINVAL
        if name in target.groups or name == "mgmt":
            return path, text, EEXIST
        target.groups[name] = Group()
        return path, text, OK

    def del_group(self, target, name):
        path, text = f"{target.path}/ini_groups/mgmt", f"del {name}"
        if name not in target.groups:
            return path, text, EINVAL
        if any(target.group_for(initiator) == name for initiator in target.sessions.values()):
            return path, text, EBUSY
        del target.groups[name]
        return path, text, OK

    def add_initiator(self, target, group, pattern):
        path, text = f"{target.group_path(group)}/initiators/mgmt", f"add {pattern}"
        names = target.groups[group].initiators
        if not pattern:
            return path, text, EINVAL
        if pattern in names or pattern == "mgmt":
            return path, text, EEXIST
        names.append(pattern)
        return path, text, OK

    def del_initiator(self, target, group, pattern):
        path, text = f"{target.group_path(group)}/initiators/mgmt", f"del {pattern}"
        names = target.groups[group].initiators
        if pattern not in names:
            return path, text, EINVAL
        names.remove(pattern)
        return path, text, OK

    def move_initiator(self, target, group, pattern, destination):
        path, text = f"{target.group_path(group)}/initiators/mgmt", f"move {pattern} {destination}"
        names = target.groups[group].initiators
        if pattern not in names or destination not in target.groups:
            return path, text, EINVAL
        if pattern in target.groups[destination].initiators:
            return path, text, EEXIST
        names.remove(pattern)
        target.groups[destination].initiators.append(pattern)
        return path, text, OK

    def clear_initiators(self, target, group):
        target.groups[group].initiators.clear()
        return f"{target.group_path(group)}/initiators/mgmt", "clear", OK

    # --- targets and sessions of scst_local

    LOCAL = "targets/scst_local/mgmt"

    def add_target(self, name, session=None):
        text = f"add_target {name}" + (f" session_name={session}" if session else "")
        if not name:
            return self.LOCAL, text, EINVAL
        if name in self.local:
            return self.LOCAL, text, EFAULT
        target = self.local[name] = Target("scst_local", name)
        if session:
            target.sessions[session] = session
        return self.LOCAL, text, OK

    def del_target(self, name):
        if name not in self.local:
            return self.LOCAL, f"del_target {name}", ENOENT
        del self.local[name]
        for group in self.device_groups.values():
            for target_group in group.target_groups.values():
                if target_group.members.get(name) is not None:
                    del target_group.members[name]
        return self.LOCAL, f"del_target {name}", OK

    def add_session(self, target, initiator):
        text = f"add_session {target} {initiator}"
        if target not in self.local or not initiator:
            return self.LOCAL, text, EINVAL
        sessions = self.local[target].sessions
        sessions[self.local[target].free_session_name(initiator)] = initiator
        return self.LOCAL, text, OK

    def del_session(self, target, initiator):
        """The oldest session of that initiator's name goes."""
        text = f"del_session {target} {initiator}"
        sessions = self.local[target].sessions if target in self.local else {}
        directory = next((d for d, name in sessions.items() if name == initiator), None)
        if directory is None:
            return self.LOCAL, text, EINVAL
        del sessions[directory]
        return self.LOCAL, text, OK

    # --- device groups

    def create_device_group(self, name):
        path, text = "device_groups/mgmt", f"create {name}"
        if not name or name in self.device_groups or name == "mgmt":
            return path, text, EEXIST if name else EINVAL
        self.device_groups[name] = DeviceGroup()
        return path, text, OK

    def del_device_group(self, name):
        known = self.device_groups.pop(name, None)
        return "device_groups/mgmt", f"del {name}", OK if known else EINVAL

    def add_group_device(self, group, device):
        path, text = f"device_groups/{group}/devices/mgmt", f"add {device}"
        if device not in self.devices:
            return path, text, EINVAL
        if any(device in other.devices for other in self.device_groups.values()):
            return path, text, EEXIST
        self.device_groups[group].devices.add(device)
        return path, text, OK

    def del_group_device(self, group, device):
        path, text = f"device_groups/{group}/devices/mgmt", f"del {device}"
        if device not in self.device_groups[group].devices:
            return path, text, EINVAL
        self.device_groups[group].devices.remove(device)
        return path, text, OK

    def create_target_group(self, group, name):
        path, text = f"device_groups/{group}/target_groups/mgmt", f"create {name}"
        groups = self.device_groups[group].target_groups
        if not name or name in groups or name == "mgmt":
            return path, text, EEXIST if name else EINVAL
        groups[name] = TargetGroup()
        return path, text, OK

    def del_target_group(self, group, name):
        known = self.device_groups[group].target_groups.pop(name, None)
        return f"device_groups/{group}/target_groups/mgmt", f"del {name}", OK if known else EINVAL

    def add_member(self, group, target_group, name):
        path, text = f"device_groups/{group}/target_groups/{target_group}/mgmt", f"add {name}"
        if not name:
            return path, text, EINVAL
        if self.device_groups[group].holds_target(name):
            return path, text, EEXIST
        found = next((t.path for t in self.targets() if t.name == name), None)
        into = self.device_groups[group].target_groups[target_group]
        into.members[name] = found
        if found is None:
            into.remote[name] = 0
        return path, text, OK

    def del_member(self, group, target_group, name):
        """Any target group of the device group will do."""
        path, text = f"device_groups/{group}/target_groups/{target_group}/mgmt", f"del {name}"
        for other in self.device_groups[group].target_groups.values():
            if name in other.members:
                del other.members[name]
                return path, text, OK
        return path, text, EINVAL

    def write_group_attribute(self, group, target_group, attribute, value):
        path, text = f"device_groups/{group}/target_groups/{target_group}/{attribute}", str(value)
        good = {"state": value in STATES, "preferred": value in (0, 1),
                "group_id": isinstance(value, int) and 1 <= value <= 65535}[attribute]
        if good:
            setattr(self.device_groups[group].target_groups[target_group], attribute, value)
        return path, text, OK if good else EINVAL
