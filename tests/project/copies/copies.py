# SPDX-License-Identifier: MIT
"""Two libraries of one program, each with the static library inside, do not meet but in memory.

copies.py NM LIBRARY LIBRARY
"""

import ctypes
import os
import subprocess
import sys

OK = 0
ETIMEDOUT, EOWNERDEAD, EDEADLK = -12, -13, -14


def load(path):
    library = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)  # as bad as it gets
    for name in ("copy_place", "copy_attach"):
        getattr(library, name).restype = ctypes.c_void_p
    library.copy_attach.argtypes = [ctypes.c_char_p, ctypes.c_int]
    for name in ("copy_lock", "copy_unlock", "copy_leave"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    return library


def shown(nm, path):
    lines = subprocess.run([nm, "-D", "--defined-only", path], check=True, capture_output=True, text=True)
    return [line.split()[-1] for line in lines.stdout.splitlines()]


def main():
    nm, *paths = sys.argv[1:]
    for path in paths:
        names = shown(nm, path)
        assert "copy_attach" in names, names
        assert not [name for name in names if name.startswith("shmx_")], names
    first, second = map(load, paths)
    assert first.copy_place() != second.copy_place(), "one copy serves both"
    name = b"copies-%d" % os.getpid()
    one, two = first.copy_attach(name, 1), second.copy_attach(name, 0)
    assert one and two
    assert first.copy_lock(one) == OK
    assert second.copy_lock(two) in (ETIMEDOUT, EDEADLK)
    assert first.copy_unlock(one) == OK and second.copy_lock(two) == OK
    second.copy_leave(two)
    assert first.copy_lock(one) == EOWNERDEAD and first.copy_unlock(one) == OK
    first.copy_leave(one)
    assert second.copy_attach(name, 0) is None, "the last has left, and it is still there"


main()
