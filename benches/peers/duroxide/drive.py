"""drive.py WIDTH CASES: plays so many orchestrations of ten activities on duroxide and SQLite, so many at a time; prints
their times in milliseconds and how long all took."""

import json
import os
import sys
import threading
import time
import uuid

from duroxide import Client, Runtime, RuntimeOptions, SqliteProvider

WIDTH, CASES = (int(arg) for arg in sys.argv[1:3])
FILE = os.path.abspath(f"duroxide-{os.getpid()}.sqlite")
open(FILE, "w").close()
PROVIDER = SqliteProvider.open(f"sqlite:{FILE}")


def ten(context, _):
    total = 0
    for number in range(1, 11):
        total += yield context.schedule_activity("step", number)
    return total


runtime = Runtime(PROVIDER, RuntimeOptions(log_level="error"))
runtime.register_activity("step", lambda context, number: number)
runtime.register_orchestration("ten", ten)
runtime.start()
client = Client(PROVIDER)


def play(cases):
    times, left, lock = [], [cases], threading.Lock()

    def worker():
        while True:
            with lock:
                if left[0] == 0:
                    return
                left[0] -= 1
            case, start = uuid.uuid4().hex, time.perf_counter()
            client.start_orchestration(case, "ten", None)
            assert client.wait_for_orchestration(case, 120_000).output == 55
            with lock:
                times.append((time.perf_counter() - start) * 1e3)

    threads = [threading.Thread(target=worker) for _ in range(WIDTH)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


play(WIDTH)
begin = time.perf_counter()
done = play(CASES)
print(json.dumps({"all": (time.perf_counter() - begin) * 1e3, "times": done}), flush=True)
os._exit(0)
