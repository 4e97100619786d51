# SPDX-License-Identifier: MIT
"""All that is measured: the tables in their order, and the targets."""

# id, title, what stands first and counts as 1, unit
TABLES = [
    ("life", "Create, write 1 KiB, close, remove", "bare calls", "ns"),
    ("open", "Open, read, close", "bare calls", "ns"),
    ("users", "Open, read, close beside other users of the segment", "bare calls", "ns"),
    ("segments", "Open, and create, beside other segments", "bare calls", "ns"),
    ("touch", "Create and touch each page", "bare calls", "ns"),
    ("attach", "A later user: attach and touch each page", "bare calls", "ns"),
    ("access", "Copy 64 KiB there and back", "bare mapping", "ns"),
    ("lock", "Lock and unlock, by the number of processes that want the lock", "three states and a futex", "ns"),
    ("takeover", "From the owner's death until a sleeper has the lock", "pthread, robust", "ns"),
    ("nobody", "Tell, when nobody waits", "a sequentially consistent store", "ns"),
    ("tell", "Tell another process, one way", "bare futex", "ns"),
    ("sleepers", "Tell eight that sleep, until the last of them runs", "bare futex", "ns"),
    ("queue", "A message to another process, by its size and the room in the queue", "ring by hand", "ns"),
    ("crowd", "A message, one to one and four to four", "one to one", "ns"),
    ("latency", "A message of 64 bytes, one way", "ring by hand", "ns"),
    ("topic", "Publish a message of 64 bytes, by the number of readers", "shmx_topic_publish", "ns"),
    ("publish", "Publish, by one who writes over what nobody reads", "ring by hand", "ns"),
    ("next", "Read the next message, when there is one", "ring by hand", "ns"),
    ("latest", "Look at the newest message", "memcpy", "ns"),
    ("presence", "Enter and leave, and ask", "shmx_presence_enter, leave", "ns"),
    ("idle", "Processor time of eight that wait for 10 s", "bare futex", "ns"),
    ("memory", "Memory", None, "bytes"),
]
TITLES = {name: title for name, title, _, _ in TABLES}
FLOORS = {name: floor for name, _, floor, _ in TABLES}
SPIN = "spinning on a word"  # the least of all, where both run
UNITS = {name: unit for name, _, _, unit in TABLES}

# Which program measures which tables.
PROGRAMS = {"life": ["life", "open", "users", "segments", "access", "memory"], "touch": ["touch", "attach"],
            "locks": ["lock", "takeover"], "tell": ["nobody", "tell", "sleepers"],
            "queue": ["queue", "crowd", "latency"], "topic": ["topic"],
            "overwrite": ["publish", "next", "latest"], "presence": ["presence"], "idle": ["idle"]}

# Rounds and percent of the work, in full and quickly.
EFFORT = {"life": ((21, 100), (3, 10)), "touch": ((9, 100), (3, 3)), "locks": ((15, 100), (3, 5)),
          "tell": ((15, 100), (3, 10)), "queue": ((11, 100), (3, 4)), "topic": ((11, 100), (3, 5)),
          "overwrite": ((31, 100), (3, 10)),
          "presence": ((11, 100), (3, 5)), "idle": ((1, 100), (1, 10))}

PEERS = {"Boost": "Boost.Interprocess", "Qt": "Qt 6 QSharedMemory", "APR": "APR", "ZeroMQ": "ZeroMQ"}

SEND = "shmx_queue_send, receive"
PLACE = "shmx_queue_reserve, peek"
SIZES = ["16 B", "256 B", "4 KiB", "64 KiB", "1 MiB"]
# The room in the queue that README and docs/queue.md show; the page has the others as well.
ROOMS = {"16 B": "256 KiB", "256 B": "256 KiB", "4 KiB": "4 MiB", "64 KiB": "2 MiB", "1 MiB": "8 MiB"}


def floor_of(table, ways):
    return SPIN if SPIN in ways else FLOORS[table]


def shown(size):
    return f"{size}/{ROOMS[size]}"


def targets():
    """(what, table, at, way, beside what, at most) as ratios; beside None: ns."""
    yield "create, write, close, remove", "life", "1 KiB", "shmx", "bare calls", 1.2
    yield "open, read, close", "open", "1 KiB", "shmx", "bare calls", 1.2
    yield "open beside 1,000 users", "users", "1000", "shmx", "bare calls", 1.35
    yield "open beside 10,000 segments", "segments", "10000", "shmx", "bare calls", 1.35
    for size, most in (("2 MiB", 0.15), ("256 MiB", 0.15), ("1 GiB", 0.15)):
        yield f"`SHMX_PREFAULT` of {size}", "touch", size, "shmx, SHMX_PREFAULT", "bare calls", most
    yield "access", "access", "64 KiB", "shmx_data", "bare mapping", 1.0
    yield "uncontended lock", "lock", "1", "shmx_mutex", "three states and a futex", 1.4
    yield "lock of two processes", "lock", "2", "shmx_mutex", "pthread", 1.0
    yield "tell a process that runs", "tell", "running", "shmx_wake, shmx_wait", SPIN, 1.5
    yield "tell a process that sleeps", "tell", "asleep", "shmx_wake, shmx_wait", "bare futex", 1.1
    for way in ("shmx_wake", "shmx_cond_signal", "shmx_sem_post"):
        yield f"`{way}`, nobody waits", "nobody", "", way, None, 5.0
    for size in SIZES:
        most = 2.0 if size in ("16 B", "256 B") else 1.25
        yield f"message of {size}, beside the ring by hand", "queue", shown(size), SEND, "ring by hand", most
    yield "message of 16 B in a ring never full", "queue", "16 B/4 MiB", SEND, "ring by hand", 1 / 0.7
    for size in SIZES:
        most = 0.5 if size in ("16 B", "256 B", "4 KiB") else 1.0
        for peer in ("Boost message_queue", "ZeroMQ ipc", "pipe", "Unix stream socket", "POSIX message queue"):
            yield f"message of {size}, beside {peer}", "queue", shown(size), SEND, peer, most
    for size in SIZES:
        most = 1.2 if size in ("16 B", "256 B") else 1.0
        yield f"in place beside copied, {size}", "queue", shown(size), PLACE, SEND, most
    yield "latency of 64 B, beside spinning on a word", "latency", "running", SEND, SPIN, 1.5
    for size in ("16 B", "256 B"):
        yield f"publish {size}, beside the ring by hand", "publish", size, "shmx_topic_publish", "ring by hand", 1 / 0.7
        yield (f"publish {size} to 64 readers that fall behind, beside to none", "publish", size,
               "shmx_topic_publish, 64 readers", "shmx_topic_publish", 1.2)
        yield f"next of {size}, beside the ring by hand", "next", size, "shmx_topic_next", "ring by hand", 1 / 0.7
    yield "newest of 64 B, beside a copy", "latest", "64 B", "shmx_topic_latest", "memcpy", 2.0
    for readers in ("1", "8", "64"):
        yield (f"publish to {readers} beside one queue each", "topic", readers, "shmx_topic_publish",
               "shmx_queue_send to each", 1.0)
