# SPDX-License-Identifier: MIT
"""Segments of Python's standard library, seen by shmx, and the other way round; and the command's
JSON, read by Python: foreign.py SHMX"""

import json
import os
import subprocess
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory

TOOL = sys.argv[1]
# Windows has no names without users. Only some systems list segments of other programs.
UNLINKS = os.name == "posix"
LISTS = sys.platform.startswith(("linux", "freebsd", "netbsd", "win"))
DATA = bytes(range(256)) * 4
NAME = f"foreign-{os.getpid()}"


def shmx(*words, data=b"", status=0):
    done = subprocess.run([TOOL, *words], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == status, (words, done)
    return done.stdout


def listed():
    return {info["name"]: info for info in json.loads(shmx("ls", "--json"))}


def there():
    return NAME in listed() if LISTS else json.loads(shmx("stat", NAME, "--json"))["foreign"]


def attach(name):
    """Without becoming the one who removes it."""
    register = resource_tracker.register
    resource_tracker.register = lambda *_: None
    try:
        return SharedMemory(name)
    finally:
        resource_tracker.register = register


def python_made_it():
    memory = SharedMemory(NAME, create=True, size=1024)
    memory.buf[:1024] = DATA
    info = json.loads(shmx("stat", NAME, "--json"))
    assert info["foreign"] and info["size"] == memory.size and info["creator_pid"] == 0, info
    assert there() and (not LISTS or listed()[NAME]["foreign"])
    assert shmx("cat", NAME, "--count", "1024") == DATA
    shmx("write", NAME, "--offset", "10", data=b"from shmx")
    assert bytes(memory.buf[10:19]) == b"from shmx"
    shmx("prune")  # its own users' end, not ours, is what removes it
    if not UNLINKS:
        memory.close()
        return
    memory.close()
    shmx("prune")
    assert there()
    shmx("create", NAME, "1K", status=1)
    shmx("rm", NAME)
    shmx("stat", NAME, status=1)
    resource_tracker.unregister("/" + NAME, "shared_memory")


def shmx_made_it():
    shmx("create", NAME, "1000", "--persistent")
    memory = attach(NAME)
    assert memory.size >= 1000
    assert bytes(memory.buf[:1000]) == bytes(1000)
    memory.buf[:1000] = DATA[:1000]
    assert shmx("cat", NAME) == DATA[:1000]
    shmx("rm", NAME)
    memory.buf[0] = 7  # users keep theirs
    memory.close()
    try:
        attach(NAME).close()
    except FileNotFoundError:
        return
    raise AssertionError("still there")


def bench_is_json():
    report = json.loads(shmx("bench", "--quick", "--json"))
    assert report["unit"] == "ns" and report["optimised"] in (True, False), report
    rows = {row["name"]: row for table in report["tables"] for row in table["rows"]}
    assert rows["shmx_mutex: lock and unlock"]["ns"] > 0, rows
    assert all(table["rows"][0]["ratio"] == 1 for table in report["tables"]), report


python_made_it()
if UNLINKS:  # elsewhere a program must hold it: pairings.py
    shmx_made_it()
bench_is_json()
print("ok")
