# SPDX-License-Identifier: MIT
"""The first of two processes that share memory, without shmx: the twin of process_1.c."""

import signal
import sys
import time
from multiprocessing.shared_memory import SharedMemory

from options import Options

SIZE = 1024
ASK_AGAIN_SECONDS = 0.01


class Interrupted(Exception):
    """Ctrl-C, or a request to end."""


def on_signal(number, _frame):
    raise Interrupted(number)


def run(memory, options):
    options.write(memory, 0)
    options.print(memory)
    deadline = time.monotonic() + options.seconds
    while not all(options.read(memory)) and time.monotonic() < deadline:
        time.sleep(ASK_AGAIN_SECONDS)
    options.print(memory)
    return 0


def main():
    options = Options("process_1", True, sys.argv[1:])
    memory = None
    try:
        signal.signal(signal.SIGINT, on_signal)
        signal.signal(signal.SIGTERM, on_signal)
        memory = SharedMemory(options.name, create=True, size=SIZE)
        return run(memory, options)
    except Interrupted as interrupted:
        return 128 + interrupted.args[0]
    except (OSError, ValueError) as error:
        return options.complain("cannot create", error)
    finally:
        if memory is not None:
            memory.close()
            memory.unlink()


sys.exit(main())
