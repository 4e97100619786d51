#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does a change make something dearer? guard.py BUILD [--record]

Instructions of one operation, by callgrind, exact to 2 %; and the system calls of create, open and
close, exactly. guard.txt has what they are to be; --record writes it anew. A release build is
needed, and for instructions the compiler and the processor's kind that guard.txt names."""
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guard.txt")
TIMES = 1000
SLACK = 1.02


def collected(program, operation, times):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, operation, str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def instructions(program):
    names = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        few, many = (collected(program, name, times) for times in (TIMES, 41 * TIMES))
        yield name, round((many - few) / (40 * TIMES), 1)


def calls(program):
    """Between the marks, which are attempts to open files that are not there."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "calls")
        subprocess.run(["strace", "-f", "-qq", "-o", path, program, "calls"], check=True)
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    found, at = {}, None
    for line in lines:
        mark = re.search(r'"shmx-guard-([a-z-]+)"', line)
        call = re.match(r"\d+ +(\w+)\(", line)
        if mark:
            at = mark[1]
        elif call and at not in (None, "first", "end") and call[1] != "brk":
            found.setdefault(at, []).append(call[1])
    return found


def fewest_calls(program, times=5):
    """A create that comes more than 20 ms after the one before looks for the dead as well: on a busy
    machine not each run is what is to be counted."""
    runs = [calls(program) for _ in range(times)]
    return {name: min((run[name] for run in runs), key=len) for name in runs[0]}


def conditions(build):
    with open(os.path.join(build, "bench", "facts.json"), encoding="utf-8") as file:
        facts = json.load(file)
    compiler = facts["compiler"].split(".")[0]
    return f"{compiler}, {platform.machine()}, optimisation {facts['optimisation']}", "root" if os.geteuid() == 0 else "not root"


def measured(build):
    program = os.path.join(build, "bench", "bench_steps")
    lines = {f"instructions {name}": str(count) for name, count in instructions(program)}
    lines.update({f"calls {name}": f"{len(found)} {' '.join(found)}" for name, found in fewest_calls(program).items()})
    return lines


def load():
    with open(RECORD, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(": ", 1) for line in file if line.strip() and not line.startswith("#")]
    return {name: value for name, value in rows}


def record(build, lines):
    compiler, user = conditions(build)
    with open(RECORD, "w", encoding="utf-8") as file:
        file.write("# Written by bench/guard.py BUILD --record; .ci/run guard compares with it.\n")
        file.write(f"compiler: {compiler}\nuser: {user}\n")
        file.writelines(f"{name}: {value}\n" for name, value in lines.items())


def compare(build, lines):
    passed = failed = 0
    known, (compiler, user) = load(), conditions(build)
    for name, value in lines.items():
        own = compiler if name.startswith("instructions") else user
        wanted = known["compiler" if name.startswith("instructions") else "user"]
        now = float(value.split()[0])
        if own != wanted:
            print(f"skipped {name}: {value} (recorded with {wanted}, this is {own})")
        elif name not in known:
            print(f"FAILED  {name}: {value}, and nothing is recorded: guard.py BUILD --record")
            failed += 1
        elif now > float(known[name].split()[0]) * (SLACK if name.startswith("instructions") else 1):
            print(f"FAILED  {name} is dearer: {value}, recorded {known[name]}")
            failed += 1
        else:
            print(f"passed  {name}: {value}, recorded {known[name]}")
            passed += 1
    for name in known.keys() - lines.keys() - {"compiler", "user"}:
        print(f"FAILED  {name} is recorded and was not measured")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return failed != 0


def main():
    build = sys.argv[1]
    lines = measured(build)
    if "--record" in sys.argv[2:]:
        record(build, lines)
        return 0
    return compare(build, lines)


sys.exit(main())
