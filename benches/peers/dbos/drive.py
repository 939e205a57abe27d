"""drive.py WIDTH CASES: plays so many workflows of ten durable steps on DBOS and SQLite, so many at a time; prints
their times in milliseconds and how long all took."""

import json
import os
import sys
import threading
import time

from dbos import DBOS

WIDTH, CASES = (int(arg) for arg in sys.argv[1:3])
FILE = os.path.abspath(f"dbos-{os.getpid()}.sqlite")
DBOS(
    config={
        "name": "cases",
        "system_database_url": f"sqlite:///{FILE}",
        "log_level": "CRITICAL",
        "run_admin_server": False,
    }
)


@DBOS.step()
def step(number: int) -> int:
    return number


@DBOS.workflow()
def ten() -> int:
    return sum(step(number) for number in range(1, 11))


def play(cases):
    times, left, lock = [], [cases], threading.Lock()

    def worker():
        while True:
            with lock:
                if left[0] == 0:
                    return
                left[0] -= 1
            start = time.perf_counter()
            assert ten() == 55
            with lock:
                times.append((time.perf_counter() - start) * 1e3)

    threads = [threading.Thread(target=worker) for _ in range(WIDTH)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


DBOS.launch()
play(WIDTH)
begin = time.perf_counter()
done = play(CASES)
print(json.dumps({"all": (time.perf_counter() - begin) * 1e3, "times": done}), flush=True)
os._exit(0)
