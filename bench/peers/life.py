# SPDX-License-Identifier: MIT
"""life.py (life|open) SIZE COUNT: create, write and remove a segment COUNT times, or open and read
one, by multiprocessing's SharedMemory, and print the nanoseconds that one takes."""
import sys
import time
from multiprocessing.shared_memory import SharedMemory


def life(size):
    memory = SharedMemory(create=True, size=size)
    memory.buf[:1024] = b"\1" * 1024
    memory.close()
    memory.unlink()


def visit(name):
    memory = SharedMemory(name=name)
    byte = memory.buf[0]
    memory.close()
    return byte


def main():
    kind, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    kept = SharedMemory(create=True, size=size)
    once = (lambda: life(size)) if kind == "life" else (lambda: visit(kept.name))
    once()
    start = time.perf_counter_ns()
    for _ in range(count):
        once()
    print((time.perf_counter_ns() - start) / count)
    kept.close()
    kept.unlink()


main()
