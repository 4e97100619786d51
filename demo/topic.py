# SPDX-License-Identifier: MIT
"""Two publishers and four readers, of which one each is killed: topic.py TOPIC_PUBLISH TOPIC_READ.

The others go on: every reader gets every message whole, the slow one is told what it missed, the
lossless one misses nothing, and all end when the last publisher has.
"""

import os
import subprocess
import sys


def start(program, name, who, *options):
    words = [program, "--name", name, "--self", who, *options]
    if program.endswith(".exe") and os.name != "nt":
        words.insert(0, "wine")
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def begun(process):
    print(process.stdout.readline(), end="", flush=True)


def main():
    publish, read = sys.argv[1:]
    name = f"MyTopic-{os.getpid()}"
    print("A topic with two publishers and four readers. One publisher and one reader are killed.\n", flush=True)
    publishers = [start(publish, name, "publisher 1", "--count", "600", "--every", "5"),
                  start(publish, name, "publisher 2", "--count", "600", "--every", "5")]
    readers = [start(read, name, "reader", "--oldest"),
               start(read, name, "slow reader", "--oldest", "--every", "40"),
               start(read, name, "lossless reader", "--oldest", "--lossless"),
               start(read, name, "lossless reader that is killed", "--lossless")]
    for process in publishers + readers:
        begun(process)
    publishers.pop().kill()
    readers.pop().kill()
    print("publisher 2 and a lossless reader: killed", flush=True)
    status = 0
    for process in publishers + readers:
        print(process.communicate()[0], end="", flush=True)
        status = status or process.returncode
    print("\nEach message beyond 600 is one of publisher 2, from before it was killed."
          "\nThe programs are demo/topic_publish.c and demo/topic_read.c.")
    return status


sys.exit(main())
