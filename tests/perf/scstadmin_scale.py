#!/usr/bin/env python3
"""How scstadmin and the tree grow: one configuration of DEVICES nullio disks and LUNS LUNs in 100 groups, applied, written and applied again.

  tests/perf/scstadmin_scale.py [--build build/release] [--sizes 100,1000] [--runs 3] [--stock]

With --stock (and SCST_SOURCE) SCST's scstadmin works on the same tree, first; a command of it that takes longer than --stock-limit seconds is
ended, and "more than" that shown. Prints a table: seconds (the best of --runs where nothing is changed), the calls of ours on the tree, the
floor (open, read and close of every attribute that -write_config reads), nodes, memory.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

TARGET = "fe80:0000:0000:0000:0000:00ff:fe00:0001"
ROOT = "/sys/kernel/scst_tgt"


def configuration(devices, groups, luns):
    text = "HANDLER vdisk_nullio {\n" + "".join(f"\tDEVICE d{i:05d} {{\n\t\tsize 67108864\n\t}}\n" for i in range(devices)) + "}\n\n"
    text += f"TARGET_DRIVER ib_srpt {{\n\tTARGET {TARGET} {{\n\t\tenabled 0\n"
    for group in range(groups):
        text += f"\t\tGROUP g{group:04d} {{\n"
        text += "".join(f"\t\t\tLUN {lun} d{(group * luns + lun) % devices:05d}\n" for lun in range(luns))
        text += f"\t\t\tINITIATOR host{group:04d}\n\t\t}}\n"
    return text + "\t}\n}\n"


def timed(words, **options):
    """Seconds, and what it said; with a `timeout` that was not enough, "more than" it."""
    started = time.monotonic()
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **options)
    except subprocess.TimeoutExpired:
        return f"more than {options['timeout']}", None
    if done.returncode != 0:
        raise SystemExit(f"{words}: status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return time.monotonic() - started, done


def floor():
    """Open, read and close of each readable file of devices/ and targets/ but sessions: each by its name in its open directory, one thread."""
    took, count = 0.0, 0
    for top in ("devices", "targets"):
        for _, names, files, fd_of_directory in os.fwalk(os.path.join(ROOT, top)):
            if "sessions" in names:
                names.remove("sessions")
            started = time.monotonic()
            for name in files:
                if name == "mgmt":
                    continue
                try:
                    fd = os.open(name, os.O_RDONLY, dir_fd=fd_of_directory)
                except PermissionError:
                    continue
                os.read(fd, 4096)
                os.close(fd)
                count += 1
            took += time.monotonic() - started
    return took, count


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1])


def measure(build, devices, luns, runs, stock, stock_limit, place):
    ours = [os.path.join(build, "bin/scstadmin")]
    conf, written = os.path.join(place, "scst.conf"), os.path.join(place, "written.conf")
    with open(conf, "w", encoding="ascii") as file:
        file.write(configuration(devices, 100, luns // 100))
    row = {"devices": devices, "LUNs": luns}
    counting = {**os.environ, "SCSTADMIN_COUNT_CALLS": "1"}
    for tool, words in ([("stock", stock)] if stock else []) + [("ours", ours)]:
        state = tempfile.mkdtemp(dir=place)
        with open(os.path.join(state, "log"), "wb") as log:
            daemon = subprocess.Popen([os.path.join(build, "bin/uscstd"), "--foreground", "--pid-file", os.path.join(state, "pid"), "--state", state,
                                       "--listen", "127.0.0.1:5000", "--target", TARGET], stdout=log, stderr=log)
        while not os.path.exists(os.path.join(ROOT, "version")):
            time.sleep(0.05)
        empty_kb = memory_kb(daemon.pid)
        limit = stock_limit if tool == "stock" else None
        row[f"{tool}: -config"], _ = timed([*words, "-config", conf])
        row["MB" if tool == "ours" else "MB (stock)"] = (memory_kb(daemon.pid) - empty_kb) / 1024
        results = [timed([*words, "-write_config", written], env=counting, timeout=limit) for _ in range(runs if tool == "ours" else 1)]
        row[f"{tool}: -write_config"] = min(took for took, _ in results)
        row[f"{tool}: -config again"] = min(timed([*words, "-config", conf], timeout=limit)[0] for _ in range(runs if tool == "ours" else 1))
        if tool == "ours":
            row["calls"] = results[0][1].stderr.strip()
            row["floor"], row["floor attributes"] = min(floor() for _ in range(runs))
            row["find"], done = min((timed(["find", ROOT]) for _ in range(runs)), key=lambda pair: pair[0])
            row["nodes"] = done.stdout.count("\n")
        daemon.terminate()
        daemon.wait()
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--sizes", default="100,1000", help="numbers of devices; four times as many LUNs")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--stock", action="store_true")
    parser.add_argument("--stock-limit", type=float, default=1800)
    options = parser.parse_args()
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        print("skipped: root and /dev/fuse are needed")
        return 77
    if "SCALE_INSIDE" not in os.environ:
        os.environ["SCALE_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--propagation", "private", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="uscst-scale-") as place:
        stock = None
        if options.stock and os.environ.get("SCST_SOURCE"):
            copy = os.path.join(place, "scstadmin.sysfs")
            shutil.copytree(os.path.join(os.environ["SCST_SOURCE"], "scstadmin/scstadmin.sysfs"), copy)
            shutil.copytree(os.path.join(copy, "scst-1.0.0/lib"), os.path.join(copy, "scst-1.0.0/blib/lib"), dirs_exist_ok=True)
            stock = ["perl", os.path.join(copy, "scstadmin")]
        print(f"load average {os.getloadavg()[0]:.1f} at the start, {os.cpu_count()} processors, nothing pinned")
        for size in map(int, options.sizes.split(",")):
            row = measure(os.path.abspath(options.build), size, 4 * size, options.runs, stock, options.stock_limit, place)
            print("\n".join(f"  {name}: {value:.2f}" if isinstance(value, float) else f"  {name}: {value}" for name, value in row.items()), flush=True)
        print(f"load average {os.getloadavg()[0]:.1f} at the end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
