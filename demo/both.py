# SPDX-License-Identifier: MIT
"""Run both demo programs side by side: both.py PROCESS_1 PROCESS_2 [options of both]."""

import os
import subprocess
import sys


def command(program, options):
    if program.endswith(".py"):
        return [sys.executable, program, *options]
    if program.endswith(".exe") and os.name != "nt":
        return ["wine", program, *options]
    return [program, *options]


def main():
    first, second, *options = sys.argv[1:]
    with subprocess.Popen(command(first, options), stdout=subprocess.PIPE, text=True) as one:
        print(one.stdout.readline(), end="", flush=True)  # now the segment is there
        status = subprocess.run(command(second, options), check=False).returncode
        print(one.stdout.read(), end="")
    return one.returncode or status


sys.exit(main())
