# SPDX-License-Identifier: MIT
"""The two demo programs, in C and in Python, in all four pairings: pairings.py PROCESS_1 PROCESS_2"""

import os
import subprocess
import sys

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "demo")
PATIENCE = 60
TYPES = {"uint8": ("1 0 0 0", "1 2 3 4"), "float64": ("1.5 0.0 0.0 0.0", "1.5 2.5 3.5 4.5")}


def twin(number):
    return os.path.join(DEMO, f"process_{number}.py")


def command(program, options):
    return [sys.executable, program, *options] if program.endswith(".py") else [program, *options]


def play(first, second, kind, name):
    options = ["--name", name, "--type", kind]
    with subprocess.Popen(command(first, [*options, "--wait", str(PATIENCE)]),
                          stdout=subprocess.PIPE, text=True) as one:
        said = [one.stdout.readline()]  # now the segment is there
        two = subprocess.run(command(second, options), stdout=subprocess.PIPE, text=True,
                             check=False, timeout=PATIENCE)
        said += one.stdout.readlines()
    before, after = TYPES[kind]
    wanted = [f"process_1: {before}\n", f"process_1: {after}\n"]
    return (one.returncode == 0 and two.returncode == 0 and said == wanted
            and two.stdout == f"process_2: {after}\n")


def main():
    first, second = sys.argv[1:]
    failed = 0
    for kind in TYPES:
        for one in (first, twin(1)):
            for two in (second, twin(2)):
                name = f"pairing-{os.getpid()}"
                good = play(one, two, kind, name)
                failed += not good
                print("ok   " if good else "FAIL ", kind, os.path.basename(one),
                      os.path.basename(two), flush=True)
                if os.path.exists(f"/dev/shm/{name}"):
                    print("left behind:", name)
                    failed += 1
    return failed != 0


sys.exit(main())
