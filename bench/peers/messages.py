# SPDX-License-Identifier: MIT
"""messages.py (pipe|queue) SIZE COUNT: hand COUNT messages of SIZE bytes from one process to
another by what Python's multiprocessing has for it, and print the nanoseconds that one takes."""
import multiprocessing
import sys
import time


def consume_pipe(end, done, count):
    end.recv_bytes()
    done.send(0)
    for _ in range(count):
        end.recv_bytes()
    done.send(0)


def consume_queue(queue, done, count):
    queue.get()
    done.send(0)
    for _ in range(count):
        queue.get()
    done.send(0)


def main():
    kind, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    message = bytes(size)
    done, done_there = multiprocessing.Pipe()
    if kind == "pipe":
        there, here = multiprocessing.Pipe(duplex=False)
        consumer, end, send = consume_pipe, there, here.send_bytes
    else:
        end = multiprocessing.Queue(max(1, min(32767, (1 << 20) // (size + 8))))
        consumer, send = consume_queue, end.put
    process = multiprocessing.Process(target=consumer, args=(end, done_there, count))
    process.start()
    send(message)
    done.recv()  # both are there
    start = time.perf_counter_ns()
    for _ in range(count):
        send(message)
    done.recv()
    print((time.perf_counter_ns() - start) / count)
    process.join()


if __name__ == "__main__":
    multiprocessing.set_start_method("fork" if sys.platform == "linux" else "spawn")
    main()
