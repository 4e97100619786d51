# SPDX-License-Identifier: MIT
"""The second of two processes that share memory, without shmx: the twin of process_2.c."""

import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory

from options import Options


def attach(name):
    """Attach without becoming the one who removes it: before 3.13, Python unlinks at exit
    what a process has only attached to."""
    if sys.version_info >= (3, 13):
        return SharedMemory(name, track=False)
    register = resource_tracker.register
    resource_tracker.register = lambda *_: None
    try:
        return SharedMemory(name)
    finally:
        resource_tracker.register = register


def main():
    options = Options("process_2", False, sys.argv[1:])
    try:
        memory = attach(options.name)
    except (OSError, ValueError) as error:
        return options.complain("cannot attach to", error)
    for index in (1, 2, 3):
        options.write(memory, index)
    options.print(memory)
    memory.close()
    return 0


sys.exit(main())
