"""Plays cases, so many at a time, and prints their times in milliseconds and how long all took."""

import json
import os
import threading
import time


def play(width, cases, one):
    """How long `one` took each time it was called: `cases` times, by `width` threads."""
    times, left, lock = [], [cases], threading.Lock()

    def worker():
        while True:
            with lock:
                if left[0] == 0:
                    return
                left[0] -= 1
            start = time.perf_counter()
            one()
            with lock:
                times.append((time.perf_counter() - start) * 1e3)

    threads = [threading.Thread(target=worker) for _ in range(width)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def measure(width, cases, one):
    """Plays as many as are in flight to warm up, then measures; ends the program, whatever threads an engine has."""
    play(width, width, one)
    begin = time.perf_counter()
    times = play(width, cases, one)
    print(json.dumps({"all": (time.perf_counter() - begin) * 1e3, "times": times}), flush=True)
    os._exit(0)
