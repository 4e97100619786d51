# SPDX-License-Identifier: MIT
"""Run both demo programs side by side and say what happens: both.py PROCESS_1 PROCESS_2 [options of both]."""

import os
import subprocess
import sys


def command(program, options):
    if program.endswith(".py"):
        return [sys.executable, program, *options]
    if program.endswith(".exe") and os.name != "nt":
        return ["wine", program, *options]
    return [program, *options]


def tell(subject, did, line=None):
    sees = "" if line is None else line.partition(":")[2].strip() or "nothing"
    print(f"{subject:<26} {did:<41} {sees}".rstrip(), flush=True)


def name_of(options):
    return options[options.index("--name") + 1] if "--name" in options[:-1] else "MyMemory"


def play(first, second, options):
    name = name_of(options)
    tell("", "", "  : it sees")
    with subprocess.Popen(command(first, options), stdout=subprocess.PIPE, text=True) as one:
        line = one.stdout.readline()  # now the segment is there
        tell(f"process_1 (pid {one.pid})", f'creates "{name}", writes value 1', line)
        with subprocess.Popen(command(second, options), stdout=subprocess.PIPE, text=True) as two:
            line = two.stdout.read()
        if two.returncode == 0:
            tell(f"process_2 (pid {two.pid})", "opens it, writes values 2 to 4, wakes 1", line)
        line = one.stdout.read()
    if one.returncode == 0 and two.returncode == 0:
        tell("process_1, woken up", "looks again", line)
    return one.returncode or two.returncode


def main():
    first, second, *options = sys.argv[1:]
    print("Two processes, one memory.\n")
    status = play(first, second, options)
    if status == 0:  # both have left: a third must find nothing
        third = subprocess.run(command(second, options), capture_output=True, text=True, check=False)
        gone = third.returncode != 0 and "no such segment" in third.stderr
        tell("both have ended", f'"{name_of(options)}" is {"gone: no name, no memory" if gone else "still there"}')
        status = 0 if gone else 1
    print("\nThe programs are demo/process_1.c and demo/process_2.c; in Python process_1.py and process_2.py.")
    return status


sys.exit(main())
